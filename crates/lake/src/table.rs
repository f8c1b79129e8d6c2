//! One workspace's Delta table: the commits that move its snapshot on, and its files. Never reads rows.
//!
//! The Delta log is written through deltalake's log store, but the list of live files is kept here and advanced by each
//! commit's own actions: a commit costs the same whether the table has ten files or ten thousand, where deltalake's
//! builders replay the file list.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Version};
use deltalake::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore, get_actions};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;
use waymark_clock::Clock;

use crate::delivery::Delivered;
use crate::encode::Batch;
use crate::error::{LakeError, Result};
use crate::file::DataFile;
use crate::options::LakeOptions;
use crate::promote::Popularity;
use crate::schema::{Kind, delta_columns};
use crate::snapshot::Snapshot;
use crate::storage::Root;

/// What a commit does to the table.
pub(crate) struct Commit {
    pub add: Vec<DataFile>,
    pub remove: Vec<Arc<DataFile>>,
    /// Whether the set of events stays the same, as in a compaction, and only its files change.
    pub rewrites_only: bool,
}

/// A workspace's table.
pub(crate) struct EventTable {
    log: LogStoreRef,
    /// The table's folder from the store's root.
    folder: Path,
    store: Arc<dyn ObjectStore>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Held while a commit is written, so that those of this process do not race for a version.
    committing: tokio::sync::Mutex<()>,
    /// Files seen in the folder that the table does not use, and since when (milliseconds).
    unused_since: Mutex<HashMap<Path, i64>>,
    checkpointed: Mutex<Version>,
    clock: Clock,
    log_retention_millis: i64,
    /// When the log was last known to its end (milliseconds).
    current_at: AtomicI64,
    /// What the events had that this process took in.
    popularity: Mutex<Popularity>,
}

/// Commits between checkpoints: opening a table replays at most this many log entries.
const CHECKPOINT_EVERY: Version = 100;

impl EventTable {
    /// Opens the table of `workspace`; `None` when it has none yet and `create` is false.
    pub(crate) async fn open(
        root: &Root,
        options: &LakeOptions,
        workspace: &str,
        create: bool,
    ) -> Result<Option<Self>> {
        let url = table_url(root, workspace)?;
        let folder = Path::from_url_path(url.path()).map_err(LakeError::failed("read the table's path"))?;
        let within = Arc::new(PrefixStore::new(root.store.clone(), folder.clone()));
        // Any store with put-if-absent will do, which all of today's have: no lock table, no store-specific log.
        let log = default_logstore(within, root.store.clone(), &url, &StorageConfig::default());
        let exists = log.is_delta_table_location().await.map_err(LakeError::failed("look for the table's log"))?;
        if !exists {
            if !create {
                return Ok(None);
            }
            let created = CreateBuilder::new()
                .with_log_store(log.clone())
                .with_table_name("events")
                .with_columns(delta_columns())
                .with_save_mode(SaveMode::ErrorIfExists)
                .await;
            match created {
                // Another replica may create it at the same moment: its table is as good.
                Ok(_) | Err(DeltaTableError::VersionAlreadyExists(_)) => {}
                Err(error) => {
                    if !log.is_delta_table_location().await.unwrap_or(false) {
                        return Err(LakeError::failed("create the event table")(error));
                    }
                }
            }
        }
        let opened_at = options.clock.now().timestamp_millis();
        let snapshot = Snapshot::load(&log).await?;
        Ok(Some(Self {
            folder,
            store: root.store.clone(),
            checkpointed: Mutex::new(snapshot.version),
            snapshot: RwLock::new(Arc::new(snapshot)),
            committing: tokio::sync::Mutex::new(()),
            unused_since: Mutex::new(HashMap::new()),
            clock: options.clock.clone(),
            log_retention_millis: i64::try_from(options.log_retention.as_millis()).unwrap_or(i64::MAX),
            current_at: AtomicI64::new(opened_at),
            popularity: Mutex::default(),
            log,
        }))
    }

    /// The table as this process knows it.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The table as it is, commits of other processes included.
    pub(crate) async fn refresh(&self) -> Result<Arc<Snapshot>> {
        self.catch_up().await?;
        Ok(self.snapshot())
    }

    /// Moves on to `snapshot`, unless that version or a later one is known: a commit and readers of the log may get
    /// there side by side.
    fn publish(&self, snapshot: Snapshot) {
        let mut known = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        if known.version < snapshot.version {
            *known = Arc::new(snapshot);
        }
    }

    /// Whether others may have expired log entries that this process does not know yet. The end of what is known would
    /// then look like the end of the log, and a commit there would be lost. Half the retention is left for clocks that
    /// differ.
    fn is_stale(&self) -> bool {
        let age = self.clock.now().timestamp_millis().saturating_sub(self.current_at.load(Ordering::Relaxed));
        age >= self.log_retention_millis / 2
    }

    /// Applies log entries that are not known yet. Waits for no commit: an entry never changes, so all who read it
    /// publish the same.
    async fn catch_up(&self) -> Result<()> {
        let now = self.clock.now().timestamp_millis();
        if self.is_stale() {
            self.publish(Snapshot::load(&self.log).await?);
        }
        loop {
            let snapshot = self.snapshot();
            let next = snapshot.version + 1;
            let entry = self.log.read_commit_entry(next).await.map_err(LakeError::failed("read the table's log"))?;
            let Some(entry) = entry else {
                self.current_at.fetch_max(now, Ordering::Relaxed);
                return Ok(());
            };
            let actions = get_actions(next, &entry).map_err(LakeError::failed("understand the table's log"))?;
            self.publish(snapshot.advance(next, &actions));
        }
    }

    /// Makes a commit and returns its version, or [`LakeError::Conflict`] when a file to remove is gone already.
    pub(crate) async fn commit(&self, commit: &Commit, now_millis: i64) -> Result<Version> {
        let mut actions: Vec<Action> =
            commit.remove.iter().map(|file| Action::Remove(file.remove(now_millis, !commit.rewrites_only))).collect();
        actions.extend(commit.add.iter().map(|file| Action::Add(file.add(now_millis, !commit.rewrites_only))));
        let operation = || {
            if commit.rewrites_only {
                DeltaOperation::Optimize { predicate: None, target_size: 0 }
            } else {
                DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None }
            }
        };
        self.append(|current| {
            let live: HashSet<_> = current.files.iter().map(|file| file.path.as_str()).collect();
            if commit.add.iter().any(|file| live.contains(file.path.as_str())) {
                // A retry inside the store reported our own earlier success as somebody else's entry.
                return Ok(None);
            }
            if !commit.remove.iter().all(|file| live.contains(file.path.as_str())) {
                return Err(LakeError::Conflict);
            }
            let declaration = current.declaration()?.map(Action::Metadata);
            Ok(Some((declaration.into_iter().chain(actions.iter().cloned()).collect(), operation())))
        })
        .await
    }

    /// Notes that an import is undone, with what that takes away, unless it is; and what it took away when it was.
    /// Where files name it that were not `counted`, [`LakeError::Conflict`].
    pub(crate) async fn undo(
        &self,
        import: Uuid,
        delivered: Delivered,
        counted: Option<&Snapshot>,
    ) -> Result<Delivered> {
        self.append(|current| {
            if current.undone.contains_key(&import) {
                return Ok(None);
            }
            if counted.is_some_and(|counted| !current.naming(import).eq(counted.naming(import))) {
                return Err(LakeError::Conflict);
            }
            let (metadata, property) = current.undoing(import, delivered)?;
            let properties = HashMap::from([property]);
            Ok(Some((vec![Action::Metadata(metadata)], DeltaOperation::SetTableProperties { properties })))
        })
        .await?;
        Ok(self.snapshot().undone.get(&import).copied().unwrap_or(delivered))
    }

    /// Gives columns to properties that common events have, and returns the table with them. What others declared
    /// meanwhile stays as they did; a property that there is no room for stays without.
    pub(crate) async fn promote(&self, properties: &[(String, Kind)]) -> Result<Arc<Snapshot>> {
        self.append(|current| {
            let Some(metadata) = current.declare(properties)? else { return Ok(None) };
            let fields = metadata.parse_schema().map_err(LakeError::failed("declare the table's columns"))?;
            let operation = DeltaOperation::AddColumn { fields: fields.fields().cloned().collect() };
            Ok(Some((vec![Action::Metadata(metadata)], operation)))
        })
        .await?;
        Ok(self.snapshot())
    }

    /// Counts what batches have, and tells which properties are to have columns that have none.
    pub(crate) fn popular(&self, batches: &[Batch], after: u64) -> Vec<(String, Kind)> {
        let mut popularity = self.popularity.lock().unwrap_or_else(PoisonError::into_inner);
        popularity.count(batches, &self.snapshot().columns, after)
    }

    /// Appends what `decide` makes of the table as it is, which is asked anew when others were faster, and returns the
    /// version from which on it is there; the present one when there is nothing to do.
    async fn append(
        &self,
        decide: impl Fn(&Snapshot) -> Result<Option<(Vec<Action>, DeltaOperation)>>,
    ) -> Result<Version> {
        let _turn = self.committing.lock().await;
        if self.is_stale() {
            self.catch_up().await?;
        }
        loop {
            let current = self.snapshot();
            let Some((actions, operation)) = decide(&current)? else { return Ok(current.version) };
            let data = CommitData::new(actions, operation, HashMap::new(), Vec::new());
            let entry = data.get_bytes().map_err(LakeError::failed("write the commit"))?;
            let version = current.version + 1;
            match self.log.write_commit_entry(version, CommitOrBytes::LogBytes(entry), Uuid::nil()).await {
                Ok(()) => {
                    self.publish(current.advance(version, &data.actions));
                    return Ok(version);
                }
                Err(TransactionError::VersionAlreadyExists(_)) => self.catch_up().await?,
                Err(error) => return Err(LakeError::failed("commit to the table's log")(error)),
            }
        }
    }

    /// Stores a data file's bytes; it joins the table only by a commit.
    pub(crate) async fn put(&self, file: &DataFile, bytes: Vec<u8>) -> Result<()> {
        self.store.put(&self.location(file), bytes.into()).await.map_err(LakeError::failed("store a data file"))?;
        Ok(())
    }

    /// Where a file is, from the store's root.
    pub(crate) fn location(&self, file: &DataFile) -> Path {
        self.folder.clone().join(file.path.as_str())
    }

    /// Deletes files that a failed or conflicting operation wrote and never committed. Best effort: vacuum finds what
    /// is left.
    pub(crate) async fn discard(&self, files: &[DataFile]) {
        for file in files {
            if let Err(error) = self.store.delete(&self.location(file)).await {
                tracing::debug!(path = file.path, %error, "an uncommitted file stays until the next vacuum");
            }
        }
    }

    /// Writes a checkpoint when enough commits have passed since the last, so that opening stays quick, and deletes the
    /// log entries that neither a checkpoint nor a reader within the retention needs.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        let version = self.snapshot().version;
        if version < *self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner) + CHECKPOINT_EVERY {
            return Ok(());
        }
        let mut table = DeltaTable::new(self.log.clone());
        table.load().await.map_err(LakeError::failed("load the table for a checkpoint"))?;
        create_checkpoint(&table, None).await.map_err(LakeError::failed("write a checkpoint"))?;
        *self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner) = version;
        let expired = self.clock.now().timestamp_millis().saturating_sub(self.log_retention_millis).max(0);
        // Keeps every entry of the retention and all since the last checkpoint before them.
        cleanup_expired_logs_for(version, self.log.as_ref(), expired, None)
            .await
            .map_err(LakeError::failed("expire log entries"))?;
        Ok(())
    }

    /// Deletes data files that the table has not used for `grace_millis` and returns how many.
    ///
    /// The clock of a file starts when a vacuum first sees it unused, in this process: a file that is uploaded but not
    /// yet committed, or that a running query still reads, is safe as long as that takes less than the grace period.
    pub(crate) async fn vacuum(&self, now_millis: i64, grace_millis: i64) -> Result<u64> {
        self.refresh().await?;
        let live: HashSet<Path> = self.snapshot().files.iter().map(|file| self.location(file)).collect();
        // With the delimiter the log beside the data files is not listed.
        let listed =
            self.store.list_with_delimiter(Some(&self.folder)).await.map_err(LakeError::failed("list data files"))?;
        let listed: HashSet<Path> = listed
            .objects
            .into_iter()
            .map(|meta| meta.location)
            .filter(|path| self.is_data_file(path) && !live.contains(path))
            .collect();
        let expired: Vec<Path> = {
            let mut unused = self.unused_since.lock().unwrap_or_else(PoisonError::into_inner);
            unused.retain(|path, _| listed.contains(path));
            listed
                .into_iter()
                .filter(|path| now_millis - *unused.entry(path.clone()).or_insert(now_millis) >= grace_millis)
                .collect()
        };
        let count = expired.len() as u64;
        let paths = futures::stream::iter(expired.into_iter().map(Ok)).boxed();
        self.store
            .delete_stream(paths)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
            .map_err(LakeError::failed("delete old files"))?;
        Ok(count)
    }

    fn is_data_file(&self, path: &Path) -> bool {
        path.prefix_match(&self.folder).is_some_and(|mut rest| {
            let is_parquet = rest.next().is_some_and(|part| part.as_ref().ends_with(".parquet"));
            is_parquet && rest.next().is_none()
        })
    }
}

/// `ROOT/WORKSPACE/events/`.
fn table_url(root: &Root, workspace: &str) -> Result<Url> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if workspace.is_empty() || workspace.len() > 63 || !workspace.bytes().all(plain) {
        return Err(LakeError::InvalidWorkspace(workspace.to_owned()));
    }
    root.url.join(&format!("{workspace}/events/")).map_err(|_| LakeError::InvalidWorkspace(workspace.to_owned()))
}

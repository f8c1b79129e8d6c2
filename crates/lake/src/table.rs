//! One workspace's Delta table: its snapshot in memory and the commits that move it on. Never reads rows.
//!
//! Which imports are undone stands in the table's metadata, a property `waymark.undone.<import>` each, so it is there
//! from one commit on for every process and stays. Other engines do not know it: they see what is undone until
//! compaction has removed it.
//!
//! The Delta log is written through deltalake's log store, but the list of live files is kept here and advanced by each
//! commit's own actions: a commit costs the same whether the table has ten files or ten thousand, where deltalake's
//! builders replay the file list.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Add, EagerSnapshot, LogicalFileView, Metadata, MetadataExt as _, StructType, Version};
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

use crate::delivery::{Delivered, Undone};
use crate::error::{LakeError, Result};
use crate::file::DataFile;
use crate::options::LakeOptions;
use crate::schema::delta_columns;
use crate::storage::Root;

/// What properties that tell of an undone import begin with.
const UNDONE: &str = "waymark.undone.";

/// The table at one version: immutable, so a query that holds it sees nothing change.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub version: Version,
    /// Live files, oldest commit first.
    pub files: Vec<Arc<DataFile>>,
    /// Imports whose rows do not stand.
    pub undone: Arc<Undone>,
    metadata: Arc<Metadata>,
    /// Whether the table declares all columns, which one of an earlier program does not.
    is_declared: bool,
}

impl Snapshot {
    /// The newest table that storage has, from its last checkpoint on.
    async fn load(log: &LogStoreRef) -> Result<Self> {
        let loaded =
            EagerSnapshot::try_new(log.as_ref(), None).await.map_err(LakeError::failed("load the event table"))?;
        let mut files: Vec<_> = loaded
            .log_data()
            .iter()
            .map(|view| {
                let file = DataFile::from_log(&entry(&view));
                (file.received.min, Arc::new(file))
            })
            .collect();
        files.sort_by_key(|(received, _)| *received);
        let files = files.into_iter().map(|(_, file)| file).collect();
        let (undone, is_declared) = told(loaded.metadata());
        let metadata = Arc::new(loaded.metadata().clone());
        Ok(Self { version: loaded.version(), files, undone, metadata, is_declared })
    }

    /// Applies one commit's actions. Idempotent: a file that is there already is not added twice.
    fn advance(&self, version: Version, actions: &[Action]) -> Self {
        let mut next = Self { version, ..self.clone() };
        let mut removed = HashSet::new();
        let mut added = Vec::new();
        for action in actions {
            match action {
                Action::Remove(remove) => {
                    removed.insert(remove.path.as_str());
                }
                Action::Add(add) => {
                    added.push(DataFile::from_log(add));
                }
                Action::Metadata(metadata) => {
                    (next.undone, next.is_declared) = told(metadata);
                    next.metadata = Arc::new(metadata.clone());
                }
                Action::Protocol(_)
                | Action::Txn(_)
                | Action::CommitInfo(_)
                | Action::DomainMetadata(_)
                | Action::Cdc(_) => {}
            }
        }
        removed.extend(added.iter().map(|file| file.path.as_str()));
        next.files.retain(|file| !removed.contains(file.path.as_str()));
        next.files.extend(added.into_iter().map(Arc::new));
        next
    }

    /// The files with rows that name an import.
    pub(crate) fn naming(&self, import: Uuid) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files.iter().filter(move |file| file.names(import))
    }

    /// The metadata of a table that has all columns, where this one lacks some.
    fn declaration(&self) -> Result<Option<Metadata>> {
        if self.is_declared {
            return Ok(None);
        }
        let doing = "declare the table's columns";
        let columns = StructType::try_new(delta_columns()).map_err(LakeError::failed(doing))?;
        (*self.metadata).clone().with_schema(&columns).map(Some).map_err(LakeError::failed(doing))
    }
}

/// What the log says of a file.
#[expect(deprecated, reason = "nothing else tells the tags of a file")]
fn entry(view: &LogicalFileView) -> Add {
    view.add_action()
}

/// What metadata tell: the imports that are undone, and whether all columns are declared.
fn told(metadata: &Metadata) -> (Arc<Undone>, bool) {
    let undone = metadata.configuration().iter().filter_map(|(name, value)| {
        let import = name.strip_prefix(UNDONE)?.parse().ok()?;
        Some((import, Delivered::parse(value)))
    });
    let declared = metadata
        .parse_schema()
        .is_ok_and(|schema| delta_columns().iter().all(|column| schema.field(column.name()).is_some()));
    (Arc::new(undone.collect()), declared)
}

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
        let (name, value) = (format!("{UNDONE}{import}"), delivered.text());
        self.append(|current| {
            if current.undone.contains_key(&import) {
                return Ok(None);
            }
            if counted.is_some_and(|counted| !current.naming(import).eq(counted.naming(import))) {
                return Err(LakeError::Conflict);
            }
            let metadata = current.declaration()?.unwrap_or_else(|| (*current.metadata).clone());
            let metadata = metadata.add_config_key(name.clone(), value.clone());
            let metadata = metadata.map_err(LakeError::failed("note what is undone"))?;
            let properties = HashMap::from([(name.clone(), value.clone())]);
            Ok(Some((vec![Action::Metadata(metadata)], DeltaOperation::SetTableProperties { properties })))
        })
        .await?;
        Ok(self.snapshot().undone.get(&import).copied().unwrap_or(delivered))
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

//! A workspace's table at one version, in memory. Never writes the log.
//!
//! Which imports are undone stands in the table's metadata, a property `waymark.undone.<import>` each, so it is there
//! from one commit on for every process and stays. Other engines do not know it: they see what is undone until
//! compaction has removed it. Which properties have a column stands there, too, in the schema.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::kernel::{Action, Add, EagerSnapshot, LogicalFileView, Metadata, MetadataExt as _, StructType, Version};
use deltalake::logstore::LogStoreRef;
use uuid::Uuid;

use crate::delivery::{Delivered, Undone};
use crate::error::{LakeError, Result};
use crate::file::DataFile;
use crate::promote::MOST_COLUMNS;
use crate::schema::{Columns, Kind, delta_column, delta_columns};

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
    pub columns: Arc<Columns>,
    metadata: Arc<Metadata>,
    /// Whether the table declares all columns, which one of an earlier program does not.
    is_declared: bool,
}

impl Snapshot {
    /// The newest table that storage has, from its last checkpoint on.
    pub(crate) async fn load(log: &LogStoreRef) -> Result<Self> {
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
        let metadata = Arc::new(loaded.metadata().clone());
        let (columns, is_declared) = declared(&metadata);
        Ok(Self { version: loaded.version(), files, undone: undone(&metadata), columns, metadata, is_declared })
    }

    /// Applies one commit's actions. Idempotent: a file that is there already is not added twice.
    pub(crate) fn advance(&self, version: Version, actions: &[Action]) -> Self {
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
                    (next.columns, next.is_declared) = declared(metadata);
                    next.undone = undone(metadata);
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
    pub(crate) fn declaration(&self) -> Result<Option<Metadata>> {
        if self.is_declared { Ok(None) } else { self.declare(&[]) }
    }

    /// The metadata of a table where these properties have columns, too, as far as there is room for them and no other
    /// column is called like theirs; `None` when there is nothing to declare.
    pub(crate) fn declare(&self, properties: &[(String, Kind)]) -> Result<Option<Metadata>> {
        let doing = "declare the table's columns";
        let known = self.metadata.parse_schema().map_err(LakeError::failed(doing))?;
        let mut names: HashSet<String> = known.fields().map(|field| field.name().to_lowercase()).collect();
        let lacking = delta_columns().into_iter().filter(|column| known.field(column.name()).is_none());
        let mut more: Vec<_> = lacking.collect();
        let room = MOST_COLUMNS.saturating_sub(self.columns.promoted().len());
        let wanted = properties.iter().filter(|(property, _)| self.columns.place(property).is_none());
        let wanted = wanted.map(|(property, kind)| delta_column(property, *kind));
        more.extend(wanted.filter(|column| names.insert(column.name().clone())).take(room));
        if more.is_empty() {
            return Ok(None);
        }
        let columns = StructType::try_new(known.fields().cloned().chain(more)).map_err(LakeError::failed(doing))?;
        (*self.metadata).clone().with_schema(&columns).map(Some).map_err(LakeError::failed(doing))
    }

    /// The metadata of a table where an import is undone, with what that took away.
    pub(crate) fn undoing(&self, import: Uuid, delivered: Delivered) -> Result<(Metadata, (String, String))> {
        let property = (format!("{UNDONE}{import}"), delivered.text());
        let metadata = self.declaration()?.unwrap_or_else(|| (*self.metadata).clone());
        let metadata = metadata.add_config_key(property.0.clone(), property.1.clone());
        Ok((metadata.map_err(LakeError::failed("note what is undone"))?, property))
    }
}

/// What the log says of a file.
#[expect(deprecated, reason = "nothing else tells the tags of a file")]
fn entry(view: &LogicalFileView) -> Add {
    view.add_action()
}

/// The imports that metadata tell to be undone.
fn undone(metadata: &Metadata) -> Arc<Undone> {
    let undone = metadata.configuration().iter().filter_map(|(name, value)| {
        let import = name.strip_prefix(UNDONE)?.parse().ok()?;
        Some((import, Delivered::parse(value)))
    });
    Arc::new(undone.collect())
}

/// The columns that metadata declare, and whether these are all that every table has.
fn declared(metadata: &Metadata) -> (Arc<Columns>, bool) {
    match metadata.parse_schema() {
        Ok(schema) => {
            let all = delta_columns().iter().all(|column| schema.field(column.name()).is_some());
            (Arc::new(Columns::declared(&schema)), all)
        }
        Err(_) => (Arc::new(Columns::new([])), false),
    }
}

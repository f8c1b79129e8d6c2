//! Rows that wait to be sent: what is done with each, and its cells.

use sea_orm::Value;
use waymark_domain::Resource as _;

use crate::Table;
use crate::links::{self, Links};

/// A row to be inserted, or updated if a version of it is there.
#[derive(Clone)]
pub(crate) struct Row {
    pub workspace: String,
    pub table: &'static str,
    /// The collection of the resource, or what its name is made of in an error.
    pub collection: &'static str,
    pub id: String,
    pub action: Action,
    pub cells: Vec<(&'static str, Cell)>,
}

/// What is done with a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Insert,
    /// The row of this version is updated.
    Replace(u64),
    /// Links or labels are added; the row stands for all of them.
    Link,
    /// Links or labels are taken away.
    Unlink,
    /// A tally grows or shrinks.
    Tally,
    /// Nothing is done; it must be there and not deleted. Blind writes alone ask for that, and for the next.
    Require,
    /// Nothing is done; whether it is there is told. If it is, it must not be deleted.
    Look,
}

/// A value of a row.
#[derive(Clone)]
pub(crate) enum Cell {
    Value(Value),
    /// A JSON text.
    Json(String),
    /// The write's revision, which is known only under the workspace's lock.
    Revision,
    /// What a request was answered: the digest of the request, the revision in eight bytes, the answer.
    Answer {
        digest: Vec<u8>,
        message: Vec<u8>,
    },
}

impl Row {
    /// A resource in its table.
    pub(crate) fn state<T: Table>(resource: &T::Resource, action: Action, body: &str) -> Self {
        let meta = resource.meta();
        let (workspace, id) = (meta.name.workspace().id().to_owned(), meta.name.id().as_str().to_owned());
        let mut cells = Vec::with_capacity(9 + T::COLUMNS.len());
        if action == Action::Insert {
            cells.extend([
                ("workspace", workspace.as_str().into()),
                ("id", id.as_str().into()),
                ("uid", meta.uid.to_string().into()),
                ("create_time", meta.create_time.timestamp_micros().into()),
            ]);
        }
        cells.extend([
            ("version", meta.version.cast_signed().into()),
            ("display_name", meta.display_name.clone().into()),
            ("update_time", meta.update_time.timestamp_micros().into()),
            ("delete_time", meta.delete_time.map(|t| t.timestamp_micros()).into()),
            ("body", Cell::Json(body.to_owned())),
        ]);
        cells.extend(T::COLUMNS.iter().map(|column| (column.name, column.value_of(resource).into())));
        Self { workspace, table: T::TABLE, collection: T::Resource::COLLECTION, id, action, cells }
    }

    /// Links of a referrer, to be added or taken away.
    pub(crate) fn links(workspace: &str, referrer: &str, links: &Links, action: Action) -> Self {
        Self::many("links", workspace, referrer, links::json(referrer, links), action)
    }

    /// Rows of a table that all belong to one resource.
    pub(crate) fn many(table: &'static str, workspace: &str, resource: &str, rows: String, action: Action) -> Self {
        Self {
            workspace: workspace.to_owned(),
            table,
            collection: table,
            // Those that are added are others than those that are taken away, so one statement may do both.
            id: if action == Action::Unlink { format!("-{resource}") } else { resource.to_owned() },
            action,
            cells: vec![("workspace", workspace.into()), ("rows", Cell::Json(rows))],
        }
    }

    /// A change of a tally.
    pub(super) fn tally(workspace: &str, tally: &str, head: String, by: i64) -> Self {
        Self {
            workspace: workspace.to_owned(),
            table: "tallies",
            collection: "tallies",
            id: format!("{tally} {head}"),
            action: Action::Tally,
            cells: vec![
                ("workspace", workspace.into()),
                ("tally", tally.into()),
                ("head", head.into()),
                ("count", by.into()),
            ],
        }
    }

    /// Whether a statement that writes this row can write the other one, too.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        let columns = |row: &Self| row.cells.iter().map(|(column, _)| *column).collect::<Vec<_>>();
        !matches!(self.action, Action::Replace(_))
            && (self.action, self.table, &self.workspace) == (other.action, other.table, &other.workspace)
            && columns(self) == columns(other)
    }

    /// Whether what is written is known to be one row.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.action, Action::Insert | Action::Replace(_))
    }

    /// A row that is looked at in a blind write.
    pub(super) fn looked_at(workspace: &str, table: &'static str, id: &str, action: Action) -> Self {
        let cells = vec![("workspace", workspace.into()), ("id", id.into())];
        Self { workspace: workspace.to_owned(), table, collection: "", id: id.to_owned(), action, cells }
    }
}

impl<V: Into<Value>> From<V> for Cell {
    fn from(value: V) -> Self {
        Self::Value(value.into())
    }
}

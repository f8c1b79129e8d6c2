//! The table of imports, and which of them are being undone.

use waymark_domain::metrics::{Import, ImportEvent};
use waymark_domain::{Change, Name};
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Store, Table};

/// Marks the table of imports.
pub struct Imports;

impl Table for Imports {
    type Resource = Import;
    type Message = pb::Import;
    const TABLE: &'static str = "imports";
    const COLUMNS: Columns<Import> = &[
        Column::choice("state", pb::ImportState::NAMES, |import: &Import| Some((&import.state).into())).indexed(),
        Column::text("digest", |import: &Import| Some(import.digest.clone())).indexed(),
        Column::text("imported_by", |import| Some(import.imported_by.clone())),
    ];
}

impl Ruled for Imports {
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, import| {
            let imported_by = write.actor().to_owned();
            Box::pin(async { Ok(Change::new(Import { imported_by, ..import }, ImportEvent::Created)) })
        }),
        ..Rules::PLAIN
    };
}

/// Imports of all workspaces that are being undone, in order of workspace and id: the first `limit` of them, or of those
/// after `after`.
pub async fn undoing(store: &Store, after: Option<&Name<Import>>, limit: u32) -> Result<Vec<Name<Import>>, Error> {
    store.sweep::<Imports>("state = UNDOING", after, limit).await
}

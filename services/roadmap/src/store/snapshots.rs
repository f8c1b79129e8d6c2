//! The table of snapshots, whose revisions trimming keeps.

use waymark_domain::Change;
use waymark_domain::roadmap::{Snapshot, SnapshotEvent};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Table, Write};

/// The column of the revision that a snapshot is of.
pub const REVISION: &str = "revision";

/// Snapshots.
pub struct Snapshots;

impl Table for Snapshots {
    type Resource = Snapshot;
    type Message = pb::Snapshot;
    const TABLE: &'static str = "snapshots";
    const COLUMNS: Columns<Snapshot> =
        &[Column::integer(REVISION, |s: &Snapshot| Some(s.revision)).indexed().always_set()];
}

impl Ruled for Snapshots {
    const RULES: Rules<Self> = Rules { create: Rule::Reading(|write, new| Box::pin(take(write, new))), ..Rules::PLAIN };
}

/// Takes a snapshot of the revision that it names, or of the one that it is part of.
async fn take(write: &mut Write, mut new: Snapshot) -> Result<Change<Snapshot>, Error> {
    if new.revision == 0 {
        new.revision = write.revision();
    } else {
        // Behind the lock of the workspace, so that it is not trimmed meanwhile.
        write.must_keep(new.revision).await?;
    }
    Ok(Change::new(new, SnapshotEvent::Created))
}

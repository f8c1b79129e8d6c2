//! Snapshots: revisions of the workspace that somebody gave a name to.

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{Meta, Resource};

/// A revision of the workspace with a name, under which it can be read however much is forgotten of what was around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it is for.
    pub description: String,
    /// The revision; 0 in one that is asked for of the revision at which it is made.
    pub revision: i64,
}

/// What happens to snapshots. A deletion is final, as what was kept for it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum SnapshotEvent {
    Created,
    Updated,
    Deleted,
}

impl Resource for Snapshot {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Snapshot";
    const COLLECTION: &'static str = "snapshots";
    type Event = SnapshotEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

//! The mirror of workspaces.

use waymark_domain::roadmap::Workspace;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Columns, Table};

use crate::name::NAME;

/// Workspaces, as the roadmap announces them.
pub struct Workspaces;

impl Table for Workspaces {
    type Resource = Workspace;
    type Message = pb::Workspace;
    const TABLE: &'static str = "roadmap_workspaces";
    const KEEPER: &'static str = NAME;
    const COLUMNS: Columns<Workspace> = &[];
}

//! The mirror of workspaces.

use waymark_domain::Name;
use waymark_domain::roadmap::Workspace;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Columns, Error, Store, Table};

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

/// Whether a workspace is active, if it is known.
pub async fn is_active(store: &Store, name: &Name<Workspace>) -> Result<Option<bool>, Error> {
    let found = store.named::<Workspaces>(name.workspace(), [name.id().as_str()]).await?.into_values().next();
    Ok(found.map(|workspace| workspace.state() != pb::WorkspaceState::Closed))
}

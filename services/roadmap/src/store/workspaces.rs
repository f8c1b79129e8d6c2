//! The table of workspaces, which is of the workspace that is of the installation, and what enters there those that held
//! data before they had to be created.

use waymark_domain::roadmap::Workspace;
use waymark_domain::{Name, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_request::Call;
use waymark_rpc::parse;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Store, Table, Write};

use crate::name::NAME;

/// Workspaces. The table `workspaces` has their revisions.
pub struct Workspaces;

impl Table for Workspaces {
    type Resource = Workspace;
    type Message = pb::Workspace;
    const TABLE: &'static str = "workspace_resources";
    const COLUMNS: Columns<Workspace> =
        &[Column::choice("state", pb::WorkspaceState::NAMES, |w: &Workspace| Some(w.state.name()))];
}

impl Ruled for Workspaces {
    const RULES: Rules<Self> = Rules { create: Rule::Alone(|new| new.create().map_err(Error::rule)), ..Rules::PLAIN };
}

/// Whether a workspace is active, if there is one.
pub async fn is_active(store: &Store, name: &Name<Workspace>) -> Result<Option<bool>, Error> {
    let found = store.named::<Workspaces>(name.workspace(), [name.id().as_str()]).await?.into_values().next();
    Ok(found.map(|workspace| workspace.state() != pb::WorkspaceState::Closed))
}

/// Enters the workspaces that hold data here and that nobody created; tells how many.
pub async fn enter(store: &Store) -> Result<usize, Error> {
    let installation = WorkspaceId::installation();
    let mut missing = store.revisions().await?;
    missing.retain(|(workspace, revision)| *revision > 0 && !workspace.is_installation());
    let known = store.named::<Workspaces>(&installation, missing.iter().map(|(workspace, _)| workspace.id())).await?;
    missing.retain(|(workspace, _)| !known.contains_key(workspace.id()));
    let mut entered = 0;
    for (workspace, _) in missing {
        let name: Name<Workspace> = parse("name", &workspace.to_string())?;
        let enter = async |write: &mut Write| {
            // Somebody may have been faster.
            if !write.is_free::<Workspaces>(&name).await? {
                return Ok(pb::Workspace::default());
            }
            let message = pb::Workspace { display_name: workspace.id().to_owned(), ..pb::Workspace::default() };
            let new = write.fresh::<Workspaces>(workspace.id(), message)?;
            write.put::<Workspaces>(new.create().map_err(Error::rule)?)
        };
        entered += usize::from(store.write(&Call::internal(NAME), &installation, enter).await?.changed);
    }
    Ok(entered)
}

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

/// Workspaces that are looked at together.
const PART: u64 = 500;

/// Enters the workspaces that hold data here and that nobody created; tells how many. It goes through all of them by their
/// ids, as any may have been written to by a program that knows nothing of this.
pub async fn enter(store: &Store) -> Result<usize, Error> {
    let (mut after, mut entered) = (String::new(), 0);
    loop {
        let part = store.workspaces_after(&after, PART).await?;
        let Some(last) = part.last() else { return Ok(entered) };
        after = last.id().to_owned();
        let installation = WorkspaceId::installation();
        let known = store.named::<Workspaces>(&installation, part.iter().map(WorkspaceId::id)).await?;
        for workspace in part.iter().filter(|workspace| !workspace.is_installation()) {
            if !known.contains_key(workspace.id()) {
                entered += usize::from(enter_one(store, workspace).await?);
            }
        }
    }
}

/// Enters one, unless somebody was faster.
async fn enter_one(store: &Store, workspace: &WorkspaceId) -> Result<bool, Error> {
    let name: Name<Workspace> = parse("name", &workspace.to_string())?;
    let enter = async |write: &mut Write| {
        if !write.is_free::<Workspaces>(&name).await? {
            return Ok(pb::Workspace::default());
        }
        let message = pb::Workspace { display_name: workspace.id().to_owned(), ..pb::Workspace::default() };
        let new = write.fresh::<Workspaces>(workspace.id(), message)?;
        write.put::<Workspaces>(new.create().map_err(Error::rule)?)
    };
    Ok(store.write(&Call::internal(NAME), &WorkspaceId::installation(), enter).await?.changed)
}

//! Workspaces.

use waymark_domain::roadmap::{Workspace, WorkspaceState};
use waymark_domain::{Meta, Violations};

use crate::convert::{meta, set_meta, time, timestamp, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Workspace> for Workspace {
    type Error = Violations;
    fn try_from(message: pb::Workspace) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let close_time = time(v, "close_time", message.close_time);
        let state = match (message.state(), close_time) {
            (pb::WorkspaceState::Unspecified | pb::WorkspaceState::Active, None) => Some(WorkspaceState::Active),
            (pb::WorkspaceState::Closed, Some(time)) => Some(WorkspaceState::Closed { time }),
            (pb::WorkspaceState::Unspecified | pb::WorkspaceState::Active, Some(_)) => {
                v.add("close_time", "must not be set while ACTIVE");
                None
            }
            (pb::WorkspaceState::Closed, None) => {
                v.add("close_time", "must be set while CLOSED");
                None
            }
        };
        let workspace = (|| Some(Self { meta: meta?, description: message.description, state: state? }))();
        whole(violations, workspace)
    }
}

impl From<&Workspace> for pb::Workspace {
    fn from(workspace: &Workspace) -> Self {
        let (state, close_time) = match workspace.state {
            WorkspaceState::Active => (pb::WorkspaceState::Active, None),
            WorkspaceState::Closed { time } => (pb::WorkspaceState::Closed, Some(timestamp(time))),
        };
        let mut message =
            Self { description: workspace.description.clone(), state: state.into(), close_time, ..Self::default() };
        set_meta(&mut message, &workspace.meta);
        message
    }
}

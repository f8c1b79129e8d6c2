//! Whether there is a workspace to write to, asked once it is decided that the caller may: who may not learns nothing of it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::future::BoxFuture;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_domain::WorkspaceId;
use waymark_proto::{Access, Aimless, CallKind, RpcMethod, Target};
use waymark_rpc::status::{DOMAIN, Reason};

use super::answer::{refuse_with, unavailable};

/// When a workspace may be known of which is not known yet.
const SOON: Duration = Duration::from_secs(1);

/// What publishes anew what happened in a workspace, closed or not, where a stream was lost: it changes nothing there.
const TELLS_AGAIN: &str = "RepublishEvents";

/// How a workspace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is read and written.
    Active,
    /// It is read alone.
    Closed,
    /// There is none.
    Missing,
    /// There is one of which the service has not heard yet, or nobody can say.
    Unknown,
}

/// The workspaces that a service knows.
pub trait Workspaces: Debug + Send + Sync {
    /// How a workspace stands.
    fn standing<'a>(&'a self, workspace: &'a WorkspaceId) -> BoxFuture<'a, Result<Standing, Status>>;
}

/// The workspace in which a call changes something. Who works on workspaces themselves is let through, so that one can be
/// opened again; and who names none is refused by whoever reads the request.
pub(super) fn written(method: &RpcMethod, aim: Result<&(Target, bool), &Aimless>) -> Option<WorkspaceId> {
    let changes = match method.access {
        Access::Write | Access::Manage => true,
        // Dead letters and the audit are read of a workspace that is closed, too.
        Access::Admin => method.kind == CallKind::Write && method.method != TELLS_AGAIN,
        Access::Read | Access::Caller => false,
    };
    if !changes || method.aim.workspaces {
        return None;
    }
    match &aim.ok()?.0 {
        Target::Workspace(workspace) => Some(workspace.clone()),
        Target::Product(product) => Some(product.workspace.clone()),
        Target::Installation => None,
    }
}

/// Refuses a call that changes something where nothing can be changed. Who operates the service may do so where there is no
/// workspace, or none is known of: that may be what is to be mended.
pub(super) async fn must_be_written(
    workspaces: Option<&dyn Workspaces>,
    workspace: &WorkspaceId,
    method: &RpcMethod,
) -> Result<(), Status> {
    let operates = method.access == Access::Admin;
    if workspace.is_installation() && operates {
        return Ok(());
    }
    if workspace.is_installation() {
        let problem = format!("{workspace} is reserved for what is of no workspace; name one that is yours");
        let mut details = ErrorDetails::with_bad_request_violation(method.aim.path.clone(), problem.clone());
        details.set_error_info(Reason::InvalidField.name(), DOMAIN, HashMap::new());
        return Err(Status::with_error_details(Code::InvalidArgument, problem, details));
    }
    // In development a workspace is there once it is named.
    let Some(workspaces) = workspaces else { return Ok(()) };
    match workspaces.standing(workspace).await? {
        Standing::Active => Ok(()),
        Standing::Missing | Standing::Unknown if operates => Ok(()),
        Standing::Closed => {
            let message = format!(
                "{workspace} is CLOSED and is read alone: {} needs ACTIVE; have an admin of it call ReopenWorkspace",
                method.method
            );
            let facts =
                [("resource", workspace.to_string()), ("state", "CLOSED".into()), ("action", method.method.clone())];
            Err(refuse_with(Code::FailedPrecondition, Reason::StateConflict, message, facts))
        }
        Standing::Missing => {
            let message = format!(
                "{workspace} does not exist; have an admin of the installation create it, as by `waymark workspaces create {}`",
                workspace.id()
            );
            Err(refuse_with(Code::NotFound, Reason::ResourceNotFound, message, [("resource", workspace.to_string())]))
        }
        Standing::Unknown => {
            Err(unavailable(format!("this service has not heard of {workspace} yet; try again"), SOON))
        }
    }
}

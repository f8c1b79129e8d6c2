//! `waymark.access.v1.AccessService`: who calls, as the edge found it out, what it may do, and what was decided about calls.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_access::{Granted, Identity, Policies, Right};
use waymark_domain::WorkspaceId;
use waymark_proto::access::v1 as pb;
use waymark_proto::access::v1::access_service_server::AccessService;
use waymark_proto::access::v1::right::Gives;
use waymark_proto::convert::timestamp;
use waymark_request::CallError;
use waymark_rpc::{self as rpc, parse, status};
use waymark_runtime::edge::{Caller, Role};
use waymark_store::{AuditFilter, Store};

/// Tells callers of themselves, and who administers a workspace of what was decided there.
pub(crate) struct Callers {
    pub store: Store,
    /// What they may do in which workspace, where policies decide.
    pub policies: Option<Arc<Policies>>,
}

#[tonic::async_trait]
impl AccessService for Callers {
    async fn who_am_i(&self, request: Request<pb::WhoAmIRequest>) -> Result<Response<pb::WhoAmIResponse>, Status> {
        let caller = Caller::of(&request).ok_or_else(|| status(&CallError::Anonymous))?;
        let identity = caller.identity.as_deref();
        let workspace = match request.get_ref().workspace.as_str() {
            "" => None,
            named => Some(parse::<WorkspaceId>("workspace", named).map_err(|wrong| status(&wrong))?),
        };
        let decided = self.policies.as_deref().zip(identity);
        Ok(Response::new(pb::WhoAmIResponse {
            principal: caller.actor.subject.clone(),
            issuer: identity.and_then(|identity| identity.issuer.as_deref()).unwrap_or_default().to_owned(),
            groups: identity.iter().flat_map(|identity| &identity.groups).map(ToString::to_string).collect(),
            expire_time: caller.expires().map(timestamp),
            role: caller.role.map_or(pb::Role::Unspecified, role).into(),
            rights: decided.map(|(policies, identity)| rights(policies, identity, workspace.as_ref())),
        }))
    }

    async fn list_audit_entries(
        &self,
        request: Request<pb::ListAuditEntriesRequest>,
    ) -> Result<Response<pb::ListAuditEntriesResponse>, Status> {
        let pb::ListAuditEntriesRequest { parent, page_size, page_token, filter } = rpc::asked(request)?;
        let workspace: WorkspaceId = rpc::or_status(parse("parent", &parent))?;
        let query = AuditFilter { filter: &filter, page_size, page_token: &page_token };
        let page = rpc::or_status(self.store.list_audit(&workspace, query).await)?;
        Ok(Response::new(pb::ListAuditEntriesResponse { entries: page.items, next_page_token: page.next_page_token }))
    }
}

fn rights(policies: &Policies, identity: &Identity, workspace: Option<&WorkspaceId>) -> pb::Rights {
    let mut given = policies.rights(identity, workspace.map(WorkspaceId::id));
    let more = given.len() > pb::Rights::GIVEN_MOST;
    given.truncate(pb::Rights::GIVEN_MOST);
    pb::Rights { given: given.into_iter().map(right).collect(), more }
}

fn right(Right { grant, policies }: Right) -> pb::Right {
    let gives = match grant.gives {
        Granted::Role(given) => Gives::Role(role(given).into()),
        Granted::Audience(id) => Gives::Audience(id),
    };
    let workspaces = format!("workspaces/{}", grant.workspaces);
    pb::Right { workspaces, gives: Some(gives), member: grant.member, policies }
}

fn role(role: Role) -> pb::Role {
    match role {
        Role::Viewer => pb::Role::Viewer,
        Role::Contributor => pb::Role::Contributor,
        Role::Manager => pb::Role::Manager,
        Role::Admin => pb::Role::Admin,
    }
}

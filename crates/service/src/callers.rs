//! `waymark.access.v1.AccessService`: who calls, as the edge found it out.

use tonic::{Request, Response, Status};
use waymark_proto::access::v1 as pb;
use waymark_proto::access::v1::access_service_server::AccessService;
use waymark_proto::convert::timestamp;
use waymark_request::CallError;
use waymark_rpc::status;
use waymark_runtime::edge::{Caller, Role};

/// Tells callers of themselves.
pub(crate) struct Callers;

#[tonic::async_trait]
impl AccessService for Callers {
    async fn who_am_i(&self, request: Request<pb::WhoAmIRequest>) -> Result<Response<pb::WhoAmIResponse>, Status> {
        let caller = Caller::of(&request).ok_or_else(|| status(&CallError::Anonymous))?;
        let identity = caller.identity.as_deref();
        Ok(Response::new(pb::WhoAmIResponse {
            principal: caller.actor.subject.clone(),
            issuer: identity.and_then(|identity| identity.issuer.as_deref()).unwrap_or_default().to_owned(),
            groups: identity.iter().flat_map(|identity| &identity.groups).map(ToString::to_string).collect(),
            expire_time: caller.expires().map(timestamp),
            role: caller.role.map_or(pb::Role::Unspecified, role).into(),
        }))
    }
}

fn role(role: Role) -> pb::Role {
    match role {
        Role::Viewer => pb::Role::Viewer,
        Role::Contributor => pb::Role::Contributor,
        Role::Manager => pb::Role::Manager,
        Role::Admin => pb::Role::Admin,
    }
}

//! Whether a caller may make a call, by policies, which are asked before anybody knows whether there is what is asked for.

use std::collections::HashMap;
use std::sync::Arc;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_access::{Decision, Identity, Policies, Question, Resource};
use waymark_domain::WorkspaceId;
use waymark_proto::{Aimless, RpcMethod, Target};
use waymark_rpc::status::{DOMAIN, Reason};

use super::answer::refuse_with;

/// What whoever reads a workspace may call.
const GET_WORKSPACE: &str = "/waymark.roadmap.v1.WorkspaceService/GetWorkspace";

/// A call that is decided on, and may be once more while it goes on.
#[derive(Debug, Clone)]
pub struct Asked {
    policies: Arc<Policies>,
    asking: Arc<Asking>,
    method: &'static RpcMethod,
    target: Target,
    validate_only: bool,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) identity: Arc<Identity>,
    /// Whether a client certificate was shown.
    pub(super) certified: bool,
    /// The audience as which is asked.
    pub(super) audience: Option<String>,
}

impl Asking {
    /// What is asked for by a message that is for `aim`.
    pub(super) fn of(
        self,
        policies: &Arc<Policies>,
        method: &'static RpcMethod,
        aim: Result<(Target, bool), Aimless>,
    ) -> Result<Asked, Status> {
        let (target, validate_only) = aim.map_err(|aimless| {
            let mut details = ErrorDetails::with_bad_request_violation(method.aim.path.clone(), aimless.to_string());
            details.set_error_info(Reason::InvalidField.name(), DOMAIN, HashMap::new());
            let message = format!("{}: {aimless}", method.aim.path);
            Status::with_error_details(Code::InvalidArgument, message, details)
        })?;
        Ok(Asked { policies: Arc::clone(policies), asking: self.into(), method, target, validate_only })
    }
}

impl Asked {
    /// Whether the caller may still call, as one who is shown the same.
    pub(super) fn holds(&self, audience: Option<&str>) -> bool {
        self.decide().is_ok_and(|now| now.audience.as_deref() == audience)
    }

    /// Whether the caller may get a workspace.
    pub(super) fn may_get(&self, workspace: &WorkspaceId) -> bool {
        let get = waymark_proto::rpc_method(GET_WORKSPACE);
        get.is_some_and(|method| {
            Self { method, target: Target::Workspace(workspace.clone()), ..self.clone() }.decide().is_ok()
        })
    }

    /// By which policies the caller may call, and as which audience it is answered, if it may at all.
    pub(super) fn decide(&self) -> Result<Arc<Decision>, Status> {
        let action = format!("{}/{}", self.method.service, self.method.method);
        let resource = match &self.target {
            Target::Workspace(workspace) => Resource::Workspace(workspace.id()),
            Target::Product(name) => Resource::Product { workspace: name.workspace.id(), product: name.id.as_str() },
            Target::Installation => Resource::Installation,
        };
        let decision = self.policies.decide(&Question {
            identity: &self.asking.identity,
            certificate: self.asking.certified,
            action: &action,
            resource,
            audience: self.asking.audience.as_deref(),
            validate_only: self.validate_only,
        });
        if decision.allowed {
            return Ok(decision);
        }
        Err(self.denied(action, resource, &decision))
    }

    fn denied(&self, action: String, resource: Resource<'_>, decision: &Decision) -> Status {
        let identity = &self.asking.identity;
        let place = resource.workspace().map(|workspace| format!(" in workspaces/{workspace}")).unwrap_or_default();
        let why = if decision.policies.is_empty() {
            format!(
                "no policy allows it, which needs the access {:?} there; ask whoever keeps the bindings of this server to enter you or a group of yours",
                self.method.access
            )
        } else {
            format!("{} forbids it", decision.policies.join(", "))
        };
        let message = format!("{} may not call {action}{place}: {why}", identity.principal);
        let facts = [("action", action), ("policies", decision.policies.join(","))];
        refuse_with(Code::PermissionDenied, Reason::PermissionDenied, message, facts)
    }
}

#[cfg(test)]
mod tests {
    use tonic_prost::prost::Message as _;
    use waymark_access::Principal;
    use waymark_clock::Clock;
    use waymark_proto::roadmap::v1::{Product, UpdateProductRequest};

    use super::*;

    const BINDINGS: &str = "bindings:
  - {role: contributor, members: [users/corp/ada], workspaces: [own]}
  - {audience: customers, members: [users/corp/kim], workspaces: [own]}
";

    async fn policies() -> Arc<Policies> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bindings.yaml");
        std::fs::write(&path, BINDINGS).unwrap();
        Arc::new(Policies::open(None, &path, crate::policies::actions(), Clock::system()).await.unwrap())
    }

    fn user(name: &str) -> Arc<Identity> {
        let principal = Principal::user("corp", name).unwrap();
        Arc::new(Identity { principal, issuer: None, groups: Vec::new(), token_id: None, expires: None })
    }

    fn update(name: &str) -> Vec<u8> {
        let product = Some(Product { name: name.to_owned(), ..Product::default() });
        UpdateProductRequest { product, validate_only: true, ..UpdateProductRequest::default() }.encode_to_vec()
    }

    fn method(path: &str) -> &'static RpcMethod {
        waymark_proto::rpc_method(&format!("/waymark.roadmap.v1.{path}")).unwrap()
    }

    async fn asked(who: &str, path: &str, message: &[u8]) -> Result<Asked, Status> {
        let (asking, method) = (Asking { identity: user(who), certified: false, audience: None }, method(path));
        asking.of(&policies().await, method, method.aim.at(message))
    }

    #[tokio::test]
    async fn what_a_request_is_for_is_decided_on() {
        let update = async |name: &str| asked("ada", "StrategyService/UpdateProduct", &update(name)).await.unwrap();
        let own = update("workspaces/own/products/app").await;
        let is_for = (own.target.clone(), own.validate_only);
        assert_eq!(is_for, (Target::Product("workspaces/own/products/app".parse().unwrap()), true));
        let decided = own.decide().unwrap();
        assert_eq!((&decided.audience, &*decided.policies), (&None, &["contributor".to_owned()][..]));
        let denied = update("workspaces/other/products/app").await.decide().unwrap_err();
        let info = denied.get_details_error_info().unwrap();
        assert_eq!((denied.code(), info.reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
        assert_eq!(info.metadata["action"], "waymark.roadmap.v1.StrategyService/UpdateProduct");
        assert!(
            denied.message().starts_with("users/corp/ada may not call ")
                && denied.message().contains("in workspaces/other")
        );
    }

    #[tokio::test]
    async fn who_has_an_audience_is_answered_as_it() {
        let parent = [&[0x0a, 14][..], b"workspaces/own"].concat();
        let shown = asked("kim", "RoadmapService/GetRoadmap", &parent).await.unwrap();
        assert_eq!(shown.decide().unwrap().audience.as_deref(), Some("workspaces/own/audiences/customers"));
        assert!(shown.holds(Some("workspaces/own/audiences/customers")) && !shown.holds(None));
        let hidden = asked("kim", "PrioritizationService/RankInitiatives", &parent).await.unwrap();
        assert_eq!(hidden.decide().unwrap_err().code(), Code::PermissionDenied);
    }

    #[tokio::test]
    async fn what_says_nothing_of_what_it_is_for_is_refused_before_anybody_sees_it() {
        for name in [
            "",
            "workspaces/own",
            "workspaces/*/products/app",
            "workspaces/../products/app",
            "workspaces/own/initiatives/app",
        ] {
            let status = asked("ada", "StrategyService/UpdateProduct", &update(name)).await.unwrap_err();
            let violations = status.get_details_bad_request().unwrap().field_violations;
            assert_eq!(
                (status.code(), violations[0].field.as_str()),
                (Code::InvalidArgument, "product.name"),
                "{name}"
            );
        }
    }
}

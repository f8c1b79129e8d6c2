//! Whether a caller may make a call: [`authorise`], denied by default.
//!
//! It is the one place that decides. A role is what it goes by, in every workspace alike: as the authentication file gives
//! them, or in development as the caller says. Who has none may ask who it is, and nothing else.

use tonic::{Code, Status};
use waymark_access::Role;
use waymark_proto::{Access, RpcMethod};
use waymark_rpc::status::Reason;

use super::answer::refuse_with;
use super::caller::Caller;

/// The lowest role that has an access; none where everybody has who is authenticated.
fn needed(access: Access) -> Option<Role> {
    match access {
        Access::Caller => None,
        Access::Read => Some(Role::Viewer),
        Access::Write => Some(Role::Contributor),
        Access::Manage => Some(Role::Manager),
        Access::Admin => Some(Role::Admin),
    }
}

/// Whether `caller` may call `method`. A method of the contract without an access option has no entry, hence is denied.
/// Who has an audience may call those alone that are shown to audiences, whatever its role.
pub(super) fn authorise(caller: &Caller, method: &RpcMethod) -> Result<(), Status> {
    shown(caller, method)?;
    // An access that needs no role is less than any role.
    let needed = needed(method.access);
    if caller.role >= needed {
        return Ok(());
    }
    let action = format!("{}/{}", method.service, method.method);
    let subject = &caller.actor.subject;
    let (needed, has) = (needed.map_or("", Role::name), caller.role.map_or("none", Role::name));
    let message = format!(
        "{subject} may not call {action}: it needs the role {needed} and has {has}; ask whoever keeps the authentication file of this \
         server to enter {subject}, or a group of it, under `roles`"
    );
    Err(refuse_with(Code::PermissionDenied, Reason::PermissionDenied, message, [("action", action)]))
}

/// Whether the answer of a method can be shown to `caller`: who has an audience is shown some alone.
pub(super) fn shown(caller: &Caller, method: &RpcMethod) -> Result<(), Status> {
    match caller.audience.as_ref().filter(|_| !method.shown_to_audiences) {
        Some(audience) => Err(not_shown(audience, method)),
        None => Ok(()),
    }
}

/// That a method is not for those who have an audience.
pub(super) fn not_shown(audience: &str, method: &RpcMethod) -> Status {
    let action = format!("{}/{}", method.service, method.method);
    let message = format!("{action} is not shown to {audience}, nor to any other audience of this service");
    refuse_with(Code::PermissionDenied, Reason::PermissionDenied, message, [("action", action)])
}

/// That a caller has an audience that does not exist.
pub(super) fn no_audience(audience: &str, method: &RpcMethod) -> Status {
    let action = format!("{}/{}", method.service, method.method);
    let message = format!("{audience} is no audience; name one that exists, or call without");
    let facts = [("action", action), ("audience", audience.to_owned())];
    refuse_with(Code::PermissionDenied, Reason::PermissionDenied, message, facts)
}

pub(super) fn no_rule(path: &str) -> Status {
    let message = format!("{path} has no access rule, so nobody may call it");
    refuse_with(
        Code::PermissionDenied,
        Reason::PermissionDenied,
        message,
        [("action", path.trim_start_matches('/').to_owned())],
    )
}

#[cfg(test)]
mod tests {
    use waymark_proto::{Aim, CallKind};
    use waymark_request::Actor;

    use super::*;

    fn caller(role: Option<Role>, audience: Option<&str>) -> Caller {
        let actor = Actor { subject: "users/corp/ada".to_owned() };
        Caller { actor, identity: None, role, audience: audience.map(str::to_owned), asked: None }
    }

    #[test]
    fn who_has_an_audience_may_call_what_is_shown_to_audiences() {
        let customer = caller(Some(Role::Admin), Some("workspaces/acme/audiences/customers"));
        let may =
            |path: &str| authorise(&customer, waymark_proto::rpc_method(path).unwrap()).map_err(|status| status.code());
        assert_eq!(may("/waymark.roadmap.v1.RoadmapService/GetRoadmap"), Ok(()));
        for path in
            ["RoadmapService/MoveInitiative", "RoadmapService/GetAudience", "PrioritizationService/RankInitiatives"]
        {
            assert_eq!(may(&format!("/waymark.roadmap.v1.{path}")), Err(Code::PermissionDenied), "{path}");
        }
    }

    #[test]
    fn each_role_may_do_what_those_before_it_may_and_without_one_there_is_nothing() {
        let accesses = [Access::Caller, Access::Read, Access::Write, Access::Manage, Access::Admin];
        let roles = [None, Some(Role::Viewer), Some(Role::Contributor), Some(Role::Manager), Some(Role::Admin)];
        for (granted, role) in roles.into_iter().enumerate() {
            for (needed, access) in accesses.into_iter().enumerate() {
                let (service, method) = ("test.Service".to_owned(), "Do".to_owned());
                let method = RpcMethod {
                    service,
                    method,
                    access,
                    shown_to_audiences: false,
                    kind: CallKind::Read,
                    aim: Aim::default(),
                };
                let may = authorise(&caller(role, None), &method);
                assert_eq!(may.is_ok(), needed <= granted, "{role:?} {access:?}");
                let told = may.err().is_none_or(|status| status.message().contains("users/corp/ada may not call"));
                assert!(told, "{role:?} {access:?}");
            }
        }
    }
}

//! Who calls, and whether they may: authentication into a [`Caller`], then authorisation, denied by default.
//!
//! The development authenticator believes the caller's own metadata; bearer tokens and policies take their place behind
//! the same two functions, [`Authenticator::authenticate`] and [`authorise`].

use std::net::SocketAddr;

use http::HeaderMap;
use tonic::{Code, Status};
use waymark_domain::AnyName;
use waymark_proto::sight::AUDIENCES;
use waymark_proto::{Access, RpcMethod};
use waymark_request::Actor;

use waymark_rpc::status::Reason;

use super::answer::{refuse, refuse_with};

/// Metadata key with the caller's principal, believed by the development authenticator only.
pub const ACTOR_KEY: &str = "waymark-actor";
/// Metadata key with the caller's role, believed by the development authenticator only.
pub const ROLE_KEY: &str = "waymark-role";
/// Metadata key with the audience that the caller has, believed by the development authenticator only.
pub const AUDIENCE_KEY: &str = "waymark-audience";

const DEFAULT_ACTOR: &str = "users/developer";
const MAX_ACTOR_BYTES: usize = 256;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// What it may do.
    pub role: Role,
    /// The audience that it has, beyond which it is shown nothing; none for those who are shown all.
    pub audience: Option<String>,
}

/// What a caller may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Writes resources.
    Contributor,
    /// Decides: commits, waives, closes.
    Manager,
    /// Runs the service: import, export, dead letters.
    Admin,
}

impl Role {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "viewer" => Some(Self::Viewer),
            "contributor" => Some(Self::Contributor),
            "manager" => Some(Self::Manager),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Whether the role includes `access`.
    pub fn allows(self, access: Access) -> bool {
        self >= match access {
            Access::Read => Self::Viewer,
            Access::Write => Self::Contributor,
            Access::Manage => Self::Manager,
            Access::Admin => Self::Admin,
        }
    }
}

/// Finds out who calls.
#[derive(Debug, Clone)]
pub enum Authenticator {
    /// Believes `waymark-actor` and `waymark-role`, an administrator when they are absent, and `waymark-audience`. For development on
    /// loopback.
    Development,
}

/// The development authenticator would be reachable from other hosts.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} can be reached from other hosts and the development authenticator believes anyone: listen on 127.0.0.1, or pass --insecure if \
     something in front of this server keeps strangers out"
)]
pub struct Exposed(SocketAddr);

impl Authenticator {
    /// Refuses an address on which this authenticator would be dangerous.
    ///
    /// # Errors
    /// [`Exposed`] when the development authenticator would serve other hosts and `insecure` does not allow it.
    pub fn check_exposure(&self, address: SocketAddr, insecure: bool) -> Result<(), Exposed> {
        match self {
            Self::Development if !insecure && !address.ip().is_loopback() => Err(Exposed(address)),
            Self::Development => Ok(()),
        }
    }

    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Status> {
        match self {
            Self::Development => {
                let subject = text(headers, ACTOR_KEY)?.unwrap_or(DEFAULT_ACTOR);
                if subject.is_empty() || subject.len() > MAX_ACTOR_BYTES {
                    return Err(unauthenticated(format!(
                        "{ACTOR_KEY} must be 1 to {MAX_ACTOR_BYTES} bytes, such as users/ada@example.com"
                    )));
                }
                let role = text(headers, ROLE_KEY)?.unwrap_or("admin");
                let role = Role::parse(role).ok_or_else(|| {
                    unauthenticated(format!("{ROLE_KEY} must be viewer, contributor, manager or admin, not {role:?}"))
                })?;
                let audience = text(headers, AUDIENCE_KEY)?.map(audience).transpose()?;
                Ok(Caller { actor: Actor { subject: subject.to_owned() }, role, audience })
            }
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, key: &str) -> Result<Option<&'a str>, Status> {
    let value = headers.get(key).map(http::HeaderValue::to_str).transpose();
    value.map_err(|_| unauthenticated(format!("{key} must be printable ASCII")))
}

fn audience(name: &str) -> Result<String, Status> {
    let parsed = name.parse().ok().filter(|name: &AnyName| name.collection == AUDIENCES);
    parsed.map(|name| name.to_string()).ok_or_else(|| {
        unauthenticated(format!("{AUDIENCE_KEY} must be like workspaces/acme/{AUDIENCES}/customers, not {name:?}"))
    })
}

fn unauthenticated(message: String) -> Status {
    refuse(Code::Unauthenticated, Reason::Unauthenticated, message)
}

/// Whether `caller` may call `method`. A method of the contract without an access option has no entry, hence is denied.
/// Who has an audience may call those alone that are shown to audiences, whatever its role.
pub(super) fn authorise(caller: &Caller, method: &RpcMethod) -> Result<(), Status> {
    if let Some(audience) = caller.audience.as_ref().filter(|_| !method.shown_to_audiences) {
        return Err(not_shown(audience, method));
    }
    if caller.role.allows(method.access) {
        return Ok(());
    }
    let action = format!("{}/{}", method.service, method.method);
    let message = format!(
        "{} may not call {action}, which needs the access {:?}; ask an administrator for it",
        caller.actor.subject, method.access
    );
    Err(refuse_with(Code::PermissionDenied, Reason::PermissionDenied, message, [("action", action)]))
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
    use super::*;

    fn caller(pairs: &[(&'static str, &str)]) -> Result<Caller, Status> {
        let mut headers = HeaderMap::new();
        for (key, value) in pairs {
            headers.insert(*key, value.parse().unwrap());
        }
        Authenticator::Development.authenticate(&headers)
    }

    #[test]
    fn development_believes_the_caller_but_not_nonsense() {
        let nobody = caller(&[]).unwrap();
        assert_eq!((nobody.actor.subject.as_str(), nobody.role), (DEFAULT_ACTOR, Role::Admin));
        let ada = caller(&[(ACTOR_KEY, "users/ada"), (ROLE_KEY, "viewer")]).unwrap();
        assert_eq!((ada.actor.subject.as_str(), ada.role), ("users/ada", Role::Viewer));
        for wrong in [(ROLE_KEY, "root"), (ACTOR_KEY, ""), (ACTOR_KEY, &*"x".repeat(257))] {
            assert_eq!(caller(&[wrong]).unwrap_err().code(), Code::Unauthenticated, "{wrong:?}");
        }
    }

    #[test]
    fn who_has_an_audience_may_call_what_is_shown_to_audiences() {
        let customer = caller(&[(AUDIENCE_KEY, "workspaces/acme/audiences/customers")]).unwrap();
        assert_eq!(
            (customer.role, customer.audience.as_deref()),
            (Role::Admin, Some("workspaces/acme/audiences/customers"))
        );
        let may =
            |path: &str| authorise(&customer, waymark_proto::rpc_method(path).unwrap()).map_err(|status| status.code());
        assert_eq!(may("/waymark.roadmap.v1.RoadmapService/GetRoadmap"), Ok(()));
        for path in
            ["RoadmapService/MoveInitiative", "RoadmapService/GetAudience", "PrioritizationService/RankInitiatives"]
        {
            assert_eq!(may(&format!("/waymark.roadmap.v1.{path}")), Err(Code::PermissionDenied), "{path}");
        }
        for wrong in ["customers", "workspaces/acme/initiatives/sso", ""] {
            assert_eq!(caller(&[(AUDIENCE_KEY, wrong)]).unwrap_err().code(), Code::Unauthenticated, "{wrong}");
        }
    }

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        let accesses = [Access::Read, Access::Write, Access::Manage, Access::Admin];
        for (granted, role) in [Role::Viewer, Role::Contributor, Role::Manager, Role::Admin].into_iter().enumerate() {
            for (needed, access) in accesses.into_iter().enumerate() {
                assert_eq!(role.allows(access), needed <= granted, "{role:?} {access:?}");
            }
        }
    }

    #[test]
    fn development_is_refused_off_loopback_unless_insecure() {
        let check = |address: &str, insecure| {
            Authenticator::Development.check_exposure(address.parse().unwrap(), insecure).is_ok()
        };
        assert!(check("127.0.0.1:7401", false) && check("[::1]:7401", false));
        assert!(!check("0.0.0.0:7401", false) && !check("10.1.2.3:7401", false) && !check("[::]:7401", false));
        assert!(check("0.0.0.0:7401", true));
    }
}

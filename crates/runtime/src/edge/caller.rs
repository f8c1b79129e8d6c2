//! Who calls: credentials of a request become a [`Caller`].
//!
//! What a bearer token or a certificate says is believed as the authentication file wants it. Without one, which is for
//! development on loopback, the caller's own metadata is believed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::{Code, Request, Status};
use waymark_access::{Authentication, Identity, Name, Refusal, Role};
use waymark_domain::AnyName;
use waymark_proto::sight::AUDIENCES;
use waymark_proto::{Access, RpcMethod};
use waymark_request::{Actor, Readable};
use waymark_rpc::status::Reason;
use waymark_tls::PeerCertificate;

use super::answer::{refuse_with, unavailable};
use super::policy::Asked;
use crate::authenticator::Authenticator;

/// Metadata key with the caller's principal, believed by the development authenticator only.
pub const ACTOR_KEY: &str = "waymark-actor";
/// Metadata key with the caller's role, believed by the development authenticator only.
pub const ROLE_KEY: &str = "waymark-role";
/// Metadata key with the audience as which the caller asks. It takes away and gives nothing, so everybody is believed.
pub const AUDIENCE_KEY: &str = "waymark-audience";

const DEFAULT_ACTOR: &str = "users/developer";
const MAX_ACTOR_BYTES: usize = 256;
/// When a caller may try again whose issuer's keys are on their way.
const KEYS_COME: Duration = Duration::from_secs(2);

/// An authenticated caller. The edge hands it on as an extension of the request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// What its credentials say; none in development, where they are not asked for.
    pub identity: Option<Arc<Identity>>,
    /// What it may do in every workspace; none where nobody said so, or policies decide.
    pub role: Option<Role>,
    /// The audience that it has, beyond which it is shown nothing; none for those who are shown all.
    pub audience: Option<String>,
    /// What it asks for, where policies decided on it.
    pub(super) asked: Option<Asked>,
}

impl Caller {
    /// Who makes a request; none where the edge was not passed.
    pub fn of<M>(request: &Request<M>) -> Option<&Self> {
        request.extensions().get()
    }

    /// Whether policies allow what it asks for still, as one who is shown the same: asked by what goes on for long.
    pub fn is_allowed(&self) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.holds(self.audience.as_deref()))
    }

    /// Which workspaces it may read, where that is asked for and is not all.
    pub(super) fn readable(&self, method: &RpcMethod) -> Option<Readable> {
        if method.access != Access::Caller {
            return None;
        }
        match &self.asked {
            Some(asked) => {
                let asked = asked.clone();
                Some(Readable::new(move |workspace| asked.may_get(workspace)))
            }
            None => self.role.is_none().then(|| Readable::new(|_| false)),
        }
    }

    /// When its token expires, if it has one: what goes on beyond needs a new one.
    pub fn expires(&self) -> Option<DateTime<Utc>> {
        self.identity.as_ref()?.expires
    }
}

/// Who sends these headers, on a connection on which this certificate was shown. Where callers are `held_up`, that is the
/// answer to a token that is not known yet.
pub(super) fn authenticate(
    authenticator: &Authenticator,
    headers: &HeaderMap,
    certificate: Option<&PeerCertificate>,
    held_up: Option<Status>,
    now: DateTime<Utc>,
) -> Result<Caller, Status> {
    let audience = text(headers, AUDIENCE_KEY)?.map(audience).transpose()?;
    match authenticator {
        Authenticator::Development => {
            let subject = text(headers, ACTOR_KEY)?.unwrap_or(DEFAULT_ACTOR);
            if subject.is_empty() || subject.len() > MAX_ACTOR_BYTES {
                return Err(unauthenticated(
                    "metadata",
                    format!("{ACTOR_KEY} must be 1 to {MAX_ACTOR_BYTES} bytes, such as users/ada@example.com"),
                ));
            }
            let role = text(headers, ROLE_KEY)?.unwrap_or("admin");
            let role = Role::named(role).ok_or_else(|| {
                let message = format!("{ROLE_KEY} must be viewer, contributor, manager or admin, not {role:?}");
                unauthenticated("metadata", message)
            })?;
            Ok(Caller {
                actor: Actor { subject: subject.to_owned() },
                identity: None,
                role: Some(role),
                audience,
                asked: None,
            })
        }
        Authenticator::File(authentication) => {
            // Whoever sends a token says who calls by it; the certificate is then of what carries the call.
            let identity = match bearer(headers)? {
                Some(token) => match held_up {
                    Some(held_up) => authentication.remembered(token, now).ok_or(held_up)?,
                    None => authentication.authenticate(token, now).map_err(refused)?,
                },
                None => Arc::new(certified(authentication, certificate)?),
            };
            let actor = Actor { subject: identity.principal.to_string() };
            let role = authentication.role(&identity);
            Ok(Caller { actor, identity: Some(identity), role, audience, asked: None })
        }
    }
}

/// The bearer token (RFC 6750, section 2.1), if there are credentials at all.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    const WANTED: &str = "authorization must be given once, as `Bearer TOKEN`";
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let scheme = value.to_str().ok().and_then(|text| text.split_once(' '));
    let token = scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") && values.next().is_none());
    let (_, token) = token.ok_or_else(|| unauthenticated("scheme", WANTED.to_owned()))?;
    Ok(Some(token.trim_start_matches(' ')))
}

fn certified(authentication: &Authentication, shown: Option<&PeerCertificate>) -> Result<Identity, Status> {
    let Some(shown) = shown else {
        let message = "the call has no credentials: send a token as the metadata `authorization: Bearer TOKEN`, or show a client \
                       certificate that this server knows";
        return Err(unauthenticated("no_credentials", message.to_owned()));
    };
    let uris = shown.uris.iter().map(|uri| Name::Uri(uri));
    let names: Vec<Name<'_>> = uris.chain(shown.dns_names.iter().map(|name| Name::Dns(name))).collect();
    authentication.certificate(&names).ok_or_else(|| {
        let message = "the client certificate is of nobody that this server knows: have one of its names entered under \
                       `certificates` of the server's authentication file, or send a token";
        unauthenticated("certificate", message.to_owned())
    })
}

fn refused(refusal: Refusal) -> Status {
    if refusal.is_passing() {
        return unavailable(refusal.to_string(), KEYS_COME);
    }
    unauthenticated(refusal.reason(), refusal.to_string())
}

fn text<'a>(headers: &'a HeaderMap, key: &str) -> Result<Option<&'a str>, Status> {
    let value = headers.get(key).map(http::HeaderValue::to_str).transpose();
    value.map_err(|_| unauthenticated("metadata", format!("{key} must be printable ASCII")))
}

fn audience(name: &str) -> Result<String, Status> {
    let parsed = name.parse().ok().filter(|name: &AnyName| name.collection == AUDIENCES);
    parsed.map(|name| name.to_string()).ok_or_else(|| {
        let message = format!("{AUDIENCE_KEY} must be like workspaces/acme/{AUDIENCES}/customers, not {name:?}");
        unauthenticated("metadata", message)
    })
}

/// That credentials are not taken, for a reason that programs can tell apart.
pub(super) fn unauthenticated(refusal: &'static str, message: String) -> Status {
    refuse_with(Code::Unauthenticated, Reason::Unauthenticated, message, [("refusal", refusal.to_owned())])
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn caller(pairs: &[(&'static str, &str)]) -> Result<Caller, Status> {
        authenticate(&Authenticator::Development, &headers(pairs), None, None, DateTime::UNIX_EPOCH)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (key, value) in pairs {
            headers.append(*key, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn development_believes_the_caller_but_not_nonsense() {
        let nobody = caller(&[]).unwrap();
        assert_eq!((nobody.actor.subject.as_str(), nobody.role), (DEFAULT_ACTOR, Some(Role::Admin)));
        let ada = caller(&[(ACTOR_KEY, "users/ada"), (ROLE_KEY, "viewer")]).unwrap();
        assert_eq!((ada.actor.subject.as_str(), ada.role), ("users/ada", Some(Role::Viewer)));
        let long = "x".repeat(257);
        for wrong in [
            (ROLE_KEY, "root"),
            (ACTOR_KEY, ""),
            (ACTOR_KEY, &*long),
            (AUDIENCE_KEY, "customers"),
            (AUDIENCE_KEY, "workspaces/acme/initiatives/sso"),
            (AUDIENCE_KEY, ""),
        ] {
            assert_eq!(caller(&[wrong]).unwrap_err().code(), Code::Unauthenticated, "{wrong:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_the_one_scheme_and_is_sent_once() {
        assert_eq!(bearer(&headers(&[])).unwrap(), None);
        for right in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(bearer(&headers(&[("authorization", right)])).unwrap(), Some("a.b.c"), "{right}");
        }
        for wrong in ["", "Bearer", "a.b.c", "Basic a.b.c", "Bearera.b.c", " Bearer a.b.c"] {
            let refused = bearer(&headers(&[("authorization", wrong)])).unwrap_err();
            let info = refused.get_details_error_info().unwrap();
            assert_eq!(
                (refused.code(), info.metadata["refusal"].as_str()),
                (Code::Unauthenticated, "scheme"),
                "{wrong}"
            );
        }
        let twice = headers(&[("authorization", "Bearer a.b.c"), ("authorization", "Bearer d.e.f")]);
        assert!(bearer(&twice).is_err(), "which one would count?");
    }
}

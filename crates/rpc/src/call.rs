//! One call: who makes it, what makes it repeatable, and how its result becomes an answer.

use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;
use waymark_domain::{Failure, Violations};
use waymark_proto::Mutation;

use crate::{Actor, status};

/// Response metadata that names the revision a write made.
pub const REVISION: &str = "waymark-revision";

/// What a write needs to know about the call that asks for it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub actor: Actor,
    /// The caller's request id; a repeat within 24 hours gets the first answer.
    pub request_id: Option<Uuid>,
    /// Hash of the request: the same request id with another hash is a mistake of the caller.
    pub digest: [u8; 32],
    /// Check everything, change nothing.
    pub validate_only: bool,
    /// W3C trace context, kept in the log so that effects link to their cause.
    pub traceparent: Option<String>,
    /// The event this call reacts to, if a service makes it on account of one.
    pub causation: Option<Causation>,
}

/// The event a service reacts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Causation {
    /// Who reacts, such as `metrics`: a consumer handles an event once.
    pub consumer: String,
    /// The event.
    pub event_id: Uuid,
}

impl Call {
    /// A call that a service makes on its own account, such as measuring when the time has come.
    pub fn internal(service: &str) -> Self {
        Self {
            actor: Actor::service(service),
            request_id: None,
            digest: [0; 32],
            validate_only: false,
            traceparent: None,
            causation: None,
        }
    }
}

/// Splits a changing request into its context and its message; refuses a malformed request id.
pub fn open<M: Mutation>(request: Request<M>) -> Result<(Call, M), Status> {
    // The authentication layer put an actor there; without one nothing may be changed.
    let Some(actor) = request.extensions().get::<Actor>().cloned() else {
        return Err(status(&Anonymous));
    };
    let traceparent = request
        .metadata()
        .get("traceparent")
        .and_then(|v| v.to_str().ok())
        .filter(|v| is_traceparent(v))
        .map(str::to_owned);
    let message = request.into_inner();
    let request_id = match message.request_id() {
        "" => None,
        text => Some(
            Uuid::parse_str(text).map_err(|e| status(&Violations::one("request_id", format!("is not a UUID: {e}"))))?,
        ),
    };
    let digest = if request_id.is_some() { digest(&message) } else { [0; 32] };
    let validate_only = message.validate_only();
    Ok((Call { actor, request_id, digest, validate_only, traceparent, causation: None }, message))
}

/// Hash of a request: its name, as several RPCs take the same bytes, and its bytes.
fn digest<M: Mutation>(message: &M) -> [u8; 32] {
    Sha256::new().chain_update(M::FULL_NAME).chain_update([0]).chain_update(message.encode_to_vec()).finalize().into()
}

/// A trace context as W3C writes it; anything else a caller may send is not kept.
fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-')
}

/// No authenticated caller is attached to the request.
#[derive(Debug, thiserror::Error)]
#[error("the call carries no accepted credentials")]
struct Anonymous;

impl Failure for Anonymous {
    fn kind(&self) -> waymark_domain::FailureKind {
        waymark_domain::FailureKind::Denied
    }
    fn reason(&self) -> &'static str {
        "UNAUTHENTICATED"
    }
}

/// The result of a write: the answer and the revision that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<M> {
    /// The answer.
    pub message: M,
    /// The workspace's revision after the write; `None` when nothing changed (validate_only).
    pub revision: Option<i64>,
}

/// Answers a write, with its revision in the response metadata.
pub fn written<M>(result: Result<Written<M>, impl Failure>) -> Result<Response<M>, Status> {
    let Written { message, revision } = or_status(result)?;
    let mut response = Response::new(message);
    if let Some(revision) = revision {
        response.metadata_mut().insert(REVISION, revision.into());
    }
    Ok(response)
}

/// Answers a read.
pub fn answer<M>(result: Result<M, impl Failure>) -> Result<Response<M>, Status> {
    or_status(result).map(Response::new)
}

/// Turns a failure into its status.
pub fn or_status<T>(result: Result<T, impl Failure>) -> Result<T, Status> {
    result.map_err(|error| status(&error))
}

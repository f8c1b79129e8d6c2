//! From a request on the wire to the call it makes, and from its result to the answer.

use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;
use waymark_domain::{Failure, Reason, Violations};
use waymark_proto::{Check, Mutation, check};
use waymark_request::{Actor, Call, Written};

use crate::status;

/// Response metadata that names the revision a write made.
pub const REVISION: &str = "waymark-revision";

/// Splits a changing request into its context and its message; refuses one whose fields are not what the contract says.
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
    let message = asked(request)?;
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

/// The message of a request; refuses one whose fields are not what the contract says. Resources in it are judged when
/// they are complete.
pub fn asked<M: Check>(request: Request<M>) -> Result<M, Status> {
    let message = request.into_inner();
    or_status(check(&message).into_result())?;
    Ok(message)
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
    fn reason(&self) -> Reason {
        Reason::Unauthenticated
    }
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

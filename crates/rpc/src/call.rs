//! From a request on the wire to the call it makes, and from its result to the answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_domain::Failure;
use waymark_proto::{Check, Mutation, Sight, check};
use waymark_request::{Actor, Call, Origin, Readable, Written};

use crate::status;

/// Response metadata that names the revision a write made, or the current one when it changed nothing.
pub const REVISION: &str = "waymark-revision";

/// Response metadata that names what a write refers to without being looked up: resources of other services of which
/// nothing is known here, separated by commas.
pub const UNVERIFIED: &str = "waymark-unverified";

/// Bytes of these names at most; peers limit what headers take in all.
const NAMES: usize = 2_000;

/// Splits a changing request into its context and its message; refuses one whose fields are not what the contract says.
pub fn open<M: Mutation>(request: Request<M>) -> Result<(Call, M), Status> {
    let origin = origin(&request);
    let message = request.into_inner();
    let call = or_status(Call::open(origin, &message))?;
    Ok((call, message))
}

/// Who makes a request, which the authentication layer put there, and in which trace.
pub fn origin<M>(request: &Request<M>) -> Origin {
    let traceparent = request.metadata().get("traceparent").and_then(|v| v.to_str().ok());
    Origin {
        actor: request.extensions().get::<Actor>().cloned(),
        traceparent: traceparent.filter(|v| is_traceparent(v)).map(str::to_owned),
        sight: sight(request),
        readable: request.extensions().get::<Readable>().cloned(),
    }
}

/// What is seen by who makes a request, where that is not all.
pub fn sight<M>(request: &Request<M>) -> Option<Arc<Sight>> {
    request.extensions().get::<Arc<Sight>>().cloned()
}

/// The message of a request; refuses one whose fields are not what the contract says. Resources in it are judged when
/// they are complete.
pub fn asked<M: Check>(request: Request<M>) -> Result<M, Status> {
    let message = request.into_inner();
    or_status(check(&message).into_result())?;
    Ok(message)
}

/// A trace context as W3C writes it; anything else a caller may send is not kept.
fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-')
}

/// Answers a write, with its revision and what was not looked up in the response metadata.
pub fn written<M>(result: Result<Written<M>, impl Failure>) -> Result<Response<M>, Status> {
    let Written { message, revision, unverified, .. } = or_status(result)?;
    let mut response = Response::new(message);
    if let Some(revision) = revision {
        response.metadata_mut().insert(REVISION, revision.into());
    }
    // Names are ASCII.
    if let Some(Ok(names)) = names(&unverified).map(|names| names.parse()) {
        response.metadata_mut().insert(UNVERIFIED, names);
    }
    Ok(response)
}

/// As many of the names as fit.
fn names(unverified: &BTreeSet<String>) -> Option<String> {
    let mut text = String::new();
    for (at, name) in unverified.iter().enumerate() {
        if text.len() + name.len() > NAMES {
            return Some(format!("{text}, and {} more", unverified.len() - at));
        }
        text = if at == 0 { name.clone() } else { format!("{text}, {name}") };
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Answers a read.
pub fn answer<M>(result: Result<M, impl Failure>) -> Result<Response<M>, Status> {
    or_status(result).map(Response::new)
}

/// Turns a failure into its status.
pub fn or_status<T>(result: Result<T, impl Failure>) -> Result<T, Status> {
    result.map_err(|error| status(&error))
}

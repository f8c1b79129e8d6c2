//! The statuses the edge itself answers with, each with `google.rpc.ErrorInfo`, and the mending of those the gRPC
//! library makes.

use std::collections::HashMap;
use std::time::Duration;

use http::Response;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_rpc::status::{DOMAIN, Reason};

/// A status with its machine-readable reason.
pub(super) fn refuse(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    refuse_with(code, reason, message, [])
}

/// A status with its reason and facts a program can act on.
pub(super) fn refuse_with<const N: usize>(
    code: Code,
    reason: Reason,
    message: impl Into<String>,
    facts: [(&str, String); N],
) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata(facts)))
}

/// RESOURCE_EXHAUSTED that says when to try again.
pub(super) fn overloaded(reason: Reason, message: impl Into<String>, retry_after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata([]));
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// UNAVAILABLE that says when to try again.
pub(super) fn unavailable(message: impl Into<String>, retry_after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(Reason::Unavailable.name(), DOMAIN, metadata([]));
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(Code::Unavailable, message, details)
}

fn metadata<const N: usize>(facts: [(&str, String); N]) -> HashMap<String, String> {
    facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Gives a refusal made by the gRPC library, which has no details, the code and the details the contract promises.
///
/// The library answers a message over the limit with OUT_OF_RANGE and one that is not protobuf with INTERNAL; both are
/// the caller's to mend. Answers with details, and successes, pass through.
pub(super) fn mend(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok && status.details().is_empty() => mended(&status).into_http(),
        _ => response,
    }
}

fn mended(status: &Status) -> Status {
    const MALFORMED: [&str; 4] = [
        "failed to decode Protobuf message",
        "protocol error: received message with",
        "Unexpected EOF decoding stream",
        "Missing request message",
    ];
    let message = status.message();
    match status.code() {
        Code::OutOfRange if message.contains("decoded message length too large") => refuse(
            Code::ResourceExhausted,
            Reason::TooLarge,
            format!("{}; send less at a time", message.trim_start_matches("Error, ")),
        ),
        Code::Internal if MALFORMED.iter().any(|start| message.starts_with(start)) => refuse(
            Code::InvalidArgument,
            Reason::InvalidField,
            format!("the request is not a valid message of this method: {message}"),
        ),
        Code::Unimplemented if message.starts_with("Content is compressed") => {
            refuse(Code::Unimplemented, Reason::Unimplemented, format!("{message}; send it uncompressed"))
        }
        Code::Unimplemented => refuse(
            Code::Unimplemented,
            Reason::Unimplemented,
            "this server has no such method; list its methods by reflection",
        ),
        code => refuse(code, reason_of(code), message),
    }
}

/// The reason of a status that gives none.
fn reason_of(code: Code) -> Reason {
    match code {
        Code::InvalidArgument => Reason::InvalidField,
        Code::NotFound => Reason::ResourceNotFound,
        Code::AlreadyExists => Reason::ResourceExists,
        Code::PermissionDenied => Reason::PermissionDenied,
        Code::Unauthenticated => Reason::Unauthenticated,
        Code::ResourceExhausted => Reason::Overloaded,
        Code::FailedPrecondition => Reason::RuleViolated,
        Code::Aborted => Reason::EtagMismatch,
        Code::OutOfRange => Reason::RevisionExpired,
        Code::Unimplemented => Reason::Unimplemented,
        Code::Unavailable | Code::Cancelled => Reason::Unavailable,
        Code::DeadlineExceeded => Reason::DeadlineExceeded,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Reason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_refusals_become_the_contract_s() {
        let cases = [
            (
                Status::out_of_range("Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes"),
                Code::ResourceExhausted,
                "TOO_LARGE",
            ),
            (
                Status::internal("failed to decode Protobuf message: invalid tag value: 0"),
                Code::InvalidArgument,
                "INVALID_FIELD",
            ),
            (Status::unimplemented(""), Code::Unimplemented, "UNIMPLEMENTED"),
            (Status::already_exists("there"), Code::AlreadyExists, "RESOURCE_EXISTS"),
            (Status::out_of_range("revision 7 is compacted"), Code::OutOfRange, "REVISION_EXPIRED"),
        ];
        for (made, code, reason) in cases {
            let mended = mended(&made);
            let info = mended.get_details_error_info().unwrap();
            assert_eq!((mended.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, DOMAIN));
        }
    }

    #[test]
    fn statuses_with_details_pass_unchanged() {
        let made = refuse(Code::Aborted, Reason::EtagMismatch, "read it again");
        let after = Status::from_header_map(mend(made.clone().into_http()).headers()).unwrap();
        assert_eq!((after.code(), after.message(), after.details()), (made.code(), made.message(), made.details()));
    }
}

//! What a caller is told of a failure, whatever carries the answer. Nothing of the database, the file system or a panic
//! leaks: a bug is logged with an incident id and the caller gets only that id.

use sha2::{Digest, Sha256};
use waymark_domain::{Failure, FailureKind, Reason};
use waymark_proto::common::v1 as pb;

/// The number of a failure's `google.rpc.Code`.
pub fn code(failure: &(impl Failure + ?Sized)) -> i32 {
    match failure.kind() {
        FailureKind::Invalid => 3,
        FailureKind::NotFound => 5,
        FailureKind::AlreadyExists => 6,
        FailureKind::Denied if failure.reason() == Reason::Unauthenticated => 16,
        FailureKind::Denied => 7,
        FailureKind::Overloaded => 8,
        FailureKind::Refused => 9,
        FailureKind::Stale => 10,
        FailureKind::OutOfRange => 11,
        FailureKind::Bug => 13,
        FailureKind::Unavailable => 14,
    }
}

/// What the single RPC would have answered, for a row of a batch.
pub fn row_failure(failure: &(impl Failure + ?Sized)) -> pb::RowFailure {
    let mut message = failure.to_string();
    if failure.kind() == FailureKind::Bug {
        let incident = incident(failure);
        tracing::error!(incident, error = %chain(failure), "internal error in a row of a batch");
        message = format!("internal error, incident {incident}");
    }
    let violations = failure.violations().into_iter();
    pb::RowFailure {
        code: code(failure),
        message,
        reason: failure.reason().to_string(),
        violations: violations.map(|v| pb::FieldViolation { field: v.field, description: v.description }).collect(),
        metadata: failure.metadata().into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// A failure with all that caused it; for logs, which only operators read.
pub fn chain(failure: &(impl Failure + ?Sized)) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A short id that finds the log line. It is a hash of the chain: the same bug gives the same id, which tells one
/// incident from many.
pub fn incident(failure: &(impl Failure + ?Sized)) -> String {
    let digest = Sha256::digest(chain(failure).as_bytes());
    format!("{:016x}", digest.iter().take(8).fold(0_u64, |id, byte| id << 8 | u64::from(*byte)))
}

//! The one way from a failure to a status. Nothing of the database, the file system or a panic leaks: a bug is logged
//! with an incident id and the caller gets only that id.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt};
pub use waymark_domain::Reason;
use waymark_domain::{Failure, FailureKind, Violation};
use waymark_request::failure::{chain, code, incident};

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "waymark.dev";
/// How long a refused or unserved caller is asked to wait.
const RETRY: Duration = Duration::from_millis(500);
/// Bytes of a status message, of one text in the details, of all violations.
const MESSAGE: usize = 1_000;
const TEXT: usize = 400;
const DETAILS: usize = 3_000;

/// The status of a failure, with `google.rpc.ErrorInfo` and what else helps to mend it.
pub fn status(failure: &(impl Failure + ?Sized)) -> Status {
    let code = Code::from_i32(code(failure));
    let mut metadata: HashMap<String, String> =
        failure.metadata().into_iter().map(|(k, v)| (k.to_owned(), cut(v, TEXT))).collect();
    let mut details = ErrorDetails::new();
    let mut message = failure.to_string();
    match failure.kind() {
        FailureKind::Bug => {
            let incident = incident(failure);
            tracing::error!(incident, error = %chain(failure), "internal error");
            message = format!("internal error, incident {incident}");
            metadata.insert("incident".into(), incident);
        }
        FailureKind::Unavailable => {
            // What the part said may name files or hosts; the log has it. A stop is no fault and says how to go on.
            if failure.reason() == Reason::Unavailable {
                tracing::warn!(error = %chain(failure), "unavailable");
                message = "a part this service needs does not answer; try again".into();
            }
            details.set_retry_info(Some(RETRY));
        }
        FailureKind::Overloaded => {
            details.set_retry_info(Some(RETRY));
        }
        FailureKind::Invalid => {
            let violations: Vec<_> =
                bounded(failure).into_iter().map(|v| FieldViolation::new(v.field, v.description)).collect();
            if !violations.is_empty() {
                details.set_bad_request(violations);
            }
        }
        FailureKind::Refused => {
            let subject = metadata.get("resource").cloned().unwrap_or_default();
            let violations = bounded(failure).into_iter();
            let violations: Vec<_> =
                violations.map(|v| PreconditionViolation::new(v.field, subject.clone(), v.description)).collect();
            if !violations.is_empty() {
                details.set_precondition_failure(violations);
            }
        }
        FailureKind::NotFound
        | FailureKind::AlreadyExists
        | FailureKind::Stale
        | FailureKind::Denied
        | FailureKind::OutOfRange => {}
    }
    details.set_error_info(failure.reason().name(), DOMAIN, metadata);
    Status::with_error_details(code, cut(message, MESSAGE), details)
}

/// The violations of a failure, as many as fit. Message and details travel in headers, which peers limit to 8 or 16 KiB
/// in all.
fn bounded(failure: &(impl Failure + ?Sized)) -> Vec<Violation> {
    let all = failure.violations();
    let count = all.len();
    let mut left = DETAILS;
    let mut kept = Vec::new();
    for violation in all {
        let violation = Violation { field: cut(violation.field, TEXT), description: cut(violation.description, TEXT) };
        let size = violation.field.len() + violation.description.len();
        if size > left {
            break;
        }
        left -= size;
        kept.push(violation);
    }
    if kept.len() < count {
        kept.push(Violation { field: String::new(), description: format!("and {} more", count - kept.len()) });
    }
    kept
}

/// A text of at most `limit` bytes, an ellipsis saying that it was longer.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_domain::Violations;

    #[derive(Debug, thiserror::Error)]
    #[error("secret table missing")]
    struct Broken;
    impl Failure for Broken {
        fn kind(&self) -> FailureKind {
            FailureKind::Bug
        }
        fn reason(&self) -> Reason {
            Reason::Internal
        }
    }

    #[test]
    fn a_bug_leaks_nothing_but_its_incident() {
        let status = status(&Broken);
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("secret"));
        let info = status.get_details_error_info().unwrap();
        assert!(status.message().contains(&info.metadata["incident"]));
    }

    #[test]
    fn all_violations_are_listed() {
        let mut violations = Violations::new();
        violations.add("product.vision", "too long");
        violations.add("product.display_name", "must not be empty");
        let status = status(&violations);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 2);
        assert_eq!(status.get_details_error_info().unwrap().reason, "INVALID_FIELD");
    }

    #[test]
    fn a_status_fits_into_headers() {
        let mut violations = Violations::new();
        for i in 0..500 {
            violations.add(format!("evidence[{i}].target"), "é".repeat(10_000));
        }
        let status = status(&violations);
        assert!(status.message().len() + status.details().len() < 8_000, "{}", status.details().len());
        let listed = status.get_details_bad_request().unwrap().field_violations;
        assert!(listed.last().unwrap().description.starts_with("and 49"), "{listed:?}");
    }
}

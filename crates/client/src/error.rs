//! What a refused or failed call says, read off the status and its `google.rpc` details.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A call that did not succeed. Programs decide by [`Error::code`] and [`Error::reason`]; the message is for people.
#[derive(Debug, Clone)]
pub struct Error {
    status: Box<Status>,
    reason: String,
    metadata: BTreeMap<String, String>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
}

/// What is wrong with one field of the request, or one condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, or the kind of the condition.
    pub field: String,
    /// What is wrong and what would be right.
    pub description: String,
}

impl Error {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// The `ErrorReason` without its prefix, such as `ETAG_MISMATCH`; empty when the answer did not come from a Waymark
    /// service.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What was wrong and what to do, for people.
    pub fn message(&self) -> &str {
        self.status.message()
    }

    /// The documented metadata of the reason, such as `resource`.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Everything that is wrong with the request.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How long the service asks callers to wait before they try again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status as it came.
    pub fn status(&self) -> &Status {
        &self.status
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let (reason, metadata) =
            details.error_info().map(|i| (i.reason.clone(), i.metadata.clone())).unwrap_or_default();
        let fields = details.bad_request().into_iter().flat_map(|b| &b.field_violations);
        let fields = fields.map(|v| Violation { field: v.field.clone(), description: v.description.clone() });
        let conditions = details.precondition_failure().into_iter().flat_map(|p| &p.violations);
        let conditions = conditions.map(|v| Violation { field: v.r#type.clone(), description: v.description.clone() });
        let violations = fields.chain(conditions).collect();
        let retry_after = details.retry_info().and_then(|r| r.retry_delay);
        Self { reason, metadata: metadata.into_iter().collect(), violations, retry_after, status: Box::new(status) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(f, "{:?}: {}", self.code(), self.message())?;
        } else {
            write!(f, "{}: {}", self.reason, self.message())?;
        }
        for violation in &self.violations {
            // A message that is the only violation already said it.
            let line = format!("{}: {}", violation.field, violation.description);
            if line != self.message() {
                write!(f, "\n  {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.status.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::{ErrorDetails, FieldViolation};

    #[test]
    fn shows_reason_message_and_violations() {
        let mut details =
            ErrorDetails::with_error_info("INVALID_FIELD", "waymark.dev", [("resource".to_owned(), "x".to_owned())]);
        details.set_bad_request(vec![FieldViolation::new("product.display_name", "must not be empty")]);
        details.set_retry_info(Some(Duration::from_millis(500)));
        let error = Error::from(Status::with_error_details(Code::InvalidArgument, "1 field is wrong", details));
        assert_eq!(error.to_string(), "INVALID_FIELD: 1 field is wrong\n  product.display_name: must not be empty");
        assert_eq!(error.metadata("resource"), Some("x"));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(500)));
    }

    #[test]
    fn a_foreign_status_shows_its_code() {
        assert_eq!(Error::from(Status::unavailable("no route")).to_string(), "Unavailable: no route");
    }
}

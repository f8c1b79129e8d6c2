//! Why something cannot be done, in terms every edge understands.
//!
//! Aggregates define their own error enums; [`Failure`] is what those enums say about themselves so that one function
//! at the edge can turn any of them into an answer. No wire code lives here.

use std::fmt;

use crate::Reason;

/// The kind of failure; each maps to exactly one status code at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The request itself is malformed; it would fail whatever the state.
    Invalid,
    /// The resource named does not exist, or is deleted.
    NotFound,
    /// A resource of that name exists already.
    AlreadyExists,
    /// The caller acted on an outdated version.
    Stale,
    /// A rule of the domain refuses the change in the present state.
    Refused,
    /// The caller may not do this.
    Denied,
    /// A position lies outside of what is kept.
    OutOfRange,
    /// Too much is asked at once; trying later helps.
    Overloaded,
    /// A part that is needed does not answer; trying later helps.
    Unavailable,
    /// An invariant is broken: a bug, or a damaged row.
    Bug,
}

/// One thing that is wrong: which field (dotted path from the request), or which rule and subject, and what to do about
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `initiative.target.end`, or the rule's name for a refusal.
    pub field: String,
    /// What is wrong and what would be right, as a sentence without a final stop.
    pub description: String,
}

/// An error that can answer a caller.
pub trait Failure: std::error::Error {
    /// The kind, hence the status code.
    fn kind(&self) -> FailureKind;
    /// What the contract calls the reason.
    fn reason(&self) -> Reason;
    /// Facts a program can act on; keys never disappear once published.
    fn metadata(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Field violations of an invalid request, or rule violations of a refused one.
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }
}

/// All that is wrong with a request, collected rather than stopped at the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// No violation yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A single violation.
    pub fn one(field: impl Into<String>, description: impl Into<String>) -> Self {
        let mut violations = Self::new();
        violations.add(field, description);
        violations
    }

    /// Records that `field` is wrong.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(Violation { field: field.into(), description: description.into() });
    }

    /// Takes the value, or records why `field` has none. The caller goes on, so that all violations are found at once.
    pub fn check<T, E: fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(field, error.to_string());
                None
            }
        }
    }

    /// Takes the value, or records the violations of a part, their paths prefixed with `field`, if it is one of its own.
    pub fn nested<T>(&mut self, field: &str, result: Result<T, Violations>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Violations(inner)) => {
                self.0.extend(inner.into_iter().map(|v| Violation {
                    field: match (field, v.field.as_str()) {
                        ("", inner) => inner.to_owned(),
                        (_, "") => field.to_owned(),
                        (_, inner) => format!("{field}.{inner}"),
                    },
                    description: v.description,
                }));
                None
            }
        }
    }

    /// These, and of `more` those of fields that are not among these: a field that is wrong is blamed once.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        let known = self.0.len();
        for violation in more.0 {
            if !self.0[..known].iter().any(|first| first.field == violation.field) {
                self.0.push(violation);
            }
        }
        self
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok(())` when nothing is wrong.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The violations found, in the order they were found.
    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for Violation { field, description } in &self.0 {
            write!(f, "{separator}{field}: {description}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

impl Failure for Violations {
    fn kind(&self) -> FailureKind {
        FailureKind::Invalid
    }
    fn reason(&self) -> Reason {
        Reason::InvalidField
    }
    fn violations(&self) -> Vec<Violation> {
        self.0.clone()
    }
}

/// A decision that cannot fail.
impl Failure for std::convert::Infallible {
    fn kind(&self) -> FailureKind {
        match *self {}
    }
    fn reason(&self) -> Reason {
        match *self {}
    }
}

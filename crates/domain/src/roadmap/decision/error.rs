//! Why something that is done to a decision is refused.

use chrono::NaiveDate;

use super::Decision;
use crate::{Failure, FailureKind, Name, Reason, Violation};

/// Why something that is done to a decision is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// The state does not allow it.
    #[error("{resource} is {state}: {action} needs {needed}")]
    State {
        /// The decision.
        resource: Name<Decision>,
        /// Where it stands.
        state: &'static str,
        /// What was asked.
        action: &'static str,
        /// The state that allows it.
        needed: &'static str,
    },
    /// What it was made of would change after.
    #[error(
        "{resource} is made: its question, options and what it supersedes are fixed; make another decision that supersedes it"
    )]
    Fixed {
        /// The decision.
        resource: Name<Decision>,
    },
    /// Nothing of that title can be chosen.
    #[error("{resource} has no option {option:?}; it has {}", titles(options))]
    NoOption {
        /// The decision.
        resource: Name<Decision>,
        /// What was to be chosen.
        option: String,
        /// What can be.
        options: Vec<String>,
    },
    /// A decision that something is not built is asked for.
    #[error(
        "{resource} does not say that something is not built: it is {state}, or chose an option that is not not_building"
    )]
    NotDeclining {
        /// The decision.
        resource: Name<Decision>,
        /// Where it stands.
        state: &'static str,
    },
    /// A review in the past.
    #[error("review_date {0} is in the past")]
    ReviewInPast(NaiveDate),
}

fn titles(options: &[String]) -> String {
    match options {
        [] => "none: add some by UpdateDecision".to_owned(),
        some => some.iter().map(|title| format!("{title:?}")).collect::<Vec<_>>().join(", "),
    }
}

impl Failure for DecisionError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::State { .. } | Self::Fixed { .. } | Self::NotDeclining { .. } => FailureKind::Refused,
            Self::NoOption { .. } | Self::ReviewInPast(_) => FailureKind::Invalid,
        }
    }
    fn reason(&self) -> Reason {
        match self {
            Self::State { .. } => Reason::StateConflict,
            Self::Fixed { .. } | Self::NotDeclining { .. } => Reason::RuleViolated,
            Self::NoOption { .. } | Self::ReviewInPast(_) => Reason::InvalidField,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::State { resource, state, action, .. } => vec![
                ("resource", resource.to_string()),
                ("state", (*state).to_owned()),
                ("action", (*action).to_owned()),
            ],
            Self::Fixed { resource } => {
                vec![("rule", "decisions_are_not_rewritten".to_owned()), ("resource", resource.to_string())]
            }
            Self::NotDeclining { resource, .. } => {
                vec![("rule", "declined_by_decision".to_owned()), ("resource", resource.to_string())]
            }
            Self::NoOption { .. } | Self::ReviewInPast(_) => Vec::new(),
        }
    }
    fn violations(&self) -> Vec<Violation> {
        let one = |field: &str| vec![Violation { field: field.to_owned(), description: self.to_string() }];
        match self {
            Self::NoOption { .. } => one("option"),
            Self::ReviewInPast(_) => one("review_date"),
            Self::State { .. } | Self::Fixed { .. } | Self::NotDeclining { .. } => Vec::new(),
        }
    }
}

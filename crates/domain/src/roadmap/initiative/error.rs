//! Why a decision about an initiative is refused.

use super::{Initiative, InitiativeStep};
use crate::{Failure, FailureKind, Name, Reason, Risk, Violation};

/// Why a decision about an initiative is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InitiativeError {
    /// The state does not allow it.
    #[error("{resource} is {state}: {action} needs {needed}")]
    State {
        /// The initiative.
        resource: Name<Initiative>,
        /// Where it stands.
        state: &'static str,
        /// What was asked.
        action: &'static str,
        /// The states that allow it.
        needed: &'static str,
    },
    /// A risk has neither evidence nor a waiver.
    #[error("{resource} has open risks: {}; add evidence or sign a waiver with WaiveRisk", list(risks))]
    RisksOpen {
        /// The initiative.
        resource: Name<Initiative>,
        /// The open ones.
        risks: Vec<Risk>,
    },
    /// It already waits for that one.
    #[error("{resource} depends on {dependency} already")]
    AlreadyDepends {
        /// The initiative.
        resource: Name<Initiative>,
        /// What it waits for.
        dependency: Name<Initiative>,
    },
    /// It does not wait for that one.
    #[error("{resource} does not depend on {dependency}")]
    NotDependent {
        /// The initiative.
        resource: Name<Initiative>,
        /// What it does not wait for.
        dependency: Name<Initiative>,
    },
    /// Others must ship before it, or wait for it.
    #[error(
        "{resource} {}: {}; {} first, or say in waive_dependencies why not",
        against(*step), states(others), mended(*step)
    )]
    OutOfOrder {
        /// The initiative.
        resource: Name<Initiative>,
        /// What was asked.
        step: InitiativeStep,
        /// The others and where they stand.
        others: Vec<(Name<Initiative>, &'static str)>,
    },
    /// What is changed by a method of its own.
    #[error("{field} is not changed by an update: call {method}")]
    OwnMethod {
        /// The field.
        field: &'static str,
        /// The method.
        method: &'static str,
    },
    /// The prediction is on record.
    #[error("{resource} was committed to: its expected_outcome is the prediction on record and can no longer change")]
    PredictionFixed {
        /// The initiative.
        resource: Name<Initiative>,
    },
    /// A review in the past.
    #[error("review_date {0} is in the past")]
    ReviewInPast(chrono::NaiveDate),
    /// A scenario has it where no decision leads to.
    #[error("{resource} is {state}: nothing leads from there to {wanted}, where the scenario has it; keep its state")]
    NoWay {
        /// The initiative.
        resource: Name<Initiative>,
        /// Where it stands.
        state: &'static str,
        /// Where the scenario has it.
        wanted: &'static str,
    },
}

fn list(risks: &[Risk]) -> String {
    risks.iter().map(Risk::to_string).collect::<Vec<_>>().join(", ")
}

/// Others that an error names.
const NAMED: usize = 10;

/// The first of some initiatives with where they stand, and how many more there are.
fn states(others: &[(Name<Initiative>, &'static str)]) -> String {
    let mut named: Vec<String> = others.iter().take(NAMED).map(|(name, state)| format!("{name} ({state})")).collect();
    if others.len() > NAMED {
        named.push(format!("{} more", others.len() - NAMED));
    }
    named.join(", ")
}

fn against(step: InitiativeStep) -> &'static str {
    match step {
        InitiativeStep::Start | InitiativeStep::Ship => "depends on what has not shipped",
        InitiativeStep::Decline => "is waited for",
    }
}

fn mended(step: InitiativeStep) -> &'static str {
    match step {
        InitiativeStep::Start | InitiativeStep::Ship => "ship them or remove the dependencies",
        InitiativeStep::Decline => "remove their dependencies on it",
    }
}

impl Failure for InitiativeError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::OwnMethod { .. } | Self::ReviewInPast(_) => FailureKind::Invalid,
            Self::State { .. }
            | Self::NoWay { .. }
            | Self::RisksOpen { .. }
            | Self::AlreadyDepends { .. }
            | Self::NotDependent { .. }
            | Self::OutOfOrder { .. }
            | Self::PredictionFixed { .. } => FailureKind::Refused,
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::State { .. } | Self::NoWay { .. } => Reason::StateConflict,
            Self::RisksOpen { .. } => Reason::RisksOpen,
            Self::OwnMethod { .. } | Self::ReviewInPast(_) => Reason::InvalidField,
            Self::AlreadyDepends { .. }
            | Self::NotDependent { .. }
            | Self::OutOfOrder { .. }
            | Self::PredictionFixed { .. } => Reason::RuleViolated,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::State { resource, state, action, .. } => {
                vec![
                    ("resource", resource.to_string()),
                    ("state", (*state).to_owned()),
                    ("action", (*action).to_owned()),
                ]
            }
            Self::NoWay { resource, state, .. } => vec![
                ("resource", resource.to_string()),
                ("state", (*state).to_owned()),
                ("action", "MergeScenario".to_owned()),
            ],
            Self::RisksOpen { resource, risks } => vec![("resource", resource.to_string()), ("risks", list(risks))],
            Self::AlreadyDepends { .. } => vec![("rule", "one_dependency_each".to_owned())],
            Self::NotDependent { .. } => vec![("rule", "dependency_exists".to_owned())],
            Self::OutOfOrder { resource, others, .. } => vec![
                ("rule", "dependencies_ship_first".to_owned()),
                ("resource", resource.to_string()),
                ("initiatives", states(others)),
            ],
            Self::PredictionFixed { .. } => vec![("rule", "prediction_fixed_at_commit".to_owned())],
            Self::OwnMethod { .. } | Self::ReviewInPast(_) => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        let one = |field: &str| vec![Violation { field: field.to_owned(), description: self.to_string() }];
        match self {
            Self::RisksOpen { risks, .. } => risks
                .iter()
                .map(|risk| Violation {
                    field: format!("risks.{risk}"),
                    description: format!("{risk} has neither evidence nor a signed waiver"),
                })
                .collect(),
            Self::OutOfOrder { others, .. } => others
                .iter()
                .take(NAMED)
                .map(|(name, state)| Violation {
                    field: "dependencies".to_owned(),
                    description: format!("{name} is {state}"),
                })
                .collect(),
            Self::State { .. } | Self::NoWay { .. } => one("state"),
            Self::AlreadyDepends { .. } | Self::NotDependent { .. } => one("dependencies"),
            Self::OwnMethod { field, .. } => one(&format!("initiative.{field}")),
            Self::PredictionFixed { .. } => one("expected_outcome"),
            Self::ReviewInPast(_) => one("review_date"),
        }
    }
}

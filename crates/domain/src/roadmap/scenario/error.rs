//! Why something that is done with a scenario is refused.

use super::Scenario;
use crate::roadmap::{Initiative, InitiativeError};
use crate::{Failure, FailureKind, Name, Reason, Resource as _, Violation};

/// A field that a scenario and the roadmap changed to different values, which are JSON, and empty where it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The initiative.
    pub initiative: Name<Initiative>,
    /// The field.
    pub field: String,
    /// At the revision of the scenario.
    pub base: String,
    /// In the scenario.
    pub scenario: String,
    /// On the roadmap.
    pub roadmap: String,
}

/// Why something that is done with a scenario is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// It is merged.
    #[error("{resource} is MERGED: {action} needs OPEN; branch off again with CreateScenario")]
    Merged {
        /// The scenario.
        resource: Name<Scenario>,
        /// What was asked.
        action: &'static str,
    },
    /// It would change too many initiatives.
    #[error(
        "{resource} would change more than {most} initiatives; take some back with DeleteVariant, or merge it and branch off again",
        most = Scenario::INITIATIVES
    )]
    Full {
        /// The scenario.
        resource: Name<Scenario>,
    },
    /// Too many initiatives would have to be looked at for a cycle.
    #[error(
        "{initiative} would wait for more than {most} initiatives, directly or not: add the dependency on the roadmap",
        most = Scenario::LOOKED_AT
    )]
    TooLong {
        /// The initiative.
        initiative: Name<Initiative>,
    },
    /// What it branches off is no longer kept.
    #[error(
        "{resource} branches off revision {asked}, which is no longer kept; the earliest is {earliest}. What it changed so far can still be changed, compared and merged; to change more, create a scenario anew"
    )]
    Trimmed {
        /// The scenario.
        resource: Name<Scenario>,
        /// The revision that it branches off.
        asked: i64,
        /// The earliest that can be read.
        earliest: i64,
    },
    /// An initiative changed since it was compared.
    #[error("{initiative} has changed on the roadmap since revision {compared}; compare again and decide again")]
    Moved {
        /// The initiative.
        initiative: Name<Initiative>,
        /// Its etag now.
        etag: String,
        /// The revision that the caller compared with.
        compared: i64,
    },
    /// Both sides changed the same to different values.
    #[error(
        "{} of {resource} and the roadmap contradict each other: {}; say in resolutions which to take", conflicts.len(),
        first(conflicts)
    )]
    Conflicts {
        /// The scenario.
        resource: Name<Scenario>,
        /// What is contradicted; there is at least one.
        conflicts: Vec<Conflict>,
    },
    /// The rules of initiatives speak against the result.
    #[error("merging {resource} is refused: {}", reasons(refusals))]
    Refused {
        /// The scenario.
        resource: Name<Scenario>,
        /// What speaks against which initiative; there is at least one.
        refusals: Vec<(Name<Initiative>, InitiativeError)>,
    },
}

/// The first of what is contradicted.
fn first(conflicts: &[Conflict]) -> String {
    let described = |conflict: &Conflict| format!("{}: {}", conflict.place(), conflict.values());
    conflicts.first().map(described).unwrap_or_default()
}

fn reasons(refusals: &[(Name<Initiative>, InitiativeError)]) -> String {
    refusals.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join("; ")
}

impl Conflict {
    /// The initiative and the field, such as `initiatives/sso.horizon`.
    fn place(&self) -> String {
        format!("{}/{}.{}", Initiative::COLLECTION, self.initiative.id(), self.field)
    }

    fn values(&self) -> String {
        let shown = |value: &str| if value.is_empty() { "nothing".to_owned() } else { value.to_owned() };
        let [base, scenario, roadmap] = [&self.base, &self.scenario, &self.roadmap].map(|value| shown(value));
        format!("{base} became {scenario} in the scenario and {roadmap} on the roadmap")
    }
}

impl Failure for ScenarioError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Merged { .. }
            | Self::Full { .. }
            | Self::TooLong { .. }
            | Self::Conflicts { .. }
            | Self::Refused { .. } => FailureKind::Refused,
            Self::Trimmed { .. } => FailureKind::OutOfRange,
            Self::Moved { .. } => FailureKind::Stale,
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Merged { .. } => Reason::StateConflict,
            Self::Full { .. } | Self::TooLong { .. } | Self::Refused { .. } => Reason::RuleViolated,
            Self::Trimmed { .. } => Reason::RevisionExpired,
            Self::Moved { .. } => Reason::EtagMismatch,
            Self::Conflicts { .. } => Reason::MergeConflict,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Merged { resource, action } => vec![
                ("resource", resource.to_string()),
                ("state", "MERGED".to_owned()),
                ("action", (*action).to_owned()),
            ],
            Self::Full { resource } => vec![("rule", "size".to_owned()), ("resource", resource.to_string())],
            Self::TooLong { initiative } => vec![("rule", "size".to_owned()), ("resource", initiative.to_string())],
            Self::Trimmed { resource, earliest, .. } => {
                vec![("resource", resource.to_string()), ("earliest_revision", earliest.to_string())]
            }
            Self::Moved { initiative, etag, .. } => {
                vec![("resource", initiative.to_string()), ("etag", etag.clone())]
            }
            Self::Conflicts { resource, conflicts } => {
                vec![("resource", resource.to_string()), ("conflicts", conflicts.len().to_string())]
            }
            Self::Refused { resource, .. } => {
                vec![("rule", "merged_by_the_rules".to_owned()), ("resource", resource.to_string())]
            }
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Conflicts { conflicts, .. } => {
                let told = |conflict: &Conflict| Violation { field: conflict.place(), description: conflict.values() };
                conflicts.iter().map(told).collect()
            }
            Self::Refused { refusals, .. } => {
                let told = |(name, error): &(Name<Initiative>, InitiativeError)| Violation {
                    field: format!("{}/{}", Initiative::COLLECTION, name.id()),
                    description: error.to_string(),
                };
                refusals.iter().map(told).collect()
            }
            Self::Merged { .. } => vec![Violation { field: "state".to_owned(), description: self.to_string() }],
            Self::Full { .. } | Self::TooLong { .. } => {
                vec![Violation { field: "size".to_owned(), description: self.to_string() }]
            }
            Self::Trimmed { .. } | Self::Moved { .. } => Vec::new(),
        }
    }
}

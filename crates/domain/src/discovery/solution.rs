//! Solutions: what might serve an opportunity, and when it is ready to be built.

use chrono::{DateTime, Utc};
use strum::{Display, IntoStaticStr, VariantNames};

use super::assumption_test::AssumptionTest;
use super::opportunity::Opportunity;
use super::risks;
use super::tree::Pruning;
use crate::evidence::{Evidence, Risk};
use crate::{Change, Failure, FailureKind, Meta, Name, Violation};

/// Something that might serve an opportunity.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it serves.
    pub opportunity: Name<Opportunity>,
    /// What it is.
    pub description: String,
    /// What speaks for it besides assumption tests; each risk at most once.
    pub risk_evidence: Vec<RiskEvidence>,
    /// How far it is.
    pub state: SolutionState,
    /// When it was validated.
    pub validate_time: Option<DateTime<Utc>>,
    /// Why it was given up, if it was.
    pub pruning: Option<Pruning>,
}

/// What speaks for a solution with respect to one risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskEvidence {
    /// The risk.
    pub risk: Risk,
    /// What shows that it is small.
    pub evidence: Vec<Evidence>,
}

/// How far a solution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SolutionState {
    /// An idea; risks may be open.
    Proposed,
    /// Each of the four risks had a passed test or evidence.
    Validated,
}

/// What happens to solutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum SolutionEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Validated,
    Moved,
    Pruned,
}

super::resource!(Solution, SolutionEvent, "solutions");

/// Why a solution is not validated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SolutionError {
    /// The state does not allow it.
    #[error("{resource} is {state}: only a PROPOSED solution that is not pruned can be validated")]
    State {
        /// The solution.
        resource: String,
        /// `VALIDATED` or `PRUNED`.
        state: String,
    },
    /// Risks have neither a passed test nor evidence.
    #[error("{resource} has open risks: {}; conclude a test that passes or add evidence for each", .risks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    RisksOpen {
        /// The solution.
        resource: String,
        /// The open risks.
        risks: Vec<Risk>,
    },
}

impl Failure for SolutionError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> &'static str {
        match self {
            Self::State { .. } => "STATE_CONFLICT",
            Self::RisksOpen { .. } => "RISKS_OPEN",
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::State { resource, state } => {
                vec![("resource", resource.clone()), ("state", state.clone()), ("action", "validate".to_owned())]
            }
            Self::RisksOpen { resource, .. } => vec![("resource", resource.clone())],
        }
    }
    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::State { .. } => Vec::new(),
            Self::RisksOpen { risks, .. } => risks
                .iter()
                .map(|risk| Violation {
                    field: risk.to_string(),
                    description: "has neither a passed test nor evidence".to_owned(),
                })
                .collect(),
        }
    }
}

impl Solution {
    /// Evidence that speaks for it with respect to `risk`.
    pub fn evidence_for(&self, risk: Risk) -> &[Evidence] {
        self.risk_evidence.iter().find(|e| e.risk == risk).map_or(&[], |e| &e.evidence)
    }

    /// Declares it ready to be built, given its tests: each of the four risks needs a passed test or evidence.
    pub fn validate(self, tests: &[AssumptionTest], now: DateTime<Utc>) -> Result<Change<Self>, SolutionError> {
        let resource = self.meta.name.to_string();
        if self.pruning.is_some() {
            return Err(SolutionError::State { resource, state: "PRUNED".to_owned() });
        }
        if self.state != SolutionState::Proposed {
            return Err(SolutionError::State { resource, state: self.state.to_string() });
        }
        let open: Vec<Risk> =
            risks::assess(&self, tests).into_iter().filter(|s| !s.is_supported()).map(|s| s.risk).collect();
        if !open.is_empty() {
            return Err(SolutionError::RisksOpen { resource, risks: open });
        }
        Ok(Change::new(
            Self { state: SolutionState::Validated, validate_time: Some(now), ..self },
            SolutionEvent::Validated,
        ))
    }
}

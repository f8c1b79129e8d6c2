//! Where a solution stands with respect to the four risks, and the rule that it is validated by.

use chrono::{DateTime, Utc};

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::assumption_test::{AssumptionTest, TestVerdict};
use super::solution::{Solution, SolutionEvent, SolutionState};
use crate::evidence::{Evidence, Risk};
use crate::{Change, Failure, FailureKind, Name, Reason, Violation};

/// Where a solution stands with respect to one risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskStanding {
    /// The risk.
    pub risk: Risk,
    /// What speaks for the solution besides tests.
    pub evidence: Vec<Evidence>,
    /// Tests that passed.
    pub passed: Vec<Name<AssumptionTest>>,
    /// Tests that failed.
    pub failed: Vec<Name<AssumptionTest>>,
    /// Tests without a result.
    pub open: Vec<Name<AssumptionTest>>,
}

/// What follows from evidence and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum RiskVerdict {
    /// Neither evidence nor a test with a result.
    Open,
    /// Evidence or a passed test, and no failed one.
    Supported,
    /// Evidence or a passed test, and a failed one.
    Contested,
    /// A failed test and nothing else.
    Refuted,
}

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
    fn reason(&self) -> Reason {
        match self {
            Self::State { .. } => Reason::StateConflict,
            Self::RisksOpen { .. } => Reason::RisksOpen,
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

impl RiskStanding {
    /// Whether there is evidence or a passed test: what validating a solution asks for.
    pub fn is_supported(&self) -> bool {
        !self.evidence.is_empty() || !self.passed.is_empty()
    }

    /// What follows.
    pub fn verdict(&self) -> RiskVerdict {
        match (self.is_supported(), self.failed.is_empty()) {
            (true, true) => RiskVerdict::Supported,
            (true, false) => RiskVerdict::Contested,
            (false, false) => RiskVerdict::Refuted,
            (false, true) => RiskVerdict::Open,
        }
    }
}

/// The standing for each of the four risks, in their order. Tests of other solutions and pruned tests do not count.
pub fn assess(solution: &Solution, tests: &[AssumptionTest]) -> Vec<RiskStanding> {
    let counted = |risk, verdict| {
        let of_risk =
            tests.iter().filter(move |t| t.solution == solution.meta.name && t.pruning.is_none() && t.risk == risk);
        of_risk.filter(|t| t.verdict() == verdict).map(|t| t.meta.name.clone()).collect()
    };
    let standing = |&risk| RiskStanding {
        risk,
        evidence: solution.evidence_for(risk).to_vec(),
        passed: counted(risk, TestVerdict::Passed),
        failed: counted(risk, TestVerdict::Failed),
        open: counted(risk, TestVerdict::Open),
    };
    Risk::ALL.iter().map(standing).collect()
}

impl Solution {
    /// Declares it ready to be built, given its tests: each of the four risks needs a passed test or evidence.
    pub fn validate(self, tests: &[AssumptionTest], now: DateTime<Utc>) -> Result<Change<Self>, SolutionError> {
        let resource = self.meta.name.to_string();
        if self.pruning.is_some() {
            return Err(SolutionError::State { resource, state: "PRUNED".to_owned() });
        }
        if self.state != SolutionState::Proposed {
            return Err(SolutionError::State { resource, state: self.state.to_string() });
        }
        let open: Vec<Risk> = assess(&self, tests).into_iter().filter(|s| !s.is_supported()).map(|s| s.risk).collect();
        if !open.is_empty() {
            return Err(SolutionError::RisksOpen { resource, risks: open });
        }
        Ok(Change::new(
            Self { state: SolutionState::Validated { validate_time: now }, ..self },
            SolutionEvent::Validated,
        ))
    }
}

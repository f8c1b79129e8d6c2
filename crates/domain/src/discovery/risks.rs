//! Where a solution stands with respect to the four risks.

use super::assumption_test::{AssumptionTest, TestVerdict};
use super::solution::Solution;
use crate::Name;
use crate::evidence::{Evidence, Risk};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

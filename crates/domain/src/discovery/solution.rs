//! Solutions: what might serve an opportunity. When one is ready to be built is for `risks` to say.

use chrono::{DateTime, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::opportunity::Opportunity;
use super::pruning::Pruning;
use crate::evidence::{Evidence, Risk};
use crate::{Meta, Name};

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

/// How far a solution is. Printed as in the contract: `PROPOSED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SolutionState {
    /// An idea; risks may be open.
    Proposed,
    /// Each of the four risks had a passed test or evidence.
    Validated {
        /// When it was validated.
        validate_time: DateTime<Utc>,
    },
}

/// What happens to solutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
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

impl Solution {
    /// Evidence that speaks for it with respect to `risk`.
    pub fn evidence_for(&self, risk: Risk) -> &[Evidence] {
        self.risk_evidence.iter().find(|e| e.risk == risk).map_or(&[], |e| &e.evidence)
    }
}

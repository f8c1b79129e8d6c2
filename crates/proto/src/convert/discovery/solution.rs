//! Solutions and where they stand with respect to the four risks.

use std::collections::BTreeSet;

use waymark_domain::discovery::{RiskEvidence, RiskStanding, Solution, SolutionState};
use waymark_domain::{Risk, Violations};

use super::opportunity::pruning;
use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{evidence, meta, set_meta, time_while, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Solution> for Solution {
    type Error = Violations;
    fn try_from(message: pb::Solution) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let opportunity = v.check("opportunity", message.opportunity.parse());
        let risk_evidence = risk_evidence(v, message.risk_evidence);
        let stated = pb::SolutionState::try_from(message.state).unwrap_or_default();
        let validated = match stated {
            pb::SolutionState::Unspecified | pb::SolutionState::Proposed => false,
            pb::SolutionState::Validated => true,
        };
        let validate_time = time_while(v, stated.as_str_name(), "validate_time", message.validate_time, validated);
        let state =
            validate_time.map_or(SolutionState::Proposed, |validate_time| SolutionState::Validated { validate_time });
        let pruning = message.pruning.and_then(|message| v.nested("pruning", pruning(message)));
        let solution = (|| {
            Some(Self {
                meta: meta?,
                opportunity: opportunity?,
                description: message.description,
                risk_evidence,
                state,
                pruning,
            })
        })();
        whole(violations, solution)
    }
}

fn risk_evidence(violations: &mut Violations, messages: Vec<pb::RiskEvidence>) -> Vec<RiskEvidence> {
    let mut seen: BTreeSet<Risk> = BTreeSet::new();
    let mut entries = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        let field = format!("risk_evidence[{index}]");
        let risk = message.risk().domain();
        let evidence = evidence(violations, &format!("{field}.evidence"), message.evidence);
        let Some(risk) = risk else { continue };
        if !seen.insert(risk) {
            violations
                .add(format!("{field}.risk"), format!("{risk} is there already; put its evidence into one entry"));
        }
        entries.push(RiskEvidence { risk, evidence });
    }
    entries
}

impl From<&Solution> for pb::Solution {
    fn from(solution: &Solution) -> Self {
        let (state, validate_time) = match solution.state {
            SolutionState::Proposed => (pb::SolutionState::Proposed, None),
            SolutionState::Validated { validate_time } => (pb::SolutionState::Validated, Some(validate_time)),
        };
        let entry = |e: &RiskEvidence| pb::RiskEvidence {
            risk: common::Risk::of(e.risk),
            evidence: e.evidence.iter().map(common::Evidence::from).collect(),
        };
        let mut message = Self {
            opportunity: solution.opportunity.to_string(),
            description: solution.description.clone(),
            risk_evidence: solution.risk_evidence.iter().map(entry).collect(),
            state: state.into(),
            validate_time: validate_time.map(timestamp),
            pruning: solution.pruning.as_ref().map(pb::Pruning::from),
            ..Self::default()
        };
        set_meta(&mut message, &solution.meta);
        message
    }
}

impl From<&RiskStanding> for pb::SolutionRisk {
    fn from(standing: &RiskStanding) -> Self {
        Self {
            risk: common::Risk::of(standing.risk),
            evidence: standing.evidence.iter().map(common::Evidence::from).collect(),
            passed_tests: standing.passed.iter().map(ToString::to_string).collect(),
            failed_tests: standing.failed.iter().map(ToString::to_string).collect(),
            open_tests: standing.open.iter().map(ToString::to_string).collect(),
            verdict: pb::RiskVerdict::of(standing.verdict()),
        }
    }
}

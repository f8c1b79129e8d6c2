//! Outcomes and opportunities.

use waymark_domain::Violations;
use waymark_domain::discovery::outcome::Binding;
use waymark_domain::discovery::{Learning, Opportunity, Outcome, Pruning};

use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{evidence, meta, name_if_set, range, set_meta, time, timestamp, whole};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Outcome> for Outcome {
    type Error = Violations;
    fn try_from(message: pb::Outcome) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let metric = name_if_set(v, "metric", &message.metric);
        let unbound = message.metric.is_empty();
        let binding = Binding::new(metric, message.measure);
        if binding.is_none() && unbound && v.is_empty() {
            v.add(
                "metric",
                "or measure must be set: an outcome is bound to a metric or says in words how one would know",
            );
        }
        let outcome = (|| Some(Self { meta: meta?, binding: binding?, description: message.description }))();
        whole(violations, outcome)
    }
}

impl From<&Outcome> for pb::Outcome {
    fn from(outcome: &Outcome) -> Self {
        let mut message = Self {
            metric: outcome.binding.metric().map(ToString::to_string).unwrap_or_default(),
            measure: outcome.binding.measure().to_owned(),
            description: outcome.description.clone(),
            ..Self::default()
        };
        set_meta(&mut message, &outcome.meta);
        message
    }
}

impl TryFrom<pb::Opportunity> for Opportunity {
    type Error = Violations;
    fn try_from(message: pb::Opportunity) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let kind = message.kind().domain();
        let parent_node = v.check("parent_node", message.parent_node.parse());
        let evidence = evidence(v, "evidence", message.evidence);
        let mut learnings = Vec::with_capacity(message.learnings.len());
        for (index, message) in message.learnings.into_iter().enumerate() {
            learnings.extend(v.nested(&format!("learnings[{index}]"), Learning::try_from(message)));
        }
        let pruning = message.pruning.and_then(|message| v.nested("pruning", pruning(message)));
        let opportunity = (|| {
            Some(Self {
                meta: meta?,
                kind: kind?,
                parent_node: parent_node?,
                description: message.description,
                evidence,
                learnings,
                pruning,
            })
        })();
        whole(violations, opportunity)
    }
}

impl TryFrom<pb::Learning> for Learning {
    type Error = Violations;
    fn try_from(message: pb::Learning) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let outcome = v.check("outcome", message.outcome.parse());
        let initiative = name_if_set(v, "initiative", &message.initiative);
        let verdict = message.verdict().domain();
        let measured = range(v, "measured", message.measured);
        let time = time(v, "time", message.time);
        let summary = message.summary;
        let learning =
            (|| Some(Self { outcome: outcome?, initiative, verdict: verdict?, summary, measured, time: time? }))();
        whole(violations, learning)
    }
}

impl From<&Learning> for pb::Learning {
    fn from(learning: &Learning) -> Self {
        Self {
            outcome: learning.outcome.to_string(),
            initiative: learning.initiative.as_ref().map(ToString::to_string).unwrap_or_default(),
            verdict: common::Verdict::of(learning.verdict),
            summary: learning.summary.clone(),
            measured: learning.measured.as_ref().map(common::Range::from),
            time: Some(timestamp(learning.time)),
        }
    }
}

/// Why a node was given up.
pub(super) fn pruning(message: pb::Pruning) -> Result<Pruning, Violations> {
    let mut violations = Violations::new();
    let node = violations.check("node", message.node.parse());
    let time = time(&mut violations, "time", message.time);
    let pruning = (|| Some(Pruning { reason: message.reason, node: node?, time: time? }))();
    whole(violations, pruning)
}

impl From<&Pruning> for pb::Pruning {
    fn from(pruning: &Pruning) -> Self {
        Self { reason: pruning.reason.clone(), node: pruning.node.to_string(), time: Some(timestamp(pruning.time)) }
    }
}

impl From<&Opportunity> for pb::Opportunity {
    fn from(opportunity: &Opportunity) -> Self {
        let mut message = Self {
            kind: pb::OpportunityKind::of(opportunity.kind),
            parent_node: opportunity.parent_node.to_string(),
            description: opportunity.description.clone(),
            evidence: opportunity.evidence.iter().map(common::Evidence::from).collect(),
            learnings: opportunity.learnings.iter().map(pb::Learning::from).collect(),
            pruning: opportunity.pruning.as_ref().map(pb::Pruning::from),
            ..Self::default()
        };
        set_meta(&mut message, &opportunity.meta);
        message
    }
}

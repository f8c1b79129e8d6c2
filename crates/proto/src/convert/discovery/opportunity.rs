//! Outcomes and opportunities.

use waymark_domain::discovery::outcome::Binding;
use waymark_domain::discovery::{Learning, Opportunity, OpportunityKind, Outcome, Pruning};
use waymark_domain::{Violations, text};

use super::{name, name_if_set, stated, whole};
use crate::common::v1 as common;
use crate::convert::shared::{evidence, range, verdict};
use crate::convert::{meta, set_meta, time, timestamp};
use crate::discovery::v1 as pb;

impl TryFrom<pb::Outcome> for Outcome {
    type Error = Violations;
    fn try_from(message: pb::Outcome) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta = meta(v, &message);
        let metric = name_if_set(v, "metric", &message.metric);
        let measure = v.check("measure", text::optional(message.measure, 500));
        let description = v.check("description", text::optional(message.description, 10_000));
        let unbound = message.metric.is_empty();
        let binding = measure.and_then(|measure| Binding::new(metric, measure));
        if binding.is_none() && unbound && v.is_empty() {
            v.add(
                "metric",
                "or measure must be set: an outcome is bound to a metric or says in words how one would know",
            );
        }
        let outcome = (|| Some(Self { meta: meta?, binding: binding?, description: description? }))();
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
        let kind = match message.kind() {
            pb::OpportunityKind::Unspecified => None,
            pb::OpportunityKind::Need => Some(OpportunityKind::Need),
            pb::OpportunityKind::Pain => Some(OpportunityKind::Pain),
            pb::OpportunityKind::Desire => Some(OpportunityKind::Desire),
        };
        let kind = stated(v, "kind", kind, "NEED, PAIN, DESIRE");
        let parent_node = name(v, "parent_node", &message.parent_node);
        let description = v.check("description", text::optional(message.description, 10_000));
        let evidence = evidence(v, "evidence", message.evidence);
        let mut learnings = Vec::with_capacity(message.learnings.len());
        for (index, message) in message.learnings.into_iter().enumerate() {
            learnings.extend(v.nested(&format!("learnings[{index}]"), learning(message)));
        }
        let pruning = message.pruning.and_then(|message| v.nested("pruning", pruning(message)));
        let opportunity = (|| {
            Some(Self {
                meta: meta?,
                kind: kind?,
                parent_node: parent_node?,
                description: description?,
                evidence,
                learnings,
                pruning,
            })
        })();
        whole(violations, opportunity)
    }
}

/// What a measurement said.
pub fn learning(message: pb::Learning) -> Result<Learning, Violations> {
    let mut violations = Violations::new();
    let v = &mut violations;
    let outcome = name(v, "outcome", &message.outcome);
    let initiative = name_if_set(v, "initiative", &message.initiative);
    let verdict = verdict(v, "verdict", message.verdict());
    let summary = v.check("summary", text::optional(message.summary, 2_000));
    let measured = range(v, "measured", message.measured);
    if message.time.is_none() {
        v.add("time", "must be set");
    }
    let time = time(v, "time", message.time);
    let learning = (|| {
        Some(Learning { outcome: outcome?, initiative, verdict: verdict?, summary: summary?, measured, time: time? })
    })();
    whole(violations, learning)
}

impl From<&Learning> for pb::Learning {
    fn from(learning: &Learning) -> Self {
        Self {
            outcome: learning.outcome.to_string(),
            initiative: learning.initiative.as_ref().map(ToString::to_string).unwrap_or_default(),
            verdict: common::Verdict::from(learning.verdict).into(),
            summary: learning.summary.clone(),
            measured: learning.measured.as_ref().map(common::Range::from),
            time: Some(timestamp(learning.time)),
        }
    }
}

/// Why a node was given up.
pub(super) fn pruning(message: pb::Pruning) -> Result<Pruning, Violations> {
    let mut violations = Violations::new();
    let node = name(&mut violations, "node", &message.node);
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
        let kind = match opportunity.kind {
            OpportunityKind::Need => pb::OpportunityKind::Need,
            OpportunityKind::Pain => pb::OpportunityKind::Pain,
            OpportunityKind::Desire => pb::OpportunityKind::Desire,
        };
        let mut message = Self {
            kind: kind.into(),
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

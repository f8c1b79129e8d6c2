//! Decisions.

use std::collections::BTreeSet;

use waymark_domain::roadmap::decision::{
    Choice, Decision, DecisionOption, DecisionState, KillCriterion, KillThreshold, Options, Review,
};
use waymark_domain::{Meta, Violations};

use crate::Choice as _;
use crate::convert::{date, evidence, meta, set_meta, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::Decision> for Decision {
    type Error = Violations;
    fn try_from(message: pb::Decision) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let workspace = meta.as_ref().map(|meta| meta.name.workspace());
        let supersedes = sibling(v, "supersedes", workspace, &message.supersedes);
        let superseded_by = sibling(v, "superseded_by", workspace, &message.superseded_by);
        let options = options(v, message.options);
        let decides: BTreeSet<_> = (message.decides.iter().enumerate())
            .filter_map(|(index, name)| v.check(&format!("decides[{index}]"), name.parse()))
            .collect();
        let kill_criteria = (message.kill_criteria.into_iter().enumerate())
            .filter_map(|(index, criterion)| v.nested(&format!("kill_criteria[{index}]"), criterion.try_into()))
            .collect();
        let review_date = date(v, "review_date", &message.review_date);
        let choice = message.choice.and_then(|choice| v.nested("choice", choice.try_into()));
        let review = message.review.and_then(|review| v.nested("review", review.try_into()));
        let stated = pb::DecisionState::try_from(message.state).unwrap_or_default();
        let state = match (stated, choice, superseded_by) {
            (pb::DecisionState::Unspecified | pb::DecisionState::Open, None, None) => Some(DecisionState::Open),
            (pb::DecisionState::Decided, Some(choice), None) => Some(DecisionState::Decided(choice)),
            (pb::DecisionState::Superseded, Some(choice), Some(by)) => Some(DecisionState::Superseded(choice, by)),
            _ => {
                v.add(
                    "state",
                    "must be OPEN without a choice, DECIDED with one, or SUPERSEDED with one and superseded_by",
                );
                None
            }
        };
        let decision = (|| {
            Some(Self {
                meta: meta?,
                question: message.question,
                options: options?,
                owner: message.owner,
                decides,
                kill_criteria,
                review_date,
                review,
                supersedes,
                state: state?,
            })
        })();
        whole(violations, decision)
    }
}

fn options(violations: &mut Violations, messages: Vec<pb::DecisionOption>) -> Option<Options> {
    let mut options = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let field = |name: &str| format!("options[{index}].{name}");
        options.push(DecisionOption {
            title: message.title,
            description: message.description,
            not_building: message.not_building,
            evidence_for: evidence(violations, &field("evidence_for"), message.evidence_for),
            evidence_against: evidence(violations, &field("evidence_against"), message.evidence_against),
        });
    }
    match Options::new(options) {
        Ok(options) => Some(options),
        Err(index) => {
            violations.add(format!("options[{index}].title"), "is that of another option; give each one its own");
            None
        }
    }
}

impl TryFrom<pb::KillCriterion> for KillCriterion {
    type Error = Violations;
    fn try_from(message: pb::KillCriterion) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let threshold = message.threshold.and_then(|of| violations.nested("threshold", of.try_into()));
        let met = message.met.and_then(|met| violations.nested("met", met.try_into()));
        whole(violations, Some(Self { statement: message.statement, threshold, met }))
    }
}

impl TryFrom<pb::KillThreshold> for KillThreshold {
    type Error = Violations;
    fn try_from(message: pb::KillThreshold) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let condition = message.condition().domain();
        let metric = violations.check("metric", message.metric.parse());
        let threshold = (|| Some(Self { metric: metric?, condition: condition?, value: message.value? }))();
        whole(violations, threshold)
    }
}

impl TryFrom<pb::DecisionChoice> for Choice {
    type Error = Violations;
    fn try_from(message: pb::DecisionChoice) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let pb::DecisionChoice { option, reason, decided_by: by, time: at } = message;
        let choice = time(&mut violations, "time", at).map(|time| Self { option, reason, by, time });
        whole(violations, choice)
    }
}

impl TryFrom<pb::DecisionReview> for Review {
    type Error = Violations;
    fn try_from(message: pb::DecisionReview) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let pb::DecisionReview { note, reviewed_by: by, time: at } = message;
        let review = time(&mut violations, "time", at).map(|time| Self { note, by, time });
        whole(violations, review)
    }
}

impl From<&Decision> for pb::Decision {
    fn from(decision: &Decision) -> Self {
        let (state, superseded_by) = match &decision.state {
            DecisionState::Open => (pb::DecisionState::Open, String::new()),
            DecisionState::Decided(_) => (pb::DecisionState::Decided, String::new()),
            DecisionState::Superseded(_, by) => (pb::DecisionState::Superseded, by.to_string()),
        };
        let date = |date: Option<chrono::NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
        let mut message = Self {
            question: decision.question.clone(),
            options: decision.options.iter().map(Into::into).collect(),
            owner: decision.owner.clone(),
            decides: decision.decides.iter().map(ToString::to_string).collect(),
            kill_criteria: decision.kill_criteria.iter().map(Into::into).collect(),
            review_date: date(decision.review_date),
            supersedes: decision.supersedes.as_ref().map(ToString::to_string).unwrap_or_default(),
            state: state.into(),
            choice: decision.state.choice().map(Into::into),
            superseded_by,
            review: decision.review.as_ref().map(Into::into),
            due_date: date(decision.due()),
            ..Self::default()
        };
        set_meta(&mut message, &decision.meta);
        message
    }
}

impl From<&DecisionOption> for pb::DecisionOption {
    fn from(option: &DecisionOption) -> Self {
        Self {
            title: option.title.clone(),
            description: option.description.clone(),
            not_building: option.not_building,
            evidence_for: option.evidence_for.iter().map(Into::into).collect(),
            evidence_against: option.evidence_against.iter().map(Into::into).collect(),
        }
    }
}

impl From<&KillCriterion> for pb::KillCriterion {
    fn from(criterion: &KillCriterion) -> Self {
        let threshold = criterion.threshold.as_ref().map(|threshold| pb::KillThreshold {
            metric: threshold.metric.to_string(),
            condition: pb::KillCondition::of(threshold.condition),
            value: Some(threshold.value),
        });
        Self { statement: criterion.statement.clone(), threshold, met: criterion.met.as_ref().map(Into::into) }
    }
}

impl From<&Choice> for pb::DecisionChoice {
    fn from(choice: &Choice) -> Self {
        let Choice { option, reason, by, time } = choice.clone();
        Self { option, reason, decided_by: by, time: Some(timestamp(time)) }
    }
}

impl From<&Review> for pb::DecisionReview {
    fn from(review: &Review) -> Self {
        let Review { note, by, time } = review.clone();
        Self { note, reviewed_by: by, time: Some(timestamp(time)) }
    }
}

//! Key results, check-ins, and what is found about objectives.

use waymark_domain::roadmap::{CheckIn, CurrentValue, Finding, Goal, KeyResult, LastCheckIn, Score};
use waymark_domain::{Meta, Violations};

use crate::Choice as _;
use crate::convert::{meta, name_if_set, set_meta, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;

impl TryFrom<pb::KeyResult> for KeyResult {
    type Error = Violations;
    fn try_from(message: pb::KeyResult) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let objective = sibling(v, "objective", meta.as_ref().map(|m| m.name.workspace()), &message.objective);
        let (weight, direction) = (message.weight_or_default(), message.direction().domain());
        // That both are there and finite the contract says.
        let ends = message.start.zip(message.target).filter(|(start, target)| start.is_finite() && target.is_finite());
        let goal = ends.and_then(|(start, target)| {
            let goal = v.check("target", Goal::new(start, target))?;
            v.check("direction", goal.towards(direction))
        });
        let metric = name_if_set(v, "metric", &message.metric);
        let last_check_in = message.last_check_in.and_then(|last| v.nested("last_check_in", last.try_into()));
        // Where an update takes the metric away, what it was goes too.
        let reading = message.reading.filter(|_| metric.is_some());
        let reading = reading.and_then(|reading| v.nested("reading", reading.try_into()));
        let (unit, owner) = (message.unit, message.owner);
        let key_result = (|| {
            let (meta, objective, goal) = (meta?, objective?, goal?);
            Some(Self { meta, objective, goal, unit, weight, metric, owner, last_check_in, reading })
        })();
        whole(violations, key_result)
    }
}

impl From<&KeyResult> for pb::KeyResult {
    fn from(key_result: &KeyResult) -> Self {
        let KeyResult { meta, objective, goal, unit, weight, metric, owner, last_check_in, reading } = key_result;
        let score = key_result.score();
        let mut message = Self {
            objective: objective.to_string(),
            start: Some(goal.start()),
            target: Some(goal.target()),
            unit: unit.clone(),
            direction: pb::KeyResultDirection::of_any(Some(goal.direction())),
            weight: Some(*weight),
            metric: metric.as_ref().map(ToString::to_string).unwrap_or_default(),
            owner: owner.clone(),
            last_check_in: last_check_in.as_ref().map(Into::into),
            reading: reading.as_ref().map(Into::into),
            current: key_result.current().map(Into::into),
            score: score.map(Score::value),
            band: pb::ScoreBand::of_any(score.map(Score::band)),
            ..Self::default()
        };
        set_meta(&mut message, meta);
        message
    }
}

impl From<CurrentValue> for pb::CurrentValue {
    fn from(CurrentValue { value, time }: CurrentValue) -> Self {
        Self { value, time: Some(timestamp(time)) }
    }
}

impl TryFrom<pb::LastCheckIn> for LastCheckIn {
    type Error = Violations;
    fn try_from(message: pb::LastCheckIn) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let pb::LastCheckIn { check_in, value, confidence, time: at } = message;
        let check_in = violations.check("check_in", check_in.parse());
        let at = time(&mut violations, "time", at);
        let last = (|| Some(Self { check_in: check_in?, value, confidence, time: at? }))();
        whole(violations, last)
    }
}

impl From<&LastCheckIn> for pb::LastCheckIn {
    fn from(last: &LastCheckIn) -> Self {
        let LastCheckIn { check_in, value, confidence, time } = last;
        Self { check_in: check_in.to_string(), value: *value, confidence: *confidence, time: Some(timestamp(*time)) }
    }
}

impl TryFrom<pb::CheckIn> for CheckIn {
    type Error = Violations;
    fn try_from(message: pb::CheckIn) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let v = &mut violations;
        let meta: Option<Meta<Self>> = meta(v, &message);
        let key_result = sibling(v, "key_result", meta.as_ref().map(|m| m.name.workspace()), &message.key_result);
        // It is of when it was written down unless it says otherwise.
        let time = time(v, "time", message.time.or(message.create_time));
        let pb::CheckIn { value, confidence, note, by, .. } = message;
        let check_in =
            (|| Some(Self { meta: meta?, key_result: key_result?, value, confidence, note, by, time: time? }))();
        whole(violations, check_in)
    }
}

impl From<&CheckIn> for pb::CheckIn {
    fn from(check_in: &CheckIn) -> Self {
        let CheckIn { meta, key_result, value, confidence, note, by, time } = check_in;
        let mut message = Self {
            key_result: key_result.to_string(),
            value: *value,
            confidence: *confidence,
            note: note.clone(),
            by: by.clone(),
            time: Some(timestamp(*time)),
            ..Self::default()
        };
        set_meta(&mut message, meta);
        message
    }
}

impl From<&Finding> for pb::ObjectiveFinding {
    fn from(Finding { resource, rule, message }: &Finding) -> Self {
        Self { resource: resource.to_string(), rule: pb::ObjectiveLintRule::of(*rule), message: message.clone() }
    }
}

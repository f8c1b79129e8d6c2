//! Estimates and their factors.

use waymark_domain::roadmap::{Amount, Basis, Estimate, Factor, FactorKind, FactorSource};
use waymark_domain::{Meta, Range, Violations};

use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{evidence, meta, set_meta, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;
use pb::{factor::Value, factor_source::Basis as PbBasis};

impl TryFrom<pb::Estimate> for Estimate {
    type Error = Violations;
    fn try_from(message: pb::Estimate) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta: Option<Meta<Self>> = meta(&mut violations, &message);
        let reach_period = message.reach_period().domain();
        let initiative =
            sibling(&mut violations, "initiative", meta.as_ref().map(|m| m.name.workspace()), &message.initiative);
        let mut factor = |kind: FactorKind, message: Option<pb::Factor>| {
            message.and_then(|message| violations.nested(kind.into(), factor(kind, message)))
        };
        let reach = factor(FactorKind::Reach, message.reach);
        let impact = factor(FactorKind::Impact, message.impact);
        let confidence = factor(FactorKind::Confidence, message.confidence);
        let effort = factor(FactorKind::Effort, message.effort);
        let estimate = (|| {
            let (meta, initiative, reach_period) = (meta?, initiative?, reach_period?);
            Some(Self { meta, initiative, reach, reach_period, impact, confidence, effort })
        })();
        whole(violations, estimate)
    }
}

fn factor(kind: FactorKind, message: pb::Factor) -> Result<Factor, Violations> {
    let mut violations = Violations::new();
    let amount = match message.value {
        None => {
            violations.add("", "must have a point or a range; leave the factor out when it is not known");
            None
        }
        Some(Value::Point(value)) => Some(Amount::Point(value)),
        Some(Value::Range(common::Range { low, likely, high })) => {
            violations.check("range", Range::new(low, likely, high)).map(Amount::Range)
        }
    };
    let amount = amount.and_then(|amount| violations.check("", amount.check(kind)));
    // A source that is not there lacks the same thing as an empty one.
    let source = violations.nested("source", source(message.source.unwrap_or_default()));
    let factor = (|| Some(Factor { amount: amount?, source: source? }))();
    whole(violations, factor)
}

fn source(message: pb::FactorSource) -> Result<FactorSource, Violations> {
    let mut violations = Violations::new();
    let basis = match message.basis {
        None => {
            violations.add("", "must say where the value comes from: a metric, evidence or a guess");
            None
        }
        Some(PbBasis::Metric(name)) => violations.check("metric", name.parse()).map(Basis::Metric),
        Some(PbBasis::Evidence(link)) => evidence(&mut violations, "evidence", vec![link]).pop().map(Basis::Evidence),
        Some(PbBasis::Guess(grounds)) => Some(Basis::Guess(grounds)),
    };
    let time = time(&mut violations, "time", message.time);
    let source = basis.map(|basis| FactorSource { basis, by: message.by, time });
    whole(violations, source)
}

impl From<&Estimate> for pb::Estimate {
    fn from(estimate: &Estimate) -> Self {
        let mut message = Self {
            initiative: estimate.initiative.to_string(),
            reach: estimate.reach.as_ref().map(Into::into),
            reach_period: pb::ReachPeriod::of(estimate.reach_period),
            impact: estimate.impact.as_ref().map(Into::into),
            confidence: estimate.confidence.as_ref().map(Into::into),
            effort: estimate.effort.as_ref().map(Into::into),
            score: estimate.score().as_ref().map(Into::into),
            ..Self::default()
        };
        set_meta(&mut message, &estimate.meta);
        message
    }
}

impl From<&Factor> for pb::Factor {
    fn from(factor: &Factor) -> Self {
        let value = match &factor.amount {
            Amount::Point(value) => Value::Point(*value),
            Amount::Range(range) => Value::Range(range.into()),
        };
        let FactorSource { basis, by, time } = &factor.source;
        let basis = match basis {
            Basis::Metric(name) => PbBasis::Metric(name.to_string()),
            Basis::Evidence(link) => PbBasis::Evidence(link.into()),
            Basis::Guess(grounds) => PbBasis::Guess(grounds.clone()),
        };
        let source = pb::FactorSource { basis: Some(basis), by: by.clone(), time: time.map(timestamp) };
        Self { value: Some(value), source: Some(source) }
    }
}

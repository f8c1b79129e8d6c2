//! Estimates and their factors.

use std::collections::BTreeMap;

use waymark_domain::roadmap::{
    Amount, Basis, Estimate, Factor, FactorSource, Formula, Framework, Input, KanoCategory, Moscow, Scale, Worded,
    delay,
};
use waymark_domain::{FullName, Meta, Range, Violations};

use crate::Choice as _;
use crate::common::v1 as common;
use crate::convert::{evidence, meta, set_meta, sibling, time, timestamp, whole};
use crate::roadmap::v1 as pb;
use pb::{factor::Value, factor_source::Basis as PbBasis};

impl TryFrom<pb::Estimate> for Estimate {
    type Error = Violations;
    fn try_from(mut message: pb::Estimate) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta: Option<Meta<Self>> = meta(&mut violations, &message);
        let reach_period = message.reach_period().domain();
        let initiative =
            sibling(&mut violations, "initiative", meta.as_ref().map(|m| m.name.workspace()), &message.initiative);
        let (currency, need) = more(&mut violations, &message);
        let (mut factors, mut worded) = (BTreeMap::new(), BTreeMap::new());
        let own = std::mem::take(&mut message.criteria);
        for (key, given) in given(message) {
            let Some((input, given)) = Input::of(key).zip(given) else { continue };
            match given {
                Given::Amount(pb::Factor { value: None, source, word }) if !word.is_empty() => {
                    let source = violations.nested(key, nested_source(source));
                    worded.extend(source.map(|source| (key.to_owned(), Worded { word, source })));
                }
                given => {
                    // Which steps there are is the workspace's business.
                    let factor = violations.nested(key, factor(Some(input.room()), given));
                    factors.extend(factor.map(|factor| (key.to_owned(), factor)));
                }
            }
        }
        for (index, pb::CriterionFactor { criterion, factor }) in own.into_iter().enumerate() {
            let factor = violations.nested(&format!("criteria[{index}]"), criterion_factor(&criterion, factor));
            if factor.is_some_and(|factor| factors.insert(criterion.clone(), factor).is_some()) {
                violations.add(format!("criteria[{index}].criterion"), format!("{criterion} is there twice"));
            }
        }
        let estimate = (|| {
            let (meta, initiative, reach_period) = (meta?, initiative?, reach_period?);
            Some(Self { meta, initiative, reach_period, factors, worded, currency: currency?, need })
        })();
        whole(violations, estimate)
    }
}

/// A factor as it is given.
enum Given {
    Amount(pb::Factor),
    /// The number of a category, if it says anything, and its source.
    Category(Result<f64, &'static str>, Option<pb::FactorSource>),
}

/// The factors of an estimate, each by the key of its input.
fn given(message: pb::Estimate) -> [(&'static str, Option<Given>); 18] {
    let ice = *message.ice.unwrap_or_default();
    let wsjf = *message.wsjf.unwrap_or_default();
    let delay = *message.delay.unwrap_or_default();
    let need = *message.need.unwrap_or_default();
    let moscow = message.moscow.map(|factor| {
        let stated: Option<Moscow> = factor.category().domain();
        Given::Category(stated.map(Moscow::value).ok_or("must be MUST, SHOULD, COULD or WONT"), factor.source)
    });
    let kano = message.kano.map(|factor| {
        let stated: Option<KanoCategory> = factor.category().domain();
        let known = stated.and_then(KanoCategory::value);
        let nothing = "must be MUST_BE, ONE_DIMENSIONAL, ATTRACTIVE, INDIFFERENT or REVERSE; leave the factor out when it \
                       is not known";
        Given::Category(known.ok_or(nothing), factor.source)
    });
    let amount = |factor: Option<pb::Factor>| factor.map(Given::Amount);
    [
        ("reach", amount(message.reach)),
        ("impact", amount(message.impact)),
        ("confidence", amount(message.confidence)),
        ("effort", amount(message.effort)),
        ("ice.impact", amount(ice.impact)),
        ("ice.confidence", amount(ice.confidence)),
        ("ice.ease", amount(ice.ease)),
        ("wsjf.value", amount(wsjf.value)),
        ("wsjf.time_criticality", amount(wsjf.time_criticality)),
        ("wsjf.risk_reduction", amount(wsjf.risk_reduction)),
        ("wsjf.job_size", amount(wsjf.job_size)),
        ("delay.cost_per_week", amount(delay.cost_per_week)),
        ("delay.duration_weeks", amount(delay.duration_weeks)),
        ("value", amount(message.value)),
        ("need.importance", amount(need.importance)),
        ("need.satisfaction", amount(need.satisfaction)),
        ("moscow", moscow),
        ("kano", kano),
    ]
}

/// What stands beside factors: which money is meant, and which need.
fn more(violations: &mut Violations, message: &pb::Estimate) -> (Option<String>, Option<FullName>) {
    let delay = message.delay.as_ref();
    let currency = match delay.map_or("", |delay| &delay.currency) {
        "" if delay.is_none_or(|delay| delay.cost_per_week.is_none()) => Some(String::new()),
        text => violations.check("delay.currency", delay::currency(text)),
    };
    let need = message.need.as_ref().filter(|need| !need.outcome.is_empty());
    (currency, need.and_then(|need| violations.check("need.outcome", need.outcome.parse())))
}

/// What is held of a criterion of scoring models, whose scales are not known here.
fn criterion_factor(key: &str, given: Option<pb::Factor>) -> Result<Factor, Violations> {
    let mut violations = Violations::new();
    if !Formula::is_key(key) {
        violations.add("criterion", "must be a letter or _, then letters, digits or _, and no name of a function");
    } else if Input::of(key).is_some() {
        violations.add("criterion", format!("is a factor of a published framework: set {key}"));
    }
    if given.as_ref().is_some_and(|given| !given.word.is_empty()) {
        violations.add("factor.word", "must be empty: a criterion has numbers alone");
    }
    // That it is set the contract says.
    let factor = given.and_then(|given| violations.nested("factor", factor(None, Given::Amount(given))));
    whole(violations, factor)
}

fn factor(scale: Option<&Scale>, given: Given) -> Result<Factor, Violations> {
    let mut violations = Violations::new();
    let (amount, word, from) = match given {
        Given::Amount(pb::Factor { value, source, word }) => {
            let amount = match value {
                None => {
                    violations
                        .add("", "must have a point, a range or a word; leave the factor out when it is not known");
                    None
                }
                Some(Value::Point(value)) => Some(Amount::Point(value)),
                Some(Value::Range(common::Range { low, likely, high })) => {
                    violations.check("range", Range::new(low, likely, high)).map(Amount::Range)
                }
            };
            (amount, Some(word).filter(|word| !word.is_empty()), source)
        }
        Given::Category(value, source) => (violations.check("category", value).map(Amount::Point), None, source),
    };
    let on_scale = |amount: Amount| scale.map_or(Ok(amount), |scale| amount.check(scale));
    let amount = amount.and_then(|amount| violations.check("", on_scale(amount)));
    let source = violations.nested("", nested_source(from));
    let factor = (|| Some(Factor { amount: amount?, word, source: source? }))();
    whole(violations, factor)
}

/// The source of a factor. One that is not there lacks the same thing as an empty one.
fn nested_source(from: Option<pb::FactorSource>) -> Result<FactorSource, Violations> {
    let mut violations = Violations::new();
    let source = violations.nested("source", source(from.unwrap_or_default()));
    whole(violations, source)
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
        let factor = |key| {
            let by_word = || {
                let Worded { word, source } = estimate.worded.get(key)?;
                Some(pb::Factor { value: None, source: Some(source.into()), word: word.clone() })
            };
            estimate.factors.get(key).map(Into::into).or_else(by_word)
        };
        let mut message = Self {
            initiative: estimate.initiative.to_string(),
            reach: factor("reach"),
            reach_period: pb::ReachPeriod::of(estimate.reach_period),
            impact: factor("impact"),
            confidence: factor("confidence"),
            effort: factor("effort"),
            score: estimate.score(Framework::Rice).as_ref().map(Into::into),
            ice: section(pb::IceFactors {
                impact: factor("ice.impact"),
                confidence: factor("ice.confidence"),
                ease: factor("ice.ease"),
            }),
            wsjf: section(pb::WsjfFactors {
                value: factor("wsjf.value"),
                time_criticality: factor("wsjf.time_criticality"),
                risk_reduction: factor("wsjf.risk_reduction"),
                job_size: factor("wsjf.job_size"),
            }),
            delay: section(pb::DelayFactors {
                cost_per_week: factor("delay.cost_per_week"),
                currency: estimate.currency.clone(),
                duration_weeks: factor("delay.duration_weeks"),
            }),
            value: factor("value"),
            need: section(pb::NeedFactors {
                outcome: estimate.need.as_ref().map(ToString::to_string).unwrap_or_default(),
                importance: factor("need.importance"),
                satisfaction: factor("need.satisfaction"),
            }),
            moscow: estimate.factors.get("moscow").map(|factor| pb::MoscowFactor {
                category: pb::MoscowCategory::of_any(Moscow::of(factor.amount.likely())),
                source: Some((&factor.source).into()),
            }),
            kano: estimate.factors.get("kano").map(|factor| pb::KanoFactor {
                category: pb::KanoCategory::of_any(KanoCategory::of(factor.amount.likely())),
                source: Some((&factor.source).into()),
            }),
            criteria: estimate.criteria().map(criterion_message).collect(),
            ..Self::default()
        };
        set_meta(&mut message, &estimate.meta);
        message
    }
}

fn criterion_message((key, factor): (&str, &Factor)) -> pb::CriterionFactor {
    pb::CriterionFactor { criterion: key.to_owned(), factor: Some(factor.into()) }
}

/// A section, unless there is nothing in it.
fn section<M: Default + PartialEq>(section: M) -> Option<Box<M>> {
    (section != M::default()).then(|| Box::new(section))
}

impl From<&Factor> for pb::Factor {
    fn from(factor: &Factor) -> Self {
        let value = match &factor.amount {
            Amount::Point(value) => Value::Point(*value),
            Amount::Range(range) => Value::Range(range.into()),
        };
        let word = factor.word.clone().unwrap_or_default();
        Self { value: Some(value), source: Some((&factor.source).into()), word }
    }
}

impl From<&FactorSource> for pb::FactorSource {
    fn from(FactorSource { basis, by, time }: &FactorSource) -> Self {
        let basis = match basis {
            Basis::Metric(name) => PbBasis::Metric(name.to_string()),
            Basis::Evidence(link) => PbBasis::Evidence(link.into()),
            Basis::Guess(grounds) => PbBasis::Guess(grounds.clone()),
        };
        Self { basis: Some(basis), by: by.clone(), time: time.map(timestamp) }
    }
}

#[cfg(test)]
mod tests;

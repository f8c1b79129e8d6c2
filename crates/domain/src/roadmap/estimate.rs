//! Estimates: what an initiative is held to be worth and to cost, by whom and why.

use std::fmt;

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{FactorError, FactorKind, Framework, Initiative};
use crate::{Evidence, FullName, Meta, Name, Range, Resource};

/// The RICE factors of one initiative; each may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What is estimated.
    pub initiative: Name<Initiative>,
    /// Users reached per period.
    pub reach: Option<Factor>,
    /// The period reach is counted over.
    pub reach_period: ReachPeriod,
    /// Change for each of them.
    pub impact: Option<Factor>,
    /// How sure that is.
    pub confidence: Option<Factor>,
    /// Cost in person-months.
    pub effort: Option<Factor>,
}

/// One input of a score: how much, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// How much; on the scale of its kind.
    pub amount: Amount,
    /// How that is known.
    pub source: FactorSource,
}

/// A number, or a range around one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// A single number.
    Point(f64),
    /// A most likely number between two ends.
    Range(Range),
}

/// How the value of a factor is known.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorSource {
    /// What it rests on.
    pub basis: Basis,
    /// Who holds it for right; empty until the estimate is signed.
    pub by: String,
    /// When they said so; unset until the estimate is signed.
    pub time: Option<DateTime<Utc>>,
}

/// What the value of a factor rests on.
#[derive(Debug, Clone, PartialEq)]
pub enum Basis {
    /// Measured by a metric.
    Metric(FullName),
    /// Found out.
    Evidence(Evidence),
    /// Guessed, on these grounds.
    Guess(String),
}

/// The period that reach is counted over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ReachPeriod {
    /// Seven days.
    Week,
    /// A month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
}

impl ReachPeriod {
    /// How many of these are a quarter, the period in which scores are compared.
    fn per_quarter(self) -> f64 {
        match self {
            Self::Week => 13.0,
            Self::Month => 3.0,
            Self::Quarter => 1.0,
            Self::Year => 0.25,
        }
    }
}

/// What happens to estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum EstimateEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for Estimate {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Estimate";
    const COLLECTION: &'static str = "estimates";
    type Event = EstimateEvent;

    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Amount {
    /// The amount, if every number of it is on the scale of `kind`.
    pub fn check(self, kind: FactorKind) -> Result<Self, FactorError> {
        for value in [self.low(), self.likely(), self.high()] {
            kind.check(value)?;
        }
        Ok(self)
    }

    /// The low end; the number itself for a point.
    pub fn low(&self) -> f64 {
        match self {
            Self::Point(value) => *value,
            Self::Range(range) => range.low(),
        }
    }

    /// The most likely value.
    pub fn likely(&self) -> f64 {
        match self {
            Self::Point(value) => *value,
            Self::Range(range) => range.likely(),
        }
    }

    /// The high end; the number itself for a point.
    pub fn high(&self) -> f64 {
        match self {
            Self::Point(value) => *value,
            Self::Range(range) => range.high(),
        }
    }
}

/// As it was given: `0.8`, `0.8 (0.5 to 0.9)`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(value) => write!(f, "{value}"),
            Self::Range(range) => write!(f, "{} ({} to {})", range.likely(), range.low(), range.high()),
        }
    }
}

impl Estimate {
    /// The factor of a kind, if it is known.
    pub fn factor(&self, kind: FactorKind) -> Option<&Factor> {
        match kind {
            FactorKind::Reach => self.reach.as_ref(),
            FactorKind::Impact => self.impact.as_ref(),
            FactorKind::Confidence => self.confidence.as_ref(),
            FactorKind::Effort => self.effort.as_ref(),
        }
    }

    /// The factors that nobody has given.
    pub fn missing(&self) -> Vec<FactorKind> {
        FactorKind::ALL.iter().copied().filter(|kind| self.factor(*kind).is_none()).collect()
    }

    /// The RICE score with reach per quarter: by the likely values, and at the ends when every factor goes against it
    /// or for it at once. `None` while a factor is missing.
    pub fn score(&self) -> Option<Range> {
        let range = |kind: &FactorKind| {
            let amount = self.factor(*kind)?.amount;
            let unit = if *kind == FactorKind::Reach { self.reach_period.per_quarter() } else { 1.0 };
            Range::new(amount.low() * unit, amount.likely() * unit, amount.high() * unit).ok()
        };
        let ranges: Option<Vec<Range>> = FactorKind::ALL.iter().map(range).collect();
        Framework::Rice.score_of_ranges(&ranges?)
    }

    /// The estimate with a name and a time under every factor that has none: those of the caller, or as it was signed
    /// before if the factor is as it was in `old`.
    pub fn signed(mut self, old: Option<&Self>, by: &str, now: DateTime<Utc>) -> Self {
        let factors = [&mut self.reach, &mut self.impact, &mut self.confidence, &mut self.effort];
        for (kind, factor) in FactorKind::ALL.iter().zip(factors) {
            let Some(Factor { amount, source }) = factor else { continue };
            let before = old.and_then(|old| old.factor(*kind));
            let same = before.filter(|old| old.amount == *amount && old.source.basis == source.basis);
            let same = same.filter(|old| source.by.is_empty() || source.by == old.source.by);
            if source.by.is_empty() {
                source.by = same.map_or(by, |old| old.source.by.as_str()).to_owned();
            }
            source.time = source.time.or(same.and_then(|old| old.source.time)).or(Some(now));
        }
        self
    }

    /// What differs from an earlier version of this estimate, in words, such as `reach 1000 -> 5000`.
    pub fn differences(&self, old: &Self) -> Vec<String> {
        let print = |factor: Option<&Factor>| factor.map_or("unknown".to_owned(), |f| f.amount.to_string());
        let mut differences: Vec<String> = FactorKind::ALL
            .iter()
            .map(|kind| (kind, print(old.factor(*kind)), print(self.factor(*kind))))
            .filter(|(_, before, after)| before != after)
            .map(|(kind, before, after)| format!("{kind} {before} -> {after}"))
            .collect();
        if self.reach_period != old.reach_period {
            let [old, new] = [old, self].map(|estimate| <&str>::from(estimate.reach_period).to_ascii_lowercase());
            differences.push(format!("reach per {old} -> per {new}"));
        }
        differences
    }
}

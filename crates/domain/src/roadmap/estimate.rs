//! Estimates: what an initiative is held to be worth and to cost, by whom and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Framework, Initiative, Input, OffScale, Scale};
use crate::{Evidence, FullName, Meta, Name, Range, Resource};

mod words;

/// What is known of one initiative, whatever the frameworks it is ranked by.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What is estimated.
    pub initiative: Name<Initiative>,
    /// The period reach is counted over.
    pub reach_period: ReachPeriod,
    /// The factors that are known, by the keys of inputs, and criteria of scoring models by theirs.
    pub factors: BTreeMap<String, Factor>,
    /// Factors of which only the word is known, by the keys of inputs: none once they are looked up.
    pub worded: BTreeMap<String, Worded>,
    /// Of which money the cost of delay is, as in ISO 4217; empty when that is not known.
    pub currency: String,
    /// What users need whose importance is known.
    pub need: Option<FullName>,
}

/// One input of a score: how much, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// How much; on the scale of its input.
    pub amount: Amount,
    /// The word that it was given by, if it was.
    pub word: Option<String>,
    /// How that is known.
    pub source: FactorSource,
}

/// A factor that is given by a word which is not looked up yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Worded {
    /// The word.
    pub word: String,
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
    /// The amount, if every number of it is on the scale.
    pub fn check(self, scale: &Scale) -> Result<Self, OffScale> {
        for value in [self.low(), self.likely(), self.high()] {
            scale.check(value)?;
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

impl Factor {
    /// Its amount, for people: of a category its word, and beside one that was given by a word that.
    pub fn print(&self, key: &str) -> String {
        let category = Input::of(key).filter(|input| input.category);
        match (category.and_then(|input| input.scale().word(self.amount.likely())), &self.word) {
            (Some(word), _) => word.to_owned(),
            (None, Some(word)) => format!("{} ({word})", self.amount),
            (None, None) => self.amount.to_string(),
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
    /// The factors of a framework that nobody has given.
    pub fn missing(&self, framework: Framework) -> Vec<&'static str> {
        framework.inputs().iter().map(|input| input.key).filter(|key| !self.factors.contains_key(*key)).collect()
    }

    /// What a framework takes, with reach per quarter; `None` while a factor is missing.
    pub fn ranges(&self, framework: Framework) -> Option<Vec<Range>> {
        framework.inputs().iter().map(|input| self.range(input.key)).collect()
    }

    /// A factor as scores take it: of reach, per quarter.
    pub fn range(&self, key: &str) -> Option<Range> {
        let amount = self.factors.get(key)?.amount;
        let unit = self.unit(key);
        Range::new(amount.low() * unit, amount.likely() * unit, amount.high() * unit).ok()
    }

    /// The factors that are criteria of scoring models alone.
    pub fn criteria(&self) -> impl Iterator<Item = (&str, &Factor)> {
        self.factors.iter().map(|(key, factor)| (key.as_str(), factor)).filter(|(key, _)| Input::of(key).is_none())
    }

    /// How many times as much of a factor a score takes as is given.
    pub fn unit(&self, key: &str) -> f64 {
        if key == "reach" { self.reach_period.per_quarter() } else { 1.0 }
    }

    /// The score by a framework: by the likely values, and at the ends when every factor goes against it or for it at
    /// once. `None` while a factor is missing.
    pub fn score(&self, framework: Framework) -> Option<Range> {
        framework.score_of_ranges(&self.ranges(framework)?)
    }

    /// The estimate with a name and a time under every factor that has none: those of the caller, or as it was signed
    /// before if the factor is as it was in `old`.
    pub fn signed(mut self, old: Option<&Self>, by: &str, now: DateTime<Utc>) -> Self {
        for (key, Factor { amount, word, source }) in &mut self.factors {
            let before = old.and_then(|old| old.factors.get(key));
            let same = before.filter(|old| old.amount == *amount && old.word == *word);
            let same = same.filter(|old| old.source.basis == source.basis);
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
        let print = |estimate: &Self, key: &str| {
            estimate.factors.get(key).map_or("unknown".to_owned(), |factor| factor.print(key))
        };
        let criteria: BTreeSet<&str> = self.criteria().chain(old.criteria()).map(|(key, _)| key).collect();
        let mut differences: Vec<String> = Input::all()
            .map(|input| input.key)
            .chain(criteria)
            .map(|key| (key, print(old, key), print(self, key)))
            .filter(|(_, before, after)| before != after)
            .map(|(key, before, after)| format!("{key} {before} -> {after}"))
            .collect();
        if self.reach_period != old.reach_period {
            let [old, new] = [old, self].map(|estimate| <&str>::from(estimate.reach_period).to_ascii_lowercase());
            differences.push(format!("reach per {old} -> per {new}"));
        }
        differences
    }
}

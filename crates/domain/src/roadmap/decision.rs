//! Decisions: what was asked, what was chosen of which options and why, and when that is looked at again.
//!
//! What was decided is never rewritten: who changes their mind makes another decision, which supersedes it.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{Evidence, FullName, Meta, Name, Reading, Resource, Side};

mod decide;
mod error;

pub use error::DecisionError;

/// A question that was or is to be decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What is asked.
    pub question: String,
    /// What can be chosen.
    pub options: Options,
    /// Who answers for it.
    pub owner: String,
    /// What it decides about.
    pub decides: BTreeSet<FullName>,
    /// What would speak against what was chosen.
    pub kill_criteria: Vec<KillCriterion>,
    /// The day to look at it again.
    pub review_date: Option<NaiveDate>,
    /// When it was looked at last.
    pub review: Option<Review>,
    /// The decision that it takes the place of.
    pub supersedes: Option<Name<Self>>,
    /// Where it stands.
    pub state: DecisionState,
}

/// What can be chosen: each by another title, in the order they were given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options(Vec<DecisionOption>);

/// One of the things that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionOption {
    /// What it is called.
    pub title: String,
    /// What it means.
    pub description: String,
    /// Whether choosing it means that something is not built.
    pub not_building: bool,
    /// What speaks for it.
    pub evidence_for: Vec<Evidence>,
    /// What speaks against it.
    pub evidence_against: Vec<Evidence>,
}

/// What would speak against what was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct KillCriterion {
    /// In words.
    pub statement: String,
    /// As a number that a metric has; where there is none, people judge.
    pub threshold: Option<KillThreshold>,
    /// The interval in which the metric was beyond it, first since the decision was looked at last.
    pub met: Option<Reading>,
}

/// A side of a threshold that a metric is not to be on.
#[derive(Debug, Clone, PartialEq)]
pub struct KillThreshold {
    /// The metric, of the metrics service.
    pub metric: FullName,
    /// The side.
    pub condition: Side,
    /// The value that divides, finite, in the metric's unit.
    pub value: f64,
}

/// That somebody looked at a decision again and left it as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// What was found.
    pub note: String,
    /// Who did.
    pub by: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// Where a decision stands.
#[derive(Debug, Clone, PartialEq)]
pub enum DecisionState {
    /// Nothing is chosen.
    Open,
    /// One of the options is.
    Decided(Choice),
    /// One was, and another decision took its place.
    Superseded(Choice, Name<Decision>),
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The title of the option.
    pub option: String,
    /// Why this one.
    pub reason: String,
    /// Who decided.
    pub by: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// What happens to decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum DecisionEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Made,
    Superseded,
    Reviewed,
    ReviewDue,
}

impl Resource for Decision {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "Decision";
    const COLLECTION: &'static str = "decisions";
    type Event = DecisionEvent;

    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl Options {
    /// The options, if no two have the same title; otherwise the index of the first that has one of another before it.
    pub fn new(options: Vec<DecisionOption>) -> Result<Self, usize> {
        let mut titles = BTreeSet::new();
        match options.iter().position(|option| !titles.insert(option.title.as_str())) {
            Some(twice) => Err(twice),
            None => Ok(Self(options)),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &DecisionOption> {
        self.0.iter()
    }

    /// The one of this title.
    pub fn titled(&self, title: &str) -> Option<&DecisionOption> {
        self.0.iter().find(|option| option.title == title)
    }
}

impl DecisionState {
    /// Its name in the contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Decided(_) => "DECIDED",
            Self::Superseded(..) => "SUPERSEDED",
        }
    }

    /// What was chosen, unless it is open.
    pub fn choice(&self) -> Option<&Choice> {
        match self {
            Self::Open => None,
            Self::Decided(choice) | Self::Superseded(choice, _) => Some(choice),
        }
    }
}

impl KillCriterion {
    /// What it says, to be compared: the bits of a number are.
    fn said(&self) -> (&str, Option<(&FullName, &'static str, u64)>) {
        let threshold = self.threshold.as_ref();
        (&self.statement, threshold.map(|t| (&t.metric, t.condition.word(), t.value.to_bits())))
    }
}

impl Decision {
    /// The option that was chosen, unless it is open.
    pub fn chosen(&self) -> Option<&DecisionOption> {
        self.options.titled(&self.state.choice()?.option)
    }

    /// Whether it stands that something is not built.
    pub fn is_not_building(&self) -> bool {
        matches!(self.state, DecisionState::Decided(_)) && self.chosen().is_some_and(|option| option.not_building)
    }

    /// The day from which it is to be looked at again: the one that was set, or that on which a metric spoke against it.
    /// `None` while nothing is decided, and once it is superseded.
    pub fn due(&self) -> Option<NaiveDate> {
        let DecisionState::Decided(_) = self.state else { return None };
        let met = self.kill_criteria.iter().filter_map(|criterion| Some(criterion.met?.period().end().date_naive()));
        met.chain(self.review_date).min()
    }
}

#[cfg(test)]
mod tests;

//! Insights: what was learned about users, what it rests on, and how well it is supported.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::interview::Interview;
use super::participant::Participant;
use super::reference::{ReferenceError, is_ours};
use crate::number::rounded;
use crate::{Change, FullName, Meta, Name, Resource, ResourceId};

/// Something learned about users.
#[derive(Debug, Clone, PartialEq)]
pub struct Insight {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What was learned, as a sentence.
    pub statement: String,
    /// What the statement is about.
    pub kind: InsightKind,
    /// What it rests on.
    pub evidence: Vec<InsightEvidence>,
    /// How well it is supported, at the moment it was last written.
    pub strength: Strength,
}

/// What an insight is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum InsightKind {
    /// Something people have to get done.
    Need,
    /// Something that hurts or hinders.
    Pain,
    /// Something people wish for.
    Desire,
    /// Something people do.
    Behaviour,
    /// Something that is so.
    Fact,
}

/// One support of an insight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsightEvidence {
    /// The resource that supports it.
    pub target: FullName,
    /// The passage, when the resource is an interview and one passage is meant.
    pub highlight: Option<ResourceId>,
    /// Why it supports the statement; may be empty.
    pub note: String,
}

/// What a strength is made from: counts that do not change as time goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Support {
    /// Distinct participants of the interviews.
    pub participants: u32,
    /// Distinct collections of the resources.
    pub source_kinds: u32,
    /// When the newest interview was conducted.
    pub newest_time: Option<DateTime<Utc>>,
}

/// How well an insight is supported at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Strength {
    /// What it is made from.
    pub support: Support,
    /// From 0 (no evidence) to 1.
    pub score: f64,
}

/// A strength in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum StrengthBand {
    /// An anecdote.
    Weak,
    /// Something to look into.
    Moderate,
    /// Something to build on.
    Strong,
}

/// What happens to insights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum InsightEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Reassessed,
}

super::resource!(Insight, InsightEvent, "insights");

/// Why an insight cannot be kept: its evidence does not exist.
pub type InsightError = ReferenceError;

/// Share of problems that one participant shows (Nielsen and Landauer, 1993: 31 % on average over eleven studies).
const SHOWN_BY_ONE: f64 = 0.31;
/// Kinds of source that count as full variety.
const FULL_VARIETY: f64 = 3.0;
/// Age at which an observation counts half.
const HALF_LIFE: TimeDelta = TimeDelta::days(365);

impl Strength {
    /// The strength of a support at `now`: 0.6 breadth + 0.2 variety + 0.2 recency, where breadth = 1 −
    /// 0.69^participants, variety = kinds of source / 3 (at most 1) and recency = 2^(−age / 365 days) of the newest
    /// interview (0 without one).
    pub fn of(support: Support, now: DateTime<Utc>) -> Self {
        let breadth = 1.0 - (1.0 - SHOWN_BY_ONE).powf(f64::from(support.participants));
        let variety = (f64::from(support.source_kinds) / FULL_VARIETY).min(1.0);
        let recency = support.newest_time.map_or(0.0, |newest| {
            let age = (now - newest).max(TimeDelta::zero());
            (-(age.num_seconds() as f64) / HALF_LIFE.num_seconds() as f64).exp2()
        });
        Self { support, score: rounded(0.6 * breadth + 0.2 * variety + 0.2 * recency) }
    }

    /// The score in words: below 0.4 weak, below 0.7 moderate, else strong.
    pub fn band(&self) -> StrengthBand {
        match self.score {
            score if score < 0.4 => StrengthBand::Weak,
            score if score < 0.7 => StrengthBand::Moderate,
            _ => StrengthBand::Strong,
        }
    }
}

impl InsightEvidence {
    /// The interview it cites, if it cites one.
    pub fn interview(&self) -> Option<Name<Interview>> {
        let cites_interview = is_ours(&self.target) && self.target.name.collection == Interview::COLLECTION;
        cites_interview.then(|| Name::new(self.target.name.workspace.clone(), self.target.name.id.clone()))
    }
}

impl Insight {
    /// The interviews it cites.
    pub fn interviews(&self) -> BTreeSet<Name<Interview>> {
        self.evidence.iter().filter_map(InsightEvidence::interview).collect()
    }

    /// Highlights of `interview` that it cites, with its own name.
    pub fn citations_of<'a>(
        &'a self,
        interview: &'a Name<Interview>,
    ) -> impl Iterator<Item = (&'a ResourceId, &'a Name<Self>)> {
        let of_interview = self.evidence.iter().filter(move |e| e.interview().as_ref() == Some(interview));
        of_interview.filter_map(|e| e.highlight.as_ref()).map(|id| (id, &self.meta.name))
    }

    /// The insight with its strength worked out, given the interviews it cites, among others.
    pub fn assess(
        self,
        interviews: &BTreeMap<Name<Interview>, Interview>,
        event: InsightEvent,
        now: DateTime<Utc>,
    ) -> Result<Change<Self>, InsightError> {
        for evidence in &self.evidence {
            let missing = |resource| ReferenceError::Missing { field: "evidence", resource };
            let Some(name) = evidence.interview() else { continue };
            let interview = interviews.get(&name).ok_or_else(|| missing(evidence.target.to_string()))?;
            if let Some(id) = evidence.highlight.as_ref().filter(|id| interview.highlights.get(id).is_none()) {
                return Err(missing(format!("{} highlight {id}", evidence.target)));
            }
        }
        let strength = Strength::of(self.support(interviews), now);
        Ok(Change::new(Self { strength, ..self }, event))
    }

    /// Works the strength out again after an interview changed; `None` when its support is as before.
    pub fn reassess(
        self,
        interviews: &BTreeMap<Name<Interview>, Interview>,
        now: DateTime<Utc>,
    ) -> Option<Change<Self>> {
        let support = self.support(interviews);
        (support != self.strength.support)
            .then(|| Change::new(Self { strength: Strength::of(support, now), ..self }, InsightEvent::Reassessed))
    }

    fn support(&self, interviews: &BTreeMap<Name<Interview>, Interview>) -> Support {
        let cited: Vec<&Interview> = self.interviews().iter().filter_map(|name| interviews.get(name)).collect();
        let participants: BTreeSet<&Name<Participant>> = cited.iter().map(|i| &i.participant).collect();
        let kinds: BTreeSet<_> = self.evidence.iter().map(|e| (&e.target.service, &e.target.name.collection)).collect();
        // At most 200 evidences, so both counts fit.
        Support {
            participants: participants.len() as u32,
            source_kinds: kinds.len() as u32,
            newest_time: cited.iter().map(|i| i.conduct_time).max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn support(participants: u32, source_kinds: u32, age_days: i64) -> (Support, DateTime<Utc>) {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        (Support { participants, source_kinds, newest_time: Some(now - TimeDelta::days(age_days)) }, now)
    }

    fn score(participants: u32, source_kinds: u32, age_days: i64) -> f64 {
        let (support, now) = support(participants, source_kinds, age_days);
        Strength::of(support, now).score
    }

    #[test]
    fn the_formula_is_the_documented_one() {
        // 0.6 (1 − 0.69^5) + 0.2 × 2/3 + 0.2 × 0.5
        let expected = 0.6 * (1.0 - 0.69f64.powi(5)) + 0.2 * 2.0 / 3.0 + 0.1;
        assert!((score(5, 2, 365) - expected).abs() < 1e-12);
        let none = Strength::of(Support::default(), DateTime::UNIX_EPOCH);
        assert_eq!((none.score, none.band()), (0.0, StrengthBand::Weak));
        assert_eq!(Strength::of(support(1, 1, 3_650).0, support(1, 1, 0).1).band(), StrengthBand::Weak);
    }

    proptest! {
        #[test]
        fn strength_grows_with_support_and_fades_with_age(p in 0u32..100, k in 0u32..10, age in 0i64..5_000) {
            let here = score(p, k, age);
            prop_assert!((0.0..=1.0).contains(&here));
            prop_assert!(score(p + 1, k, age) >= here);
            prop_assert!(score(p, k + 1, age) >= here);
            prop_assert!(score(p, k, age + 1) <= here);
        }
    }
}

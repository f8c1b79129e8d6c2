//! Key results: the numbers by which one tells that an objective is reached, and what is known of them. How they score is in
//! `goal`.

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Goal, Objective, Score};
use crate::{AnyName, Change, FullName, Meta, Name, Reading, Resource};

/// A number by which one tells that an objective is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyResult {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The objective that it tells of.
    pub objective: Name<Objective>,
    /// Where it starts and where it is to come to.
    pub goal: Goal,
    /// The unit for people; may be empty.
    pub unit: String,
    /// How much it counts beside the others of its objective; above 0.
    pub weight: f64,
    /// The metric that measures it; check-ins do where there is none.
    pub metric: Option<FullName>,
    /// Who answers for it; may be empty.
    pub owner: String,
    /// What was said last.
    pub last_check_in: Option<LastCheckIn>,
    /// What its metric was last; unset without a metric.
    pub reading: Option<Reading>,
}

/// What was said last about a key result.
#[derive(Debug, Clone, PartialEq)]
pub struct LastCheckIn {
    /// The check-in that says so.
    pub check_in: AnyName,
    /// What the key result was.
    pub value: Option<f64>,
    /// How sure it is that the target will be reached, 0 to 1.
    pub confidence: Option<f64>,
    /// When it was so.
    pub time: DateTime<Utc>,
}

/// What a key result is, and when it was so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurrentValue {
    /// The value, in its unit.
    pub value: f64,
    /// When it was so.
    pub time: DateTime<Utc>,
}

/// What happens to key results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum KeyResultEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    CheckedIn,
    Measured,
}

impl Resource for KeyResult {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "KeyResult";
    const COLLECTION: &'static str = "keyResults";
    type Event = KeyResultEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl KeyResult {
    /// What it is now, by what measures it; `None` while nobody knows.
    pub fn current(&self) -> Option<CurrentValue> {
        if self.metric.is_some() {
            let reading = self.reading?;
            return Some(CurrentValue { value: reading.value(), time: reading.period().end() });
        }
        let LastCheckIn { value, time, .. } = self.last_check_in.as_ref()?;
        Some(CurrentValue { value: (*value)?, time: *time })
    }

    /// How far it has come; `None` while nobody knows.
    pub fn score(&self) -> Option<Score> {
        Some(self.goal.score(self.current()?.value))
    }

    /// When somebody or something last said anything of it.
    pub fn last_heard_of(&self) -> Option<DateTime<Utc>> {
        let measured = self.reading.map(|reading| reading.period().end());
        self.last_check_in.as_ref().map(|last| last.time).max(measured)
    }

    /// What it is with another last check-in, if that changes anything.
    pub fn checked_in(self, last_check_in: Option<LastCheckIn>) -> Option<Change<Self>> {
        let is_news = last_check_in != self.last_check_in;
        is_news.then(|| Change::new(Self { last_check_in, ..self }, KeyResultEvent::CheckedIn))
    }

    /// What it is with another reading of its metric, if that changes anything.
    pub fn measured(self, reading: Option<Reading>) -> Option<Change<Self>> {
        let is_news = reading != self.reading;
        is_news.then(|| Change::new(Self { reading, ..self }, KeyResultEvent::Measured))
    }
}

//! Check-ins: what somebody says about a key result.

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{KeyResult, LastCheckIn};
use crate::{Failure, FailureKind, Meta, Name, Reason, Resource, Violation};

/// What a key result is, as somebody says, and how sure they are that its target will be reached.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckIn {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it is about.
    pub key_result: Name<KeyResult>,
    /// What the key result is.
    pub value: Option<f64>,
    /// How sure they are, 0 to 1.
    pub confidence: Option<f64>,
    /// What happened and what follows.
    pub note: String,
    /// Who says so; empty until it is taken.
    pub by: String,
    /// When it was so.
    pub time: DateTime<Utc>,
}

/// What happens to check-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum CheckInEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for CheckIn {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "CheckIn";
    const COLLECTION: &'static str = "checkIns";
    type Event = CheckInEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

/// Why a check-in is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckInError {
    /// A metric says what the key result is.
    #[error("{key_result} is measured by {metric}: leave the value out, and say how sure you are")]
    Measured {
        /// The key result.
        key_result: String,
        /// Its metric.
        metric: String,
    },
    /// Nobody says what the key result is.
    #[error("{0} has no metric, so the check-in must say its value")]
    NoValue(String),
    /// It would be the last for as long as that is.
    #[error("time {0} lies in the future: say what was, not what will be")]
    Future(DateTime<Utc>),
}

impl CheckInError {
    /// The field that is at fault, which is the rule's name.
    fn field(&self) -> &'static str {
        match self {
            Self::Measured { .. } | Self::NoValue(_) => "value",
            Self::Future(_) => "time",
        }
    }
}

impl Failure for CheckInError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        Reason::RuleViolated
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("rule", self.field().to_owned())]
    }
    fn violations(&self) -> Vec<Violation> {
        vec![Violation { field: self.field().to_owned(), description: self.to_string() }]
    }
}

impl CheckIn {
    /// The same, signed by its caller where it says nobody, if it says what its key result needs to be told and nothing
    /// else. A value that was taken before stays, whatever measures the key result since.
    pub fn signed(
        mut self,
        old: Option<&Self>,
        key_result: &KeyResult,
        caller: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, CheckInError> {
        let name = || key_result.meta.name.to_string();
        let is_known = old.is_some_and(|old| old.value == self.value);
        match (&key_result.metric, self.value) {
            (Some(metric), Some(_)) if !is_known => {
                return Err(CheckInError::Measured { key_result: name(), metric: metric.to_string() });
            }
            (None, None) if !is_known => return Err(CheckInError::NoValue(name())),
            (Some(_) | None, Some(_) | None) => {}
        }
        if self.time > now {
            return Err(CheckInError::Future(self.time));
        }
        if self.by.is_empty() {
            caller.clone_into(&mut self.by);
        }
        Ok(self)
    }
}

impl From<&CheckIn> for LastCheckIn {
    fn from(check_in: &CheckIn) -> Self {
        let CheckIn { value, confidence, time, .. } = *check_in;
        Self { check_in: check_in.meta.name.any(), value, confidence, time }
    }
}

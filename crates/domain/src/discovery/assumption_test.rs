//! Assumption tests: what must be true for a solution, what would show it, and what came out.
//!
//! The threshold stands before the result: a test cannot be without one, and nothing that gives the result its meaning
//! changes after.

use chrono::{DateTime, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::pruning::Pruning;
use super::solution::Solution;
use crate::evidence::Risk;
use crate::{Change, Failure, FailureKind, Meta, Name, Reason};

/// A test of something that must be true for a solution to work.
#[derive(Debug, Clone, PartialEq)]
pub struct AssumptionTest {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The solution.
    pub solution: Name<Solution>,
    /// What must be true; the display name says it when this is empty.
    pub assumption: String,
    /// The risk it belongs to.
    pub risk: Risk,
    /// How it is tested.
    pub method: String,
    /// What would pass.
    pub threshold: PassThreshold,
    /// What came out, once it is known.
    pub result: Option<TestResult>,
    /// Why it was given up, if it was.
    pub pruning: Option<Pruning>,
}

/// What passes a test.
#[derive(Debug, Clone, PartialEq)]
pub struct PassThreshold {
    /// What is counted.
    pub measure: String,
    /// Which side passes.
    pub comparison: Comparison,
    /// The value, finite, in the unit of the measure.
    pub value: f64,
}

/// Which side of a threshold passes; the threshold itself does on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    AtLeast,
    AtMost,
}

/// What came out of a test, as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The value of the measure, finite.
    pub value: f64,
    /// How many people or observations it rests on; 0 when not stated.
    pub sample_size: u32,
    /// What else was seen.
    pub note: String,
}

/// What came out of a test, and when that was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct TestResult {
    /// What was reported.
    pub observation: Observation,
    /// When the test was concluded.
    pub time: DateTime<Utc>,
}

/// Whether a test passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum TestVerdict {
    /// There is no result yet.
    Open,
    /// The result is on the passing side.
    Passed,
    /// It is not.
    Failed,
}

/// What happens to assumption tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum AssumptionTestEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Concluded,
    Moved,
    Pruned,
}

super::resource!(AssumptionTest, AssumptionTestEvent, "assumptionTests");

/// Why an assumption test does not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssumptionTestError {
    /// There is a result, or the test was given up.
    #[error("{resource} is {state}: only an OPEN test that is not pruned can be concluded; create another test")]
    State {
        /// The test.
        resource: String,
        /// `PASSED`, `FAILED` or `PRUNED`.
        state: String,
    },
    /// What gives the result its meaning would change after it is known.
    #[error("{resource} has a result: its assumption, risk, method and threshold are fixed; create another test")]
    Fixed {
        /// The test.
        resource: String,
    },
}

impl Failure for AssumptionTestError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        match self {
            Self::State { .. } => Reason::StateConflict,
            Self::Fixed { .. } => Reason::RuleViolated,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::State { resource, state } => {
                vec![("resource", resource.clone()), ("state", state.clone()), ("action", "conclude".to_owned())]
            }
            Self::Fixed { resource } => {
                vec![("rule", "threshold_before_result".to_owned()), ("resource", resource.clone())]
            }
        }
    }
}

impl PassThreshold {
    /// Whether `value` passes.
    pub fn passes(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::AtLeast => value >= self.value,
            Comparison::AtMost => value <= self.value,
        }
    }
}

impl AssumptionTest {
    /// What the threshold says of the result.
    pub fn verdict(&self) -> TestVerdict {
        match &self.result {
            None => TestVerdict::Open,
            Some(result) if self.threshold.passes(result.observation.value) => TestVerdict::Passed,
            Some(_) => TestVerdict::Failed,
        }
    }

    /// Records the result.
    pub fn conclude(self, observation: Observation, now: DateTime<Utc>) -> Result<Change<Self>, AssumptionTestError> {
        let state = match (&self.pruning, self.verdict()) {
            (Some(_), _) => "PRUNED".to_owned(),
            (None, TestVerdict::Open) => {
                return Ok(Change::new(
                    Self { result: Some(TestResult { observation, time: now }), ..self },
                    AssumptionTestEvent::Concluded,
                ));
            }
            (None, verdict) => verdict.to_string(),
        };
        Err(AssumptionTestError::State { resource: self.meta.name.to_string(), state })
    }

    /// Replaces the test by a revised one, unless that would move the goal posts.
    pub fn revise(&self, revised: Self) -> Result<Change<Self>, AssumptionTestError> {
        let fixed = |test: &Self| (test.assumption.clone(), test.risk, test.method.clone(), test.threshold.clone());
        if self.result.is_some() && fixed(self) != fixed(&revised) {
            return Err(AssumptionTestError::Fixed { resource: self.meta.name.to_string() });
        }
        Ok(Change::new(revised, AssumptionTestEvent::Updated))
    }
}

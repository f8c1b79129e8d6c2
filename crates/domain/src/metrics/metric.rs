//! Metrics: numbers that say how the product does, defined once. Never holds values; those are asked of the events each time.

use strum::{Display, IntoStaticStr, VariantNames};

use super::{Measure, Prediction};
use crate::{Change, Failure, FailureKind, Meta, Name, Resource};

/// A number that says how the product does.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it says and what it does not.
    pub description: String,
    /// How events become the number.
    pub measure: Measure,
    /// The unit for people; may be empty.
    pub unit: String,
    /// Which way is good.
    pub direction: MetricDirection,
    /// Where in the user's journey it measures.
    pub stage: Option<MetricStage>,
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum MetricDirection {
    /// More is better.
    Increase,
    /// Less is better.
    Decrease,
}

/// Stages of a user's journey (McClure, 2007).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum MetricStage {
    /// Users arrive.
    Acquisition,
    /// Users see what it is good for.
    Activation,
    /// Users come back.
    Retention,
    /// Users pay.
    Revenue,
    /// Users bring others.
    Referral,
}

/// What happens to metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum MetricEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

/// Why a metric stays as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// Somebody aims at it.
    #[error("{metric} is what the open prediction {prediction} is about: wait until it is measured, or define another metric")]
    InUse {
        /// The metric.
        metric: Name<Metric>,
        /// A prediction about it.
        prediction: Name<Prediction>,
    },
}

impl Failure for MetricError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> &'static str {
        "RESOURCE_IN_USE"
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::InUse { metric, prediction } = self;
        vec![("resource", metric.to_string()), ("referrer", prediction.to_string())]
    }
}

impl Metric {
    /// Takes the fields of `new`. What is measured does not change while one of `predictions` is open and about this metric: the goal
    /// does not move while somebody aims at it.
    pub fn redefine(&self, new: Self, predictions: &[Prediction]) -> Result<Change<Self>, MetricError> {
        if (&self.measure, self.direction) != (&new.measure, new.direction) {
            self.unused(predictions)?;
        }
        Ok(Change::new(new, MetricEvent::Updated))
    }

    /// Deletes the metric, unless one of `predictions` is open and about it.
    pub fn delete(self, predictions: &[Prediction]) -> Result<Change<Self>, MetricError> {
        self.unused(predictions)?;
        Ok(Change::new(self, MetricEvent::Deleted))
    }

    fn unused(&self, predictions: &[Prediction]) -> Result<(), MetricError> {
        let name = self.meta.name.full();
        match predictions.iter().find(|p| p.is_open() && p.promise.metric == name) {
            Some(open) => Err(MetricError::InUse { metric: self.meta.name.clone(), prediction: open.meta.name.clone() }),
            None => Ok(()),
        }
    }
}

impl Resource for Metric {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "Metric";
    const COLLECTION: &'static str = "metrics";
    type Event = MetricEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

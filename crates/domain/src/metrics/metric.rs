//! Metrics: numbers that say how the product does, defined once. Holds no value but the latest; all others are asked of the
//! events each time.

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::{Measure, Prediction, Watch};
use crate::{Change, Failure, FailureKind, Meta, Name, Reading, Reason, Resource};

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
    /// How it is watched, if it is.
    pub watch: Option<Watch>,
    /// What it was in the last interval of its calendar that was measured.
    pub latest: Option<Reading>,
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum MetricDirection {
    /// More is better.
    Increase,
    /// Less is better.
    Decrease,
}

/// Stages of a user's journey (McClure, 2007).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum MetricEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
    Breached,
    BreachWithdrawn,
    Recovered,
    Measured,
}

/// Why a metric stays as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// Somebody aims at it.
    #[error(
        "{metric} is what the open prediction {prediction} is about: wait until it is measured, or define another metric"
    )]
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
    fn reason(&self) -> Reason {
        Reason::ResourceInUse
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let Self::InUse { metric, prediction } = self;
        vec![("resource", metric.to_string()), ("referrer", prediction.to_string())]
    }
}

impl Metric {
    /// Takes the fields of `new`. What is measured does not change while one of `predictions` is open and about this
    /// metric: the goal does not move while somebody aims at it. A breach of another alert says nothing about this one, nor
    /// does a reading of another measure or by another calendar.
    pub fn redefine(&self, mut new: Self, predictions: &[Prediction]) -> Result<Change<Self>, MetricError> {
        if (&self.measure, self.direction) != (&new.measure, new.direction) {
            self.unused(predictions)?;
        }
        let asked = self.watch.map(|watch| (watch.alert, &self.measure));
        if let Some(watch) = &mut new.watch
            && asked != Some((watch.alert, &new.measure))
        {
            *watch = Watch::new(watch.alert);
        }
        if (&self.measure, self.calendar()) != (&new.measure, new.calendar()) {
            new.latest = None;
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
            Some(open) => {
                Err(MetricError::InUse { metric: self.meta.name.clone(), prediction: open.meta.name.clone() })
            }
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

#[cfg(test)]
pub(crate) mod tests {
    use chrono_tz::Tz;

    use super::super::prediction::tests::at;
    use super::super::{Alert, Interval, Limit, MeasureKind, Threshold};
    use super::*;
    use crate::{Period, Side};

    pub(crate) fn metric() -> Metric {
        let time = at("2026-01-05T09:00:00Z");
        Metric {
            meta: Meta {
                name: "workspaces/acme/metrics/signups".parse().unwrap(),
                uid: uuid::Uuid::nil(),
                display_name: "Signups".into(),
                labels: std::collections::BTreeMap::new(),
                version: 1,
                create_time: time,
                update_time: time,
                delete_time: None,
            },
            description: String::new(),
            measure: Measure::new(MeasureKind::Count, vec!["signed_up".into()], vec![]).unwrap(),
            unit: String::new(),
            direction: MetricDirection::Increase,
            stage: None,
            watch: None,
            latest: None,
        }
    }

    #[test]
    fn what_was_found_goes_with_what_was_asked() {
        let threshold = Threshold::new(20.0).unwrap();
        let (condition, delay) = (Side::Below, chrono::TimeDelta::zero());
        let limit = Limit::Threshold(threshold, condition);
        let alert = Alert { limit, interval: Interval::Day, zone: Tz::UTC, delay };
        let day = Period::new(at("2026-01-04T00:00:00Z"), at("2026-01-05T00:00:00Z")).unwrap();
        let reading = Reading::new(day, 12.0).ok();
        let watch = Watch { alert, breach: reading, withdrawn: None, usual: None };
        let breached = Metric { watch: Some(watch), latest: reading, ..metric() };
        let updated = |new: Metric| {
            let change = breached.redefine(new, &[]).unwrap();
            assert_eq!(change.events(), [MetricEvent::Updated], "what somebody changed is no recovery");
            change.into_parts().0
        };
        let described = Metric { description: "More".into(), ..breached.clone() };
        let found = |metric: Metric| (metric.watch, metric.latest);
        assert_eq!(found(updated(described)), (Some(watch), reading));
        let unwatched = Metric { watch: None, ..breached.clone() };
        assert_eq!(found(updated(unwatched)), (None, reading), "its calendar was that of any metric");
        let higher = Alert { limit: Limit::Threshold(Threshold::new(30.0).unwrap(), condition), ..alert };
        let of_more = Metric { watch: Some(Watch { alert: higher, ..watch }), ..breached.clone() };
        assert_eq!(found(updated(of_more)), (Some(Watch::new(higher)), reading));
        for other in [Alert { interval: Interval::Week, ..alert }, Alert { zone: Tz::Europe__Berlin, ..alert }] {
            let of_other = Metric { watch: Some(Watch { alert: other, ..watch }), ..breached.clone() };
            assert_eq!(found(updated(of_other)), (Some(Watch::new(other)), None));
        }
        let measure = Measure::new(MeasureKind::UniqueUsers, vec!["signed_up".into()], vec![]).unwrap();
        assert_eq!(found(updated(Metric { measure, ..breached.clone() })), (Some(Watch::new(alert)), None));
    }
}

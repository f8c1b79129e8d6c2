//! Alerts: the threshold a metric is watched against, and readings, which are judged by it. What follows from a reading is
//! for `watch` to say.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::Interval;
use crate::number::rounded;

/// How a metric is watched. A breach is always one of this alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// The threshold it is watched against.
    pub alert: Alert,
    /// The interval that was found beyond the threshold, until one is found within.
    pub breach: Option<Reading>,
    /// The interval of the last breach if it was none after all, as events that came late made it.
    pub withdrawn: Option<Reading>,
}

/// A threshold that a metric is watched against, interval by interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alert {
    /// The value that divides.
    pub threshold: Threshold,
    /// Which side of it is a breach.
    pub condition: AlertCondition,
    /// How long an interval is; weeks start on Monday.
    pub interval: Interval,
    /// The calendar that cuts the intervals.
    pub zone: Tz,
    /// For how long after an interval its events are waited for.
    pub delay: TimeDelta,
}

/// A finite number, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold(f64);

/// Which side of a threshold is a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertCondition {
    /// A value less than the threshold.
    Below,
    /// A value greater than the threshold.
    Above,
}

/// An interval of a calendar, half-open and never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// What a metric was in an interval: a finite value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    period: Period,
    value: f64,
}

/// Why an alert or a reading is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// Not a number, or endless.
    #[error("must be a finite number")]
    NotFinite,
    /// Nothing between the ends.
    #[error("must be later than start_time")]
    Empty,
}

impl Threshold {
    /// The threshold, if the number is finite.
    pub fn new(value: f64) -> Result<Self, AlertError> {
        if value.is_finite() { Ok(Self(value)) } else { Err(AlertError::NotFinite) }
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl AlertCondition {
    /// In a sentence: `below`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::Above => "above",
        }
    }
}

impl Watch {
    /// From now on: nothing is found yet.
    pub fn new(alert: Alert) -> Self {
        Self { alert, breach: None, withdrawn: None }
    }
}

impl Alert {
    /// Whether a value is on the wrong side of the threshold, by the digits that are shown. The threshold itself is
    /// within.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        let (value, threshold) = (rounded(value), rounded(self.threshold.0));
        match self.condition {
            AlertCondition::Below => value < threshold,
            AlertCondition::Above => value > threshold,
        }
    }
}

impl Period {
    /// From `start` up to but without `end`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, AlertError> {
        if end > start { Ok(Self { start, end }) } else { Err(AlertError::Empty) }
    }

    /// First moment, included.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// First moment after.
    pub fn end(&self) -> DateTime<Utc> {
        self.end
    }
}

impl Reading {
    /// The reading, if the value is finite.
    pub fn new(period: Period, value: f64) -> Result<Self, AlertError> {
        if value.is_finite() { Ok(Self { period, value }) } else { Err(AlertError::NotFinite) }
    }

    /// The same, with the digits of its value that are compared and shown.
    pub(super) fn as_shown(self) -> Self {
        Self { value: rounded(self.value), ..self }
    }

    /// The interval.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The metric's value in it.
    pub fn value(&self) -> f64 {
        self.value
    }
}

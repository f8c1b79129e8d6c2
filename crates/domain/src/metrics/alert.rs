//! Alerts: what a metric is watched against. What follows from a reading is for `watch` to say, what is usual for statistics.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::Interval;
use crate::number::rounded;
use crate::{Reading, ReadingError, Side};

/// How a metric is watched. A breach is always one of this alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// What it is watched against.
    pub alert: Alert,
    /// The interval that was found beyond the limit, until one is found within.
    pub breach: Option<Reading>,
    /// The interval of the last breach if it was none after all, as events that came late made it.
    pub withdrawn: Option<Reading>,
    /// What was usual in the interval of the breach, or of the one that was none; where that is what it is watched against.
    pub usual: Option<Usual>,
}

/// What a metric is watched against, interval by interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alert {
    /// What divides.
    pub limit: Limit,
    /// How long an interval is; weeks start on Monday.
    pub interval: Interval,
    /// The calendar that cuts the intervals.
    pub zone: Tz,
    /// For how long after an interval its events are waited for.
    pub delay: TimeDelta,
}

/// What is a breach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A value on one side of another.
    Threshold(Threshold, Side),
    /// A value that is not usual: on one side of what is, or on either.
    Unusual(FalseAlarms, Option<Side>),
}

/// The share of intervals that may be called a breach though nothing happened, more than 0 and less than 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FalseAlarms(pub f64);

/// What is usual for a metric in an interval, by those before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The forecast.
    pub value: f64,
    /// The least that is usual.
    pub low: f64,
    /// The most that is usual.
    pub high: f64,
    /// How many intervals before it were held against what was usual for them then.
    pub tried: u32,
    /// How many of them were outside.
    pub outside: u32,
}

/// A finite number, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold(f64);

impl Threshold {
    /// The threshold, if the number is finite.
    pub fn new(value: f64) -> Result<Self, ReadingError> {
        if value.is_finite() { Ok(Self(value)) } else { Err(ReadingError::NotFinite) }
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Watch {
    /// From now on: nothing is found yet.
    pub fn new(alert: Alert) -> Self {
        Self { alert, breach: None, withdrawn: None, usual: None }
    }
}

impl Usual {
    /// The same with the digits that are compared and shown.
    pub fn as_shown(self) -> Self {
        Self { value: rounded(self.value), low: rounded(self.low), high: rounded(self.high), ..self }
    }
}

impl Alert {
    /// How many false alarms are put up with, where what is usual is what counts.
    pub fn false_alarms(&self) -> Option<FalseAlarms> {
        match self.limit {
            Limit::Threshold(..) => None,
            Limit::Unusual(alarms, _) => Some(alarms),
        }
    }

    /// Whether a value is beyond the limit; `None` where nobody knows what is usual.
    pub(super) fn is_beyond(&self, value: f64, usual: Option<Usual>) -> Option<bool> {
        match self.limit {
            Limit::Threshold(threshold, side) => Some(side.is_beyond(value, threshold.0)),
            Limit::Unusual(_, side) => usual.map(|usual| {
                let beyond = |of: Side, end| side.is_none_or(|side| side == of) && of.is_beyond(value, end);
                beyond(Side::Below, usual.low) || beyond(Side::Above, usual.high)
            }),
        }
    }
}

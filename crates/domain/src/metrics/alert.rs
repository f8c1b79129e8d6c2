//! Alerts: the threshold a metric is watched against. What follows from a reading is for `watch` to say.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::Interval;
use crate::{Reading, ReadingError, Side};

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
    pub condition: Side,
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
        Self { alert, breach: None, withdrawn: None }
    }
}

impl Alert {
    /// Whether a value is on the wrong side of the threshold.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        self.condition.is_beyond(value, self.threshold.0)
    }
}

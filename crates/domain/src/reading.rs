//! Readings: what a metric was in an interval of a calendar, and on which side of a threshold that is.

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::number::rounded;

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

/// A side of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    /// A value less than the threshold.
    Below,
    /// A value greater than the threshold.
    Above,
}

/// Why a reading or a threshold is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Not a number, or endless.
    #[error("must be a finite number")]
    NotFinite,
    /// Nothing between the ends.
    #[error("must be later than start_time")]
    Empty,
}

impl Side {
    /// In a sentence: `below`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::Above => "above",
        }
    }

    /// Whether a value is on this side of the threshold, by the digits that are shown. The threshold itself is on neither.
    pub fn is_beyond(self, value: f64, threshold: f64) -> bool {
        let (value, threshold) = (rounded(value), rounded(threshold));
        match self {
            Self::Below => value < threshold,
            Self::Above => value > threshold,
        }
    }
}

impl Period {
    /// From `start` up to but without `end`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, ReadingError> {
        if end > start { Ok(Self { start, end }) } else { Err(ReadingError::Empty) }
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
    pub fn new(period: Period, value: f64) -> Result<Self, ReadingError> {
        if value.is_finite() { Ok(Self { period, value }) } else { Err(ReadingError::NotFinite) }
    }

    /// The same, with the digits of its value that are compared and shown.
    pub fn as_shown(self) -> Self {
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

//! What can be asked of the lake and what it answers. Plain values; never how an answer is computed.

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;

use crate::error::{LakeError, Result};
use crate::property::PropertyFilter;

/// A half-open range of time: `start` is in it, `end` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after it.
    pub end: DateTime<Utc>,
}

impl TimeRange {
    /// From `start` up to but without `end`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self { start, end }
    }

    /// Both ends in microseconds; refuses an empty range.
    pub(crate) fn micros(&self) -> Result<(i64, i64)> {
        if self.start >= self.end {
            return Err(LakeError::InvalidQuery(format!(
                "the range from {} to {} is empty: its end is exclusive and must be after its start",
                self.start, self.end
            )));
        }
        // Event times are whole microseconds, so `time >= start` is `time >= ceil(start)`.
        let ceil = |time: DateTime<Utc>| time.timestamp_micros() + i64::from(!time.nanosecond().is_multiple_of(1000));
        Ok((ceil(self.start), ceil(self.end)))
    }
}

/// The width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    /// One bucket that is exactly the range.
    Whole,
    /// From one full hour of the local clock to the next; a change of the clock within an hour also starts a bucket.
    Hour,
    /// Local calendar days; a day with a clock change has 23 or 25 hours.
    Day,
    /// Local calendar weeks.
    Week,
    /// Local calendar months.
    Month,
}

/// The day a week begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WeekStart {
    /// ISO 8601.
    #[default]
    Monday,
    /// As in the United States, Canada and Japan.
    Sunday,
}

/// What is counted in each bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Events.
    Count,
    /// Distinct users.
    UniqueUsers,
    /// The sum of a numeric property; events without it, or where it is not a number, add nothing.
    Sum(String),
}

/// How the answer is split into series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Breakdown {
    /// One series.
    #[default]
    None,
    /// A series per event name.
    Event,
    /// A series per value of a property, and one for events without it.
    Property(String),
}

/// A question about events over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendQuery {
    /// Names of the events that count; all when empty.
    pub events: Vec<String>,
    /// What is counted.
    pub measure: Measure,
    /// When.
    pub range: TimeRange,
    /// The width of the buckets.
    pub interval: Interval,
    /// The zone whose calendar the buckets follow.
    pub time_zone: Tz,
    /// The day weeks begin with.
    pub week_start: WeekStart,
    /// How the answer is split.
    pub breakdown: Breakdown,
    /// Conditions that must all hold.
    pub filters: Vec<PropertyFilter>,
    /// The largest number of series; those with the smallest totals are left out and counted.
    pub max_series: usize,
}

impl TrendQuery {
    /// All events counted by UTC day, as one series.
    pub fn new(range: TimeRange) -> Self {
        Self {
            events: Vec::new(),
            measure: Measure::Count,
            range,
            interval: Interval::Day,
            time_zone: Tz::UTC,
            week_start: WeekStart::default(),
            breakdown: Breakdown::None,
            filters: Vec::new(),
            max_series: 100,
        }
    }
}

/// One bucket of the answer's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The calendar start of the bucket, which may lie before the range.
    pub start: DateTime<Utc>,
    /// The calendar end of the bucket, which may lie after the range.
    pub end: DateTime<Utc>,
    /// Whether the range covers only a part of the bucket.
    pub partial: bool,
}

/// The numbers of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The event name or property value; absent for the only series and for events without the property.
    pub key: Option<String>,
    /// One value for each bucket, zeros included.
    pub values: Vec<f64>,
    /// The measure over the whole range; for unique users this is less than the sum of the values when users return.
    pub total: f64,
}

/// How current an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// The table version that was read.
    pub version: u64,
    /// When the newest event of that version was received; absent when there is none.
    pub received: Option<DateTime<Utc>>,
}

/// The answer to a [`TrendQuery`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrendAnswer {
    /// The settings that were used.
    pub query: TrendQuery,
    /// The axis; every bucket that the range touches, in order.
    pub buckets: Vec<Bucket>,
    /// Largest total first; a single series is always there, even if all zeros.
    pub series: Vec<Series>,
    /// Series that `max_series` left out.
    pub series_left_out: usize,
    /// How current the answer is.
    pub watermark: Watermark,
}

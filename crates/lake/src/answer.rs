//! What the lake answers. Plain values; never how they are computed.

use chrono::{DateTime, Utc};
use waymark_domain::metrics::Scalar;

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
    /// The property's value or the event's name; absent for the only series and for events without the property.
    pub key: Option<Scalar>,
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

/// How a measure went over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendAnswer {
    /// The axis; every bucket that the range touches, in order.
    pub buckets: Vec<Bucket>,
    /// Largest total first; a single series is always there, even if all zeros.
    pub series: Vec<Series>,
    /// All beyond the limit of the breakdown together, when there are any; users that have several of those values count
    /// once.
    pub other: Option<Series>,
    /// How many series that is.
    pub series_left_out: usize,
    /// How current the answer is.
    pub watermark: Watermark,
}

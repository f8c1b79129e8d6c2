//! What the lake answers of funnels. Plain values; never how they are computed.

use waymark_domain::metrics::Scalar;

use crate::answer::{Bucket, Watermark};

/// How far users got.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelAnswer {
    /// Those with the most entries first; a single series is always there, even if all zeros.
    pub series: Vec<FunnelSeries>,
    /// The intervals of points; empty when none were asked for.
    pub buckets: Vec<Bucket>,
    /// Series beyond the limit of the breakdown.
    pub series_left_out: usize,
    /// Steps, from 0, whose event no row of the range has.
    pub unseen: Vec<usize>,
    /// How current the answer is.
    pub watermark: Watermark,
}

/// The numbers of one value of the breakdown, or of all.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelSeries {
    /// The value; absent for the only series and for events without the property.
    pub key: Option<Scalar>,
    /// One for each step.
    pub steps: Vec<StepAnswer>,
    /// Those counted who may still get further.
    pub open: u64,
    /// From the first step to the last.
    pub took: Option<TimeToConvert>,
    /// One for each bucket, by when they entered.
    pub points: Vec<FunnelPoint>,
}

/// Who reached a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepAnswer {
    /// How many users, entries or sessions.
    pub reached: u64,
    /// From the step before.
    pub took: Option<TimeToConvert>,
}

/// Those who entered in an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelPoint {
    /// How many of them reached each step.
    pub reached: Vec<u64>,
    /// How many may still get further.
    pub open: u64,
}

/// How long it took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToConvert {
    /// The mean.
    pub average: f64,
    /// What 10, 25, 50, 75 and 90 of a hundred did not exceed; exact.
    pub quantiles: [f64; 5],
}

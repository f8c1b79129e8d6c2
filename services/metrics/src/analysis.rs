//! What the lake answers, in the contract's terms, and why it did not. Computes nothing itself.

use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Measure, TrendSettings};
use waymark_domain::{Failure, FailureKind, Reason, Violation, WorkspaceId};
use waymark_lake as lake;
use waymark_proto::convert::metrics::typed_value;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_store::Error;

/// Why the lake did not answer.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LakeFailure(#[from] pub lake::LakeError);

impl From<LakeFailure> for Error {
    fn from(failure: LakeFailure) -> Self {
        Self::rule(failure)
    }
}

impl Failure for LakeFailure {
    fn kind(&self) -> FailureKind {
        match &self.0 {
            lake::LakeError::InvalidQuery(_)
            | lake::LakeError::InvalidEvent { .. }
            | lake::LakeError::InvalidWorkspace(_) => FailureKind::Invalid,
            lake::LakeError::Overloaded { .. } => FailureKind::Overloaded,
            // Closed, conflicts, full disks and storage that does not answer; the error type may grow.
            _ => FailureKind::Unavailable,
        }
    }
    fn reason(&self) -> Reason {
        match &self.0 {
            lake::LakeError::Closed => Reason::ShuttingDown,
            _ => match self.kind() {
                FailureKind::Invalid => Reason::InvalidField,
                FailureKind::Overloaded => Reason::Overloaded,
                _ => Reason::Unavailable,
            },
        }
    }
    fn violations(&self) -> Vec<Violation> {
        match &self.0 {
            lake::LakeError::InvalidQuery(problem) => {
                vec![Violation { field: "settings".to_owned(), description: problem.clone() }]
            }
            _ => Vec::new(),
        }
    }
}

/// An answer in the contract's terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// The series, highest total first.
    pub series: Vec<pb::Series>,
    /// When the newest event was received.
    pub watermark: Option<DateTime<Utc>>,
    /// Values without a series.
    pub left_out: i32,
}

/// Asks the lake how `measure` went over time; `now` tells which intervals are not over.
pub async fn trend(
    lake: &lake::Lake,
    workspace: &WorkspaceId,
    measure: &Measure,
    settings: &TrendSettings,
    now: DateTime<Utc>,
) -> Result<Trend, LakeFailure> {
    let answer = lake.trend(workspace.id(), measure, settings).await?;
    let broken_down = settings.breakdown.is_some();
    let point = |(bucket, value): (&lake::Bucket, &f64)| pb::Point {
        start_time: Some(timestamp(bucket.start)),
        end_time: Some(timestamp(bucket.end)),
        value: *value,
        partial: bucket.partial || bucket.end > now,
    };
    let series = |series: &lake::Series, other: bool| pb::Series {
        value: series.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        typed_value: series.key.as_ref().map(typed_value),
        absent: broken_down && !other && series.key.is_none(),
        other,
        total: series.total,
        points: answer.buckets.iter().zip(&series.values).map(point).collect(),
    };
    let each = answer.series.iter().map(|of| series(of, false));
    Ok(Trend {
        series: each.chain(answer.other.iter().map(|of| series(of, true))).collect(),
        watermark: answer.watermark.received,
        // The lake refuses breakdowns by more than a million values.
        left_out: answer.series_left_out as i32,
    })
}

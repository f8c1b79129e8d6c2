//! Between the contract's questions and the lake's: translates a measure and settings into a query, and an answer into
//! series. Computes nothing itself.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use waymark_domain::metrics::{
    Condition, Interval, Measure, MeasureKind, NumberOrder, PropertyFilter, Scalar, TrendSettings, WeekStart,
};
use waymark_domain::{Failure, FailureKind, Violation, WorkspaceId};
use waymark_lake as lake;
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
    fn reason(&self) -> &'static str {
        match &self.0 {
            lake::LakeError::Closed => "SHUTTING_DOWN",
            _ => match self.kind() {
                FailureKind::Invalid => "INVALID_FIELD",
                FailureKind::Overloaded => "OVERLOADED",
                _ => "UNAVAILABLE",
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
    let answer = lake.trend(workspace.id(), &query(measure, settings)).await?;
    let broken_down = settings.breakdown.is_some();
    let point = |(bucket, value): (&lake::Bucket, &f64)| pb::Point {
        start_time: Some(timestamp(bucket.start)),
        end_time: Some(timestamp(bucket.end)),
        value: *value,
        partial: bucket.partial || bucket.end > now,
    };
    let series = answer.series.iter().map(|series| pb::Series {
        value: series.key.clone().unwrap_or_default(),
        absent: broken_down && series.key.is_none(),
        total: series.total,
        points: answer.buckets.iter().zip(&series.values).map(point).collect(),
    });
    Ok(Trend {
        series: series.collect(),
        watermark: answer.watermark.received,
        // The lake refuses breakdowns by tens of thousands of values.
        left_out: answer.series_left_out as i32,
    })
}

/// How far the events of workspaces have come, asked of the lake once per workspace however many want to know.
pub struct Arrivals<'a> {
    lake: &'a lake::Lake,
    known: HashMap<WorkspaceId, Option<DateTime<Utc>>>,
}

impl<'a> Arrivals<'a> {
    /// Nothing is known yet.
    pub fn new(lake: &'a lake::Lake) -> Self {
        Self { lake, known: HashMap::new() }
    }

    /// The time of the workspace's latest event, of any name, if it has one.
    pub async fn latest(&mut self, workspace: &WorkspaceId) -> Result<Option<DateTime<Utc>>, LakeFailure> {
        if let Some(latest) = self.known.get(workspace) {
            return Ok(*latest);
        }
        let latest = self.lake.latest_event_time(workspace.id()).await?;
        self.known.insert(workspace.clone(), latest);
        Ok(latest)
    }
}

/// The lake's question for a measure and settings.
pub fn query(measure: &Measure, settings: &TrendSettings) -> lake::TrendQuery {
    let mut query = lake::TrendQuery::new(lake::TimeRange::new(settings.start(), settings.end()));
    query.events = measure.events().to_vec();
    query.measure = match measure.kind() {
        MeasureKind::Count => lake::Measure::Count,
        MeasureKind::UniqueUsers => lake::Measure::UniqueUsers,
        MeasureKind::Sum(property) => lake::Measure::Sum(property.clone()),
    };
    query.interval = interval(settings.interval);
    query.time_zone = settings.zone;
    query.week_start = match settings.week_start {
        WeekStart::Monday => lake::WeekStart::Monday,
        WeekStart::Sunday => lake::WeekStart::Sunday,
    };
    if let Some(breakdown) = &settings.breakdown {
        query.breakdown = lake::Breakdown::Property(breakdown.property().to_owned());
        query.max_series = breakdown.limit() as usize;
    }
    query.filters = filters(measure.filters());
    query
}

/// The lake's conditions for filters.
pub fn filters(filters: &[PropertyFilter]) -> Vec<lake::PropertyFilter> {
    let filter = |filter: &PropertyFilter| lake::PropertyFilter {
        property: filter.property().to_owned(),
        test: test(filter.condition()),
    };
    filters.iter().map(filter).collect()
}

/// The lake's name for an interval.
pub fn interval(interval: Interval) -> lake::Interval {
    match interval {
        Interval::Day => lake::Interval::Day,
        Interval::Week => lake::Interval::Week,
        Interval::Month => lake::Interval::Month,
    }
}

fn test(condition: &Condition) -> lake::PropertyTest {
    let values = |scalars: &[Scalar]| scalars.iter().map(value).collect();
    match condition {
        Condition::AnyOf(scalars) => lake::PropertyTest::In(values(scalars)),
        Condition::NoneOf(scalars) => lake::PropertyTest::NotIn(values(scalars)),
        Condition::Number(NumberOrder::Less, number) => lake::PropertyTest::Less(*number),
        Condition::Number(NumberOrder::LessOrEqual, number) => lake::PropertyTest::AtMost(*number),
        Condition::Number(NumberOrder::Greater, number) => lake::PropertyTest::More(*number),
        Condition::Number(NumberOrder::GreaterOrEqual, number) => lake::PropertyTest::AtLeast(*number),
        Condition::Present => lake::PropertyTest::Present,
        Condition::Absent => lake::PropertyTest::Absent,
    }
}

fn value(scalar: &Scalar) -> lake::PropertyValue {
    match scalar {
        Scalar::Text(text) => lake::PropertyValue::Text(text.clone()),
        Scalar::Number(number) => lake::PropertyValue::Number(*number),
        Scalar::Boolean(flag) => lake::PropertyValue::Bool(*flag),
    }
}

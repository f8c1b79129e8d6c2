//! The questions, as Waymark is asked them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use tonic::transport::Channel;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;

use crate::bound::Walk;
use crate::rows::{DAYS, START};

/// The workspace that has the rows.
pub const PARENT: &str = "workspaces/bench";
/// Steps of the path.
pub const STEPS: [&str; 4] = ["page_view", "search", "create_item", "purchase"];
/// Microseconds from the first to the last of them, at most.
pub const WINDOW: i64 = 7 * 86_400_000_000;

/// A question.
#[derive(Clone, Copy)]
pub struct Question {
    /// As `peers.py` calls it.
    pub name: &'static str,
    /// How many times as fast as the better peer it is to be.
    pub least: f64,
    /// What the limit is.
    pub walk: Walk,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Trend { of: pb::MetricKind, breakdown: Option<&'static str>, platform: Option<&'static str> },
    Funnel,
    Retention,
}

/// What a breakdown is of that is no property.
const EVENT: &str = "event";

/// All of them.
pub const QUESTIONS: [Question; 7] = [
    Question { name: "trend", least: 1.0, walk: Walk::Trend, kind: trend(pb::MetricKind::Count, None, None) },
    Question {
        name: "trend by event",
        least: 1.0,
        walk: Walk::Words("event"),
        kind: trend(pb::MetricKind::Count, Some(EVENT), None),
    },
    Question {
        name: "trend by country",
        least: 1.0,
        walk: Walk::Words("p_country"),
        kind: trend(pb::MetricKind::Count, Some("country"), None),
    },
    Question {
        name: "trend of ios",
        least: 1.0,
        walk: Walk::Words("p_platform"),
        kind: trend(pb::MetricKind::Count, None, Some("ios")),
    },
    Question {
        name: "daily uniques",
        least: 2.0,
        walk: Walk::Uniques,
        kind: trend(pb::MetricKind::UniqueUsers, None, None),
    },
    Question { name: "funnel", least: 2.0, walk: Walk::Funnel, kind: Kind::Funnel },
    Question { name: "retention", least: 2.0, walk: Walk::Retention, kind: Kind::Retention },
];

/// The event that retention is of.
const BACK: &str = "page_view";
/// Weeks that it tells of: all.
const WEEKS: i32 = 30;

const fn trend(of: pb::MetricKind, breakdown: Option<&'static str>, platform: Option<&'static str>) -> Kind {
    Kind::Trend { of, breakdown, platform }
}

impl Question {
    /// Asks it; the numbers by what they are of, as those of a peer.
    pub async fn ask(self, channel: &Channel) -> Result<BTreeMap<String, f64>> {
        let mut client = AnalysisServiceClient::new(channel.clone()).max_decoding_message_size(64 << 20);
        let at = |day: i64| DateTime::<Utc>::from_timestamp_micros(START + day * 86_400_000_000);
        let (start_time, end_time) = (at(0).map(timestamp), at(DAYS).map(timestamp));
        match self.kind {
            Kind::Funnel => {
                let step = |event: &str| pb::FunnelStep { event: event.to_owned(), ..Default::default() };
                let settings = pb::FunnelSettings {
                    start_time,
                    end_time,
                    preset: pb::FunnelPreset::Clickhouse.into(),
                    ..Default::default()
                };
                let request = pb::QueryFunnelRequest {
                    parent: PARENT.to_owned(),
                    steps: STEPS.map(step).into(),
                    settings: Some(settings),
                };
                let answer = client.query_funnel(request).await?.into_inner();
                let steps = answer.series.into_iter().next().context("there is one series")?.steps;
                Ok((1..).zip(steps).map(|(step, of)| (step.to_string(), of.reached as f64)).collect())
            }
            Kind::Retention => {
                let event = pb::RetentionEvent { event: BACK.to_owned(), ..Default::default() };
                let settings = pb::RetentionSettings { start_time, end_time, periods: WEEKS, ..Default::default() };
                let request = pb::QueryRetentionRequest {
                    parent: PARENT.to_owned(),
                    start: Some(event),
                    settings: Some(settings),
                    ..Default::default()
                };
                let answer = client.query_retention(request).await?.into_inner();
                returned(&answer.cohorts)
            }
            Kind::Trend { of, breakdown, platform } => {
                let filters = platform.map(|value| pb::PropertyFilter {
                    property: "platform".to_owned(),
                    operator: pb::PropertyOperator::Equal.into(),
                    values: vec![value.into()],
                });
                let settings = pb::TrendSettings {
                    start_time,
                    end_time,
                    breakdown: breakdown.filter(|of| *of != EVENT).unwrap_or_default().to_owned(),
                    breakdown_by_event: breakdown == Some(EVENT),
                    breakdown_limit: breakdown.map_or(0, |_| 100),
                    ..Default::default()
                };
                let answer = client
                    .query_trend(pb::QueryTrendRequest {
                        parent: PARENT.to_owned(),
                        kind: of.into(),
                        filters: filters.into_iter().collect(),
                        settings: Some(settings),
                        ..Default::default()
                    })
                    .await?
                    .into_inner();
                series(answer.series)
            }
        }
    }
}

/// How many of those who began in a week came back in a later one, where there were any.
fn returned(cohorts: &[pb::RetentionCohort]) -> Result<BTreeMap<String, f64>> {
    let mut numbers = BTreeMap::new();
    for cohort in cohorts {
        let start =
            cohort.start_time.and_then(|time| DateTime::from_timestamp(time.seconds, 0)).context("it has one")?;
        for (week, cell) in (0..).zip(&cohort.cells).skip(1).filter(|(_, cell)| cell.returned > 0) {
            let of = format!("{} {}", start.format("%F"), (start + TimeDelta::weeks(week)).format("%F"));
            numbers.insert(of, cell.returned as f64);
        }
    }
    Ok(numbers)
}

fn series(series: Vec<pb::Series>) -> Result<BTreeMap<String, f64>> {
    let mut numbers = BTreeMap::new();
    for one in series {
        for point in one.points {
            let start = point.start_time.context("a point has a start")?;
            let day = DateTime::from_timestamp(start.seconds, 0).context("in range")?.format("%F");
            // The others answer no zeros.
            if point.value != 0.0 {
                numbers.insert(format!("{day} {}", one.value).trim_end().to_owned(), point.value);
            }
        }
    }
    Ok(numbers)
}

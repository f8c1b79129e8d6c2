//! What was usual for a metric in an interval: what the intervals before it say.

use chrono::TimeDelta;
use waymark_domain::Period;
use waymark_domain::metrics::{FalseAlarms, Interval, Metric, TrendSettings, Usual};
use waymark_lake::{Lake, LakeError};
use waymark_stats as stats;

use crate::analysis::LakeFailure;

/// Intervals that are looked back on.
const INTERVALS: i32 = 400;

/// What was usual for a metric in an interval of its calendar; `None` where that is not what it is watched against, and while
/// there are too few intervals before it. Costs a trend over those.
pub(crate) async fn usual(lake: &Lake, metric: &Metric, period: Period) -> Result<Option<Usual>, LakeFailure> {
    let Some(FalseAlarms(alarms)) = metric.watch.and_then(|watch| watch.alert.false_alarms()) else { return Ok(None) };
    let (interval, zone) = metric.calendar();
    let (length, season) = match interval {
        Interval::Day => (TimeDelta::days(1), 7),
        Interval::Week => (TimeDelta::weeks(1), 1),
        Interval::Month => (TimeDelta::days(30), 1),
    };
    let settings = TrendSettings::new(period.start() - length * INTERVALS, period.start(), interval, zone)
        .map_err(|error| LakeError::InvalidQuery(error.to_string()))?;
    let answer = lake.trend(metric.meta.name.workspace().id(), &metric.measure, &settings).await?;
    let values = answer.series.into_iter().next().map(|series| series.values).unwrap_or_default();
    let whole = answer.buckets.iter().zip(values).filter(|(bucket, _)| !bucket.partial).map(|(_, value)| value);
    // Before its first event a metric was not low, it was not there.
    let history: Vec<f64> = whole.skip_while(|value| *value == 0.0).collect();
    // Too little to say, or numbers beyond all numbers.
    let Ok(stats::Usual { value, interval, tried, alarmed }) = stats::usual(&history, season, alarms) else {
        return Ok(None);
    };
    Ok(Some(Usual { value, low: interval.low, high: interval.high, tried, outside: alarmed }))
}

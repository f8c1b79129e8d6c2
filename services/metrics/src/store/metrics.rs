//! The table of metrics, which of them are to be measured, and how they are redefined with predictions about them.

use chrono::{SecondsFormat, TimeDelta};

use waymark_domain::metrics::{Metric, Prediction};
use waymark_domain::{Change, Name};
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Store, Table, Write};

use super::Predictions;

/// Marks the table of metrics.
pub struct Metrics;

impl Table for Metrics {
    type Resource = Metric;
    type Message = pb::Metric;
    const TABLE: &'static str = "metrics";
    const COLUMNS: Columns<Metric> = &[
        Column::choice("kind", pb::MetricKind::NAMES, |metric| Some(metric.measure.kind().into())),
        Column::choice("direction", pb::MetricDirection::NAMES, |metric| Some(metric.direction.into())),
        Column::choice("stage", pb::MetricStage::NAMES, |metric| metric.stage.map(Into::into)),
        Column::boolean("alerted", |metric| Some(metric.watch.is_some())),
        Column::boolean("breached", |metric| Some(metric.watch.is_some_and(|watch| watch.breach.is_some()))),
        Column::time("latest_time", |metric| metric.latest.map(|reading| reading.period().end())),
    ];
}

impl Ruled for Metrics {
    const RULES: Rules<Self> = Rules {
        update: Rule::Reading(|write, (old, new)| Box::pin(redefine(write, old, new))),
        delete: Rule::Reading(|write, metric| Box::pin(delete(write, metric))),
        ..Rules::PLAIN
    };
}

/// Live metrics of all workspaces that have an alert, or no reading of a day that is over, in order of workspace and id:
/// the first `limit` of them, or of those after `after`.
pub async fn unread(store: &Store, after: Option<&Name<Metric>>, limit: u32) -> Result<Vec<Name<Metric>>, Error> {
    // Those without an alert are measured by days of UTC.
    let day_ago = (store.now() - TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Micros, true);
    let filter = format!("alerted = true OR NOT latest_time:* OR latest_time <= \"{day_ago}\"");
    store.sweep::<Metrics>(&filter, after, limit).await
}

async fn redefine(write: &mut Write, old: Metric, new: Metric) -> Result<Change<Metric>, Error> {
    let predictions = about(write, &old.meta.name).await?;
    old.redefine(new, &predictions).map_err(Error::rule)
}

async fn delete(write: &mut Write, metric: Metric) -> Result<Change<Metric>, Error> {
    let predictions = about(write, &metric.meta.name).await?;
    metric.delete(&predictions).map_err(Error::rule)
}

/// All predictions about a metric.
async fn about(write: &mut Write, metric: &Name<Metric>) -> Result<Vec<Prediction>, Error> {
    write.referrers::<Predictions>(&metric.full(), &["metric"]).await
}

//! The table of metrics, and which of them are watched.

use waymark_domain::Name;
use waymark_domain::metrics::Metric;
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Store, Table};

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
    ];
}

/// Live metrics of all workspaces that have an alert, in order of workspace and id: the first `limit` of them, or of
/// those after `after`.
pub async fn alerted(store: &Store, after: Option<&Name<Metric>>, limit: u32) -> Result<Vec<Name<Metric>>, Error> {
    store.sweep::<Metrics>("alerted = true", after, limit).await
}

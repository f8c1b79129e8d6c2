//! The table of metrics, and which of them are watched.

use waymark_domain::Name;
use waymark_domain::metrics::{MeasureKind, Metric};
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Store, Table};

/// Marks the table of metrics.
pub struct Metrics;

impl Table for Metrics {
    type Resource = Metric;
    type Message = pb::Metric;
    const TABLE: &'static str = "metrics";
    const COLUMNS: Columns<Metric> = &[
        Column::text("kind", |metric| {
            let kind = match metric.measure.kind() {
                MeasureKind::Count => "COUNT",
                MeasureKind::UniqueUsers => "UNIQUE_USERS",
                MeasureKind::Sum(_) => "SUM",
            };
            Some(kind.to_owned())
        }),
        Column::text("direction", |metric| Some(metric.direction.to_string())),
        Column::text("stage", |metric| metric.stage.map(|stage| stage.to_string())),
        Column::boolean("alerted", |metric| Some(metric.watch.is_some())),
        Column::boolean("breached", |metric| Some(metric.watch.is_some_and(|watch| watch.breach.is_some()))),
    ];
}

/// Live metrics of all workspaces that have an alert, in order of workspace and id: the first `limit` of them, or of
/// those after `after`.
pub async fn alerted(store: &Store, after: Option<&Name<Metric>>, limit: u32) -> Result<Vec<Name<Metric>>, Error> {
    store.sweep::<Metrics>("alerted = true", after, limit).await
}

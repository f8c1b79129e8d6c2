//! The table of metrics.

use waymark_domain::metrics::{MeasureKind, Metric};
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Table};

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
    ];
}

//! The mirror of metrics.

use waymark_domain::metrics::Metric;
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Table};

use crate::name::NAME;

/// Metrics, as their service announces them.
pub struct Metrics;

impl Table for Metrics {
    type Resource = Metric;
    type Message = pb::Metric;
    const TABLE: &'static str = "metrics_metrics";
    const KEEPER: &'static str = NAME;
    const COLUMNS: Columns<Metric> =
        &[Column::choice("stage", pb::MetricStage::NAMES, |metric| metric.stage.map(Into::into))];
}

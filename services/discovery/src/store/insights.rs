//! Insights.

use waymark_domain::discovery::Insight;
use waymark_proto::Choice as _;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of insights.
pub struct Insights;

impl Table for Insights {
    type Resource = Insight;
    type Message = pb::Insight;
    const TABLE: &'static str = "insights";
    const COLUMNS: Columns<Insight> = &[Column::choice("kind", pb::InsightKind::NAMES, |i| Some(i.kind.into()))];
}

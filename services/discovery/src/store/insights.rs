//! Insights.

use waymark_domain::discovery::Insight;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of insights.
pub struct Insights;

impl Table for Insights {
    type Resource = Insight;
    type Message = pb::Insight;
    const TABLE: &'static str = "insights";
    const COLUMNS: Columns<Insight> = &[Column::text("kind", |i| Some(<&str>::from(i.kind).to_owned()))];
}

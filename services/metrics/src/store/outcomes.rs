//! The table of outcomes.

use waymark_domain::metrics::Outcome;
use waymark_proto::Choice as _;
use waymark_proto::common::v1::Verdict;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Ruled, Table};

/// Marks the table of measured outcomes.
pub struct Outcomes;

impl Table for Outcomes {
    type Resource = Outcome;
    type Message = pb::Outcome;
    const TABLE: &'static str = "outcomes";
    const COLUMNS: Columns<Outcome> = &[
        Column::choice("verdict", Verdict::NAMES, |outcome| Some(outcome.finding.verdict.into())),
        Column::text("metric", |outcome| Some(outcome.metric.to_string())),
        Column::text("initiative", |outcome| Some(outcome.initiative.to_string())),
    ];
}

impl Ruled for Outcomes {}

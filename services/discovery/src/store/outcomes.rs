//! Desired outcomes, the roots of trees.

use waymark_domain::discovery::Outcome;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Ruled, Table};

/// The table of desired outcomes.
pub struct Outcomes;

impl Table for Outcomes {
    type Resource = Outcome;
    type Message = pb::Outcome;
    const TABLE: &'static str = "outcomes";
    const COLUMNS: Columns<Outcome> = &[
        Column::text("metric", |o: &Outcome| o.binding.metric().map(ToString::to_string)).indexed(),
        Column::text("measure", |o: &Outcome| Some(o.binding.measure().to_owned())).indexed(),
    ];
}

impl Ruled for Outcomes {}

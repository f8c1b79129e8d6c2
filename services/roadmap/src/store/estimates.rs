//! The table of estimates.

use waymark_domain::roadmap::{Estimate, Framework};
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// Estimates.
pub struct Estimates;

impl Table for Estimates {
    type Resource = Estimate;
    type Message = pb::Estimate;
    const TABLE: &'static str = "estimates";
    const COLUMNS: Columns<Estimate> = &[
        Column::text("initiative", |e: &Estimate| Some(e.initiative.to_string())).indexed().always_set(),
        Column::number("score", |e| e.score(Framework::Rice).map(|s| s.likely())),
    ];
}

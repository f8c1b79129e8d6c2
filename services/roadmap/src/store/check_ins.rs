//! The table of check-ins.

use waymark_domain::roadmap::CheckIn;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// Check-ins.
pub struct CheckIns;

impl Table for CheckIns {
    type Resource = CheckIn;
    type Message = pb::CheckIn;
    const TABLE: &'static str = "check_ins";
    const COLUMNS: Columns<CheckIn> = &[
        Column::text("key_result", |c: &CheckIn| Some(c.key_result.to_string())).indexed().always_set(),
        Column::time("time", |c| Some(c.time)),
        Column::number("confidence", |c| c.confidence),
    ];
}

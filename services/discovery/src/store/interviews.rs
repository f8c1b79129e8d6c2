//! Interviews.

use waymark_domain::discovery::Interview;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of interviews.
pub struct Interviews;

impl Table for Interviews {
    type Resource = Interview;
    type Message = pb::Interview;
    const TABLE: &'static str = "interviews";
    const COLUMNS: Columns<Interview> = &[
        Column::text("study", |i: &Interview| Some(i.study.to_string())).indexed().always_set(),
        Column::text("participant", |i: &Interview| Some(i.participant.to_string())).indexed().always_set(),
        Column::time("conduct_time", |i| Some(i.conduct_time)),
    ];
}

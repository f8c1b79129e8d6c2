//! Studies.

use waymark_domain::discovery::Study;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of studies.
pub struct Studies;

impl Table for Studies {
    type Resource = Study;
    type Message = pb::Study;
    const TABLE: &'static str = "studies";
    const COLUMNS: Columns<Study> = &[
        Column::text("method", |s| Some(<&str>::from(s.method).to_owned())),
        Column::text("state", |s| Some(s.state.to_string())),
    ];
}

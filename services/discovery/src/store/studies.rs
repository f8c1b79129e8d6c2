//! Studies.

use waymark_domain::discovery::Study;
use waymark_proto::Choice as _;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

use super::research::REQUEST_BYTES;

/// The table of studies.
pub struct Studies;

impl Table for Studies {
    type Resource = Study;
    type Message = pb::Study;
    const TABLE: &'static str = "studies";
    const COLUMNS: Columns<Study> = &[
        Column::choice("method", pb::StudyMethod::NAMES, |s| Some(s.method.into())),
        Column::choice("state", pb::StudyState::NAMES, |s| Some(s.state.into())),
    ];
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}

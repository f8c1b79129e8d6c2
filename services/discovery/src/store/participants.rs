//! Participants.

use waymark_domain::discovery::Participant;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

use super::research::REQUEST_BYTES;

/// The table of participants.
pub struct Participants;

impl Table for Participants {
    type Resource = Participant;
    type Message = pb::Participant;
    const TABLE: &'static str = "participants";
    const COLUMNS: Columns<Participant> =
        &[Column::text("segment", |p| Some(p.segment.clone())), Column::text("account", |p| Some(p.account.clone()))];
    const REQUEST_BYTES: Option<usize> = Some(REQUEST_BYTES);
}

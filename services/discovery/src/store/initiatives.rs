//! The mirror of initiatives.

use waymark_domain::roadmap::Initiative;
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Table};

use crate::name::NAME;

/// Initiatives, as the roadmap announces them.
pub struct Initiatives;

impl Table for Initiatives {
    type Resource = Initiative;
    type Message = pb::Initiative;
    const TABLE: &'static str = "roadmap_initiatives";
    const KEEPER: &'static str = NAME;
    const COLUMNS: Columns<Initiative> =
        &[Column::choice("state", pb::InitiativeState::NAMES, |i: &Initiative| Some((&i.state).into())).indexed()];
}

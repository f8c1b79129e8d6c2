//! Opportunities.

use waymark_domain::discovery::Opportunity;
use waymark_proto::Choice as _;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of opportunities.
pub struct Opportunities;

impl Table for Opportunities {
    type Resource = Opportunity;
    type Message = pb::Opportunity;
    const TABLE: &'static str = "opportunities";
    const COLUMNS: Columns<Opportunity> = &[
        Column::choice("kind", pb::OpportunityKind::NAMES, |o| Some(o.kind.into())),
        Column::text("parent_node", |o: &Opportunity| Some(o.parent_node.to_string())).indexed().always_set().traced(),
        Column::boolean("pruned", |o| Some(o.pruning.is_some())),
    ];
}

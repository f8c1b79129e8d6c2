//! Solutions.

use waymark_domain::discovery::Solution;
use waymark_proto::Choice as _;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of solutions.
pub struct Solutions;

impl Table for Solutions {
    type Resource = Solution;
    type Message = pb::Solution;
    const TABLE: &'static str = "solutions";
    const COLUMNS: Columns<Solution> = &[
        Column::text("opportunity", |s: &Solution| Some(s.opportunity.to_string())).indexed().always_set().traced(),
        Column::choice("state", pb::SolutionState::NAMES, |s| Some(s.state.into())),
        Column::boolean("pruned", |s| Some(s.pruning.is_some())),
    ];
}

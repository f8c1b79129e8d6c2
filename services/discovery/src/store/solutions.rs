//! Solutions.

use waymark_domain::discovery::{Solution, SolutionEvent};
use waymark_proto::Choice as _;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Rule, Rules, Table};

use super::nodes::place_solution;

/// The table of solutions.
pub struct Solutions;

impl Table for Solutions {
    type Resource = Solution;
    type Message = pb::Solution;
    const TABLE: &'static str = "solutions";
    const COLUMNS: Columns<Solution> = &[
        Column::text("opportunity", |s: &Solution| Some(s.opportunity.to_string())).indexed(),
        Column::choice("state", pb::SolutionState::NAMES, |s| Some(s.state.into())),
        Column::boolean("pruned", |s| Some(s.pruning.is_some())),
    ];
    const RULES: Rules<Self> = Rules {
        create: Rule::Reading(|write, new| Box::pin(place_solution(write, new, SolutionEvent::Created))),
        undelete: Rule::Reading(|write, back| Box::pin(place_solution(write, back, SolutionEvent::Undeleted))),
        ..Rules::PLAIN
    };
}

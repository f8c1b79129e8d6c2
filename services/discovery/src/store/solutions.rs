//! Solutions: kept only below an opportunity that exists, on evidence that exists.

use waymark_domain::Change;
use waymark_domain::discovery::reference::check_targets;
use waymark_domain::discovery::{Solution, SolutionEvent, Tree};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Error, Table, Write};

use super::Opportunities;
use super::references::existing;

/// The table of solutions.
pub struct Solutions;

impl Table for Solutions {
    type Resource = Solution;
    type Message = pb::Solution;
    const TABLE: &'static str = "solutions";
    const COLUMNS: Columns<Solution> = &[
        Column::text("opportunity", |s: &Solution| Some(s.opportunity.to_string())).indexed(),
        Column::text("state", |s| Some(s.state.to_string())),
        Column::boolean("pruned", |s| Some(s.pruning.is_some())),
    ];
}

/// Keeps a solution that is new in its tree, with its place and evidence looked up.
pub async fn keep_solution(
    write: &mut Write,
    solution: Solution,
    event: SolutionEvent,
) -> Result<Change<Solution>, Error> {
    let opportunity = write.find::<Opportunities>(&solution.opportunity).await?;
    Tree::new([], opportunity, [], []).place_solution(&solution).map_err(Error::rule)?;
    revise_solution(write, solution, event).await
}

/// Keeps a solution that stays where it is, with its evidence looked up.
pub async fn revise_solution(
    write: &mut Write,
    solution: Solution,
    event: SolutionEvent,
) -> Result<Change<Solution>, Error> {
    let targets = || solution.risk_evidence.iter().flat_map(|r| &r.evidence).map(|e| &e.target);
    let existing = existing(write, targets()).await?;
    check_targets("risk_evidence", solution.meta.name.workspace(), targets(), &existing).map_err(Error::rule)?;
    Ok(Change::new(solution, event))
}

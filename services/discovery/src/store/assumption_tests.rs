//! Assumption tests: kept only below a solution that exists.

use waymark_domain::Change;
use waymark_domain::discovery::{AssumptionTest, AssumptionTestEvent, Tree};
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Error, Table, Write};

use super::Solutions;

/// The table of assumption tests.
pub struct AssumptionTests;

impl Table for AssumptionTests {
    type Resource = AssumptionTest;
    type Message = pb::AssumptionTest;
    const TABLE: &'static str = "assumption_tests";
    const COLUMNS: Columns<AssumptionTest> = &[
        Column::text("solution", |t: &AssumptionTest| Some(t.solution.to_string())).indexed(),
        Column::text("risk", |t| Some(t.risk.to_string())),
        Column::text("verdict", |t| Some(t.verdict().to_string())),
        Column::boolean("pruned", |t| Some(t.pruning.is_some())),
    ];
}

/// Keeps a test that is new in its tree, with its place looked up.
pub async fn keep_test(
    write: &mut Write,
    test: AssumptionTest,
    event: AssumptionTestEvent,
) -> Result<Change<AssumptionTest>, Error> {
    let solution = write.find::<Solutions>(&test.solution).await?;
    Tree::new([], [], solution, []).place_test(&test).map_err(Error::rule)?;
    Ok(Change::new(test, event))
}

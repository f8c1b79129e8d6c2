//! Assumption tests.

use waymark_domain::discovery::AssumptionTest;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

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

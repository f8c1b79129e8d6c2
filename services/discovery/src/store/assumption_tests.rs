//! Assumption tests.

use waymark_domain::discovery::AssumptionTest;
use waymark_proto::Choice as _;
use waymark_proto::common::v1::Risk;
use waymark_proto::discovery::v1 as pb;
use waymark_store::{Column, Columns, Table};

/// The table of assumption tests.
pub struct AssumptionTests;

impl Table for AssumptionTests {
    type Resource = AssumptionTest;
    type Message = pb::AssumptionTest;
    const TABLE: &'static str = "assumption_tests";
    const COLUMNS: Columns<AssumptionTest> = &[
        Column::text("solution", |t: &AssumptionTest| Some(t.solution.to_string())).indexed().always_set().traced(),
        Column::choice("risk", Risk::NAMES, |t| Some(t.risk.into())),
        Column::choice("verdict", pb::TestVerdict::NAMES, |t| Some(t.verdict().into())),
        Column::boolean("pruned", |t| Some(t.pruning.is_some())),
    ];
}

//! The table of objectives.

use waymark_domain::roadmap::Objective;
use waymark_proto::roadmap::v1 as pb;
use waymark_store::{Column, Columns, Ruled, Table};

/// Objectives.
pub struct Objectives;

impl Table for Objectives {
    type Resource = Objective;
    type Message = pb::Objective;
    const TABLE: &'static str = "objectives";
    const COLUMNS: Columns<Objective> = &[
        Column::text("owner", |o| Some(o.owner.clone())),
        Column::text("period_start", |o: &Objective| Some(o.period.start().first_day().to_string()))
            .indexed()
            .always_set(),
        Column::text("parent_objective", |o: &Objective| o.parent_objective.as_ref().map(ToString::to_string))
            .indexed()
            .traced(),
        // The period of one that serves a wider one: whether others of a period do is one look into its index.
        Column::text("aligned_period", |o: &Objective| o.parent_objective.as_ref().map(|_| period(o)))
            .indexed()
            .unlisted(),
    ];
}

/// The period of an objective, the same for those whose periods are.
pub fn period(objective: &Objective) -> String {
    let (first, last) = objective.period.days();
    format!("{first} {last}")
}

impl Ruled for Objectives {}

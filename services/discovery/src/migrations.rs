//! The service's schema, migration by migration, and the tables it declares. A released migration is never changed: what
//! the declarations say beyond it is a new one, whose statements `make schema` prints.

use waymark_store::schema::foundation;
use waymark_store::{Backfill, Declaration, Migration, Mirror, Schema, Script};

use crate::store::{
    AssumptionTests, Initiatives, Insights, Interviews, Opportunities, Outcomes, Participants, Solutions, Studies,
    Workspaces,
};

/// What the service's database is.
pub static SCHEMA: Schema = Schema::new(
    &[
        Migration {
            number: 1,
            name: "initial",
            scripts: &[
                foundation::INITIAL,
                Script {
                    postgres: include_str!("migrations/0001_initial.postgres.sql"),
                    sqlite: include_str!("migrations/0001_initial.sqlite.sql"),
                },
            ],
            oldest: 1,
            backfill: None,
        },
        foundation::MANY_WORKSPACES,
        foundation::links(Backfill::links::<AssumptionTests>("links of assumption tests")),
        foundation::further(4, 1, Backfill::links::<Insights>("links of insights")),
        foundation::further(5, 1, Backfill::links::<Interviews>("links of interviews")),
        foundation::further(6, 1, Backfill::links::<Opportunities>("links of opportunities")),
        foundation::further(7, 1, Backfill::links::<Outcomes>("links of outcomes")),
        foundation::further(8, 1, Backfill::links::<Solutions>("links of solutions")),
        foundation::fewer_indexes(9),
        Migration {
            number: 10,
            name: "branches of trees",
            scripts: &[Script {
                postgres: include_str!("migrations/0010_branches.postgres.sql"),
                sqlite: include_str!("migrations/0010_branches.sqlite.sql"),
            }],
            oldest: 1,
            backfill: Some(Backfill::columns::<Outcomes>("measures of outcomes")),
        },
        foundation::labels(11, 1, Backfill::labels::<AssumptionTests>("labels of assumption tests")),
        foundation::further(12, 1, Backfill::labels::<Insights>("labels of insights")),
        foundation::further(13, 1, Backfill::labels::<Interviews>("labels of interviews")),
        foundation::further(14, 1, Backfill::labels::<Opportunities>("labels of opportunities")),
        foundation::further(15, 1, Backfill::labels::<Outcomes>("labels of outcomes")),
        foundation::further(16, 1, Backfill::labels::<Participants>("labels of participants")),
        foundation::further(17, 1, Backfill::labels::<Solutions>("labels of solutions")),
        foundation::further(18, 1, Backfill::labels::<Studies>("labels of studies")),
        Migration {
            number: 19,
            name: "mirrors",
            scripts: &[foundation::MIRRORS, Script::both(include_str!("migrations/0019_mirrors.sql"))],
            oldest: 1,
            backfill: None,
        },
        foundation::held_events(20, 1),
        foundation::audit(21, 1),
        foundation::traced(22, &[foundation::TRACED, Script::both(include_str!("migrations/0022_traced.sql"))]),
        Migration {
            number: 23,
            name: "workspaces",
            scripts: &[Script::both(include_str!("migrations/0023_workspaces.sql"))],
            oldest: 22,
            backfill: None,
        },
    ],
    &[
        Declaration::of::<AssumptionTests>(),
        Declaration::of::<Insights>(),
        Declaration::of::<Interviews>(),
        Declaration::of::<Opportunities>(),
        Declaration::of::<Outcomes>(),
        Declaration::of::<Participants>(),
        Declaration::of::<Solutions>(),
        Declaration::of::<Studies>(),
    ],
)
.mirroring(&[Mirror::of::<Initiatives>(), Mirror::of::<Workspaces>()]);

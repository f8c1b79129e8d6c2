//! The service's schema, migration by migration, and the tables it declares. A released migration is never changed: what
//! the declarations say beyond it is a new one, whose statements `make schema` prints.

use waymark_store::schema::foundation;
use waymark_store::{Backfill, Declaration, Migration, Mirror, Schema, Script};

use crate::store::{
    AssumptionTests, Initiatives, Insights, Interviews, Opportunities, Outcomes, Participants, Solutions, Studies,
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
        foundation::further_links(4, Backfill::links::<Insights>("links of insights")),
        foundation::further_links(5, Backfill::links::<Interviews>("links of interviews")),
        foundation::further_links(6, Backfill::links::<Opportunities>("links of opportunities")),
        foundation::further_links(7, Backfill::links::<Outcomes>("links of outcomes")),
        foundation::further_links(8, Backfill::links::<Solutions>("links of solutions")),
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
        Migration {
            number: 11,
            name: "mirrors",
            scripts: &[
                foundation::MIRRORS,
                Script {
                    postgres: include_str!("migrations/0011_mirrors.postgres.sql"),
                    sqlite: include_str!("migrations/0011_mirrors.sqlite.sql"),
                },
            ],
            oldest: 1,
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
.mirroring(&[Mirror::of::<Initiatives>()]);

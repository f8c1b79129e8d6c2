//! The service's schema, migration by migration, and the tables it declares. A released migration is never changed: what
//! the declarations say beyond it is a new one, whose statements `make schema` prints.

use waymark_store::schema::foundation;
use waymark_store::{Backfill, Declaration, Migration, Mirror, Schema, Script};

use crate::store::{
    Frictions, Imports, Initiatives, Metrics, Outcomes, Predictions, TrackingPlans, TrackingViolations, Workspaces,
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
        foundation::links(Backfill::links::<Outcomes>("links of outcomes")),
        foundation::further(4, 1, Backfill::links::<Predictions>("links of predictions")),
        foundation::fewer_indexes(5),
        foundation::labels(6, 1, Backfill::labels::<Frictions>("labels of frictions")),
        foundation::further(7, 1, Backfill::labels::<Metrics>("labels of metrics")),
        foundation::further(8, 1, Backfill::labels::<Outcomes>("labels of outcomes")),
        foundation::further(9, 1, Backfill::labels::<Predictions>("labels of predictions")),
        Migration {
            number: 10,
            name: "mirrors",
            scripts: &[foundation::MIRRORS, Script::both(include_str!("migrations/0010_mirrors.sql"))],
            oldest: 1,
            backfill: None,
        },
        Migration {
            number: 11,
            name: "latest readings",
            scripts: &[Script::both(include_str!("migrations/0011_latest.sql"))],
            oldest: 1,
            backfill: None,
        },
        Migration {
            number: 12,
            name: "imports",
            scripts: &[Script::both(include_str!("migrations/0012_imports.sql"))],
            oldest: 1,
            backfill: None,
        },
        foundation::held_events(13, 1),
        foundation::audit(14, 1),
        foundation::traced(15, &[foundation::TRACED]),
        Migration {
            number: 16,
            name: "workspaces",
            scripts: &[Script::both(include_str!("migrations/0016_workspaces.sql"))],
            oldest: 15,
            backfill: None,
        },
        Migration {
            number: 17,
            name: "tracking plans",
            scripts: &[Script::both(include_str!("migrations/0017_tracking_plans.sql"))],
            oldest: 15,
            backfill: None,
        },
    ],
    &[
        Declaration::of::<Frictions>(),
        Declaration::of::<Imports>(),
        Declaration::of::<Metrics>(),
        Declaration::of::<Outcomes>(),
        Declaration::of::<Predictions>(),
        Declaration::of::<TrackingPlans>(),
        Declaration::of::<TrackingViolations>(),
    ],
)
.mirroring(&[Mirror::of::<Initiatives>(), Mirror::of::<Workspaces>()]);

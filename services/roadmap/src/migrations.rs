//! The service's schema, migration by migration, and the tables it declares. A released migration is never changed: what
//! the declarations say beyond it is a new one, whose statements `make schema` prints.

use waymark_store::schema::foundation;
use waymark_store::{Backfill, Declaration, Holding, Migration, Mirror, Schema, Script};

use crate::store::{
    Audiences, CheckIns, Decisions, Estimates, FactorScales, Initiatives, KeyResults, Metrics, Objectives, Products,
    REVISION, Scenarios, ScoringModels, Snapshots, Variants, Workspaces, reprioritize, write_down,
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
        foundation::links(Backfill::links::<Initiatives>("links of initiatives")),
        foundation::further(4, 1, Backfill::links::<Estimates>("links of estimates")),
        foundation::fewer_indexes(5),
        Migration {
            number: 6,
            name: "orders",
            scripts: &[Script {
                postgres: include_str!("migrations/0006_orders.postgres.sql"),
                sqlite: include_str!("migrations/0006_orders.sqlite.sql"),
            }],
            // A program of before would lose what it does not know of an initiative: its priority.
            oldest: 6,
            backfill: Some(Backfill::columns::<Initiatives>("places and ranks of initiatives")),
        },
        Migration {
            number: 7,
            name: "priorities",
            scripts: &[],
            oldest: 6,
            backfill: Some(Backfill::writes::<Estimates>("priorities of initiatives", |write, id| {
                Box::pin(reprioritize(write, id))
            })),
        },
        foundation::labels(8, 6, Backfill::labels::<Estimates>("labels of estimates")),
        foundation::further(9, 6, Backfill::labels::<Initiatives>("labels of initiatives")),
        foundation::further(10, 6, Backfill::labels::<Products>("labels of products")),
        Migration {
            number: 11,
            name: "objectives",
            scripts: &[Script::both(include_str!("migrations/0011_objectives.sql"))],
            oldest: 6,
            backfill: None,
        },
        Migration {
            number: 12,
            name: "mirrors",
            scripts: &[foundation::MIRRORS, Script::both(include_str!("migrations/0012_mirrors.sql"))],
            oldest: 6,
            backfill: None,
        },
        Migration {
            number: 13,
            name: "initiatives_of_products",
            scripts: &[Script::both(include_str!("migrations/0013_initiatives_of_products.sql"))],
            oldest: 6,
            backfill: None,
        },
        // Of several estimates the one updated last counted before.
        foundation::further(
            14,
            6,
            Backfill::writes::<Estimates>("estimates that count", |write, id| Box::pin(reprioritize(write, id))),
        ),
        Migration {
            number: 15,
            name: "decisions",
            scripts: &[Script::both(include_str!("migrations/0015_decisions.sql"))],
            oldest: 6,
            backfill: Some(Backfill::writes::<Initiatives>("decisions of declined initiatives", |write, id| {
                Box::pin(write_down(write, id))
            })),
        },
        Migration {
            number: 16,
            name: "key_results",
            scripts: &[Script::both(include_str!("migrations/0016_key_results.sql"))],
            // A program of before would lose what it does not know of initiatives and products: key results, the north
            // star.
            oldest: 16,
            backfill: Some(Backfill::columns::<Objectives>("periods of objectives that serve others")),
        },
        // No estimate of before has a factor of these frameworks.
        Migration {
            number: 17,
            name: "ranks",
            scripts: &[Script::both(include_str!("migrations/0017_ranks.sql"))],
            // A program of before would lose what it does not know of an estimate.
            oldest: 17,
            backfill: None,
        },
        Migration {
            number: 18,
            name: "scoring_models",
            scripts: &[Script::both(include_str!("migrations/0018_scoring_models.sql"))],
            // As above.
            oldest: 18,
            backfill: Some(Backfill::columns::<Initiatives>("what is known of initiatives")),
        },
        foundation::further(
            19,
            18,
            Backfill::writes::<Estimates>("factors of initiatives", |write, id| Box::pin(reprioritize(write, id))),
        ),
        Migration {
            number: 20,
            name: "views",
            scripts: &[foundation::HELD_EVENTS, Script::both(include_str!("migrations/0020_views.sql"))],
            // A program of before would trim what snapshots need.
            oldest: 20,
            backfill: Some(Backfill::columns::<Initiatives>("starts of initiatives")),
        },
        Migration {
            number: 21,
            name: "scenarios",
            scripts: &[Script::both(include_str!("migrations/0021_scenarios.sql"))],
            oldest: 20,
            backfill: None,
        },
        Migration {
            number: 22,
            name: "factor_scales",
            scripts: &[Script::both(include_str!("migrations/0022_factor_scales.sql"))],
            // A program of before would lose the words of an estimate.
            oldest: 22,
            backfill: None,
        },
        Migration {
            number: 23,
            name: "audiences",
            scripts: &[Script::both(include_str!("migrations/0023_audiences.sql"))],
            // A program of before would lose to whom initiatives are shown.
            oldest: 23,
            backfill: None,
        },
        foundation::audit(24, 23),
        foundation::traced(25, &[foundation::TRACED, Script::both(include_str!("migrations/0025_traced.sql"))]),
        Migration {
            number: 26,
            name: "workspaces",
            scripts: &[Script::both(include_str!("migrations/0026_workspaces.sql"))],
            oldest: 25,
            backfill: None,
        },
        Migration {
            number: 27,
            name: "ranks_as_they_stood",
            scripts: &[Script::both(include_str!("migrations/0027_ranks_as_they_stood.sql"))],
            // A program of before would leave them out of what it writes.
            oldest: 27,
            backfill: Some(Backfill::traces::<Initiatives>("ranks of events of initiatives")),
        },
    ],
    &[
        Declaration::of::<Audiences>(),
        Declaration::of::<CheckIns>(),
        Declaration::of::<Decisions>(),
        Declaration::of::<Estimates>(),
        Declaration::of::<FactorScales>(),
        Declaration::of::<Initiatives>(),
        Declaration::of::<KeyResults>(),
        Declaration::of::<Objectives>(),
        Declaration::of::<Products>(),
        Declaration::of::<Scenarios>(),
        Declaration::of::<ScoringModels>(),
        Declaration::of::<Snapshots>(),
        Declaration::of::<Variants>(),
        Declaration::of::<Workspaces>(),
    ],
)
.mirroring(&[Mirror::of::<Metrics>()])
.holding(Holding::of::<Snapshots>(REVISION));

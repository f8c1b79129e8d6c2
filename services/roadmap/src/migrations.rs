//! The service's schema, migration by migration, and the tables it declares. A released migration is never changed: what
//! the declarations say beyond it is a new one, whose statements `make schema` prints.

use waymark_store::schema::foundation;
use waymark_store::{Backfill, Declaration, Migration, Schema, Script};

use crate::store::{Estimates, Initiatives, Products};

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
        foundation::further_links(4, Backfill::links::<Estimates>("links of estimates")),
        foundation::fewer_indexes(5),
        Migration {
            number: 6,
            name: "places on the roadmap",
            scripts: &[Script {
                postgres: include_str!("migrations/0006_places.postgres.sql"),
                sqlite: include_str!("migrations/0006_places.sqlite.sql"),
            }],
            oldest: 1,
            backfill: Some(Backfill::columns::<Initiatives>("places on the roadmap")),
        },
    ],
    &[Declaration::of::<Estimates>(), Declaration::of::<Initiatives>(), Declaration::of::<Products>()],
);

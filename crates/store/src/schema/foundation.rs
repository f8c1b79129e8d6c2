//! The tables every service has: revisions, the log, remembered requests, and what relay and consumers keep. Each
//! script is frozen; a service takes it in with the migration that lists it.

use super::{Backfill, Migration, Script};

/// All of them as they were first.
pub const INITIAL: Script = Script {
    postgres: include_str!("foundation/0001_initial.postgres.sql"),
    sqlite: include_str!("foundation/0001_initial.sqlite.sql"),
};

/// How a look finds what was written since the one before, whatever the number of workspaces.
pub const LOOKS: Script = Script {
    postgres: include_str!("foundation/0002_looks.postgres.sql"),
    sqlite: include_str!("foundation/0002_looks.sqlite.sql"),
};

/// How the relay knows the stream that it publishes to.
pub const RELAY: Script = Script {
    postgres: include_str!("foundation/0002_relay.postgres.sql"),
    sqlite: include_str!("foundation/0002_relay.sqlite.sql"),
};

/// How consumers work through workspaces side by side.
pub const CONSUMERS: Script = Script {
    postgres: include_str!("foundation/0002_consumers.postgres.sql"),
    sqlite: include_str!("foundation/0002_consumers.sqlite.sql"),
};

/// How the inbox is trimmed.
pub const INBOX: Script = Script {
    postgres: include_str!("foundation/0002_inbox.postgres.sql"),
    sqlite: include_str!("foundation/0002_inbox.sqlite.sql"),
};

/// The migration that takes in what 100,000 workspaces need.
pub const MANY_WORKSPACES: Migration = Migration {
    number: 2,
    name: "many workspaces",
    scripts: &[LOOKS, RELAY, CONSUMERS, INBOX],
    oldest: 1,
    backfill: None,
};

/// What refers to what.
pub const LINKS: Script = Script {
    postgres: include_str!("foundation/0003_links.postgres.sql"),
    sqlite: include_str!("foundation/0003_links.sqlite.sql"),
};

/// The migration that takes in links, those of the rows of a first table.
pub const fn links(backfill: Backfill) -> Migration {
    Migration { number: 3, name: "links", scripts: &[LINKS], oldest: 1, backfill: Some(backfill) }
}

/// A migration that fills in the rows of a further table, after the one that made what they lack.
pub const fn further(number: i64, oldest: i64, backfill: Backfill) -> Migration {
    Migration { number, name: backfill.name, scripts: &[], oldest, backfill: Some(backfill) }
}

/// Links by their target; those that must not lead back by their referrer, too.
pub const LINKS_BY_TARGET: Script = Script {
    postgres: include_str!("foundation/0004_links_by_target.postgres.sql"),
    sqlite: include_str!("foundation/0004_links_by_target.sqlite.sql"),
};

/// The log without indexes of what goes with its revisions.
pub const LOG_BY_REVISION: Script = Script {
    postgres: include_str!("foundation/0004_log_by_revision.postgres.sql"),
    sqlite: include_str!("foundation/0004_log_by_revision.sqlite.sql"),
};

/// The migration that leaves each write fewer indexes to keep, and lets what is kept in order be counted.
pub const fn fewer_indexes(number: i64) -> Migration {
    let scripts = &[LINKS_BY_TARGET, LOG_BY_REVISION, TALLIES];
    Migration { number, name: "fewer indexes", scripts, oldest: 1, backfill: None }
}

/// How many resources have values that begin alike.
pub const TALLIES: Script = Script {
    postgres: include_str!("foundation/0005_tallies.postgres.sql"),
    sqlite: include_str!("foundation/0005_tallies.sqlite.sql"),
};

/// Resources by their labels.
pub const LABELS: Script = Script {
    postgres: include_str!("foundation/0006_labels.postgres.sql"),
    sqlite: include_str!("foundation/0006_labels.sqlite.sql"),
};

/// How far tables of other services are mirrored.
pub const MIRRORS: Script = Script::both(include_str!("foundation/0007_mirrors.sql"));

/// What trimming leaves of logs for revisions that are held.
pub const HELD_EVENTS: Script = Script::both(include_str!("foundation/0008_held_events.sql"));

/// The migration that takes that in.
pub const fn held_events(number: i64, oldest: i64) -> Migration {
    Migration { number, name: "held events", scripts: &[HELD_EVENTS], oldest, backfill: None }
}

/// What was decided, in rows that stay.
pub const AUDIT: Script = Script {
    postgres: include_str!("foundation/0009_audit.postgres.sql"),
    sqlite: include_str!("foundation/0009_audit.sqlite.sql"),
};

/// The migration that takes that in.
pub const fn audit(number: i64, oldest: i64) -> Migration {
    Migration { number, name: "audit", scripts: &[AUDIT], oldest, backfill: None }
}

/// What the past is looked up by.
pub const TRACED: Script = Script::both(include_str!("foundation/0010_traced.sql"));

/// The migration that takes that in, beside what the service's own tables have of it.
pub const fn traced(number: i64, scripts: &'static [Script]) -> Migration {
    // A program of before would leave it out of what it writes.
    Migration { number, name: "traced", scripts, oldest: number, backfill: None }
}

/// The migration that takes in labels, those of the rows of a first table; the others are [`further`].
pub const fn labels(number: i64, oldest: i64, backfill: Backfill) -> Migration {
    Migration { number, name: backfill.name, scripts: &[LABELS], oldest, backfill: Some(backfill) }
}

/// Every script, in order. A service's migrations must take in each.
pub const ALL: &[Script] = &[
    INITIAL,
    LOOKS,
    RELAY,
    CONSUMERS,
    INBOX,
    LINKS,
    LINKS_BY_TARGET,
    LOG_BY_REVISION,
    TALLIES,
    LABELS,
    MIRRORS,
    HELD_EVENTS,
    AUDIT,
    TRACED,
];

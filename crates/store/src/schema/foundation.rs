//! The tables every service has: revisions, the log, remembered requests, and what relay and consumers keep. Each
//! script is frozen; a service takes it in with the migration that lists it.

use super::Script;

/// All of them as they were first.
pub const INITIAL: Script = Script {
    postgres: include_str!("foundation/0001_initial.postgres.sql"),
    sqlite: include_str!("foundation/0001_initial.sqlite.sql"),
};

/// Every script, in order. A service's migrations must take in each.
pub const ALL: &[Script] = &[INITIAL];

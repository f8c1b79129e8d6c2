//! A host for services in the test's own process, whose time stands still and whose identifiers repeat.

use chrono::{DateTime, Utc};
use waymark_clock::{Clock, Ids, ManualClock};
use waymark_runtime::Host;

/// The time at which every test begins: Monday, 2 March 2026, 09:00 UTC.
pub const NOW: DateTime<Utc> = match DateTime::from_timestamp(1_772_442_000, 0) {
    Some(now) => now,
    None => panic!("a constant in range"),
};

/// A host at [`NOW`] with identifiers from `seed`, and the hand that moves its clock.
///
/// # Panics
/// When metrics cannot be set up, which needs nothing from outside.
pub fn host(seed: u64) -> (Host, ManualClock) {
    crate::logs::of_this_process();
    let (clock, hand) = Clock::manual(NOW);
    match Host::local(clock, Ids::seeded(seed)) {
        Ok(host) => (host, hand),
        Err(error) => panic!("metrics cannot be set up: {error:#}"),
    }
}

//! New identifiers, as a value that is passed in: random, or repeatable from a seed for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Makes identifiers. Cheap to clone; clones share the sequence.
#[derive(Debug, Clone)]
pub struct Ids(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Seeded(Arc<AtomicU64>),
}

impl Ids {
    /// Identifiers from the operating system's random source.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The same sequence of identifiers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(AtomicU64::new(seed))))
    }

    /// A version 7 UUID: sorts by `now` to the millisecond, so it keeps index inserts local.
    pub fn at(&self, now: DateTime<Utc>) -> Uuid {
        let random = self.random().to_be_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        uuid::Builder::from_unix_timestamp_millis(now.timestamp_millis().max(0) as u64, &tail).into_uuid()
    }

    /// A version 4 UUID: says nothing of when it was made.
    pub fn opaque(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random().to_be_bytes()).into_uuid()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the random source")]
    fn random(&self) -> u128 {
        match &self.0 {
            Source::System => Uuid::new_v4().as_u128().rotate_left(64) ^ Uuid::new_v4().as_u128(),
            Source::Seeded(state) => (u128::from(split_mix(state)) << 64) | u128::from(split_mix(state)),
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one atomic addition a number, so clones on several threads never repeat one.
fn split_mix(state: &AtomicU64) -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_never_an_identifier() {
        let (one, same, other) = (Ids::seeded(7), Ids::seeded(7), Ids::seeded(8));
        let first: Vec<Uuid> = (0..100).map(|_| one.opaque()).collect();
        assert_eq!(first, (0..100).map(|_| same.opaque()).collect::<Vec<_>>());
        assert!((0..100).all(|_| !first.contains(&other.opaque())));
        assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 100);
    }

    #[test]
    fn version_7_sorts_by_time() {
        let ids = Ids::system();
        let at = |millis| ids.at(DateTime::from_timestamp_millis(millis).unwrap());
        assert!(at(1_000) < at(1_001));
        assert_eq!((at(5).get_version_num(), ids.opaque().get_version_num()), (7, 4));
    }
}

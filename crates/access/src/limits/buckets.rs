//! Token buckets: each holds at most its burst and fills at its rate; a call takes what it costs.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shards, so that callers seldom wait for one another.
const SHARDS: usize = 16;
/// Buckets of a shard that are kept without looking whether they are full, which one that is left alone gets.
const KEPT: usize = 1_024;

/// How much there is: so many units a second on average, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Units a second on average; more than 0.
    pub rate: f64,
    /// Units at once after a pause; more than 0.
    pub burst: f64,
}

/// The buckets that are not full, by whose they are: nobody's is remembered for longer than it takes to fill, so memory is
/// bounded by those who ask within that time.
#[derive(Debug)]
pub struct Buckets<K> {
    shards: [Mutex<Shard<K>>; SHARDS],
    hashing: RandomState,
}

#[derive(Debug)]
struct Shard<K> {
    buckets: HashMap<K, Bucket>,
    /// With how many it is looked which of them are full.
    looked_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    units: f64,
    filled: Instant,
    allowance: Allowance,
}

impl Allowance {
    /// How much a bucket must hold for a call. One that costs more than it ever holds is made when it is full.
    fn enough(&self, cost: f64) -> f64 {
        cost.min(self.burst)
    }
}

impl<K: Hash + Eq> Default for Buckets<K> {
    fn default() -> Self {
        let shard = || Mutex::new(Shard { buckets: HashMap::new(), looked_at: KEPT });
        Self { shards: std::array::from_fn(|_| shard()), hashing: RandomState::new() }
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes `cost` out of the bucket of `whose`.
    ///
    /// # Errors
    /// How long it takes until there is enough; nothing was taken.
    pub fn take<Q>(&self, whose: &Q, cost: f64, allowance: Allowance, now: Instant) -> Result<(), Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut shard = self.shard(whose);
        let units = shard.has(whose, cost, allowance, now)?;
        shard.keep(whose, Bucket { units: units - cost, filled: now, allowance }, now);
        Ok(())
    }

    /// Whether `cost` could be taken.
    ///
    /// # Errors
    /// How long it takes until there is enough.
    pub fn has<Q>(&self, whose: &Q, cost: f64, allowance: Allowance, now: Instant) -> Result<(), Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shard(whose).has(whose, cost, allowance, now).map(|_| ())
    }

    /// Puts back what was taken for a call that is not made.
    pub(super) fn give_back<Q>(&self, whose: &Q, cost: f64)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(bucket) = self.shard(whose).buckets.get_mut(whose) {
            bucket.units += cost;
        }
    }

    fn shard<Q: Hash + ?Sized>(&self, whose: &Q) -> MutexGuard<'_, Shard<K>> {
        let at = self.hashing.hash_one(whose) % SHARDS as u64;
        // A panic while holding the lock leaves usable buckets: every step keeps them whole.
        self.shards[at as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().buckets.len()).sum()
    }
}

impl Bucket {
    fn units(&self, now: Instant) -> f64 {
        let filled = now.saturating_duration_since(self.filled).as_secs_f64() * self.allowance.rate;
        (self.units + filled).min(self.allowance.burst)
    }
}

impl<K: Hash + Eq> Shard<K> {
    /// What a bucket holds, if that is enough.
    fn has<Q>(&self, whose: &Q, cost: f64, allowance: Allowance, now: Instant) -> Result<f64, Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let units = self.buckets.get(whose).map_or(allowance.burst, |bucket| bucket.units(now).min(allowance.burst));
        let lacking = allowance.enough(cost) - units;
        // What an addition of small parts lacks is nothing.
        if lacking > 1e-9 { Err(Duration::from_secs_f64(lacking / allowance.rate)) } else { Ok(units) }
    }

    fn keep<Q>(&mut self, whose: &Q, bucket: Bucket, now: Instant)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(kept) = self.buckets.get_mut(whose) {
            *kept = bucket;
            return;
        }
        if self.buckets.len() >= self.looked_at {
            self.buckets.retain(|_, bucket| bucket.units(now) < bucket.allowance.burst);
            // Not again before there are twice as many: looking costs what they cost to come.
            self.looked_at = (self.buckets.len() * 2).max(KEPT);
        }
        self.buckets.insert(whose.to_owned(), bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Allowance = Allowance { rate: 10.0, burst: 20.0 };

    #[test]
    fn a_bucket_is_emptied_by_what_calls_cost_and_filled_by_time() {
        let (buckets, start) = (Buckets::<String>::default(), Instant::now());
        assert_eq!(buckets.take("ada", 15.0, TEN, start), Ok(()));
        assert_eq!(buckets.take("ada", 10.0, TEN, start), Err(Duration::from_millis(500)));
        assert_eq!(buckets.take("ada", 5.0, TEN, start), Ok(()), "what was refused has cost nothing");
        assert_eq!(buckets.take("bob", 20.0, TEN, start), Ok(()), "another has its own");
        let later = start + Duration::from_millis(500);
        assert_eq!(buckets.take("ada", 5.0, TEN, later), Ok(()));
        assert!(buckets.take("ada", 1.0, TEN, later).is_err());
        assert_eq!(buckets.take("ada", 20.0, TEN, start + Duration::from_hours(1)), Ok(()), "no more than the burst");
        assert!(buckets.take("ada", 1.0, TEN, start + Duration::from_hours(1)).is_err());
        buckets.give_back("ada", 3.0);
        assert_eq!(buckets.take("ada", 3.0, TEN, start + Duration::from_hours(1)), Ok(()));
    }

    #[test]
    fn what_costs_more_than_a_bucket_holds_is_done_when_it_is_full_and_paid_for_afterwards() {
        let (buckets, start) = (Buckets::<String>::default(), Instant::now());
        assert_eq!(buckets.take("ada", 50.0, TEN, start), Ok(()));
        assert_eq!(buckets.take("ada", 1.0, TEN, start), Err(Duration::from_millis(3_100)));
        assert_eq!(buckets.take("ada", 50.0, TEN, start + Duration::from_secs(4)), Err(Duration::from_secs(1)));
        assert_eq!(buckets.take("ada", 50.0, TEN, start + Duration::from_secs(5)), Ok(()));
    }

    #[test]
    fn a_bucket_with_another_allowance_keeps_what_was_taken() {
        let (buckets, start) = (Buckets::<String>::default(), Instant::now());
        assert_eq!(buckets.take("ada", 20.0, TEN, start), Ok(()));
        let wider = Allowance { rate: 100.0, burst: 200.0 };
        assert_eq!(buckets.take("ada", 10.0, wider, start), Err(Duration::from_millis(100)));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let (buckets, start) = (Buckets::<String>::default(), Instant::now());
        let later = start + Duration::from_secs(1);
        for i in 0..SHARDS * KEPT {
            buckets.take(format!("before/{i}").as_str(), 1.0, TEN, start).unwrap();
        }
        for i in 0..SHARDS * KEPT * 3 {
            buckets.take(format!("after/{i}").as_str(), 1.0, TEN, later).unwrap();
        }
        assert_eq!(buckets.len(), SHARDS * KEPT * 3);
    }
}

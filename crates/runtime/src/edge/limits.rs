//! What one server takes on: calls at once, calls a second by one principal, bytes a message. More is refused, never
//! queued.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use waymark_rpc::status::Reason;

use super::answer::overloaded;
use crate::config::LimitArgs;

/// Largest request message of an ordinary service, for `max_decoding_message_size`.
pub const MESSAGE_BYTES: usize = 1024 * 1024;

/// Largest request message of a service that takes data in bulk: ingest and import.
pub const BULK_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Principals whose rate is remembered; when there are more, those with a full bucket are forgotten, which changes
/// nothing for them.
const PRINCIPALS: usize = 10_000;

/// Calls being worked on.
#[derive(Debug)]
pub(super) struct Concurrency {
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Concurrency {
    pub(super) fn new(args: &LimitArgs) -> Self {
        // The semaphore's own maximum is far beyond any number of calls.
        let limit = args.max_concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(limit)), limit }
    }

    /// A permit held while the call is worked on, or the refusal.
    pub(super) fn admit(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            let message = format!(
                "the server is working on {} calls already, its limit; try again after the delay given",
                self.limit
            );
            overloaded(Reason::Overloaded, message, Duration::from_millis(200))
        })
    }
}

/// A token bucket for each principal.
#[derive(Debug)]
pub(super) struct Rates {
    /// Tokens a second; zero for no limit.
    rate: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rates {
    pub(super) fn new(args: &LimitArgs) -> Self {
        Self { rate: f64::from(args.rate_limit), burst: f64::from(args.rate_burst.max(1)), buckets: Mutex::default() }
    }

    /// Takes one token of `principal`, or refuses with the time until there is one.
    pub(super) fn take(&self, principal: &str, now: Instant) -> Result<(), Status> {
        if self.rate == 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= PRINCIPALS && !buckets.contains_key(principal) {
            buckets.retain(|_, bucket| self.tokens(*bucket, now) < self.burst);
        }
        let full = Bucket { tokens: self.burst, filled: now };
        let bucket = match buckets.get_mut(principal) {
            Some(bucket) => bucket,
            None => buckets.entry(principal.to_owned()).or_insert(full),
        };
        *bucket = Bucket { tokens: self.tokens(*bucket, now), filled: now };
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let message =
            format!("{principal} makes more than {} calls a second; try again after the delay given", self.rate);
        Err(overloaded(Reason::Overloaded, message, Duration::from_secs_f64((1.0 - bucket.tokens) / self.rate)))
    }

    fn tokens(&self, bucket: Bucket, now: Instant) -> f64 {
        (bucket.tokens + now.saturating_duration_since(bucket.filled).as_secs_f64() * self.rate).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    fn rates(rate_limit: u32, rate_burst: u32) -> Rates {
        Rates::new(&LimitArgs { rate_limit, rate_burst, ..LimitArgs::default() })
    }

    #[test]
    fn a_bucket_refills_at_its_rate_and_is_one_principal_s() {
        let (rates, start) = (rates(10, 2), Instant::now());
        assert!(rates.take("users/ada", start).is_ok() && rates.take("users/ada", start).is_ok());
        let refused = rates.take("users/ada", start).unwrap_err();
        assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(100)));
        assert!(rates.take("users/bob", start).is_ok(), "another principal has its own");
        let later = start + Duration::from_millis(101);
        assert!(rates.take("users/ada", later).is_ok());
        assert!(rates.take("users/ada", later).is_err());
    }

    #[test]
    fn idle_principals_are_forgotten() {
        let (rates, start) = (rates(10, 1), Instant::now());
        for i in 0..PRINCIPALS {
            assert!(rates.take(&format!("users/{i}"), start).is_ok());
        }
        assert!(rates.take("users/new", start + Duration::from_secs(1)).is_ok());
        assert_eq!(rates.buckets.lock().unwrap().len(), 1);
    }
}

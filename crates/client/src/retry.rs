//! When a call is repeated and after how long. Retries are paid from a budget that successes fill, so that a service
//! that is down sees hardly more calls than one that is up.

use std::sync::Mutex;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::request_id;

/// Tokens a fresh channel has, and the most it can save.
const MOST: f64 = 10.0;
/// What one success adds: in the long run at most one retry per ten successes.
const PER_SUCCESS: f64 = 0.1;
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// The retry budget of a channel, shared by its clones.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<f64>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(MOST))
    }

    pub(crate) fn succeeded(&self) {
        let mut tokens = self.tokens();
        *tokens = (*tokens + PER_SUCCESS).min(MOST);
    }

    /// Takes what one retry costs; false when there is not enough left.
    pub(crate) fn take(&self) -> bool {
        let mut tokens = self.tokens();
        let enough = *tokens >= 1.0;
        if enough {
            *tokens -= 1.0;
        }
        enough
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, f64> {
        // A plain number is whole whatever panicked while it was locked.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How long to wait before the next attempt; `None` when the failure is final. `failures` counts from 1.
pub(crate) fn delay(status: &Status, failures: u32) -> Option<Duration> {
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Unavailable => {}
        // Without RetryInfo it is a quota or a size: the same call would be refused again.
        Code::ResourceExhausted if asked.is_some() => {}
        _ => return None,
    }
    Some(backoff(failures, asked))
}

/// Exponential with full jitter; at least what the service asked for, and then a little more so that callers do not
/// return together.
pub(crate) fn backoff(failures: u32, asked: Option<Duration>) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    match asked {
        Some(asked) => asked + ceiling.mul_f64(random()),
        None => ceiling.mul_f64(random().max(0.1)),
    }
}

/// Uniform in 0..1, from the 48 leading random bits of an id.
fn random() -> f64 {
    (request_id::fresh().as_u64_pair().0 >> 16) as f64 / (1_u64 << 48) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn budget_runs_out_and_fills_slowly() {
        let budget = Budget::new();
        assert_eq!((0..20).filter(|_| budget.take()).count(), 10);
        for _ in 0..11 {
            budget.succeeded();
        }
        assert!(budget.take());
        assert!(!budget.take());
    }

    #[test]
    fn waits_at_least_as_asked() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(500)));
        let status = Status::with_error_details(Code::ResourceExhausted, "busy", details);
        for failures in 1..6 {
            assert!(delay(&status, failures).unwrap() >= Duration::from_millis(500));
        }
    }

    #[test]
    fn final_failures_are_final() {
        for status in
            [Status::not_found(""), Status::resource_exhausted("too large"), Status::internal(""), Status::aborted("")]
        {
            assert_eq!(delay(&status, 1), None);
        }
    }

    #[test]
    fn backoff_is_bounded_and_spread() {
        let waits: Vec<Duration> = (0..50).map(|_| backoff(40, None)).collect();
        assert!(waits.iter().all(|w| *w <= LONGEST));
        assert!(waits.iter().max() > waits.iter().min());
    }
}

//! The time, as a value that is passed in: the system's, or one a test moves by hand.
//!
//! Times are truncated to microseconds, the resolution PostgreSQL keeps, so that what was written equals what is read
//! back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    /// Microseconds it is ahead.
    System(i64),
    /// Microseconds since the epoch, and how many more each time it is read.
    Manual(Arc<AtomicI64>, i64),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System(0))
    }

    /// The system's clock put forward, or back by a negative time: as a replica tells it whose clock is wrong.
    pub fn skewed(ahead: TimeDelta) -> Self {
        Self(Source::System(ahead.num_microseconds().unwrap_or(0)))
    }

    /// A clock that stands at `start` until its [`ManualClock`] moves it.
    pub fn manual(start: DateTime<Utc>) -> (Self, ManualClock) {
        let micros = Arc::new(AtomicI64::new(start.timestamp_micros()));
        (Self(Source::Manual(Arc::clone(&micros), 0)), ManualClock(micros))
    }

    /// A clock that stands at `start` and moves on by `step` each time it is read.
    pub fn ticking(start: DateTime<Utc>, step: Duration) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_micros())), step.as_micros() as i64))
    }

    /// The time now, truncated to microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.0 {
            Source::System(ahead) => system_micros() + ahead,
            Source::Manual(micros, step) => micros.fetch_add(*step, Ordering::SeqCst),
        };
        // The fallback is unreachable before the year 262,000; a saturated time is better than a panic in the middle of
        // a request.
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_micros() -> i64 {
    Utc::now().timestamp_micros()
}

/// The hand that moves a manual clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }

    /// Sets the clock, also backward.
    pub fn set(&self, to: DateTime<Utc>) {
        self.0.store(to.timestamp_micros(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let start = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        let (clock, hand) = Clock::manual(start);
        assert_eq!(clock.now().timestamp_subsec_nanos(), 123_456_000, "truncated to microseconds");
        assert_eq!(clock.now(), clock.now());
        hand.advance(Duration::from_mins(1));
        assert_eq!((clock.now() - start).num_seconds(), 59, "60 s less the truncated nanoseconds");
    }

    #[test]
    fn a_ticking_clock_moves_when_it_is_read() {
        let clock = Clock::ticking(DateTime::UNIX_EPOCH, Duration::from_millis(3));
        let read: Vec<_> = (0..3).map(|_| clock.now().timestamp_millis()).collect();
        assert_eq!(read, [0, 3, 6]);
    }

    #[test]
    fn the_system_clock_has_no_nanoseconds() {
        assert_eq!(Clock::system().now().timestamp_subsec_nanos() % 1_000, 0);
    }
}

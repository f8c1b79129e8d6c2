//! The keys of an issuer as they were last read, and when they are read again. Who reads them is `fetch`'s affair.
//!
//! Keys that were read are kept until others are: an issuer that is away takes nothing from anybody. They are read
//! again
//! - every five minutes ([`REFRESH`]), whatever else happens, which finds a key that was changed under its old id or
//!   taken back;
//! - when a token names a key that is not among them, but at most once in 30 seconds ([`ASK`]), so that tokens with
//!   invented ids cost the issuer nothing; each reading, whatever it was for, answers all who ask, so a new key is seen
//!   within that time.
//!
//! Until the first have been read they are asked for after 1, 2, 4, 8, 16 and then 30 seconds. A file is looked at
//! every two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::key::KeySet;
use crate::settings::{Place, Source};

/// How often keys are read, whether or not anybody asks.
const REFRESH: TimeDelta = TimeDelta::minutes(5);
/// How often keys are read at most.
const ASK: TimeDelta = TimeDelta::seconds(30);
/// How often a file is looked at.
const LOOK: TimeDelta = TimeDelta::seconds(2);

#[derive(Debug)]
pub(crate) struct Keyring {
    pub(crate) source: Source,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// Somebody named a key that is not there.
    asked: bool,
    reading: bool,
    /// When reading began last.
    began: Option<DateTime<Utc>>,
    /// When keys were read last.
    read: Option<DateTime<Utc>>,
    /// How often reading failed since then.
    failures: u32,
    /// What was told of the last failure.
    told: Option<String>,
}

/// What became of reading keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They are others than before.
    Changed,
    /// They are those of before.
    Same,
    /// There are none, which is known.
    StillAway,
    /// There are none, which is news.
    Away,
}

impl Keyring {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, state: Mutex::default() }
    }

    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        self.state().keys.clone()
    }

    /// When keys were read last.
    pub(crate) fn read(&self) -> Option<DateTime<Utc>> {
        self.state().read
    }

    /// Has the keys read again as soon as they may be. Whether that is news.
    pub(crate) fn ask(&self) -> bool {
        !std::mem::replace(&mut self.state().asked, true)
    }

    /// Whether the keys should be read now; if so, it is noted that they are.
    pub(crate) fn begin(&self, now: DateTime<Utc>) -> bool {
        let mut state = self.state();
        if state.reading || !state.is_due(&self.source.place, now) {
            return false;
        }
        state.reading = true;
        state.asked = false;
        state.began = Some(now);
        true
    }

    /// Notes what was read, or why nothing was.
    pub(crate) fn finish(&self, result: Result<KeySet, String>, now: DateTime<Utc>) -> Outcome {
        let mut state = self.state();
        state.reading = false;
        match result {
            Ok(keys) => {
                state.read = Some(now);
                state.failures = 0;
                state.told = None;
                if state.keys.as_deref() == Some(&keys) {
                    return Outcome::Same;
                }
                state.keys = Some(Arc::new(keys));
                Outcome::Changed
            }
            Err(why) => {
                state.failures = state.failures.saturating_add(1);
                if state.told.as_ref() == Some(&why) {
                    return Outcome::StillAway;
                }
                state.told = Some(why);
                Outcome::Away
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_due(&self, place: &Place, now: DateTime<Utc>) -> bool {
        let Some(began) = self.began else { return true };
        let since = now - began;
        // The clock went back: how long ago it was nobody knows.
        if since < TimeDelta::zero() {
            return true;
        }
        if matches!(place, Place::File(_)) {
            return since >= LOOK;
        }
        match (&self.keys, self.failures) {
            (None, failures) => since >= ASK.min(TimeDelta::seconds(1_i64 << failures.saturating_sub(1).min(5))),
            (Some(_), 0) => since >= if self.asked { ASK } else { REFRESH },
            (Some(_), _) => since >= ASK,
        }
    }
}

//! What was seen that is not expected and is not written down yet, by workspace. Counting costs no write; what is due to
//! be written is what is new, what has doubled, and what was written an hour ago, so a log grows little however much is
//! wrong.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use waymark_domain::WorkspaceId;
use waymark_domain::metrics::{Sighting, TrackingViolation, ViolationKey};

/// After how long more of the same is written down, at the latest.
const HELD: TimeDelta = TimeDelta::hours(1);

/// What was seen.
#[derive(Default)]
pub struct Sightings(Mutex<HashMap<WorkspaceId, HashMap<ViolationKey, Waiting>>>);

#[derive(Default)]
struct Waiting {
    seen: Sighting,
    /// How many were written down by this process, and when the last of them were.
    written: u64,
    at: Option<DateTime<Utc>>,
}

/// What is to be written down.
pub struct Due {
    /// What it is.
    pub key: ViolationKey,
    /// What was seen of it since it was last written.
    pub seen: Sighting,
}

impl Sightings {
    /// Counts what a call brought. What is new in a workspace that has as many as can be listed is left out.
    pub fn add(&self, workspace: &WorkspaceId, found: HashMap<ViolationKey, Sighting>) {
        if found.is_empty() {
            return;
        }
        let mut all = self.all();
        let waiting = all.entry(workspace.clone()).or_default();
        for (key, seen) in found {
            if waiting.len() < TrackingViolation::MOST || waiting.contains_key(&key) {
                waiting.entry(key).or_default().seen.add(seen);
            }
        }
    }

    /// What is kept stays whole whoever panics beside it: what is lost with a panic is a count.
    fn all(&self) -> MutexGuard<'_, HashMap<WorkspaceId, HashMap<ViolationKey, Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is due to be written down, or `all` of it, and forgets what was written long ago.
    pub fn due(&self, now: DateTime<Utc>, all: bool) -> BTreeMap<WorkspaceId, Vec<Due>> {
        let mut due: BTreeMap<WorkspaceId, Vec<Due>> = BTreeMap::new();
        self.all().retain(|workspace, waiting| {
            waiting.retain(|key, waiting| {
                let is_old = waiting.at.is_none_or(|at| now - at >= HELD);
                if waiting.seen.count == 0 {
                    return !is_old;
                }
                if all || is_old || waiting.seen.count >= waiting.written {
                    let seen = std::mem::take(&mut waiting.seen);
                    waiting.written = waiting.written.saturating_add(seen.count);
                    waiting.at = Some(now);
                    due.entry(workspace.clone()).or_default().push(Due { key: key.clone(), seen });
                }
                true
            });
            !waiting.is_empty()
        });
        due
    }

    /// Takes back what could not be written down; it is due at once.
    pub fn take_back(&self, workspace: &WorkspaceId, due: Vec<Due>) {
        let mut all = self.all();
        let waiting = all.entry(workspace.clone()).or_default();
        for Due { key, mut seen } in due {
            let waiting = waiting.entry(key).or_default();
            waiting.written = waiting.written.saturating_sub(seen.count);
            waiting.at = None;
            seen.add(std::mem::take(&mut waiting.seen));
            waiting.seen = seen;
        }
    }
}

#[cfg(test)]
mod tests {
    use waymark_domain::metrics::TrackingViolationKind;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn workspace() -> WorkspaceId {
        "workspaces/acme".parse().unwrap()
    }

    fn see(sightings: &Sightings, event: &str, count: u64) {
        let key =
            ViolationKey { kind: TrackingViolationKind::UnknownEvent, event: event.into(), property: String::new() };
        sightings.add(&workspace(), [(key, Sighting { count, ..Sighting::default() })].into());
    }

    fn due(sightings: &Sightings, minutes: i64, all: bool) -> Vec<u64> {
        let due = sightings.due(now() + TimeDelta::minutes(minutes), all);
        due.into_values().flatten().map(|due| due.seen.count).collect()
    }

    #[test]
    fn what_is_new_is_due_at_once_and_then_when_it_doubled_or_after_an_hour() {
        let sightings = Sightings::default();
        see(&sightings, "a", 10);
        assert_eq!(due(&sightings, 0, false), [10]);
        see(&sightings, "a", 9);
        assert!(due(&sightings, 1, false).is_empty());
        see(&sightings, "a", 1);
        assert_eq!(due(&sightings, 2, false), [10], "it doubled");
        see(&sightings, "a", 1);
        assert!(due(&sightings, 61, false).is_empty());
        assert_eq!(due(&sightings, 62, false), [1]);
        see(&sightings, "a", 1);
        assert_eq!(due(&sightings, 63, true), [1], "all of it when the process ends");
        assert!(due(&sightings, 63, true).is_empty());
    }

    #[test]
    fn what_was_not_written_is_due_again_and_nothing_is_counted_twice() {
        let sightings = Sightings::default();
        see(&sightings, "a", 10);
        let taken = sightings.due(now(), false).remove(&workspace()).unwrap();
        see(&sightings, "a", 1);
        sightings.take_back(&workspace(), taken);
        let taken = sightings.due(now(), false).remove(&workspace()).unwrap();
        assert_eq!((taken.len(), taken[0].seen.count), (1, 11));
        assert!(sightings.due(now(), true).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let sightings = Sightings::default();
        for number in 0..TrackingViolation::MOST + 10 {
            see(&sightings, &format!("event {number}"), 1);
        }
        assert_eq!(due(&sightings, 0, false).len(), TrackingViolation::MOST);
        see(&sightings, "one more", 1);
        assert!(due(&sightings, 1, false).is_empty());
        assert!(due(&sightings, 61, false).is_empty());
        see(&sightings, "one more", 1);
        assert_eq!(due(&sightings, 62, false), [1]);
    }
}

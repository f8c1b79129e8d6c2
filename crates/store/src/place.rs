//! A place in the order in which rows of the log turn up, and how far a process has looked; `looks` looks on from there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a process has looked.
#[derive(Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<Seen>>);

#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// None before the first look.
    pub(crate) place: Option<Place>,
    /// The last workspace that the walk through all has come by.
    pub(crate) walked: String,
}

/// A place in the order in which rows of the log turn up.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// Everything from this transaction (on SQLite: row) on is still to come.
    pub(crate) next: i64,
    /// Earlier transactions that are under way.
    pub(crate) open: Vec<i64>,
}

impl Looks {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Of a `pg_snapshot` as text, `xmin:xmax:xip_list`.
    pub(crate) fn of(snapshot: &str) -> Option<Self> {
        let mut parts = snapshot.splitn(3, ':').skip(1);
        let next = parts.next()?.parse().ok()?;
        let open = parts.next()?.split_terminator(',').map(|id| id.parse().ok()).collect::<Option<_>>()?;
        Some(Self { next, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_says_what_is_still_to_come() {
        let place = |snapshot| Place::of(snapshot).map(|place| (place.next, place.open));
        assert_eq!(place("10:20:10,14,15"), Some((20, vec![10, 14, 15])));
        assert_eq!(place("795:795:"), Some((795, vec![])));
        assert_eq!(place("795"), None);
        assert_eq!(place("1:2:x"), None);
    }
}

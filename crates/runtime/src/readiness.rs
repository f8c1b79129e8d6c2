//! Whether the process may be sent traffic: it may when every latch has been dropped (after linkerd2-proxy's
//! readiness).
//!
//! A part that is not ready holds a [`Latch`] that names it; dropping the latch, also by returning early with an error,
//! says it is done. There are no states to keep in step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What the process waits for. Cheap to clone; clones share the latches.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    held: Mutex<Held>,
    ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    latches: Vec<(u64, String)>,
}

impl Readiness {
    /// Ready, as nothing is waited for yet.
    pub fn new() -> Self {
        Self(Arc::new(Inner { held: Mutex::default(), ready: watch::channel(true).0 }))
    }

    /// Makes the process not ready until the latch is dropped. `name` is shown to the operator, such as `roadmap:
    /// schema`.
    pub fn latch(&self, name: impl Into<String>) -> Latch {
        let mut held = self.held();
        let id = held.next;
        held.next += 1;
        held.latches.push((id, name.into()));
        self.0.ready.send_replace(false);
        Latch { readiness: self.clone(), id }
    }

    /// Names of what is waited for; empty when ready.
    pub fn waiting_for(&self) -> Vec<String> {
        self.held().latches.iter().map(|(_, name)| name.clone()).collect()
    }

    /// Follows readiness as it changes.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.0.ready.subscribe()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A panic while the list is held leaves it whole: each change is a single push or remove.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps the process from being ready for as long as it lives.
#[derive(Debug)]
#[must_use = "the process is ready again as soon as the latch is dropped"]
pub struct Latch {
    readiness: Readiness,
    id: u64,
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut held = self.readiness.held();
        held.latches.retain(|(id, _)| *id != self.id);
        self.readiness.0.ready.send_replace(held.latches.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_the_last_latch_is_dropped() {
        let readiness = Readiness::new();
        let watch = readiness.watch();
        let (schema, relay) = (readiness.latch("schema"), readiness.latch("relay"));
        assert_eq!(readiness.waiting_for(), ["schema", "relay"]);
        drop(schema);
        assert_eq!((readiness.waiting_for(), *watch.borrow()), (vec!["relay".to_owned()], false));
        drop(relay);
        assert!(readiness.waiting_for().is_empty() && *watch.borrow());
    }
}

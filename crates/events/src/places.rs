//! How many events are worked on at once, over all workspaces. One that waits to be tried again takes no place.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Workspaces whose events are handled side by side.
const PLACES: usize = 32;

/// One who has it may work; it is free again when it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

/// Places for those who work, and the word that the work ends.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    end: CancellationToken,
}

impl Places {
    /// Places until `end`.
    pub(crate) fn new(end: CancellationToken) -> Self {
        Self { free: Arc::new(Semaphore::new(PLACES)), end }
    }

    /// A place, in the order of asking; `None` when the work ends.
    pub(crate) async fn take(&self) -> Option<Place> {
        // It is never closed.
        tokio::select! { biased; () = self.end.cancelled() => None, place = Arc::clone(&self.free).acquire_owned() => place.ok() }
    }

    /// Waits; false when the work ends.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        if time.is_zero() {
            // The timer would take a millisecond over it.
            return !self.is_ended();
        }
        tokio::select! { biased; () = self.end.cancelled() => false, () = tokio::time::sleep(time) => true }
    }

    /// Whether the work ends.
    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_cancelled()
    }

    /// Ends the work: what is at hand is finished, nothing is begun.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }
}

//! Who may relay, and who may consume.
//!
//! A lease only keeps two from working at once. Even if clocks lie and two relays hold it, no event is stored out of
//! order, as each is published for one place in the stream, nor twice, as the broker knows the message ids of the last
//! hour. Two consumers repeat what the inbox knows.

use std::time::{Duration, Instant};

use waymark_store::{Error, Store};

/// How long a lease holds without being renewed.
const TERM: Duration = Duration::from_secs(10);

/// A lease that this process wants.
pub(crate) struct Lease {
    name: String,
    holder: String,
    /// When it was last taken or renewed.
    since: Option<Instant>,
}

impl Lease {
    /// The lease `name` for `holder`, who is told from others by it.
    pub(crate) fn new(name: String, holder: String) -> Self {
        Self { name, holder, since: None }
    }

    /// Who wants it.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// When the lease was last taken or renewed, while it surely holds.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since.filter(|since| since.elapsed() < TERM)
    }

    /// Makes sure that the lease is held, if no other has it; asks the database only when a third of the term is over.
    pub(crate) async fn hold(&mut self, store: &Store) -> Result<bool, Error> {
        let asked = Instant::now();
        if self.since.is_some_and(|since| asked.duration_since(since) < TERM / 3) {
            return Ok(true);
        }
        let taken = store.hold_lease(&self.name, &self.holder, TERM).await?;
        self.since = taken.then_some(asked);
        Ok(taken)
    }

    /// Gives the lease up, so that another replica need not wait for its end.
    pub(crate) async fn release(&mut self, store: &Store) -> Result<(), Error> {
        self.since = None;
        store.release_lease(&self.name, &self.holder).await
    }
}

//! The end of the process, in steps that can only follow each other: announced, begun, drained; and forced at any time.
//!
//! *Announced*: the process is no longer ready, so load balancers look elsewhere, but it still serves. *Begun*:
//! listeners close, streams end with UNAVAILABLE, work in flight finishes. *Drained*: no call is left, so what served
//! the calls, such as the relay and the lake, may end too. *Forced*: what is still open is cut.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::tasks::Tasks;

/// Tells and asks whether the process is ending. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    announced: CancellationToken,
    begun: CancellationToken,
    drained: CancellationToken,
    forced: CancellationToken,
}

impl Shutdown {
    /// A process that is not ending.
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces the end and begins it after `delay`, the time load balancers need to notice.
    pub async fn begin_after(&self, delay: Duration) {
        self.announced.cancel();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.begin();
    }

    /// Begins the end at once.
    pub fn begin(&self) {
        self.announced.cancel();
        self.begun.cancel();
    }

    /// Cuts everything still open.
    pub fn force(&self) {
        self.begin();
        self.forced.cancel();
    }

    /// Whether the end has begun.
    pub fn is_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits until the end is announced.
    pub async fn announced(&self) {
        self.announced.cancelled().await;
    }

    /// Waits until the end begins; a stream or a loop selects on it.
    pub fn begun(&self) -> WaitForCancellationFutureOwned {
        self.begun.clone().cancelled_owned()
    }

    /// Tells that no call is left.
    pub(crate) fn drain(&self) {
        self.drained.cancel();
    }

    /// Waits until no call is left.
    pub fn drained(&self) -> WaitForCancellationFutureOwned {
        self.drained.clone().cancelled_owned()
    }

    /// Waits until what is open is to be cut.
    pub async fn forced(&self) {
        self.forced.cancelled().await;
    }

    /// The token that is cancelled when the end begins, for code that takes a token.
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Begins the end at the first SIGINT (Ctrl-C) or SIGTERM, and forces it at the second.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn on_signals(&self, delay: Duration, tasks: &Tasks) -> std::io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = self.clone();
        tasks.spawn_detached(async move {
            let mut next =
                async || tokio::select! { _ = interrupt.recv() => "SIGINT", _ = terminate.recv() => "SIGTERM" };
            let name = next().await;
            tracing::info!(signal = name, "shutting down; a second signal cuts what is in flight");
            tokio::select! { () = shutdown.begin_after(delay) => {} _ = next() => shutdown.force() }
            next().await;
            shutdown.force();
        });
        Ok(())
    }
}

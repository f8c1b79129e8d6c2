//! The handle of a server that serves: where it listens, and when it has drained.

use std::net::SocketAddr;

use tokio::sync::oneshot;

/// A server that serves.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stopped: oneshot::Receiver<()>,
}

impl Running {
    /// A server that listens at `address`, and the sender that says it has drained.
    pub(crate) fn at(address: SocketAddr) -> (Self, oneshot::Sender<()>) {
        let (ended, stopped) = oneshot::channel();
        (Self { address, stopped }, ended)
    }

    /// The address it listens on, with the port it was given when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has drained, which begins with the host's shutdown.
    pub async fn stopped(self) {
        // A sender dropped without a word is a server whose task panicked; it has stopped all the same, and its task
        // says why.
        let _ = self.stopped.await;
    }
}

//! The log's readers on real parts: both databases, a private nats-server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod consume;
mod relay;
mod watch;

use std::sync::Arc;

use waymark_events::Subscription;

/// A subscription that handles nothing, for what only reads.
fn nothing() -> Subscription {
    Subscription { consumer: "none", topics: Vec::new(), handler: Arc::new(|_| Box::pin(async { Ok(()) })) }
}

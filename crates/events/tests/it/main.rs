//! The log's readers on real parts: both databases, a private nats-server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod consume;
mod loss;
mod mirrors;
mod relay;
mod rewind;
mod side_by_side;
mod together;
mod watch;
mod world;

use std::sync::Arc;

use waymark_events::{Mirroring, Relay, Subscription};
use waymark_runtime::{EventArgs, Host};
use waymark_store::Store;
use waymark_testkit::NatsServer;

/// Relays the log of the roadmap service until the host shuts down.
async fn relay(host: &Host, store: &Store, nats: &NatsServer) {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let (holder, args) = (host.ids.opaque().to_string(), EventArgs::default());
    let relay = Relay::new(store.clone(), "roadmap", client, &args, holder, &host.telemetry.meter());
    host.tasks.spawn("roadmap: relay", relay.run(host.shutdown.drained()));
}

/// A subscription that handles nothing, for what only reads.
fn nothing() -> Subscription {
    let (mirror, handler) = (no_mirrors(), Arc::new(|_, _| Box::pin(async { Ok(()) }) as _));
    Subscription { consumer: "none", topics: Vec::new(), mirror, handler }
}

/// What a service does that mirrors nothing.
fn no_mirrors() -> Mirroring {
    Arc::new(|_| Box::pin(async { Ok(()) }))
}

//! Events of another service over JetStream, workspaces side by side and each in order, with the position kept in the
//! consuming service's own database. One replica consumes at a time; the others stand by.
//!
//! The broker's acknowledgements would not do: with many messages of a durable consumer in flight, none of them keeps
//! its place behind a failing one of its workspace, nor over a change of replica. The lease keeps two replicas from
//! working at once. If clocks lie and two do, an event is handled twice, which the inbox knows, and what the one before
//! saves is refused.

mod lanes;
mod receive;
mod session;
mod stream;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use waymark_runtime::Host;
use waymark_store::{Lease, Store};

use crate::attempt::{Intake, backoff};
use crate::causes::chain;
use crate::instruments::Instruments;
use crate::subscription::{Subscription, Topic};

/// Failures that are normal at start.
const QUIET: u32 = 8;
/// How long the lease holds without being renewed.
const TERM: Duration = Duration::from_secs(10);
/// How often one that stands by asks for the lease.
const STANDBY: Duration = Duration::from_secs(1);

/// Consumes until shutdown, through any outage.
pub async fn run(host: Host, store: Store, client: async_nats::Client, subscription: Subscription, topic: Topic) {
    let instruments = Instruments::new(&host, &subscription, &topic);
    let (consumer, source) = (subscription.consumer, topic.source);
    let intake = Arc::new(Intake { store: store.clone(), subscription, topic, instruments });
    let mut lease = Lease::new(format!("consumer/{consumer}/{source}"), host.ids.opaque().to_string(), TERM);
    let mut failures = 0;
    while !host.shutdown.is_begun() {
        let pause = match consume(&host, &client, &intake, &mut lease).await {
            Ok(()) => {
                failures = 0;
                STANDBY
            }
            Err(error) => {
                failures += 1;
                let error = chain(&error);
                // Before the source service made its stream there is nothing to consume; that is no fault.
                if failures < QUIET {
                    tracing::debug!(source, consumer, error, "no events to be had; trying again");
                } else {
                    tracing::warn!(source, consumer, error, "no events to be had; trying again");
                }
                backoff(failures)
            }
        };
        tokio::select! { () = host.shutdown.begun() => {} () = tokio::time::sleep(pause) => {} }
    }
    if let Err(error) = lease.release(&store).await {
        tracing::debug!(error = %chain(&error), "the consumer's lease runs out by itself");
    }
}

/// Consumes, if no other does, until shutdown or a failure.
async fn consume(
    host: &Host,
    client: &async_nats::Client,
    intake: &Arc<Intake>,
    lease: &mut Lease,
) -> Result<(), session::Ended> {
    if !lease.hold(&intake.store).await? {
        // How much waits is told by the one that consumes.
        intake.instruments.waiting(0);
        intake.instruments.behind(Duration::ZERO);
        return Ok(());
    }
    let ended = session::run(host, client, intake, lease).await;
    if ended.is_err() {
        // Another replica may reach what this one does not.
        lease.release(&intake.store).await?;
    }
    ended
}

//! Events of another service over JetStream: a durable pull consumer, acknowledged after the effect is committed,
//! redelivered with backoff, set aside as a dead letter when it keeps failing.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{AckKind, Message};
use futures::StreamExt as _;
use tokio::time::MissedTickBehavior;
use waymark_runtime::Host;
use waymark_store::Store;

use crate::attempt::{Attempt, Attempts, backoff};
use crate::envelope::{self, stream_name};
use crate::instruments::Instruments;
use crate::subscription::{Subscription, Topic};

/// Failures to subscribe that are normal at start.
const QUIET: u32 = 8;
/// How long the broker waits for an acknowledgement before it delivers again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often the broker is asked how many events wait.
const LOOK: Duration = Duration::from_secs(5);

/// Consumes until shutdown, through any outage.
pub async fn run(host: Host, store: Store, client: async_nats::Client, subscription: Subscription, topic: Topic) {
    let instruments = Instruments::new(&host, &subscription, &topic);
    let mut pause = 1;
    while !host.shutdown.is_begun() {
        match consume(&host, &store, &client, &subscription, &topic, &instruments).await {
            Ok(()) => pause = 1,
            Err(error) => {
                // Before the source service made its stream there is nothing to consume; that is no fault.
                if pause < QUIET {
                    tracing::debug!(
                        source = topic.source,
                        consumer = subscription.consumer,
                        error,
                        "no events to be had; trying again"
                    );
                } else {
                    tracing::warn!(
                        source = topic.source,
                        consumer = subscription.consumer,
                        error,
                        "no events to be had; trying again"
                    );
                }
                pause += 1;
            }
        }
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = tokio::time::sleep(backoff(pause)) => {}
        }
    }
}

async fn consume(
    host: &Host,
    store: &Store,
    client: &async_nats::Client,
    subscription: &Subscription,
    topic: &Topic,
    instruments: &Instruments,
) -> Result<(), String> {
    let context = async_nats::jetstream::new(client.clone());
    let config = pull::Config {
        durable_name: Some(subscription.consumer.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // In order: the next event is handed out when the one before is done.
        max_ack_pending: 1,
        // Unlimited, because giving up is done here, with a dead letter, and never by the broker, silently.
        max_deliver: -1,
        filter_subjects: topic.wanted().into_iter().filter_map(|t| envelope::subject_filter(topic.source, t)).collect(),
        ..pull::Config::default()
    };
    let mut consumer =
        context.create_consumer_on_stream(config, stream_name(topic.source)).await.map_err(|e| e.to_string())?;
    let mut messages = consumer.messages().await.map_err(|e| e.to_string())?;
    let mut attempts = Attempts::new(store.clone(), subscription.clone(), instruments.clone());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            () = host.shutdown.begun() => return Ok(()),
            message = messages.next() => message,
            // Also while nothing is delivered, as when the broker holds events back.
            _ = look.tick() => {
                tokio::select! {
                    () = host.shutdown.begun() => return Ok(()),
                    info = consumer.info() => if let Ok(info) = info {
                        instruments.waiting(info.num_pending + info.num_ack_pending as u64);
                    }
                }
                continue;
            }
        };
        let message = message.ok_or("the subscription ended")?.map_err(|e| e.to_string())?;
        let answer = receive(&message, &mut attempts).await;
        // The broker confirms the acknowledgement; if that is lost the event comes again and the inbox knows it.
        if let Err(error) = message.double_ack_with(answer).await {
            tracing::debug!(%error, "acknowledgement lost");
        }
    }
}

/// Handles a delivery and says what to tell the broker.
async fn receive(message: &Message, attempts: &mut Attempts) -> AckKind {
    let headers = message.headers.clone().unwrap_or_default();
    let attempt = match envelope::from_nats(&headers, &message.payload) {
        Ok((event, None)) => attempts.attempt(&event).await,
        Ok((event, Some(fault))) => attempts.refuse(&event, &fault.to_string()).await,
        Err(error) => {
            // Not an event of Waymark: it cannot be kept as one either, only reported.
            tracing::error!(subject = %message.subject, %error, "not an event; dropped");
            return AckKind::Term;
        }
    };
    match attempt {
        Attempt::Settled => AckKind::Ack,
        Attempt::Again(pause) => AckKind::Nak(Some(pause)),
    }
}

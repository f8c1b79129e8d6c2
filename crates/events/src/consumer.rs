//! Events of another service over JetStream: a durable pull consumer, acknowledged after the effect is committed,
//! redelivered with backoff, set aside as a dead letter when it keeps failing.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{AckKind, Message};
use futures::StreamExt as _;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;
use waymark_runtime::Host;
use waymark_store::{Received, Store};

use crate::feed::{ATTEMPTS, backoff, chain, handle, is_outage, wanted};
use crate::{Subscription, Topic, envelope, stream_name};

/// Failures to subscribe that are normal at start.
const QUIET: u32 = 8;
/// How long the broker waits for an acknowledgement before it delivers again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often the broker is asked how many events wait.
const LOOK: Duration = Duration::from_secs(5);

/// Consumes until shutdown, through any outage.
pub(crate) async fn run(
    host: Host,
    store: Store,
    client: async_nats::Client,
    subscription: Subscription,
    topic: Topic,
) {
    let instruments = Instruments::new(&host, &labels(&subscription, &topic));
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
        filter_subjects: wanted(topic).into_iter().filter_map(|t| envelope::subject_filter(topic.source, t)).collect(),
        ..pull::Config::default()
    };
    let mut consumer =
        context.create_consumer_on_stream(config, stream_name(topic.source)).await.map_err(|e| e.to_string())?;
    let mut messages = consumer.messages().await.map_err(|e| e.to_string())?;
    let mut failures = Failures::default();
    let labels = labels(subscription, topic);
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
                        instruments.lag.record(info.num_pending + info.num_ack_pending as u64, &labels);
                    }
                }
                continue;
            }
        };
        let message = message.ok_or("the subscription ended")?.map_err(|e| e.to_string())?;
        let (answer, set_aside) = receive(store, subscription, &message, &mut failures).await;
        if set_aside {
            instruments.dead_letters.add(1, &labels);
        }
        // The broker confirms the acknowledgement; if that is lost the event comes again and the inbox knows it.
        if let Err(error) = message.double_ack_with(answer).await {
            tracing::debug!(%error, "acknowledgement lost");
        }
    }
}

/// What consumers count.
pub(crate) struct Instruments {
    pub(crate) lag: Gauge<u64>,
    pub(crate) dead_letters: Counter<u64>,
}

impl Instruments {
    pub(crate) fn new(host: &Host, labels: &[KeyValue; 2]) -> Self {
        let meter = host.telemetry.meter();
        let waiting = "Events that wait for this consumer; within one process, revisions";
        let dead_letters =
            meter.u64_counter("waymark.dead_letters").with_description("Events set aside as dead letters").build();
        // A series that is born at 1 never increased, so no alert would tell of the first dead letter.
        dead_letters.add(0, labels);
        Self { lag: meter.u64_gauge("waymark.consumer.lag").with_description(waiting).build(), dead_letters }
    }
}

/// Which consumer it is.
pub(crate) fn labels(subscription: &Subscription, topic: &Topic) -> [KeyValue; 2] {
    [KeyValue::new("consumer", subscription.consumer), KeyValue::new("source", topic.source)]
}

/// How often the present event failed. The broker counts deliveries, outages among them, and an outage is not the
/// event's fault.
#[derive(Default)]
struct Failures {
    event: Uuid,
    count: u32,
}

impl Failures {
    fn another(&mut self, event: Uuid) -> u32 {
        if self.event != event {
            *self = Self { event, count: 0 };
        }
        self.count += 1;
        self.count
    }
}

/// Handles a delivery and says what to tell the broker, and whether the event was set aside.
async fn receive(
    store: &Store,
    subscription: &Subscription,
    message: &Message,
    failures: &mut Failures,
) -> (AckKind, bool) {
    let headers = message.headers.clone().unwrap_or_default();
    let event = match envelope::from_nats(&headers, &message.payload) {
        Ok((event, None)) => event,
        Ok((event, Some(fault))) => return set_aside(store, &event, &fault.to_string(), 1).await,
        Err(error) => {
            // Not an event of Waymark: it cannot be kept as one either, only reported.
            tracing::error!(subject = %message.subject, %error, "not an event; dropped");
            return (AckKind::Term, false);
        }
    };
    let Err(error) = handle(subscription, event.clone()).await else { return (AckKind::Ack, false) };
    let outage = is_outage(&error);
    let attempt = if outage { ATTEMPTS } else { failures.another(event.event_id) };
    if !outage && attempt >= ATTEMPTS {
        return set_aside(store, &event, &chain(&error), attempt).await;
    }
    let (source, workspace, r#type) = (event.source.as_str(), event.workspace.id(), event.event_type.as_str());
    let error = chain(&error);
    tracing::warn!(event = %event.event_id, source, workspace, r#type, outage, error, "event not handled; it will be delivered again");
    (AckKind::Nak(Some(backoff(attempt))), false)
}

async fn set_aside(store: &Store, event: &Received, reason: &str, attempt: u32) -> (AckKind, bool) {
    let (source, workspace, r#type) = (event.source.as_str(), event.workspace.id(), event.event_type.as_str());
    match store.set_aside(event, reason, i32::try_from(attempt).unwrap_or(i32::MAX)).await {
        Ok(()) => {
            tracing::error!(event = %event.event_id, source, workspace, r#type, error = reason, "event set aside as a dead letter");
            (AckKind::Ack, true)
        }
        Err(_) => (AckKind::Nak(Some(backoff(attempt))), false),
    }
}

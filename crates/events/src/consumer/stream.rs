//! What a consumer asks of JetStream: the messages behind a position, in order; those of one workspace; and whether the
//! stream is still the one that was read. It keeps nothing there.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::datetime::{self, DateTime as Timestamp};
use async_nats::jetstream::consumer::pull::{self, Config};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::context::ConsumerInfoErrorKind::{NotFound, StreamNotFound};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind, Stream};
use async_nats::{HeaderMap, jetstream};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use tokio::time::timeout;
use waymark_domain::WorkspaceId;
use waymark_store::StreamPosition;

use crate::envelope::{stream_name, subject_filter, workspace_of};
use crate::subscription::{Subscription, Topic};

/// How long an answer of the broker is waited for.
const ANSWER: Duration = Duration::from_secs(5);
/// Messages asked for at once.
const BATCH: usize = 256;
const NO_LIMIT: usize = 0;
/// Messages of one workspace asked for at once, and their bytes.
const SOME: usize = 64;
const SOME_BYTES: usize = 128 << 10;
/// How often the broker says that it is there when nothing is to be delivered; twice as long a silence is a fault.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the broker keeps a consumer that asks for nothing.
const INACTIVE: Duration = Duration::from_mins(1);
/// How far the clocks of brokers may be apart.
const SKEW: Duration = Duration::from_hours(24);

/// The stream of a topic's events.
#[derive(Clone)]
pub(super) struct EventStream {
    stream: Stream,
    topic: Topic,
}

/// A message of a workspace.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) workspace: WorkspaceId,
    pub(super) position: StreamPosition,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

/// What reading on brings.
pub(super) enum Delivery {
    /// A message of a workspace.
    Message(Message),
    /// A message of no workspace, under this subject.
    Foreign(StreamPosition, String),
}

/// The messages of the wanted types behind a position.
pub(super) struct Reading {
    consumer: Consumer<Config>,
    messages: pull::Stream,
    /// How many messages came.
    received: u64,
    /// How many more there were when the last was sent.
    pending: u64,
}

impl EventStream {
    /// The stream, which its service has made.
    pub(super) async fn open(client: &async_nats::Client, topic: Topic) -> Result<Self, String> {
        let mut context = async_nats::jetstream::new(client.clone());
        context.set_timeout(ANSWER);
        let stream = context.get_stream(stream_name(topic.source)).await.map_err(|e| e.to_string())?;
        Ok(Self { stream, topic })
    }

    /// Up to where the durable consumer of the subscription has acknowledged everything. Programs that kept their
    /// position there, which still do on a database that is shared with them, have one.
    pub(super) async fn acknowledged(&self, subscription: &Subscription) -> Result<StreamPosition, String> {
        let sequence = match self.stream.consumer_info(subscription.consumer).await {
            Ok(info) => info.ack_floor.stream_sequence,
            Err(error) if error.kind() == NotFound => return Ok(StreamPosition::START),
            Err(error) => return Err(error.to_string()),
        };
        Ok(self.position(sequence).await?.unwrap_or(StreamPosition { sequence, ..StreamPosition::START }))
    }

    /// Whether the stream is not the one that was read up to `position`, as after its store was lost or put back to an
    /// older copy: its message there is another, or it does not reach so far. A message that is no longer kept is no
    /// loss.
    pub(super) async fn is_lost(&self, position: StreamPosition) -> Result<bool, String> {
        if position.sequence == 0 {
            return Ok(false);
        }
        if let Some(found) = self.position(position.sequence).await? {
            return Ok(found != position);
        }
        Ok(self.ends().await?.1 < position.sequence)
    }

    /// Reads on behind `position`.
    pub(super) async fn read_after(&self, position: StreamPosition) -> Result<Reading, String> {
        let from = DeliverPolicy::ByStartSequence { start_sequence: position.sequence + 1 };
        self.read(from, None, BATCH, NO_LIMIT).await
    }

    /// Reads what may have been stored since the message at `position` was, in a stream that is no longer the one it
    /// was in; and the position this begins behind. What is new was stored later, whatever its sequence.
    pub(super) async fn read_since(&self, position: StreamPosition) -> Result<(StreamPosition, Reading), String> {
        let start_time = timestamp(position.time - SKEW)?;
        let reading = self.read(DeliverPolicy::ByStartTime { start_time }, None, BATCH, NO_LIMIT).await?;
        // A new consumer says that all before its start was delivered.
        let sequence = reading.consumer.cached_info().delivered.stream_sequence;
        let before = self.position(sequence).await?.unwrap_or(StreamPosition { sequence, ..position });
        Ok((before, reading))
    }

    /// The first message of a workspace at `sequence` or behind it that is of a wanted type.
    pub(super) async fn next_of(&self, workspace: &WorkspaceId, sequence: u64) -> Result<Option<Message>, String> {
        let subject = format!("waymark.{}.{}.>", self.topic.source, workspace.id());
        let wanted = self.topic.wanted();
        let mut from = sequence;
        // The leader is asked, not a replica that may lag.
        while let Some(found) = found(self.stream.get_first_raw_message_by_subject(&subject, from).await)? {
            if is_wanted(&found.headers, &wanted) {
                let position = StreamPosition { sequence: found.sequence, time: time(found.time)? };
                let (workspace, payload) = (workspace.clone(), found.payload);
                return Ok(Some(Message { workspace, position, headers: found.headers, payload }));
            }
            from = found.sequence + 1;
        }
        Ok(None)
    }

    /// Reads a workspace from `sequence` on.
    pub(super) async fn read_of(&self, workspace: &WorkspaceId, sequence: u64) -> Result<Reading, String> {
        let from = DeliverPolicy::ByStartSequence { start_sequence: sequence };
        self.read(from, Some(workspace.id()), SOME, SOME_BYTES).await
    }

    /// Ends a reading early. Where that fails the broker forgets it after a while.
    pub(super) async fn end(&self, reading: Reading) {
        let _ = self.stream.delete_consumer(&reading.consumer.cached_info().name).await;
    }

    /// The position behind which the stream begins, where that is beyond `position`: what was in between was removed
    /// from it, and nobody knows whether all of it was read.
    pub(super) async fn removed_until(&self, position: StreamPosition) -> Result<Option<StreamPosition>, String> {
        let (first, _) = self.ends().await?;
        let sequence = first.saturating_sub(1);
        // Of the message there no more is known than that it was stored later.
        Ok((sequence > position.sequence).then_some(StreamPosition { sequence, ..position }))
    }

    /// The sequences of the first message that the stream has, and of the last that it took.
    pub(super) async fn ends(&self) -> Result<(u64, u64), String> {
        let info = self.stream.get_info().await.map_err(|e| e.to_string())?;
        Ok((info.state.first_sequence, info.state.last_sequence))
    }

    /// The position of a message; `None` when the stream does not have it.
    pub(super) async fn position(&self, sequence: u64) -> Result<Option<StreamPosition>, String> {
        if sequence == 0 {
            return Ok(None);
        }
        let found = found(self.stream.get_raw_message(sequence).await)?;
        found.map(|message| Ok(StreamPosition { sequence, time: time(message.time)? })).transpose()
    }

    async fn read(
        &self,
        from: DeliverPolicy,
        workspace: Option<&str>,
        messages: usize,
        bytes: usize,
    ) -> Result<Reading, String> {
        let consumer = self.consumer(from, workspace).await?;
        let pending = consumer.cached_info().num_pending;
        let stream = consumer.stream().max_messages_per_batch(messages).max_bytes_per_batch(bytes).heartbeat(HEARTBEAT);
        let messages = stream.messages().await.map_err(|e| e.to_string())?;
        Ok(Reading { consumer, messages, received: 0, pending })
    }

    /// What messages of the wanted types are had by, of one workspace or of all.
    async fn consumer(
        &self,
        deliver_policy: DeliverPolicy,
        workspace: Option<&str>,
    ) -> Result<Consumer<Config>, String> {
        let types = self.topic.wanted().into_iter();
        let config = Config {
            deliver_policy,
            // The position is kept by the one who reads: in the order of each workspace, beside the effects.
            ack_policy: AckPolicy::None,
            filter_subjects: types.filter_map(|t| subject_filter(self.topic.source, workspace, t)).collect(),
            inactive_threshold: INACTIVE,
            num_replicas: 1,
            memory_storage: true,
            ..Config::default()
        };
        self.stream.create_consumer(config).await.map_err(|e| e.to_string())
    }
}

impl Reading {
    /// The next message, when there is one.
    pub(super) async fn next(&mut self) -> Result<Delivery, String> {
        let message = self.messages.next().await.ok_or("the subscription ended")?.map_err(|e| e.to_string())?;
        let (number, pending, delivery) = delivered(message)?;
        self.pending = pending;
        // What is not acknowledged is not delivered again.
        self.received += 1;
        if number != self.received {
            return Err("messages were lost on their way".into());
        }
        Ok(delivery)
    }

    /// Some of the next messages, which are few where the stream has no more.
    pub(super) async fn some(&mut self) -> Result<Vec<Message>, String> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while self.pending > 0 && some.len() < SOME && bytes < SOME_BYTES {
            match timeout(ANSWER, self.next()).await.map_err(|_| "the broker does not deliver what it has")?? {
                Delivery::Message(message) => {
                    bytes += message.payload.len();
                    some.push(message);
                }
                Delivery::Foreign(_, subject) => return Err(format!("{subject} is of no workspace")),
            }
        }
        Ok(some)
    }

    /// How many messages are still to come; `None` when the broker does not answer, an error when it no longer knows
    /// who reads, as after it lost its store.
    pub(super) async fn waiting(&mut self) -> Result<Option<u64>, String> {
        let received = self.received;
        match self.consumer.info().await {
            Ok(info) => Ok(Some(info.num_pending + info.delivered.consumer_sequence.saturating_sub(received))),
            Err(error) if matches!(error.kind(), NotFound | StreamNotFound) => Err(error.to_string()),
            Err(_) => Ok(None),
        }
    }
}

/// What a consumer delivers, as the how manieth, and how many more there were then.
fn delivered(message: jetstream::Message) -> Result<(u64, u64, Delivery), String> {
    let info = message.info().map_err(|e| e.to_string())?;
    let (number, pending) = (info.consumer_sequence, info.pending);
    let position = StreamPosition { sequence: info.stream_sequence, time: time(info.published)? };
    let Some(workspace) = workspace_of(&message.subject) else {
        return Ok((number, pending, Delivery::Foreign(position, message.subject.to_string())));
    };
    let (headers, payload) = (message.message.headers.unwrap_or_default(), message.message.payload);
    Ok((number, pending, Delivery::Message(Message { workspace, position, headers, payload })))
}

fn found(answer: Result<StreamMessage, RawMessageError>) -> Result<Option<StreamMessage>, String> {
    match answer {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn is_wanted(headers: &HeaderMap, wanted: &BTreeSet<&'static str>) -> bool {
    headers.get("ce-type").is_none_or(|found| wanted.contains(found.as_str()))
}

fn time(time: Timestamp) -> Result<DateTime<Utc>, String> {
    let micros = i64::try_from(time.unix_timestamp_nanos() / 1_000).ok();
    micros.and_then(DateTime::from_timestamp_micros).ok_or_else(|| format!("the broker's time {time} is out of range"))
}

fn timestamp(time: DateTime<Utc>) -> Result<Timestamp, String> {
    datetime::from_nanos(i128::from(time.timestamp_micros()) * 1_000).map_err(|e| e.to_string())
}

//! The stream that a service's events go to: made where there is none, and asked what it holds. The leader is asked, as
//! a replica may be behind.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{self, RawMessageBuilder, RawMessageErrorKind, StorageType, WithHeaders};
use waymark_domain::WorkspaceId;
use waymark_store::Checkpoint;

use super::error::RelayError;
use crate::envelope;

/// JetStream remembers message ids this long; within it a repeated publish stores nothing.
const DUPLICATES: Duration = Duration::from_hours(1);

/// A stream as it was a moment ago.
pub(super) struct Stream {
    inner: stream::Stream,
    service: &'static str,
    /// When it was made, in microseconds.
    pub(super) create_time: i64,
    /// The last sequence it gave to a message.
    pub(super) last: u64,
}

/// A message of a workspace.
pub(super) struct Held {
    pub(super) sequence: u64,
    pub(super) message_id: String,
    /// The revision of its event; `None` for a message that no relay published.
    pub(super) revision: Option<i64>,
}

impl Stream {
    /// The stream of a service, with so many copies.
    pub(super) async fn open(context: &Context, service: &'static str, replicas: usize) -> Result<Self, RelayError> {
        let config = stream::Config {
            name: envelope::stream_name(service),
            description: Some(format!("events of the {service} service")),
            subjects: vec![format!("waymark.{service}.>")],
            storage: StorageType::File,
            num_replicas: replicas,
            duplicate_window: DUPLICATES,
            allow_direct: true,
            ..stream::Config::default()
        };
        let inner = context.get_or_create_stream(&config).await.map_err(|e| RelayError::Broker(e.to_string()))?;
        let info = inner.get_info().await.map_err(|e| RelayError::Broker(e.to_string()))?;
        if info.config.num_replicas != replicas {
            // The number was changed after the stream was made.
            match context.update_stream(&config).await {
                Ok(_) => tracing::info!(stream = config.name, replicas, "the stream's copies were changed"),
                Err(error) => tracing::warn!(stream = config.name, %error, "the stream keeps its number of copies"),
            }
        }
        let create_time = (info.created.unix_timestamp_nanos() / 1_000) as i64;
        Ok(Self { inner, service, create_time, last: info.state.last_sequence })
    }

    /// The stream's last message; `None` when it never had any.
    pub(super) async fn newest(&self) -> Result<Option<Checkpoint>, RelayError> {
        if self.last == 0 {
            return Ok(None);
        }
        let message = found(self.inner.raw_message_builder().sequence(self.last)).await?;
        Ok(Some(Checkpoint::new(self.last, message.map(|m| message_id(&m.headers)).unwrap_or_default())))
    }

    /// Whether the stream took the message of a checkpoint. One that it has gone past and does not hold was removed by
    /// its limits, a purge or a deletion, as no sequence is given twice.
    pub(super) async fn confirms(&self, checkpoint: &Checkpoint) -> Result<bool, RelayError> {
        if checkpoint.sequence == 0 || checkpoint.sequence > self.last {
            return Ok(checkpoint.sequence == 0);
        }
        let message = found(self.inner.raw_message_builder().sequence(checkpoint.sequence)).await?;
        Ok(message.is_none_or(|message| message_id(&message.headers) == checkpoint.message_id))
    }

    /// The last message of a workspace up to the sequence `end`.
    pub(super) async fn last_of(&self, workspace: &WorkspaceId, end: u64) -> Result<Option<Held>, RelayError> {
        let subject = format!("waymark.{}.{}.>", self.service, workspace.id());
        let last = found(self.inner.raw_message_builder().last_by_subject(subject.clone())).await?;
        match last {
            Some(last) if last.sequence > end => {}
            last => return Ok(last.map(Held::from)),
        }
        // No request finds the last one before another, but the next one after a sequence can be asked for. First back
        // from the end in growing steps, until there is one before it; then between that and the end.
        let next = async |from: u64| {
            let message =
                found(self.inner.raw_message_builder().sequence(from).next_by_subject(subject.clone())).await?;
            Ok::<_, RelayError>(message.filter(|message| message.sequence <= end))
        };
        let (mut from, mut step) = (end, 1);
        // There is none from here to the end.
        let mut none_from = end.saturating_add(1);
        let mut last = loop {
            match next(from).await? {
                Some(message) => break message,
                None if from <= 1 => return Ok(None),
                None => none_from = from,
            }
            from = from.saturating_sub(step).max(1);
            step *= 2;
        };
        while last.sequence + 1 < none_from {
            let middle = last.sequence + (none_from - last.sequence) / 2;
            match next(middle).await? {
                Some(message) => last = message,
                None => none_from = middle,
            }
        }
        Ok(Some(last.into()))
    }
}

impl From<StreamMessage> for Held {
    fn from(message: StreamMessage) -> Self {
        let revision = message.headers.get("ce-sequence").and_then(|revision| revision.as_str().parse().ok());
        Self { sequence: message.sequence, message_id: message_id(&message.headers), revision }
    }
}

fn message_id(headers: &HeaderMap) -> String {
    headers.get(NATS_MESSAGE_ID).map(|id| id.as_str().to_owned()).unwrap_or_default()
}

/// The message that is asked for; `None` when the stream has none.
async fn found(request: RawMessageBuilder<WithHeaders>) -> Result<Option<StreamMessage>, RelayError> {
    match request.send().await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(RelayError::Broker(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream;
    use waymark_testkit::NatsServer;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_last_message_before_another_is_found() {
        let nats = NatsServer::start().await.unwrap();
        let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
        Stream::open(&context, "test", 1).await.unwrap();
        // A busy workspace, one with a few messages far apart, one whose messages are all late, one with none.
        let of = |sequence: u64| match sequence {
            3 | 4 | 11 | 29 => "rare",
            30.. => "late",
            _ => "busy",
        };
        for sequence in 1..=40 {
            let subject = format!("waymark.test.{}.products.p{sequence}.created", of(sequence));
            context.publish(subject, "".into()).await.unwrap().await.unwrap();
        }
        let stream = Stream::open(&context, "test", 1).await.unwrap();
        assert_eq!(stream.last, 40);
        for workspace in ["busy", "rare", "late", "none"] {
            let id = WorkspaceId::from_id(workspace).unwrap();
            for end in 1..=41 {
                let found = stream.last_of(&id, end).await.unwrap().map(|held| held.sequence);
                let last = (1..=end.min(40)).rev().find(|sequence| of(*sequence) == workspace);
                assert_eq!(found, last, "{workspace} up to {end}");
            }
        }
    }
}

//! From the log to JetStream: oldest first, at least once, in order per workspace, marked only after the broker stored
//! it.
//!
//! Messages of a batch are in flight together, each with the stream sequence it must follow. If one is lost, those
//! behind it are refused rather than stored out of order, and the relay starts again from the lost one; what was stored
//! already is recognised by its message id. Nothing is dropped while the broker is away: the log is the queue.
//!
//! Marks keep checkpoints of the stream (`waymark_store::Checkpoints`). Before the relay publishes, whenever the stream
//! may have changed, and every few seconds, it compares the stream with the newest of them; one that lost messages is
//! filled again from the log (`rewind.rs`).

mod backlog;
mod error;
mod gauges;
mod rewind;
mod stream;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use opentelemetry::metrics::Meter;
use uuid::Uuid;
use waymark_runtime::config::{EventArgs, EventFormat};
use waymark_store::{Checkpoint, Checkpoints, Lease, LogRow, Published, Store};

use crate::causes::chain;
use crate::envelope;

use backlog::{Backlog, Batch};
use error::RelayError;
use gauges::Gauges;
use stream::Stream;

/// How long the lease holds without being renewed. It only keeps two relays from working at once: even if clocks lie and
/// two hold it, nothing is stored out of order, as each message is published for one place, nor twice, as the broker
/// knows the ids of the last hour.
const TERM: Duration = Duration::from_secs(10);
/// Rounds without progress before the relay pauses.
const ROUNDS: usize = 5;
/// How often the stream is compared with its checkpoints while nothing unexpected happens.
const COMPARE: Duration = Duration::from_secs(3);

/// Publishes one service's log.
pub struct Relay {
    store: Store,
    service: &'static str,
    client: async_nats::Client,
    context: Context,
    format: EventFormat,
    replicas: usize,
    lease: Lease,
    backlog: Backlog,
    /// The batch that is next, if it was read already.
    next: Option<Batch>,
    /// The stream's last sequence; unknown after anything unexpected.
    sequence: Option<u64>,
    /// What the stream is compared with.
    known: Option<Checkpoints>,
    /// When that was done, and the count of connections then.
    compared: Option<(Instant, u64)>,
    /// The last message was a repeat; more may follow.
    probing: bool,
    gauges: Gauges,
}

/// What came of a round.
enum Round {
    /// There was something to do.
    Busy,
    /// Nothing to do, or another relay does it.
    Idle,
}

impl Relay {
    /// A relay that publishes when [`Relay::run`] is polled. `holder` tells this process from other replicas.
    pub fn new(
        store: Store,
        service: &'static str,
        client: async_nats::Client,
        args: &EventArgs,
        holder: String,
        meter: &Meter,
    ) -> Self {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(Duration::from_secs(5));
        let gauges = Gauges::new(service, meter, store.now());
        let backlog = Backlog::new(&store);
        Self {
            store,
            service,
            client,
            context,
            format: args.event_format,
            replicas: args.nats_replicas,
            lease: Lease::new(format!("relay/{service}"), holder, TERM),
            backlog,
            next: None,
            sequence: None,
            known: None,
            compared: None,
            probing: false,
            gauges,
        }
    }

    /// Publishes until `shutdown`, and then what is there, about one batch. Broker and database may come and go.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut pause = Duration::ZERO;
        tokio::pin!(shutdown);
        let mut ending = false;
        loop {
            if !ending {
                tokio::select! {
                    biased;
                    () = &mut shutdown => ending = true,
                    () = tokio::time::sleep(pause) => {}
                }
            }
            if ending {
                // What was read ahead is read again, with what was committed since.
                self.give_back();
            }
            let done = self.round().await;
            if let Err(error) = &done {
                tracing::warn!(service = self.service, error = %chain(error), "the relay pauses; events stay in the log");
                self.sequence = None;
                self.give_back();
                // Another replica may reach the broker.
                if let Err(error) = self.lease.release(&self.store).await {
                    tracing::debug!(error = %chain(&error), "the relay's lease runs out by itself");
                }
            }
            if ending {
                break;
            }
            pause = match done {
                // More may have come while publishing: look again at once.
                Ok(Round::Busy) => Duration::ZERO,
                Ok(Round::Idle) => {
                    tokio::select! {
                        () = &mut shutdown => ending = true,
                        () = self.backlog.moved() => {}
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    }
                    Duration::ZERO
                }
                Err(_) => (pause * 2).clamp(Duration::from_millis(100), Duration::from_secs(5)),
            };
        }
        if let Err(error) = self.lease.release(&self.store).await {
            tracing::debug!(%error, "the relay's lease runs out by itself");
        }
    }

    /// Publishes one batch: the one that was read ahead, or what the log has.
    async fn round(&mut self) -> Result<Round, RelayError> {
        let held = self.lease.since().is_some();
        if !self.lease.hold(&self.store).await? {
            self.give_back();
            self.backlog.forget();
            self.gauges.idle();
            return Ok(Round::Idle);
        }
        if !held {
            // Another may have published since.
            self.sequence = None;
            self.give_back();
        }
        if !self.backlog.update(&self.store).await? {
            self.give_back();
        }
        let batch = if let Some(batch) = self.next.take() {
            batch
        } else {
            let batch = Batch::read(&self.store, self.backlog.plan()).await?;
            self.backlog.take(&batch);
            batch
        };
        let Some(oldest) = batch.rows.iter().map(|row| row.time).min() else {
            self.gauges.idle();
            if self.place().await?.is_some() {
                return Ok(Round::Idle);
            }
            self.backlog.doubt(&batch);
            return Ok(Round::Busy);
        };
        self.gauges.relaying(self.backlog.depth(), oldest, self.store.now());
        // The next batch is read while the broker stores this one.
        let (store, plan) = (self.store.clone(), self.backlog.plan());
        match tokio::join!(self.publish(&batch.rows), Batch::read(&store, plan)) {
            (Err(error), _) => return Err(error),
            (Ok(true), following) => {
                let following = following?;
                self.backlog.take(&following);
                self.next = Some(following).filter(|following| !following.rows.is_empty());
            }
            (Ok(false), _) => {
                self.give_back();
                self.backlog.doubt(&batch);
            }
        }
        Ok(Round::Busy)
    }

    /// What was read and is not marked will be read again.
    fn give_back(&mut self) {
        self.next = None;
        self.backlog.give_back();
    }

    /// Publishes rows in order, and marks them. False when not all are, and what was read ahead is void: another set a
    /// cursor, as a republish does, or the stream lost messages.
    async fn publish(&mut self, rows: &[LogRow]) -> Result<bool, RelayError> {
        let mut rest = rows;
        let mut stuck = 0;
        while !rest.is_empty() {
            if !self.lease.hold(&self.store).await? {
                return Err(RelayError::Broker("another relay has taken over".into()));
            }
            let Some(place) = self.place().await? else { return Ok(false) };
            let (stored, newest, failure) = self.attempt(place, rest).await;
            fail::fail_point!("relay-before-mark", |_| std::process::abort());
            let (done, left) = rest.split_at(stored);
            let marked = self.mark(done, left.first(), newest).await?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            if !marked {
                self.sequence = None;
                return Ok(false);
            }
            stuck = if stored == 0 { stuck + 1 } else { 0 };
            if stuck >= ROUNDS {
                return Err(RelayError::Broker("another publisher writes to the stream at the same time".into()));
            }
            rest = left;
        }
        Ok(true)
    }

    /// Sends all rows, from the place `start` in the stream on. Tells how many of the first are stored, the newest
    /// message of them that the stream has, and what failed. A refused or repeated message ends the count: those behind
    /// it were sent for another place.
    async fn attempt(&mut self, start: u64, rows: &[LogRow]) -> (usize, Option<Checkpoint>, Option<RelayError>) {
        self.sequence = None;
        let limit = self.client.max_payload();
        let mut acks = FuturesOrdered::new();
        let mut previous: Option<String> = None;
        // The broker looks at the place before it looks for a repeat. Behind a repeat, which takes no place, all are
        // sent for the same one: further repeats are recognised, the first new message is stored, and those behind it
        // are refused.
        let probing = std::mem::take(&mut self.probing);
        for (row, expected) in rows.iter().zip(start..) {
            let (headers, payload) = envelope::to_nats(self.service, row, self.format, limit);
            let id = row.event_id.to_string();
            let place = if probing { start } else { expected };
            let mut message =
                PublishMessage::build().headers(headers).payload(payload).message_id(&id).expected_last_sequence(place);
            // The place alone would fit a message behind a lost one once another publisher has filled the gap.
            if let Some(previous) = previous.replace(id)
                && !probing
            {
                message = message.expected_last_message_id(previous);
            }
            let ack = self.context.send_publish(envelope::subject(self.service, row), message).await;
            match ack {
                Ok(ack) => acks.push_back(ack.into_future()),
                Err(error) => return (0, None, Some(RelayError::Broker(error.to_string()))),
            }
        }
        fail::fail_point!("relay-before-ack", |_| std::process::abort());
        let (mut stored, mut moved, mut failure) = (0, false, None);
        let mut newest: Option<(u64, Uuid)> = None;
        for row in rows {
            let Some(ack) = acks.next().await else { break };
            match ack {
                Ok(ack) => {
                    // A repeat was stored by an earlier attempt; it took no new place.
                    moved |= ack.duplicate;
                    self.probing = ack.duplicate;
                    stored += 1;
                    newest = newest.max(Some((ack.sequence, row.event_id)));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId
                    ) =>
                {
                    moved = true;
                    break;
                }
                Err(error) => {
                    failure = Some(RelayError::Broker(error.to_string()));
                    break;
                }
            }
        }
        if failure.is_none() {
            // The rest answers too, mostly with refusals; none may be in flight when the next attempt is sent.
            while acks.next().await.is_some() {}
            self.sequence = newest.filter(|_| !moved).map(|(sequence, _)| sequence);
        }
        self.gauges.acknowledged(stored, self.store.now());
        (stored, newest.map(|(sequence, id)| Checkpoint::new(sequence, id.to_string())), failure)
    }

    /// The stream's last sequence, which the next message must follow. When the stream may have changed, and every few
    /// seconds, it is compared with its checkpoints; `None` when it had lost messages, and cursors were moved back.
    async fn place(&mut self) -> Result<Option<u64>, RelayError> {
        let connects = self.client.statistics().connects.load(Ordering::Relaxed);
        if let (Some(sequence), Some((at, of))) = (self.sequence, self.compared)
            && at.elapsed() < COMPARE
            && of == connects
        {
            return Ok(Some(sequence));
        }
        self.sequence = None;
        let stream = Stream::open(&self.context, self.service, self.replicas).await?;
        let name = envelope::stream_name(self.service);
        let known = loop {
            let Some(known) = self.store.checkpoints(&name).await? else {
                self.store.take_stream(&name, stream.create_time, None).await?;
                continue;
            };
            if self.has_lost(&stream, &known).await? {
                self.rewind(&stream, known).await?;
                return Ok(None);
            }
            if !known.checkpoints.is_empty() || (stream.last == 0 && known.create_time == stream.create_time) {
                break known;
            }
            self.store.take_stream(&name, stream.create_time, stream.newest().await?.as_ref()).await?;
        };
        self.known = Some(known);
        self.compared = Some((Instant::now(), connects));
        self.sequence = Some(stream.last);
        Ok(self.sequence)
    }

    /// Remembers what is published, unless a cursor was moved meanwhile, as by a republish. `next` is the first row not
    /// published: its revision is not done. False when something is to be read again.
    async fn mark(
        &mut self,
        rows: &[LogRow],
        next: Option<&LogRow>,
        newest: Option<Checkpoint>,
    ) -> Result<bool, RelayError> {
        let Some(known) = &mut self.known else { return Ok(false) };
        let (mut published, mut again) = (BTreeMap::new(), 0);
        for row in rows {
            let Some(cursor) = self.backlog.cursor(&row.workspace) else { continue };
            again += u64::from(row.revision <= cursor.reached);
            let whole = next.is_none_or(|n| n.workspace != row.workspace || n.revision != row.revision);
            if whole {
                let reached = cursor.reached.max(row.revision);
                let done = Published { before: cursor.published, reached, revision: row.revision };
                published.insert(row.workspace.clone(), done);
            }
        }
        self.gauges.republished(again);
        let newest = newest.filter(|newest| newest.sequence > known.newest());
        let marked = self.store.mark_published(known, newest, &published).await?;
        if marked {
            for (workspace, done) in &published {
                self.backlog.mark(workspace, done.revision);
            }
        }
        Ok(marked)
    }
}

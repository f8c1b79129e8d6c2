//! From the log to JetStream: oldest first, at least once, in order per workspace, marked only after the broker stored
//! it.
//!
//! Messages of a batch are in flight together, each with the stream sequence it must follow. If one is lost, those
//! behind it are refused rather than stored out of order, and the relay starts again from the lost one; what was stored
//! already is recognised by its message id. Nothing is dropped while the broker is away: the log is the queue.

mod gauges;

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, StorageType};
use async_nats::jetstream::{self, Context};
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use opentelemetry::metrics::Meter;
use waymark_domain::WorkspaceId;
use waymark_runtime::config::{EventArgs, EventFormat};
use waymark_store::{Error as StoreError, LogRow, Published, Store, Unpublished};

use crate::causes::chain;
use crate::envelope;
use crate::lease::Lease;

use gauges::Gauges;

/// Messages in flight at most, about.
const BATCH: usize = 2_048;
/// Bytes of events in one batch, about.
const BATCH_BYTES: usize = 8 << 20;
/// Workspaces that one batch takes events from.
const WORKSPACES: u64 = 512;
/// Rounds without progress before the relay pauses.
const ROUNDS: usize = 5;
/// JetStream remembers message ids this long; within it a repeated publish stores nothing.
const DUPLICATES: Duration = Duration::from_hours(1);

/// Why a round of relaying ended early; the next round resumes where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The database.
    #[error("reading the log")]
    Store(#[from] StoreError),
    /// The broker.
    #[error("publishing to JetStream: {0}")]
    Broker(String),
}

/// Publishes one service's log.
pub struct Relay {
    store: Store,
    service: &'static str,
    client: async_nats::Client,
    context: Context,
    format: EventFormat,
    replicas: usize,
    lease: Lease,
    /// The stream's last sequence; unknown after anything unexpected.
    sequence: Option<u64>,
    /// The last message was a repeat; more may follow.
    probing: bool,
    /// The stream was found lost, and this was said.
    lost: bool,
    gauges: Gauges,
}

/// Rows to publish, oldest first within each workspace.
struct Batch {
    rows: Vec<LogRow>,
    /// The cursors they follow.
    cursors: BTreeMap<WorkspaceId, i64>,
    /// Revisions committed but not published, in all workspaces.
    depth: i64,
}

/// Workspaces with events to publish, and the cursors these follow.
struct Behind {
    workspaces: Vec<(WorkspaceId, i64)>,
    /// Revisions committed but not published, in all workspaces.
    depth: i64,
}

/// What came of a round.
enum Round {
    /// There was something to do; the batch that follows, if it was read already.
    Published(Option<Batch>),
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
        Self {
            store,
            service,
            client,
            context,
            format: args.event_format,
            replicas: args.nats_replicas,
            lease: Lease::new(format!("relay/{service}"), holder),
            sequence: None,
            probing: false,
            lost: false,
            gauges,
        }
    }

    /// Publishes until `shutdown`, and then what is there, about one batch. Broker and database may come and go.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let moved = self.store.heads().moved();
        let mut pause = Duration::ZERO;
        let mut next = None;
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
            moved.take();
            // At the end what was read ahead is read again, with what was committed since.
            let done = self.round(next.take().filter(|_| !ending)).await;
            if let Err(error) = &done {
                tracing::warn!(service = self.service, error = %chain(error), "the relay pauses; events stay in the log");
                self.sequence = None;
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
                Ok(Round::Published(following)) => {
                    next = following;
                    Duration::ZERO
                }
                Ok(Round::Idle) => {
                    tokio::select! {
                        () = &mut shutdown => ending = true,
                        () = moved.some() => {}
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

    /// Publishes one batch: `batch`, or what the log has.
    async fn round(&mut self, batch: Option<Batch>) -> Result<Round, RelayError> {
        let batch = match (batch, self.lease.since()) {
            (Some(batch), Some(_)) => batch,
            (_, since) => {
                let mut behind = behind(&self.store, &BTreeMap::new()).await?;
                self.gauges.waiting(behind.depth, behind.workspaces.first(), self.store.now());
                // Nobody reads events but who may publish them.
                if behind.depth == 0 || !self.lease.hold(&self.store).await? {
                    return Ok(Round::Idle);
                }
                if since.is_none() {
                    // The cursors were read before the lease was taken: they may be those of the holder before.
                    behind = self::behind(&self.store, &BTreeMap::new()).await?;
                }
                read(&self.store, behind).await?
            }
        };
        if batch.rows.is_empty() {
            return Ok(Round::Idle);
        }
        if let Some(oldest) = batch.rows.iter().map(|row| row.time).min() {
            self.gauges.relaying(batch.depth, oldest, self.store.now());
        }
        // The next batch, if there is one, is read while the broker stores this one.
        let ends: BTreeMap<_, _> = batch.rows.iter().map(|row| (row.workspace.clone(), row.revision)).collect();
        let revisions: i64 =
            ends.iter().map(|(workspace, end)| end - batch.cursors.get(workspace).copied().unwrap_or(0)).sum();
        let store = self.store.clone();
        let following = async {
            if batch.depth <= revisions {
                return Ok(None);
            }
            read(&store, behind(&store, &ends).await?)
                .await
                .map(|batch| Some(batch).filter(|batch| !batch.rows.is_empty()))
        };
        let (published, following) = tokio::join!(self.publish(&batch.rows), following);
        let (count, failure) = match published {
            Ok(()) => (batch.rows.len(), None),
            Err((count, error)) => (count, Some(error)),
        };
        fail::fail_point!("relay-before-mark", |_| std::process::abort());
        let moved =
            self.mark(&batch.cursors, batch.rows.get(..count).unwrap_or_default(), batch.rows.get(count)).await?;
        match failure {
            Some(error) => Err(error),
            // Somebody else set a cursor, as a republish does: what was read from the old one is void.
            None if !moved => Ok(Round::Published(None)),
            None => Ok(Round::Published(following?)),
        }
    }

    /// Publishes rows in order; on failure says how many of the first are stored.
    async fn publish(&mut self, rows: &[LogRow]) -> Result<(), (usize, RelayError)> {
        let mut done = 0;
        let mut stuck = 0;
        while done < rows.len() {
            let before = done;
            match self.lease.hold(&self.store).await {
                Ok(true) => {}
                Ok(false) => return Err((done, RelayError::Broker("another relay has taken over".into()))),
                Err(error) => return Err((done, error.into())),
            }
            match self.attempt(&rows[done..]).await {
                Ok(count) => done += count,
                Err((count, error)) => return Err((done + count, error)),
            }
            stuck = if done == before { stuck + 1 } else { 0 };
            if stuck >= ROUNDS {
                return Err((
                    done,
                    RelayError::Broker("another publisher writes to the stream at the same time".into()),
                ));
            }
        }
        Ok(())
    }

    /// Sends all rows, counts how many of the first are stored. A refused or repeated message ends the count: those
    /// behind it were sent for another place in the stream.
    async fn attempt(&mut self, rows: &[LogRow]) -> Result<usize, (usize, RelayError)> {
        let start = match self.sequence {
            Some(sequence) => sequence,
            None => self.ensure_stream().await.map_err(|e| (0, e))?,
        };
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
            let ack = ack.map_err(|e| (0, RelayError::Broker(e.to_string())))?;
            acks.push_back(ack.into_future());
        }
        fail::fail_point!("relay-before-ack", |_| std::process::abort());
        let mut stored = 0;
        let mut last = start;
        let mut moved = false;
        while let Some(ack) = acks.next().await {
            match ack {
                Ok(ack) if ack.duplicate => {
                    // Stored by an earlier attempt; it took no new place.
                    moved = true;
                    self.probing = true;
                    stored += 1;
                }
                Ok(ack) => {
                    last = ack.sequence;
                    self.probing = false;
                    stored += 1;
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
                Err(error) => return Err((stored, RelayError::Broker(error.to_string()))),
            }
        }
        // The rest answers too, mostly with refusals; none may be in flight when the next attempt is sent.
        while acks.next().await.is_some() {}
        self.sequence = (!moved).then_some(last);
        self.gauges.acknowledged(stored, self.store.now());
        Ok(stored)
    }

    /// Makes sure the stream exists and tells its last sequence.
    async fn ensure_stream(&mut self) -> Result<u64, RelayError> {
        let config = stream::Config {
            name: envelope::stream_name(self.service),
            description: Some(format!("events of the {} service", self.service)),
            subjects: vec![format!("waymark.{}.>", self.service)],
            storage: StorageType::File,
            num_replicas: self.replicas,
            duplicate_window: DUPLICATES,
            allow_direct: true,
            ..stream::Config::default()
        };
        let broker = |e: String| RelayError::Broker(e);
        let stream = self.context.get_or_create_stream(&config).await.map_err(|e| broker(e.to_string()))?;
        let info = stream.get_info().await.map_err(|e| broker(e.to_string()))?;
        if info.config.num_replicas != self.replicas {
            // The number was changed after the stream was made.
            match self.context.update_stream(&config).await {
                Ok(_) => {
                    tracing::info!(stream = config.name, replicas = self.replicas, "the stream's copies were changed");
                }
                Err(error) => tracing::warn!(stream = config.name, %error, "the stream keeps its number of copies"),
            }
        }
        let lost = info.state.last_sequence == 0 && self.store.has_published().await?;
        if lost && !std::mem::replace(&mut self.lost, lost) {
            self.gauges.lost();
            let cure = format!("waymark events republish --service {} -w WORKSPACE", self.service);
            tracing::error!(
                stream = config.name,
                cure,
                "the stream is empty though events were published: NATS lost its store; publish them again, for each workspace"
            );
        }
        self.lost = lost;
        Ok(info.state.last_sequence)
    }

    /// Remembers what is published, unless the cursor was moved meanwhile, as by a republish. `next` is the first row
    /// that is not published: its revision is not done. False when a cursor was moved.
    async fn mark(
        &self,
        before: &BTreeMap<WorkspaceId, i64>,
        rows: &[LogRow],
        next: Option<&LogRow>,
    ) -> Result<bool, StoreError> {
        let mut published = BTreeMap::new();
        for row in rows {
            let whole = next.is_none_or(|n| n.workspace != row.workspace || n.revision != row.revision);
            if whole {
                let before = before.get(&row.workspace).copied().unwrap_or(0);
                published.insert(row.workspace.clone(), Published { before, revision: row.revision });
            }
        }
        self.store.mark_published(&published).await
    }
}

/// What is behind the cursors; behind `ahead` in the workspaces it names.
async fn behind(store: &Store, ahead: &BTreeMap<WorkspaceId, i64>) -> Result<Behind, StoreError> {
    let (unpublished, waiting) = store.unpublished(WORKSPACES).await?;
    let (mut workspaces, mut in_flight) = (Vec::new(), 0);
    for Unpublished { workspace, published, revision } in unpublished {
        let after = ahead.get(&workspace).copied().unwrap_or(0).max(published);
        in_flight += after - published;
        if revision > after {
            workspaces.push((workspace, after));
        }
    }
    Ok(Behind { workspaces, depth: waiting - in_flight })
}

/// About one batch of the log.
async fn read(store: &Store, behind: Behind) -> Result<Batch, StoreError> {
    let Behind { workspaces, depth } = behind;
    // Each of these workspaces gets its share, so that a busy one cannot starve them.
    let share = (BATCH / workspaces.len().max(1)).max(1);
    let (mut cursors, mut rows, mut bytes) = (BTreeMap::new(), Vec::new(), 0);
    for (workspace, after) in workspaces {
        let found = store.read_log(workspace.id(), after, share as u64).await?;
        bytes += found.iter().map(|row| row.data.len()).sum::<usize>();
        rows.extend(found);
        cursors.insert(workspace, after);
        if rows.len() >= BATCH || bytes >= BATCH_BYTES {
            break;
        }
    }
    Ok(Batch { rows, cursors, depth })
}

//! Watch: the log from any position on, a revision whole per batch, until the reader leaves, is too slow, or the server stops.
//!
//! A watch holds no state but its position. Reads of the same place are shared, so a hundred watchers of a workspace cost one read of
//! each revision.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;
use waymark_domain::{Failure, FailureKind, WorkspaceId};
use waymark_proto::events::v1 as pb;
use waymark_runtime::Host;
use waymark_store::{Error, LogRow, Store};

use crate::envelope;

/// Log rows read at once.
const READ: u64 = 256;
/// Events in one part of a snapshot.
const PART: usize = 100;
/// An idle stream is told its position this often.
pub(crate) const CHECKPOINT: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long, with its buffer full, is cut.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a watch ended, other than by its reader leaving.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the server is stopping; watch again from another, after revision {0}")]
    Stopping(i64),
    #[error("the events were not read fast enough; watch again after revision {0}")]
    Slow(i64),
    #[error("the stream broke off; watch again after the last revision received")]
    Broken,
    #[error(transparent)]
    Store(#[from] Error),
}

impl Failure for End {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Stopping(_) | Self::Broken => FailureKind::Unavailable,
            Self::Slow(_) => FailureKind::Overloaded,
            Self::Store(error) => error.kind(),
        }
    }
    fn reason(&self) -> &'static str {
        match self {
            Self::Stopping(_) | Self::Broken => "SHUTTING_DOWN",
            Self::Slow(_) => "SLOW_READER",
            Self::Store(error) => error.reason(),
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            // 0 stands for an unfinished snapshot, after which there is nothing to resume.
            Self::Stopping(0) | Self::Slow(0) | Self::Broken => Vec::new(),
            Self::Stopping(revision) | Self::Slow(revision) => vec![("revision", revision.to_string())],
            Self::Store(error) => error.metadata(),
        }
    }
}

/// Events of one revision, in the contract's form.
type Revision = (i64, Vec<pb::Event>);

/// The latest read of each workspace's log, shared by its watchers.
#[derive(Default)]
pub(crate) struct Tail(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Read>>>>);

#[derive(Default, Clone)]
struct Read {
    after: i64,
    /// The earliest whole revision, looked up after the rows were read: what is older may lack events.
    earliest: i64,
    revisions: Arc<Vec<Revision>>,
}

impl Tail {
    /// The revisions after `after`, some of them at least; empty when there are none yet.
    async fn read(&self, store: &Store, workspace: &str, after: i64) -> Result<Read, Error> {
        let slot = {
            // Every step under the lock leaves the map whole.
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(workspace.to_owned()).or_default())
        };
        let mut read = slot.lock().await;
        let covers = read.after <= after && read.revisions.last().is_some_and(|(last, _)| *last > after);
        if covers {
            return Ok(read.clone());
        }
        let rows = store.read_log(workspace, after, READ).await?;
        let (earliest, _) = store.bounds(workspace).await?;
        let fresh = Read { after, earliest, revisions: Arc::new(group(&rows)?) };
        // A reader far behind must not take the newest read away from the others.
        let newer = fresh.revisions.last().map(|r| r.0) >= read.revisions.last().map(|r| r.0);
        if newer && !rows.is_empty() {
            *read = fresh.clone();
        }
        Ok(fresh)
    }
}

fn group(rows: &[LogRow]) -> Result<Vec<Revision>, Error> {
    let mut revisions: Vec<Revision> = Vec::new();
    for row in rows {
        let event = event(row)?;
        match revisions.last_mut() {
            Some((revision, events)) if *revision == row.revision => events.push(event),
            _ => revisions.push((row.revision, vec![event])),
        }
    }
    Ok(revisions)
}

pub(crate) fn event(row: &LogRow) -> Result<pb::Event, Error> {
    envelope::to_proto(row).map_err(|error| Error::Damaged {
        table: "log",
        column: "data",
        workspace: row.workspace.clone(),
        id: row.event_id.to_string(),
        problem: error.to_string(),
    })
}

/// Which events a watch wants.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub types: BTreeSet<String>,
    pub subjects: BTreeSet<String>,
}

impl Selection {
    fn wants(&self, event: &pb::Event) -> bool {
        (self.types.is_empty() || self.types.contains(&event.r#type))
            && (self.subjects.is_empty() || self.subjects.contains(&event.subject))
    }
}

/// One watch.
pub(crate) struct Watch {
    pub host: Host,
    pub store: Store,
    pub tail: Arc<Tail>,
    pub workspace: WorkspaceId,
    pub selection: Selection,
    pub checkpoint: Duration,
    pub patience: Duration,
    pub output: mpsc::Sender<Result<pb::WatchEventsResponse, Status>>,
}

/// The reader left.
struct Gone;

impl Watch {
    /// Sends everything after `position`, until the end; first a snapshot of that revision when asked for, or the position itself.
    pub(crate) async fn run(self, position: i64, snapshot: bool, announce: bool) -> Option<End> {
        self.follow(position, snapshot, announce).await.err()
    }

    async fn follow(&self, mut position: i64, snapshot: bool, announce: bool) -> Result<Gone, End> {
        let id = self.workspace.id();
        let mut head = self.store.heads().subscribe(id);
        if snapshot && self.snapshot(position).await?.is_some() {
            return Ok(Gone);
        }
        // A checkpoint is due from the start when the reader is to be told where it is.
        let mut due = Instant::now() + if announce { Duration::ZERO } else { self.checkpoint };
        loop {
            head.mark_unchanged();
            let read = self.tail.read(&self.store, id, position).await?;
            let start = position;
            for (revision, events) in read.revisions.iter().filter(|(revision, _)| *revision > start) {
                // Revisions have no gaps, so what is missing, or may be, was trimmed away while this reader was behind.
                if *revision != position + 1 || *revision < read.earliest {
                    return Err(Error::Expired { asked: position, earliest: read.earliest }.into());
                }
                let events: Vec<_> = events.iter().filter(|e| self.selection.wants(e)).cloned().collect();
                if !events.is_empty() {
                    let message = pb::WatchEventsResponse { revision: *revision, events, snapshot: false };
                    if self.send(position, message).await?.is_some() {
                        return Ok(Gone);
                    }
                    due = Instant::now() + self.checkpoint;
                }
                position = *revision;
            }
            if self.output.is_closed() {
                return Ok(Gone);
            }
            // Also while everything is filtered away, and while there is always more to read.
            if Instant::now() >= due {
                let checkpoint = pb::WatchEventsResponse { revision: position, events: Vec::new(), snapshot: false };
                if self.send(position, checkpoint).await?.is_some() {
                    return Ok(Gone);
                }
                due = Instant::now() + self.checkpoint;
            }
            if self.host.shutdown.is_begun() {
                return Err(End::Stopping(position));
            }
            if position > start && *head.borrow() > position {
                continue;
            }
            tokio::select! {
                () = self.host.shutdown.begun() => return Err(End::Stopping(position)),
                () = self.output.closed() => return Ok(Gone),
                _ = head.changed() => {}
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// The latest event of each resource that exists at `revision`, in parts; the last part carries the revision.
    async fn snapshot(&self, revision: i64) -> Result<Option<Gone>, End> {
        let rows = self.store.latest(self.workspace.id(), None, revision).await?;
        let mut events = Vec::new();
        for row in rows.iter().filter(|row| !is_deleted(row)) {
            let event = event(row)?;
            if self.selection.wants(&event) {
                events.push(event);
            }
        }
        let parts = events.len().div_ceil(PART).max(1);
        let mut events = events.into_iter();
        for part in 1..=parts {
            let position = if part == parts { revision } else { 0 };
            let message = pb::WatchEventsResponse { revision: position, events: events.by_ref().take(PART).collect(), snapshot: true };
            if self.send(0, message).await?.is_some() {
                return Ok(Some(Gone));
            }
        }
        Ok(None)
    }

    async fn send(&self, position: i64, message: pb::WatchEventsResponse) -> Result<Option<Gone>, End> {
        tokio::select! {
            () = self.host.shutdown.begun() => Err(End::Stopping(position)),
            sent = tokio::time::timeout(self.patience, self.output.send(Ok(message))) => match sent {
                Ok(Ok(())) => Ok(None),
                Ok(Err(_)) => Ok(Some(Gone)),
                Err(_) => Err(End::Slow(position)),
            },
        }
    }
}

/// Whether a resource is gone after this event: its JSON has a delete time.
fn is_deleted(row: &LogRow) -> bool {
    let data: serde_json::Value = serde_json::from_str(&row.data).unwrap_or_default();
    data.as_object().is_some_and(|fields| fields.values().any(|resource| resource.get("deleteTime").is_some()))
}

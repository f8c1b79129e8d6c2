//! Watch: the log from any position on, a revision whole per batch, until the reader leaves, is too slow, or the server
//! stops.
//!
//! A watch holds no state but its position. Reads of the same place are shared, so a hundred watchers of a workspace
//! cost one read of each revision.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;
use waymark_domain::{Failure, FailureKind, Reason, WorkspaceId};
use waymark_proto::Sight;
use waymark_proto::events::v1 as pb;
use waymark_runtime::Host;
use waymark_runtime::edge::Caller;
use waymark_store::{Error, LogRow, Store};

use crate::envelope;
use crate::seen::seen;

/// Log rows read at once.
const READ: u64 = 256;
/// An idle stream is told its position this often.
pub(crate) const CHECKPOINT: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long, with its buffer full, is cut.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a wait for a time of the clock takes at most before the clock is asked again.
const CLOCK: Duration = Duration::from_secs(5);

/// The last revision that was sent whole; none within a snapshot, of which nothing is left to resume.
type Position = Option<i64>;

fn resume(position: Position) -> String {
    position
        .map_or(", with the snapshot from its beginning".to_owned(), |revision| format!(" after revision {revision}"))
}

fn ended(position: Position) -> String {
    position.map_or(" within the snapshot".to_owned(), |revision| format!(" after revision {revision}"))
}

/// Why a watch ended, other than by its reader leaving.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the server is stopping; watch again from another{}", resume(*.0))]
    Stopping(Position),
    #[error("the token has expired; watch again with a new one{}", resume(*.0))]
    Unproven(Position),
    #[error("policies do not allow it any more; it ended{}", ended(*.0))]
    Denied(Position),
    #[error("the events were not read fast enough; watch again{}", resume(*.0))]
    Slow(Position),
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
            Self::Unproven(_) | Self::Denied(_) => FailureKind::Denied,
            Self::Store(error) => error.kind(),
        }
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Stopping(_) | Self::Broken => Reason::ShuttingDown,
            Self::Slow(_) => Reason::SlowReader,
            Self::Unproven(_) => Reason::Unauthenticated,
            Self::Denied(_) => Reason::PermissionDenied,
            Self::Store(error) => error.reason(),
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let (position, refusal) = match self {
            Self::Stopping(position) | Self::Slow(position) | Self::Denied(position) => (*position, None),
            Self::Unproven(position) => (*position, Some(("refusal", "expired".to_owned()))),
            Self::Broken => (None, None),
            Self::Store(error) => return error.metadata(),
        };
        refusal.into_iter().chain(position.map(|revision| ("revision", revision.to_string()))).collect()
    }
}

/// Events of one revision, in the contract's form.
type Revision = (i64, Vec<pb::Event>);

/// The latest read of each workspace's log, shared by those who watch it and gone with the last of them.
#[derive(Default)]
pub(crate) struct Tail(Mutex<HashMap<String, Weak<Slot>>>);

type Slot = tokio::sync::Mutex<Read>;

#[derive(Default, Clone)]
pub(crate) struct Read {
    after: i64,
    /// The earliest whole revision, looked up after the rows were read: what is older may lack events.
    earliest: i64,
    revisions: Arc<Vec<Revision>>,
}

impl Tail {
    /// Where the watchers of `workspace` share what they read.
    pub(crate) fn slot(&self, workspace: &str) -> Arc<Slot> {
        // Every step under the lock leaves the map whole.
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(workspace).and_then(Weak::upgrade) {
            return slot;
        }
        slots.retain(|_, slot| slot.strong_count() > 0);
        let slot = Arc::default();
        slots.insert(workspace.to_owned(), Arc::downgrade(&slot));
        slot
    }
}

impl Read {
    /// The revisions after `after`, some of them at least; empty when there are none yet.
    async fn next(slot: &Slot, store: &Store, workspace: &str, after: i64) -> Result<Self, Error> {
        let mut read = slot.lock().await;
        let covers = read.after <= after && read.revisions.last().is_some_and(|(last, _)| *last > after);
        if covers {
            return Ok(read.clone());
        }
        let rows = store.read_log(workspace, after, READ).await?;
        let (earliest, _) = store.bounds(workspace).await?;
        let fresh = Self { after, earliest, revisions: Arc::new(group(&rows)?) };
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
        workspace: row.workspace.id().to_owned(),
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
    pub shared: Arc<Slot>,
    pub workspace: WorkspaceId,
    pub selection: Selection,
    /// What is seen by who watches, where that is not all.
    pub sight: Option<Arc<Sight>>,
    /// Who watches: until when, and whether it still may.
    pub caller: Option<Caller>,
    pub checkpoint: Duration,
    pub patience: Duration,
    pub output: mpsc::Sender<Result<pb::WatchEventsResponse, Status>>,
}

/// The reader left.
struct Gone;

impl Watch {
    /// Sends everything after `position`, until the end; first a snapshot of that revision when asked for, or the
    /// position itself.
    pub(crate) async fn run(self, position: i64, snapshot: bool, announce: bool) -> Option<End> {
        self.follow(position, snapshot, announce).await.err()
    }

    async fn follow(&self, mut position: i64, snapshot: bool, announce: bool) -> Result<Gone, End> {
        let id = self.workspace.id();
        let mut head = self.store.heads().subscribe(&self.workspace);
        if snapshot && self.snapshot(position).await?.is_some() {
            return Ok(Gone);
        }
        // A checkpoint is due from the start when the reader is to be told where it is. The snapshot of an empty
        // workspace did not: its revision 0 says that more is to come.
        let at_once = announce || (snapshot && position == 0);
        let mut due = Instant::now() + if at_once { Duration::ZERO } else { self.checkpoint };
        loop {
            head.mark_unchanged();
            let read = Read::next(&self.shared, &self.store, id, position).await?;
            let start = position;
            for (revision, events) in read.revisions.iter().filter(|(revision, _)| *revision > start) {
                // Revisions have no gaps, so what is missing, or may be, was trimmed away while this reader was behind.
                if *revision != position + 1 || *revision < read.earliest {
                    return Err(Error::Expired { asked: position, earliest: read.earliest }.into());
                }
                let events: Vec<_> = events.iter().filter(|e| self.selection.wants(e)).cloned().collect();
                let events = seen(&self.store, self.sight.as_deref(), events).await?;
                if !events.is_empty() {
                    let message = pb::WatchEventsResponse { revision: *revision, events, snapshot: false };
                    if self.send(Some(position), message).await?.is_some() {
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
                if self.send(Some(position), checkpoint).await?.is_some() {
                    return Ok(Gone);
                }
                due = Instant::now() + self.checkpoint;
            }
            if self.host.shutdown.is_begun() {
                return Err(End::Stopping(Some(position)));
            }
            if position > start && *head.borrow() > position {
                continue;
            }
            tokio::select! {
                () = self.host.shutdown.begun() => return Err(End::Stopping(Some(position))),
                () = self.expiry() => return Err(End::Unproven(Some(position))),
                () = self.output.closed() => return Ok(Gone),
                _ = head.changed() => {}
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// The latest event of each resource that exists at `revision`, in parts; the last part carries the revision.
    async fn snapshot(&self, revision: i64) -> Result<Option<Gone>, End> {
        let mut part = self.store.snapshot(self.workspace.id(), revision, None).await?;
        loop {
            let after = match part.last() {
                Some(last) => self.store.snapshot(self.workspace.id(), revision, Some(last)).await?,
                None => Vec::new(),
            };
            let mut events = Vec::with_capacity(part.len());
            for row in part.iter().filter(|row| !is_deleted(row)) {
                let event = event(row)?;
                if self.selection.wants(&event) {
                    events.push(event);
                }
            }
            let events = seen(&self.store, self.sight.as_deref(), events).await?;
            let last = after.is_empty();
            if last {
                // Had the log been trimmed beyond meanwhile, resources would be missing.
                let (earliest, _) = self.store.bounds(self.workspace.id()).await?;
                if revision < earliest {
                    return Err(Error::Expired { asked: revision, earliest }.into());
                }
            }
            if last || !events.is_empty() {
                let message =
                    pb::WatchEventsResponse { revision: if last { revision } else { 0 }, events, snapshot: true };
                if self.send(None, message).await?.is_some() {
                    return Ok(Some(Gone));
                }
            }
            if last {
                return Ok(None);
            }
            part = after;
        }
    }

    /// Waits until the token of who watches has expired.
    async fn expiry(&self) {
        let Some(expires) = self.caller.as_ref().and_then(Caller::expires) else { return std::future::pending().await };
        // The clock may be set meanwhile, so it is asked again.
        while let Ok(left) = (expires - self.host.clock.now()).to_std() {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(CLOCK)).await;
        }
    }

    async fn send(&self, position: Position, message: pb::WatchEventsResponse) -> Result<Option<Gone>, End> {
        // A stream that is idle is told its position, so this is asked every now and then, too.
        if self.caller.as_ref().is_some_and(|caller| !caller.is_allowed()) {
            return Err(End::Denied(position));
        }
        tokio::select! {
            // What may not be told any more goes before what could be.
            biased;
            () = self.host.shutdown.begun() => Err(End::Stopping(position)),
            () = self.expiry() => Err(End::Unproven(position)),
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

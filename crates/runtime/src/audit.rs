//! What is decided about calls, and what the process does to what it decides by: each an entry that goes out as a line of
//! JSON on the tracing target `audit`, and to a [`Sink`], where a service keeps entries.
//!
//! Whoever records an entry never waits and never fails: entries are handed to a task through a queue that holds so many.
//! What a sink does not take is tried again until the queue is full; what is lost then is counted. Repeats of a refusal are
//! counted, too, and come as one entry when their time is over. It knows no database.

mod line;
mod repeats;
mod start;
#[cfg(test)]
mod tests;
mod writing;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use waymark_access::{Reload, Reloaded};
use waymark_clock::{Clock, Ids};
use waymark_domain::WorkspaceId;
use waymark_proto::convert::timestamp;

use repeats::Repeats;
use writing::Counts;

pub use line::TARGET;
pub(crate) use line::tell;
pub use writing::Sink;

pub use waymark_proto::access::v1::{AuditDecision, AuditEntry};

/// Entries that may wait for the sink. With what is counted, each of some hundred bytes, that is all that is kept.
const WAITING: usize = 4_096;

/// Records what one service decides. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    clock: Clock,
    ids: Ids,
    repeats: Mutex<Repeats>,
    queue: mpsc::Sender<AuditEntry>,
    counts: Counts,
}

/// The audits of a process, to which what the process does to itself is told. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Audits(Arc<Mutex<Vec<Audit>>>);

impl Audit {
    /// Records what `service` decides, and the entries that are to be kept.
    fn new(clock: Clock, ids: Ids, service: &'static str, counts: Counts) -> (Self, mpsc::Receiver<AuditEntry>) {
        let (queue, entries) = mpsc::channel(WAITING);
        (Self(Arc::new(Inner { service, clock, ids, repeats: Mutex::default(), queue, counts })), entries)
    }

    /// The time, for entries.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Records an entry.
    pub(crate) fn record(&self, mut entry: AuditEntry) {
        let Inner { service, ids, queue, counts, .. } = &*self.0;
        let time = entry.time.and_then(|time| DateTime::<Utc>::try_from(time).ok()).unwrap_or_else(|| self.now());
        entry.id = ids.at(time).to_string();
        tell(service, &entry);
        if queue.try_send(entry).is_err() {
            counts.lose(1);
        }
    }

    /// Records a refusal of who calls from a network, with those that are the same, when the time for these is over.
    pub(crate) fn refuse(&self, entry: AuditEntry, network: Option<IpAddr>) {
        let told = self.repeats().count(entry, network, Instant::now());
        if let Some(entry) = told {
            self.record(entry);
        }
    }

    /// Records what the process did, or could not do.
    pub fn happened(&self, action: &str, decision: AuditDecision, reason: impl Into<String>) {
        self.record(occurrence(self.now(), action, decision, reason.into()));
    }

    /// Tells of the refusals whose time began then or before.
    fn close(&self, then: Option<Instant>) {
        let Some(then) = then else { return };
        let closed = self.repeats().close(then);
        for entry in closed {
            self.record(entry);
        }
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        // A panic while holding the lock leaves usable counts: every step keeps them whole.
        self.0.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audits {
    /// Records what the process did, or could not do, for each of its services.
    pub fn happened(&self, action: &str, decision: AuditDecision, reason: impl Into<String>) {
        let (audits, reason) = (self.all().clone(), reason.into());
        for audit in &audits {
            audit.happened(action, decision, reason.clone());
        }
    }

    /// Records what was read again, or could not be; logs say what is wrong with it.
    pub(crate) fn read(&self, reload: &Reload) {
        let action = match reload.of {
            Reloaded::Authentication => "authentication.reload",
            Reloaded::Keys => "keys.reload",
            Reloaded::Policies => "policies.reload",
            Reloaded::Limits => "limits.reload",
        };
        self.happened(action, done(reload.done), reload.what.as_str());
    }

    /// What happens from now on is recorded by this one, too.
    fn join(&self, audit: &Audit) {
        self.all().push(audit.clone());
    }

    fn all(&self) -> MutexGuard<'_, Vec<Audit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the process did it.
pub(crate) fn done(done: bool) -> AuditDecision {
    if done { AuditDecision::Done } else { AuditDecision::Failed }
}

pub(crate) fn occurrence(time: DateTime<Utc>, action: &str, decision: AuditDecision, reason: String) -> AuditEntry {
    AuditEntry {
        time: Some(timestamp(time)),
        workspace: WorkspaceId::installation().to_string(),
        action: action.to_owned(),
        decision: decision.into(),
        reason,
        count: 1,
        ..AuditEntry::default()
    }
}

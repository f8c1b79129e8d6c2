//! The task that hands entries to a sink, many at a time. A sink that fails is asked again, less and less often, while further
//! entries wait in the queue.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use waymark_proto::access::v1::AuditEntry;

/// Entries that are handed over at once.
const AT_ONCE: usize = 128;
/// Before a sink that failed is asked again, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Where entries are kept.
pub trait Sink: Send + Sync + fmt::Debug {
    /// Keeps all of them or none. What was kept before may come again, when nobody learned that it was, and is kept once.
    fn keep<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, anyhow::Result<()>>;
}

/// What became of entries.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    entries: Counter<u64>,
    written: [KeyValue; 2],
    lost: [KeyValue; 2],
    /// Lost ones of which no log has told yet.
    untold: Arc<AtomicU64>,
}

/// Hands entries to a sink.
pub(super) struct Writing {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) counts: Counts,
    /// No further entry comes.
    pub(super) closed: CancellationToken,
}

impl Writing {
    /// Hands over what comes, to the end.
    pub(super) async fn run(self, mut entries: mpsc::Receiver<AuditEntry>) {
        let mut batch = Vec::with_capacity(AT_ONCE);
        while !self.closed.is_cancelled() {
            tokio::select! {
                _ = entries.recv_many(&mut batch, AT_ONCE) => {}
                () = self.closed.cancelled() => break,
            }
            self.keep(&mut batch).await;
        }
        // What is left is tried once, as a process that ends does not wait for a database that is away.
        let mut takes = true;
        loop {
            while batch.len() < AT_ONCE
                && let Ok(entry) = entries.try_recv()
            {
                batch.push(entry);
            }
            if batch.is_empty() {
                self.tell_of_lost();
                return;
            }
            takes = takes && self.try_keep(&batch).await.is_ok();
            if takes {
                self.counts.write(batch.len() as u64);
            } else {
                self.counts.lose(batch.len() as u64);
            }
            batch.clear();
        }
    }

    /// Hands over a batch, however often that takes; leaves it where the end comes first.
    async fn keep(&self, batch: &mut Vec<AuditEntry>) {
        let [mut pause, longest] = PAUSES;
        let mut told = false;
        while let Err(error) = self.try_keep(batch).await {
            if !told {
                tracing::warn!(error = %format_args!("{error:#}"), "entries of the audit are not written, and tried again; their lines are in the log");
                told = true;
            }
            tokio::select! { () = tokio::time::sleep(pause) => {} () = self.closed.cancelled() => return }
            pause = (pause * 2).min(longest);
        }
        self.counts.write(batch.len() as u64);
        batch.clear();
        if told {
            tracing::info!("entries of the audit are written again");
        }
        self.tell_of_lost();
    }

    fn tell_of_lost(&self) {
        match self.counts.untold.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => tracing::error!(
                lost,
                "entries of the audit found no room and are not written; their lines are in the log"
            ),
        }
    }

    async fn try_keep(&self, batch: &[AuditEntry]) -> anyhow::Result<()> {
        if batch.is_empty() { Ok(()) } else { self.sink.keep(batch).await }
    }
}

impl Counts {
    pub(super) fn new(meter: &Meter, service: &'static str) -> Self {
        let entries = meter
            .u64_counter("waymark.audit.entries")
            .with_description("Entries of the audit by what became of them: written to the database, or lost, as it could not be reached or had no room")
            .build();
        let labels = |outcome| [KeyValue::new("service", service), KeyValue::new("outcome", outcome)];
        let counts = Self { entries, written: labels("written"), lost: labels("lost"), untold: Arc::default() };
        for outcome in [&counts.written, &counts.lost] {
            counts.entries.add(0, outcome);
        }
        counts
    }

    fn write(&self, entries: u64) {
        self.entries.add(entries, &self.written);
    }

    /// Counts entries that found no room.
    pub(super) fn lose(&self, entries: u64) {
        self.entries.add(entries, &self.lost);
        self.untold.fetch_add(entries, Ordering::Relaxed);
    }
}

//! The lake of product events: one Delta table per workspace on local disk or object storage, and the questions asked
//! of it.
//!
//! - [`Lake::ingest`] commits batches in groups and answers when the rows are durable and visible; [`Lake::import`]
//!   does so with those of an import, which [`Lake::undo`] takes back.
//! - An event's identity is `(user, time, event_id)`; every answer counts an event once, however often it was sent
//!   and wherever its copies lie, before compaction as after.
//! - [`Lake::trend`], [`Lake::total`], [`Lake::path`], [`Lake::funnel`], [`Lake::retention`], [`Lake::lifecycle`],
//!   [`Lake::stickiness`], [`Lake::catalogue`] and [`Lake::latest_event_time`] read a
//!   snapshot: what was committed before the call, by whichever process, is in the answer.
//! - [`Lake::maintain`] merges small files and deletes unused ones; any Delta reader can open the tables meanwhile.
//!
//! Questions are asked in the words of `waymark_domain::metrics`. The lake knows nothing of protos and databases.

mod answer;
mod calendar;
mod catalogue;
mod compact;
mod dedupe;
mod delivery;
mod encode;
mod error;
mod event;
mod file;
mod funnel;
mod ingest;
mod lifecycle;
mod maintain;
mod metrics;
mod options;
mod path;
mod promote;
mod property;
mod retention;
mod scan;
mod schema;
mod selection;
mod settle;
mod shared;
mod shred;
mod snapshot;
mod storage;
mod table;
mod tally;
mod trend;
mod undo;
mod walk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use waymark_domain::Period;
use waymark_domain::metrics::{Activity, Funnel, Measure, Question, Retention, Stickiness, TrendSettings};

pub use answer::{Bucket, Series, TrendAnswer, Watermark};
pub use calendar::last_complete;
pub use catalogue::{Catalogue, EventSummary};
pub use compact::CompactionReport;
pub use delivery::Delivered;
pub use error::LakeError;
pub use event::{Event, user_hash};
pub use funnel::{
    FunnelAnswer, FunnelPage, FunnelPoint, FunnelSeries, FunnelUser, FunnelUsers, StepAnswer, TimeToConvert,
};
pub use ingest::IngestReceipt;
pub use lifecycle::{Lifecycle, LifecycleAnswer, StickinessAnswer};
pub use metrics::LakeMetrics;
pub use options::LakeOptions;
pub use path::{PathAnswer, PathValue};
pub use retention::{Cell, Cohort, RetentionAnswer};
pub use schema::REVENUE;

use encode::Batch;
use error::Result;
use ingest::Gate;
use metrics::Counters;
use scan::Engine;
use shared::Shared;
use storage::Root;
use table::EventTable;

/// A handle to the lake; cloning it is cheap and all clones are the same lake.
#[derive(Clone)]
pub struct Lake {
    shared: Arc<Shared>,
    workspaces: Arc<Mutex<Workspaces>>,
}

/// Tables opened so far. A table is opened under its own lock, so one slow workspace does not hold up the others.
#[derive(Default)]
struct Workspaces {
    closed: bool,
    tables: HashMap<String, Arc<tokio::sync::Mutex<Option<Arc<EventTable>>>>>,
    gates: HashMap<String, Gate>,
}

impl Lake {
    /// Opens the lake at a folder or URL (`/var/lib/waymark/lake`, `s3://bucket/prefix`). Tables are opened when they
    /// are first used.
    pub fn open(location: &str, options: LakeOptions) -> Result<Self> {
        let root = Root::open(location, &options)?;
        let shared = Shared {
            engine: Engine::new(&root, &options)?,
            root,
            counters: Counters::default(),
            queue: Arc::new(Semaphore::new(options.max_queued_rows.min(Semaphore::MAX_PERMITS))),
            queue_bytes: Arc::new(Semaphore::new(options.max_queued_bytes.min(Semaphore::MAX_PERMITS))),
            tasks: TaskTracker::new(),
            committed: Notify::new(),
            options,
        };
        Ok(Self { shared: Arc::new(shared), workspaces: Arc::default() })
    }

    /// Commits `events` to the workspace's table, creating it on first use, and returns when they are durable. On an
    /// error nothing of the batch is acknowledged; sending it again is always safe.
    pub async fn ingest(&self, workspace: &str, events: Vec<Event>) -> Result<IngestReceipt> {
        self.take(workspace, Batch { events, import: None }).await
    }

    /// The same with events of an import, which stand until it is undone or as long as anything else that delivered
    /// them does. Of one that is undone they never show.
    pub async fn import(&self, workspace: &str, import: Uuid, events: Vec<Event>) -> Result<IngestReceipt> {
        self.take(workspace, Batch { events, import: Some(import) }).await
    }

    /// What an import delivered so far. Costs a pass over the identities of the events in its range of users and times.
    pub async fn delivered(&self, workspace: &str, import: Uuid) -> Result<Delivered> {
        let Some(table) = self.table(workspace, false).await? else { return Ok(Delivered::default()) };
        let snapshot = table.refresh().await?;
        undo::delivered(&self.shared, &table, &snapshot, import).await
    }

    /// Undoes an import, whether or not it has delivered anything yet: from the answer on no query sees what it alone
    /// delivered, or delivers still. Tells what it had delivered; doing it again changes nothing and tells the same.
    pub async fn undo(&self, workspace: &str, import: Uuid) -> Result<Delivered> {
        let Some(table) = self.table(workspace, true).await? else { return Err(LakeError::Closed) };
        undo::undo(&self.shared, &table, import).await
    }

    /// How a measure went over time. A workspace without events answers zeros.
    pub async fn trend(&self, workspace: &str, measure: &Measure, settings: &TrendSettings) -> Result<TrendAnswer> {
        let snapshot = self.read(workspace).await?;
        trend::answer(&self.shared, snapshot, measure, settings).await
    }

    /// A measure over the whole of a period; 0 for a workspace without events.
    pub async fn total(&self, workspace: &str, measure: &Measure, period: Period) -> Result<f64> {
        let snapshot = self.read(workspace).await?;
        trend::total(&self.shared, snapshot, measure, period).await
    }

    /// How far users get on a path of events, and what goes with not getting to its worst step. Users whose window is
    /// not over at `now` are left out. A workspace without events answers zeros.
    pub async fn path(&self, workspace: &str, question: &Question, now: DateTime<Utc>) -> Result<PathAnswer> {
        let snapshot = self.read(workspace).await?;
        path::answer(&self.shared, snapshot, question, now).await
    }

    /// How far users get through a funnel, followed as its settings say; `now` says whose time is not over. A workspace
    /// without events answers zeros.
    pub async fn funnel(&self, workspace: &str, funnel: &Funnel, now: DateTime<Utc>) -> Result<FunnelAnswer> {
        let snapshot = self.read(workspace).await?;
        funnel::answer(&self.shared, snapshot, funnel, now).await
    }

    /// A page of the users who reached a step of a funnel, or who reached the step before and not this one.
    pub async fn funnel_users(
        &self,
        workspace: &str,
        funnel: &Funnel,
        page: FunnelPage,
        now: DateTime<Utc>,
    ) -> Result<FunnelUsers> {
        let snapshot = self.read(workspace).await?;
        funnel::users(&self.shared, snapshot, funnel, page, now).await
    }

    /// Of those who began, how many came back when; `now` tells what is over. A workspace without events answers zeros.
    pub async fn retention(
        &self,
        workspace: &str,
        retention: &Retention,
        now: DateTime<Utc>,
    ) -> Result<RetentionAnswer> {
        let snapshot = self.read(workspace).await?;
        retention::answer(&self.shared, snapshot, retention, now).await
    }

    /// How many users came, stayed, came back and stayed away, interval by interval. A breakdown is not used.
    pub async fn lifecycle(
        &self,
        workspace: &str,
        activity: &Activity,
        settings: &TrendSettings,
    ) -> Result<LifecycleAnswer> {
        let snapshot = self.read(workspace).await?;
        lifecycle::lifecycle(&self.shared, snapshot, activity, settings).await
    }

    /// In how many intervals users were active. A breakdown is not used.
    pub async fn stickiness(&self, workspace: &str, question: &Stickiness) -> Result<StickinessAnswer> {
        let snapshot = self.read(workspace).await?;
        lifecycle::stickiness(&self.shared, snapshot, question).await
    }

    /// The event names of a workspace with their counts and first and last times, and the number of its users.
    pub async fn catalogue(&self, workspace: &str) -> Result<Catalogue> {
        let snapshot = self.read(workspace).await?;
        catalogue::answer(&self.shared, snapshot).await
    }

    /// The version of a workspace's table: it is another when any answer may be. 0 for a workspace without events.
    pub async fn version(&self, workspace: &str) -> Result<u64> {
        Ok(match self.table(workspace, false).await? {
            Some(table) => table.refresh().await?.version,
            None => 0,
        })
    }

    /// The time of a workspace's latest event, of any name; `None` when it has none. Costs a look at the log, however
    /// many events there are.
    pub async fn latest_event_time(&self, workspace: &str) -> Result<Option<DateTime<Utc>>> {
        let snapshot = self.read(workspace).await?;
        catalogue::latest(&self.shared, &snapshot).await
    }

    /// Whether events have come as far as `time`: one from then or later came then or later. One that came before is of a
    /// clock that is ahead, and says nothing of the others.
    pub async fn has_arrived(&self, workspace: &str, time: DateTime<Utc>) -> Result<bool> {
        let snapshot = self.read(workspace).await?;
        catalogue::has_arrived(&self.shared, &snapshot, time).await
    }

    /// Merges files until none overlap, dropping duplicates. Safe beside ingest and queries; a second call changes
    /// nothing.
    pub async fn compact(&self, workspace: &str) -> Result<CompactionReport> {
        match self.table(workspace, false).await? {
            Some(table) => compact::compact_fully(&self.shared, &table).await,
            None => Ok(CompactionReport::default()),
        }
    }

    /// Deletes files that the workspace's table has not used for the grace period and returns how many.
    pub async fn vacuum(&self, workspace: &str) -> Result<u64> {
        match self.table(workspace, false).await? {
            Some(table) => maintain::vacuum(&self.shared, &table).await,
            None => Ok(0),
        }
    }

    /// Compacts, checkpoints and vacuums in the background for as long as the returned future is polled; dropping it
    /// stops that at a safe point.
    pub async fn maintain(&self) {
        maintain::run(&self.shared, || self.tables()).await;
    }

    /// What the lake has done since it was opened.
    pub fn metrics(&self) -> LakeMetrics {
        let queued = self.shared.options.max_queued_rows.saturating_sub(self.shared.queue.available_permits());
        self.shared.counters.read(queued as u64)
    }

    /// Refuses further batches and returns when those accepted before are committed.
    pub async fn close(&self) {
        {
            let mut workspaces = self.workspaces();
            workspaces.closed = true;
            workspaces.gates.clear();
        }
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    async fn take(&self, workspace: &str, batch: Batch) -> Result<IngestReceipt> {
        let events = &batch.events;
        for (index, event) in events.iter().enumerate() {
            event.check(index)?;
        }
        let Some(table) = self.table(workspace, true).await? else { return Err(LakeError::Closed) };
        if events.is_empty() {
            return Ok(IngestReceipt { version: table.snapshot().version, accepted: 0, duplicates_in_batch: 0 });
        }
        let gate = self.gate(workspace, table)?;
        ingest::offer(&self.shared, gate, batch).await
    }

    fn workspaces(&self) -> std::sync::MutexGuard<'_, Workspaces> {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workspace's table, opened once; `None` when it has none and `create` is false.
    async fn table(&self, workspace: &str, create: bool) -> Result<Option<Arc<EventTable>>> {
        let slot = self.workspaces().tables.entry(workspace.to_owned()).or_default().clone();
        let mut slot = slot.lock().await;
        if slot.is_none() {
            *slot = EventTable::open(&self.shared.root, &self.shared.options, workspace, create).await?.map(Arc::new);
        }
        Ok(slot.clone())
    }

    /// Tables that are open now.
    async fn tables(&self) -> Vec<(String, Arc<EventTable>)> {
        let slots: Vec<_> = self.workspaces().tables.iter().map(|(name, slot)| (name.clone(), slot.clone())).collect();
        let mut tables = Vec::with_capacity(slots.len());
        for (name, slot) in slots {
            if let Some(table) = slot.lock().await.clone() {
                tables.push((name, table));
            }
        }
        tables
    }

    fn gate(&self, workspace: &str, table: Arc<EventTable>) -> Result<Gate> {
        let mut workspaces = self.workspaces();
        if workspaces.closed {
            return Err(LakeError::Closed);
        }
        Ok(workspaces
            .gates
            .entry(workspace.to_owned())
            .or_insert_with(|| ingest::open_gate(&self.shared, table))
            .clone())
    }

    async fn read(&self, workspace: &str) -> Result<scan::Source> {
        metrics::count(&self.shared.counters.queries, 1);
        Ok(match self.table(workspace, false).await? {
            Some(table) => {
                let snapshot = table.refresh().await?;
                let received = scan::received(&self.shared.engine, &table, &snapshot).await?;
                scan::Source::Table { table, snapshot, received }
            }
            None => scan::Source::Empty,
        })
    }
}

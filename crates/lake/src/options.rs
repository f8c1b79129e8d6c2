//! How a lake is set up: limits, thresholds, and the clock and ids it must not make up itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use waymark_clock::{Clock, Ids};

/// How long a batch without company waits for it, unless configured otherwise.
const DEFAULT_WAIT: Duration = Duration::from_millis(200);

/// Everything about a lake that can be chosen. Start from [`LakeOptions::new`].
#[derive(Clone)]
pub struct LakeOptions {
    /// Stamps `received` on events and times on log entries.
    pub clock: Clock,
    /// Names data files.
    pub ids: Ids,
    /// How long a batch waits for others to share its commit.
    pub max_wait: Duration,
    /// A group of this many rows is committed without further waiting.
    pub flush_rows: usize,
    /// No group grows beyond this by batches that already wait (a single larger batch is still one group).
    pub max_group_rows: usize,
    /// Rows that may wait in memory over all workspaces before batches are refused as overloaded.
    pub max_queued_rows: usize,
    /// About as many bytes of memory may wait, counted alike: wide events are few rows and much memory.
    pub max_queued_bytes: usize,
    /// Rows of a compacted file.
    pub target_file_rows: u64,
    /// Files of similar size that trigger a merge.
    pub merge_files: usize,
    /// Events of a workspace that a process takes in before it gives columns to the properties that are common in them.
    pub promote_after: u64,
    /// A workspace without commits for this long is compacted fully.
    pub idle_before_full_compaction: Duration,
    /// How long a replaced file stays for readers that still use it. Must exceed the longest query and the longest
    /// upload.
    pub vacuum_grace: Duration,
    /// Time between vacuums.
    pub vacuum_every: Duration,
    /// How long entries of a table's log stay after a checkpoint has made them unnecessary. Must exceed the longest
    /// opening of a table; a process that has not looked at a table for half of it loads the table anew.
    pub log_retention: Duration,
    /// Streams a query is read in.
    pub parallelism: usize,
    /// Settings of a remote store, such as `aws_access_key_id`, `aws_region`, `aws_endpoint` and `aws_allow_http`.
    /// Upper case works too, so a service can pass on its AWS_* environment.
    pub storage_options: HashMap<String, String>,
    /// Replaces the store that the location implies; its root is the root of the location's scheme.
    pub store: Option<Arc<dyn ObjectStore>>,
}

impl LakeOptions {
    /// The defaults around a clock and a source of ids.
    pub fn new(clock: Clock, ids: Ids) -> Self {
        Self {
            clock,
            ids,
            max_wait: DEFAULT_WAIT,
            flush_rows: 20_000,
            max_group_rows: 500_000,
            max_queued_rows: 2_000_000,
            max_queued_bytes: 512 << 20,
            target_file_rows: 1_000_000,
            merge_files: 8,
            promote_after: 1_000,
            idle_before_full_compaction: Duration::from_secs(30),
            vacuum_grace: Duration::from_mins(15),
            vacuum_every: Duration::from_mins(5),
            log_retention: Duration::from_hours(1),
            parallelism: std::thread::available_parallelism().map_or(2, usize::from),
            storage_options: HashMap::new(),
            store: None,
        }
    }

    pub(crate) fn new_file_name(&self) -> String {
        format!("events-{}.parquet", self.ids.at(self.clock.now()))
    }
}

impl fmt::Debug for LakeOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LakeOptions")
            .field("max_wait", &self.max_wait)
            .field("flush_rows", &self.flush_rows)
            .field("max_queued_rows", &self.max_queued_rows)
            .field("max_queued_bytes", &self.max_queued_bytes)
            .field("target_file_rows", &self.target_file_rows)
            .field("vacuum_grace", &self.vacuum_grace)
            .field("log_retention", &self.log_retention)
            .finish_non_exhaustive()
    }
}

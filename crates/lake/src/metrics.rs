//! Counters of what the lake has done since it was opened, for the service to export. Never names or exports them
//! itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of the counters; all only ever grow, except `queued_rows`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LakeMetrics {
    /// Rows acknowledged.
    pub rows_ingested: u64,
    /// Rows dropped because the same group held them already.
    pub duplicates_in_groups: u64,
    /// Group commits that succeeded.
    pub commits: u64,
    /// Group commits that failed.
    pub failed_commits: u64,
    /// Data files written.
    pub files_written: u64,
    /// Bytes of data files written.
    pub bytes_written: u64,
    /// Compactions committed.
    pub compactions: u64,
    /// Files replaced by compactions.
    pub files_compacted: u64,
    /// Rows that compactions dropped: repetitions, and those of undone imports.
    pub rows_dropped: u64,
    /// Files deleted after the grace period.
    pub files_vacuumed: u64,
    /// Queries answered.
    pub queries: u64,
    /// Rows that wait to be committed now.
    pub queued_rows: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub rows_ingested: AtomicU64,
    pub duplicates_in_groups: AtomicU64,
    pub commits: AtomicU64,
    pub failed_commits: AtomicU64,
    pub files_written: AtomicU64,
    pub bytes_written: AtomicU64,
    pub compactions: AtomicU64,
    pub files_compacted: AtomicU64,
    pub rows_dropped: AtomicU64,
    pub files_vacuumed: AtomicU64,
    pub queries: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn read(&self, queued_rows: u64) -> LakeMetrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LakeMetrics {
            rows_ingested: read(&self.rows_ingested),
            duplicates_in_groups: read(&self.duplicates_in_groups),
            commits: read(&self.commits),
            failed_commits: read(&self.failed_commits),
            files_written: read(&self.files_written),
            bytes_written: read(&self.bytes_written),
            compactions: read(&self.compactions),
            files_compacted: read(&self.files_compacted),
            rows_dropped: read(&self.rows_dropped),
            files_vacuumed: read(&self.files_vacuumed),
            queries: read(&self.queries),
            queued_rows,
        }
    }
}

//! Compaction: overlapping and small files become few that share no user, without what is never seen: duplicates, and
//! rows of undone imports. Values of properties that got a column move into it. Never changes which events there are.
//!
//! A job replaces exactly the files it read, in one commit that fails if any of them is gone; files committed meanwhile
//! are not touched, so ingest and compaction need no lock between them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::StreamExt;

use crate::error::{LakeError, Result};
use crate::file::{DataFile, FileEncoder};
use crate::metrics::count;
use crate::scan::overlapping;
use crate::schema::Columns;
use crate::settle::settled;
use crate::shared::Shared;
use crate::shred::refit;
use crate::snapshot::Snapshot;
use crate::table::{Commit, EventTable};

/// Another process may win the race for the same files this often before the caller is told.
const CONFLICT_RETRIES: usize = 5;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactionReport {
    /// Live files before.
    pub files_before: usize,
    /// Live files after.
    pub files_after: usize,
    /// Rows that were rewritten.
    pub rows_rewritten: u64,
    /// Rows that were dropped: repetitions, and those of undone imports.
    pub rows_dropped: u64,
    /// The version after.
    pub version: u64,
}

type Files = Vec<Arc<DataFile>>;

/// Rewrites until no files overlap and no neighbours would fit in one file. Files that others commit meanwhile are left
/// for the next compaction: chasing a steady stream would never end.
pub(crate) async fn compact_fully(shared: &Arc<Shared>, table: &Arc<EventTable>) -> Result<CompactionReport> {
    let files_before = table.refresh().await?.files.len();
    purge(shared, table).await?;
    let before = table.snapshot();
    let mut scope: HashSet<String> = before.files.iter().map(|file| file.path.clone()).collect();
    let mut report = CompactionReport { files_before, ..CompactionReport::default() };
    let mut conflicts = 0;
    loop {
        let snapshot = table.refresh().await?;
        let files: Files = snapshot.files.iter().filter(|file| scope.contains(&file.path)).cloned().collect();
        let jobs = full_jobs(&files, shared.options.target_file_rows, &snapshot.columns);
        if jobs.is_empty() {
            return Ok(CompactionReport { files_after: snapshot.files.len(), version: snapshot.version, ..report });
        }
        for job in jobs {
            match rewrite(shared, table, &job).await {
                Ok(done) => {
                    report.rows_rewritten += done.rows;
                    report.rows_dropped += done.dropped;
                    scope.extend(done.files);
                }
                Err(LakeError::Conflict) if conflicts < CONFLICT_RETRIES => {
                    // Another process compacts too: take what it left as the new scope.
                    conflicts += 1;
                    scope = table.refresh().await?.files.iter().map(|file| file.path.clone()).collect();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What one job did.
struct Rewritten {
    rows: u64,
    dropped: u64,
    /// Paths of the new files.
    files: Vec<String>,
}

/// One round of background merging; true when something was merged. Files of similar size are merged together, so a row
/// is rewritten once for each power of `merge_files` that its file grows by.
pub(crate) async fn compact_tier(shared: &Arc<Shared>, table: &Arc<EventTable>) -> Result<bool> {
    let snapshot = table.snapshot();
    let Some(job) = tier_job(&snapshot.files, shared.options.merge_files, shared.options.target_file_rows) else {
        return Ok(false);
    };
    rewrite(shared, table, &job).await?;
    Ok(true)
}

/// Removes rows of undone imports from files that have them, each by itself; true when there were any.
pub(crate) async fn purge(shared: &Arc<Shared>, table: &Arc<EventTable>) -> Result<bool> {
    let snapshot = table.snapshot();
    let files: Files = snapshot.files.iter().filter(|file| file.names_undone(&snapshot.undone)).cloned().collect();
    for file in &files {
        rewrite(shared, table, std::slice::from_ref(file)).await?;
    }
    Ok(!files.is_empty())
}

/// Groups of files to rewrite so that in the end none overlap, small neighbours are joined, and all have every column.
fn full_jobs(files: &[Arc<DataFile>], target_rows: u64, columns: &Columns) -> Vec<Files> {
    let rows = |files: &Files| files.iter().map(|file| file.rows).sum::<u64>();
    let mut jobs: Vec<Files> = Vec::new();
    for group in overlapping(files.to_vec()) {
        match jobs.last_mut() {
            Some(job) if rows(job) + rows(&group) <= target_rows => job.extend(group),
            _ => jobs.push(group),
        }
    }
    jobs.retain(|job| job.len() > 1 || job.iter().any(|file| !file.fits(columns)));
    jobs
}

/// The files to merge next: everything up to a size of which there are `merge_files`, or, once many large runs cover
/// the same users, all files of those users. Sizes count in powers of `merge_files`, so a steady trickle does not
/// rewrite what has grown large.
fn tier_job(files: &[Arc<DataFile>], merge_files: usize, target_rows: u64) -> Option<Files> {
    let fan_in = merge_files.max(2);
    let tier = |file: &DataFile| file.rows.max(1).ilog(fan_in as u64);
    for level in 0..target_rows.max(1).ilog(fan_in as u64) {
        if files.iter().filter(|file| tier(file) == level).count() >= fan_in {
            return Some(files.iter().filter(|file| tier(file) <= level).cloned().collect());
        }
    }
    overlapping(files.to_vec()).into_iter().find(|group| depth(group) >= 2 * fan_in)
}

/// The largest number of files that hold the same user's range.
fn depth(files: &[Arc<DataFile>]) -> usize {
    // At equal places an opening sorts before a closing, because ranges include both ends.
    let mut ends: Vec<_> = files.iter().flat_map(|file| [(file.users.min, false), (file.users.max, true)]).collect();
    ends.sort_unstable();
    let (mut open, mut most) = (0_usize, 0);
    for (_, closes) in ends {
        if closes {
            open -= 1;
        } else {
            open += 1;
        }
        most = most.max(open);
    }
    most
}

/// Replaces the files of a job by their merged, distinct rows.
async fn rewrite(shared: &Arc<Shared>, table: &Arc<EventTable>, job: &[Arc<DataFile>]) -> Result<Rewritten> {
    let mut written = Vec::new();
    let snapshot = table.snapshot();
    let purges = job.iter().any(|file| file.names_undone(&snapshot.undone));
    let outcome = write_merged(shared, table, job, &snapshot, &mut written).await;
    let kept: u64 = written.iter().map(|file| file.rows).sum();
    // The log does not tell the rows of a foreign writer's files; at least what was kept has been read.
    let read = job.iter().map(|file| file.rows).sum::<u64>().max(kept);
    if let Err(error) = outcome {
        table.discard(&written).await;
        return Err(error);
    }
    let now = shared.options.clock.now().timestamp_millis();
    let commit = Commit { add: written, remove: job.to_vec(), rewrites_only: !purges };
    match table.commit(&commit, now).await {
        Ok(_) => {}
        Err(error) => {
            // Only a conflict is certain not to have reached the log; after any other failure the files may be live.
            if matches!(error, LakeError::Conflict) {
                table.discard(&commit.add).await;
            }
            return Err(error);
        }
    }
    count(&shared.counters.compactions, 1);
    count(&shared.counters.files_compacted, job.len() as u64);
    count(&shared.counters.rows_dropped, read - kept);
    tracing::debug!(
        files = job.len(),
        into = commit.add.len(),
        rows = kept,
        dropped = read - kept,
        "files were merged"
    );
    Ok(Rewritten { rows: read, dropped: read - kept, files: commit.add.into_iter().map(|file| file.path).collect() })
}

/// Streams the merged rows into files of the target size, cut between users.
async fn write_merged(
    shared: &Arc<Shared>,
    table: &EventTable,
    job: &[Arc<DataFile>],
    snapshot: &Snapshot,
    written: &mut Vec<DataFile>,
) -> Result<()> {
    let columns = &snapshot.columns;
    let merged = shared.engine.merged((table, columns), job, &columns.names(), None)?;
    let mut rows = settled(merged, snapshot.undone.clone(), columns.clone());
    let fitting = Fitting::of(job, columns);
    let mut encoder = FileEncoder::new(columns.clone())?;
    let mut last_user = None;
    while let Some(batch) = rows.next().await {
        let mut rest = batch?;
        while rest.num_rows() > 0 {
            let users = rest.column(0).as_primitive::<Int64Type>().values().clone();
            let mut cut = rest.num_rows();
            if encoder.rows() + cut as u64 >= shared.options.target_file_rows {
                let wanted = (shared.options.target_file_rows.saturating_sub(encoder.rows())) as usize;
                cut = cut_between_users(&users, last_user, wanted);
            }
            let part = rest.slice(0, cut);
            last_user = users[..cut].last().copied().or(last_user);
            rest = rest.slice(cut, rest.num_rows() - cut);
            encoder = encode(encoder, part, &fitting).await?;
            let full = encoder.rows() >= shared.options.target_file_rows;
            if full && rest.num_rows() > 0 && Some(users[cut]) != last_user {
                store(shared, table, encoder, written).await?;
                encoder = FileEncoder::new(columns.clone())?;
            }
        }
    }
    store(shared, table, encoder, written).await
}

/// How many of the rows belong to the current file: at least `wanted`, up to the next change of user.
fn cut_between_users(users: &[i64], last_user: Option<i64>, wanted: usize) -> usize {
    let mut current = if wanted == 0 { last_user } else { users.get(wanted.min(users.len()) - 1).copied() };
    let from = wanted.min(users.len());
    for (index, user) in users.iter().enumerate().skip(from) {
        if current.is_some_and(|current| current != *user) {
            return index;
        }
        current = Some(*user);
    }
    users.len()
}

/// Where values of properties are in the rows of a job.
#[derive(Clone)]
enum Fitting {
    /// Where they belong: which columns are known to have values in the remainders.
    Fits(Vec<bool>),
    /// Perhaps in the remainder, as a file was written without a column.
    Moves(Arc<Columns>),
}

impl Fitting {
    fn of(job: &[Arc<DataFile>], columns: &Arc<Columns>) -> Self {
        if job.iter().any(|file| !file.fits(columns)) {
            return Self::Moves(columns.clone());
        }
        let misfits = |column: &str| job.iter().any(|file| !file.is_whole(column));
        Self::Fits(columns.promoted().iter().map(|promoted| misfits(&promoted.column)).collect())
    }
}

async fn encode(mut encoder: FileEncoder, rows: RecordBatch, fitting: &Fitting) -> Result<FileEncoder> {
    let fitting = fitting.clone();
    let encoding = tokio::task::spawn_blocking(move || {
        match fitting {
            Fitting::Fits(misfits) => encoder.write(&rows, &misfits)?,
            Fitting::Moves(columns) => {
                let (rows, misfits) = refit(&rows, &columns)?;
                encoder.write(&rows, &misfits)?;
            }
        }
        Ok(encoder)
    });
    encoding.await.map_err(LakeError::failed("encode merged rows"))?
}

async fn store(shared: &Shared, table: &EventTable, encoder: FileEncoder, written: &mut Vec<DataFile>) -> Result<()> {
    let Some((bytes, file)) = encoder.finish(shared.options.new_file_name())? else { return Ok(()) };
    count(&shared.counters.files_written, 1);
    count(&shared.counters.bytes_written, file.bytes);
    // Noted before it is stored, so that a failed upload is discarded too.
    written.push(file.clone());
    table.put(&file, bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Span;
    use crate::schema::{Kind, Promoted};

    fn file(name: usize, min: i64, max: i64, rows: u64) -> Arc<DataFile> {
        let any = Span { min: 0, max: 1 };
        Arc::new(DataFile {
            path: format!("{name}"),
            bytes: 1,
            rows,
            users: Span { min, max },
            times: any,
            received: any,
            imports: None,
            repeats: false,
            columns: vec![("revenue".to_owned(), false)],
        })
    }

    #[test]
    fn a_trickle_does_not_rewrite_what_has_grown_large() {
        let mut files = vec![file(0, 0, 9, 100_000)];
        files.extend((1..8).map(|name| file(name, 0, 9, 1)));
        assert_eq!(tier_job(&files, 8, 1_000_000), None);
        files.push(file(8, 0, 9, 1));
        assert_eq!(tier_job(&files, 8, 1_000_000).map(|job| job.len()), Some(8));
    }

    #[test]
    fn piled_up_runs_are_merged_and_disjoint_ones_left() {
        let apart: Files = (0..40).map(|name| file(name, name as i64 * 10, name as i64 * 10 + 9, 1_000_000)).collect();
        assert_eq!(tier_job(&apart, 8, 1_000_000), None);
        let piled: Files = (0..16).map(|name| file(name, 0, 9, 1_000_000)).collect();
        assert_eq!(tier_job(&piled, 8, 1_000_000).map(|job| job.len()), Some(16));
    }

    #[test]
    fn full_jobs_join_small_neighbours_and_leave_a_settled_table_alone() {
        let settled = [file(0, 0, 9, 900), file(1, 10, 19, 900), file(2, 20, 29, 50)];
        let columns = Columns::new([]);
        assert!(full_jobs(&settled, 900, &columns).is_empty());
        let small = [file(0, 0, 9, 100), file(1, 10, 19, 100), file(2, 20, 29, 900)];
        assert_eq!(full_jobs(&small, 900, &columns).iter().map(Vec::len).collect::<Vec<_>>(), [2]);
        let plan = Promoted { property: "plan".to_owned(), column: "p_plan".to_owned(), kind: Kind::Text };
        assert_eq!(full_jobs(&settled, 900, &Columns::new([plan])).len(), 3, "all lack a column");
    }

    #[test]
    fn files_are_cut_where_the_user_changes() {
        assert_eq!(cut_between_users(&[1, 1, 2, 2, 3], None, 1), 2);
        assert_eq!(cut_between_users(&[1, 1, 2, 2, 3], None, 2), 2);
        assert_eq!(cut_between_users(&[1, 1, 2, 2, 3], Some(1), 0), 2);
        assert_eq!(cut_between_users(&[1, 1, 2, 2, 3], Some(0), 0), 0);
        assert_eq!(cut_between_users(&[7, 7], Some(7), 0), 2);
    }
}

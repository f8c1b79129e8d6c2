//! Group commit: batches of concurrent callers become one file and one commit. Never acknowledges a row before it is
//! committed.
//!
//! Each workspace has one gathering task. It waits for company up to `max_wait`, hands the group to a commit task and
//! gathers on, so encoding the next group overlaps with the disk's wait for the last. Rows that wait, and their bytes,
//! are bounded by semaphores over all workspaces.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::encode::{Batch, encode};
use crate::error::{LakeError, Result};
use crate::event::Event;
use crate::file::FileEncoder;
use crate::metrics::count;
use crate::schema::Columns;
use crate::shared::Shared;
use crate::table::{Commit, EventTable};

/// What an acknowledged batch is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestReceipt {
    /// The table version from which queries see the batch.
    pub version: u64,
    /// Rows of the batch that were written. Repetitions of events committed earlier count here: queries drop them.
    pub accepted: usize,
    /// Rows of the batch that repeated another row of the same group, so need not be written.
    pub duplicates_in_batch: usize,
}

/// Groups that may be encoding or committing at once for one workspace.
const GROUPS_IN_FLIGHT: usize = 2;

/// A batch on its way, with the memory it was granted.
pub(crate) struct Offer {
    batch: Batch,
    granted: [OwnedSemaphorePermit; 2],
    reply: oneshot::Sender<Result<IngestReceipt>>,
}

/// Where a workspace's batches are handed in.
pub(crate) type Gate = mpsc::UnboundedSender<Offer>;

/// Queues a batch and waits for its commit.
pub(crate) async fn offer(shared: &Shared, gate: Gate, batch: Batch) -> Result<IngestReceipt> {
    let bytes = batch.events.iter().map(Event::memory).sum();
    let granted = [
        grant(&shared.queue, "rows", batch.events.len(), shared.options.max_queued_rows)?,
        grant(&shared.queue_bytes, "bytes", bytes, shared.options.max_queued_bytes)?,
    ];
    let (reply, answer) = oneshot::channel();
    gate.send(Offer { batch, granted, reply }).map_err(|_| LakeError::Closed)?;
    // A gate that is kept would keep the gathering task waiting for company after the lake is closed.
    drop(gate);
    answer.await.map_err(|_| LakeError::Closed)?
}

fn grant(queue: &Arc<Semaphore>, unit: &'static str, offered: usize, limit: usize) -> Result<OwnedSemaphorePermit> {
    let permits = u32::try_from(offered).unwrap_or(u32::MAX);
    let refused =
        |_| LakeError::Overloaded { unit, queued: limit.saturating_sub(queue.available_permits()), offered, limit };
    queue.clone().try_acquire_many_owned(permits).map_err(refused)
}

/// Starts the gathering task of a workspace; it ends when every gate is dropped and its groups are committed.
pub(crate) fn open_gate(shared: &Arc<Shared>, table: Arc<EventTable>) -> Gate {
    let (gate, offers) = mpsc::unbounded_channel();
    shared.tasks.spawn(gather(shared.clone(), table, offers));
    gate
}

async fn gather(shared: Arc<Shared>, table: Arc<EventTable>, mut offers: mpsc::UnboundedReceiver<Offer>) {
    let in_flight = Arc::new(Semaphore::new(GROUPS_IN_FLIGHT));
    while let Some(first) = offers.recv().await {
        let mut rows = first.batch.events.len();
        let mut group = vec![first];
        let deadline = tokio::time::sleep(shared.options.max_wait);
        tokio::pin!(deadline);
        while rows < shared.options.flush_rows {
            tokio::select! {
                biased;
                offer = offers.recv() => match offer {
                    Some(offer) => { rows += offer.batch.events.len(); group.push(offer); }
                    None => break,
                },
                () = &mut deadline => break,
            }
        }
        // The semaphore is never closed, so a permit always comes; meanwhile whoever queues up joins the group below.
        let Ok(turn) = in_flight.clone().acquire_owned().await else { return };
        while rows < shared.options.max_group_rows {
            let Ok(offer) = offers.try_recv() else { break };
            rows += offer.batch.events.len();
            group.push(offer);
        }
        let (shared, table) = (shared.clone(), table.clone());
        shared.tasks.clone().spawn(async move {
            commit_group(&shared, &table, group).await;
            drop(turn);
        });
    }
}

/// Commits one group and answers each of its callers, with the same error when it fails.
async fn commit_group(shared: &Shared, table: &EventTable, group: Vec<Offer>) {
    let mut batches = Vec::with_capacity(group.len());
    let mut callers = Vec::with_capacity(group.len());
    for offer in group {
        callers.push((offer.batch.events.len(), offer.granted, offer.reply));
        batches.push(offer.batch);
    }
    let written = write_group(shared, table, batches).await;
    if let Err(error) = &written {
        count(&shared.counters.failed_commits, 1);
        tracing::warn!(error = %error, callers = callers.len(), "a group of events was not committed");
    }
    for (index, (rows, granted, reply)) in callers.into_iter().enumerate() {
        let receipt = written.as_ref().map_err(Clone::clone).map(|(version, duplicates)| IngestReceipt {
            version: *version,
            accepted: rows - duplicates[index],
            duplicates_in_batch: duplicates[index],
        });
        drop(granted);
        // A caller that gave up waiting does not mind: its rows are committed all the same.
        let _ = reply.send(receipt);
    }
}

/// The columns that a group is written with. Where new ones cannot be declared it does without.
async fn columns(shared: &Shared, table: &EventTable, batches: &[Batch]) -> Arc<Columns> {
    let popular = table.popular(batches, shared.options.promote_after);
    if !popular.is_empty() {
        match table.promote(&popular).await {
            Ok(snapshot) => return snapshot.columns.clone(),
            Err(error) => tracing::warn!(error = %error, "properties got no columns"),
        }
    }
    table.snapshot().columns.clone()
}

async fn write_group(shared: &Shared, table: &EventTable, batches: Vec<Batch>) -> Result<(u64, Vec<usize>)> {
    let now = shared.options.clock.now();
    let path = shared.options.new_file_name();
    // A column is declared before there is a file that has it, so all who read the file know it.
    let columns = columns(shared, table, &batches).await;
    let encoding = tokio::task::spawn_blocking(move || {
        let encoded = encode(&batches, now.timestamp_micros(), &columns)?;
        let mut file = FileEncoder::new(columns)?;
        file.write(&encoded.rows, &encoded.misfits)?;
        let (bytes, file) = file.finish(path)?.ok_or_else(|| LakeError::told("encode a group", "it holds no rows"))?;
        Ok::<_, LakeError>((bytes, file, encoded.duplicates))
    });
    let (bytes, file, duplicates) = encoding.await.map_err(LakeError::failed("encode a group"))??;
    table.put(&file, bytes).await?;
    let (rows, size) = (file.rows, file.bytes);
    // A commit that failed may still have reached the log, so its file must stay; vacuum deletes it if it did not.
    let version = table
        .commit(&Commit { add: vec![file], remove: Vec::new(), rewrites_only: false }, now.timestamp_millis())
        .await?;
    count(&shared.counters.commits, 1);
    count(&shared.counters.rows_ingested, rows);
    count(&shared.counters.duplicates_in_groups, duplicates.iter().sum::<usize>() as u64);
    count(&shared.counters.files_written, 1);
    count(&shared.counters.bytes_written, size);
    shared.committed.notify_one();
    Ok((version, duplicates))
}

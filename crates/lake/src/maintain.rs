//! What a lake does by itself: merging as files pile up, full compaction of quiet workspaces, checkpoints, vacuum. Never needed for
//! right answers, only for quick ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Lake;
use crate::Shared;
use crate::compact::{compact_fully, compact_tier};
use crate::error::{LakeError, Result};
use crate::metrics::count;
use crate::table::Table;

/// How often quiet workspaces and the vacuum are looked at.
const TICK: Duration = Duration::from_secs(5);

/// Runs until dropped. A failure is logged and met again at the next round: maintenance never stops ingest.
pub(crate) async fn run(lake: &Lake) {
    let shared = lake.shared.clone();
    let mut seen: HashMap<String, (u64, Instant)> = HashMap::new();
    let mut vacuumed = Instant::now();
    loop {
        tokio::select! {
            () = shared.committed.notified() => {}
            () = tokio::time::sleep(TICK) => {}
        }
        let vacuum_now = vacuumed.elapsed() >= shared.options.vacuum_every;
        if vacuum_now {
            vacuumed = Instant::now();
        }
        for (workspace, table) in lake.tables().await {
            let version = table.snapshot().version;
            let since = seen.entry(workspace.clone()).or_insert((version, Instant::now()));
            if since.0 != version {
                *since = (version, Instant::now());
            }
            let idle = since.1.elapsed() >= shared.options.idle_before_full_compaction;
            if let Err(error) = care(&shared, &table, idle, vacuum_now).await
                && !matches!(error, LakeError::Conflict)
            {
                tracing::warn!(workspace, error = %error, "the event table could not be maintained");
            }
        }
    }
}

async fn care(shared: &Arc<Shared>, table: &Arc<Table>, idle: bool, vacuum_now: bool) -> Result<()> {
    while compact_tier(shared, table).await? {}
    if idle {
        compact_fully(shared, table).await?;
    }
    table.checkpoint().await?;
    if vacuum_now {
        vacuum(shared, table).await?;
    }
    Ok(())
}

/// Deletes files that were not used for the grace period.
pub(crate) async fn vacuum(shared: &Shared, table: &Table) -> Result<u64> {
    let grace = i64::try_from(shared.options.vacuum_grace.as_millis()).unwrap_or(i64::MAX);
    let deleted = table.vacuum((shared.options.clock)().timestamp_millis(), grace).await?;
    count(&shared.counters.files_vacuumed, deleted);
    Ok(deleted)
}

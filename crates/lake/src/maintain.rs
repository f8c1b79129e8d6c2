//! What a lake does by itself: merging as files pile up, removing what is undone, full compaction of quiet workspaces,
//! checkpoints, vacuum.
//! Never needed for right answers, only for quick ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::compact::{compact_fully, compact_tier, purge};
use crate::error::{LakeError, Result};
use crate::metrics::count;
use crate::shared::Shared;
use crate::table::EventTable;

/// How often quiet workspaces and the vacuum are looked at.
const TICK: Duration = Duration::from_secs(5);

/// Looks after the tables that are open, asked for anew at each round, until dropped. A failure is logged and met again
/// at the next round: maintenance never stops ingest.
pub(crate) async fn run<F>(shared: &Arc<Shared>, open: impl Fn() -> F)
where
    F: Future<Output = Vec<(String, Arc<EventTable>)>>,
{
    let mut seen: HashMap<String, Watched> = HashMap::new();
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
        for (workspace, table) in open().await {
            let watched = seen.entry(workspace.clone()).or_insert_with(|| Watched::new(&table));
            if let Err(error) = care(shared, &table, watched, vacuum_now).await
                && !matches!(error, LakeError::Conflict)
            {
                tracing::warn!(workspace, error = %error, "the event table could not be maintained");
            }
        }
    }
}

/// What is remembered of a table from one round to the next.
struct Watched {
    version: u64,
    /// When it was first seen at this version.
    since: Instant,
    /// The version at which full compaction found nothing to do: until there is another, nothing is looked at.
    settled: Option<u64>,
}

impl Watched {
    fn new(table: &EventTable) -> Self {
        Self { version: table.snapshot().version, since: Instant::now(), settled: None }
    }
}

async fn care(shared: &Arc<Shared>, table: &Arc<EventTable>, watched: &mut Watched, vacuum_now: bool) -> Result<()> {
    if watched.version != table.snapshot().version {
        *watched = Watched { settled: watched.settled, ..Watched::new(table) };
    }
    if watched.settled != Some(watched.version) {
        purge(shared, table).await?;
        while compact_tier(shared, table).await? {}
        if watched.since.elapsed() >= shared.options.idle_before_full_compaction {
            let before = table.snapshot().version;
            // Files committed meanwhile were left alone, so only a compaction that nothing happened beside has seen all
            // there are.
            let after = compact_fully(shared, table).await?.version;
            watched.settled = (after == before).then_some(after);
        }
    }
    table.checkpoint().await?;
    if vacuum_now {
        vacuum(shared, table).await?;
    }
    Ok(())
}

/// Deletes files that were not used for the grace period.
pub(crate) async fn vacuum(shared: &Shared, table: &EventTable) -> Result<u64> {
    let grace = i64::try_from(shared.options.vacuum_grace.as_millis()).unwrap_or(i64::MAX);
    let deleted = table.vacuum(shared.options.clock.now().timestamp_millis(), grace).await?;
    count(&shared.counters.files_vacuumed, deleted);
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use waymark_clock::{Clock, Ids};

    use super::*;
    use crate::{Event, Lake, LakeOptions};

    #[tokio::test]
    async fn a_settled_table_is_not_looked_at_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, _) = Clock::manual(DateTime::UNIX_EPOCH);
        let options = LakeOptions {
            max_wait: Duration::ZERO,
            idle_before_full_compaction: Duration::ZERO,
            ..LakeOptions::new(clock, Ids::seeded(1))
        };
        let lake = Lake::open(folder.path().to_str().unwrap(), options).unwrap();
        let visit = |id: &str| vec![Event::new(id, "visit", "ann", DateTime::UNIX_EPOCH)];
        lake.ingest("acme", visit("1")).await.unwrap();
        lake.ingest("acme", visit("2")).await.unwrap();
        let table = lake.table("acme", false).await.unwrap().unwrap();
        let mut watched = Watched::new(&table);
        care(&lake.shared, &table, &mut watched, false).await.unwrap();
        assert_eq!(
            (table.snapshot().files.len(), watched.settled),
            (1, None),
            "it was merged, and by now others may have committed"
        );
        care(&lake.shared, &table, &mut watched, false).await.unwrap();
        assert_eq!(watched.settled, Some(table.snapshot().version));

        // Whoever looks at the log now fails.
        let next = folder.path().join(format!("acme/events/_delta_log/{:020}.json", table.snapshot().version + 1));
        std::fs::write(&next, "not a commit").unwrap();
        care(&lake.shared, &table, &mut watched, false).await.unwrap();
        std::fs::remove_file(&next).unwrap();

        lake.ingest("acme", visit("3")).await.unwrap();
        care(&lake.shared, &table, &mut watched, false).await.unwrap();
        assert_eq!(table.snapshot().files.len(), 1, "a commit ends the rest");
    }
}

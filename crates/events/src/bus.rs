//! Events of another service in the same process: its log is read directly, with a cursor in the reader's own database.
//! Same order, same inbox, same dead letters as over NATS.

use std::time::Duration;

use waymark_runtime::Host;
use waymark_store::{Error, LogRow, Store};

use crate::attempt::{Attempt, Attempts};
use crate::causes::chain;
use crate::envelope;
use crate::instruments::Instruments;
use crate::subscription::{Subscription, Topic};

/// Log rows read at once.
const BATCH: u64 = 256;

/// Carries events until shutdown.
pub async fn run(host: Host, store: Store, source: Store, subscription: Subscription, topic: Topic) {
    let moved = source.heads().moved();
    let instruments = Instruments::new(&host, &subscription, &topic);
    let mut attempts = Attempts::new(store.clone(), subscription, instruments.clone());
    loop {
        moved.take();
        match round(&host, &store, &source, &topic, &instruments, &mut attempts).await {
            Ok(true) if !host.shutdown.is_begun() => continue,
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(source = topic.source, error = %chain(&error), "the bus pauses; events stay in the log");
            }
        }
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = moved.some() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Carries what is there; true when there was something.
async fn round(
    host: &Host,
    store: &Store,
    source: &Store,
    topic: &Topic,
    instruments: &Instruments,
    attempts: &mut Attempts,
) -> Result<bool, Error> {
    let consumed = store.consumed(topic.source).await?;
    let wanted = topic.wanted();
    let mut behind = Vec::new();
    for (workspace, revision) in source.revisions().await? {
        let after = consumed.get(&workspace).copied().unwrap_or(0);
        if revision > after {
            behind.push((workspace, after, revision.abs_diff(after)));
        }
    }
    instruments.waiting(behind.iter().map(|(.., missing)| missing).sum());
    let mut moved = false;
    for (workspace, after, _) in behind {
        let rows = source.read_log(workspace.id(), after, BATCH).await?;
        let Some(last) = rows.last().map(|row| row.revision) else { continue };
        for row in rows.into_iter().filter(|row| wanted.contains(row.event_type.as_str())) {
            if !deliver(host, topic, row, attempts).await {
                return Ok(false);
            }
        }
        store.mark_consumed(topic.source, &workspace, last).await?;
        moved = true;
    }
    Ok(moved)
}

/// Tries one row until it is settled; false when shutdown came first.
async fn deliver(host: &Host, topic: &Topic, row: LogRow, attempts: &mut Attempts) -> bool {
    let event = envelope::to_received(topic.source, row);
    while let Attempt::Again(pause) = attempts.attempt(&event).await {
        tokio::select! {
            () = host.shutdown.begun() => return false,
            () = tokio::time::sleep(pause) => {}
        }
    }
    true
}

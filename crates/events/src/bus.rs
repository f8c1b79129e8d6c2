//! Events of another service in the same process: its log is read directly, with a cursor in the reader's own database.
//! Same order, same inbox, same dead letters as over NATS.

use std::time::Duration;

use opentelemetry::metrics::Counter;
use waymark_runtime::Host;
use waymark_store::{Error, LogRow, Store};

use crate::consumer::Instruments;
use crate::feed::{ATTEMPTS, backoff, chain, handle, is_outage, wanted};
use crate::{Subscription, Topic, consumer, envelope};

/// Log rows read at once.
const BATCH: u64 = 256;

/// Carries events until shutdown.
pub(crate) async fn run(host: Host, store: Store, source: Store, subscription: Subscription, topic: Topic) {
    let mut heads = source.heads().subscribe_any();
    let instruments = Instruments::new(&host, &consumer::labels(&subscription, &topic));
    loop {
        heads.mark_unchanged();
        match round(&host, &store, &source, &subscription, &topic, &instruments).await {
            Ok(true) if !host.shutdown.is_begun() => continue,
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(source = topic.source, error = %chain(&error), "the bus pauses; events stay in the log");
            }
        }
        tokio::select! {
            () = host.shutdown.begun() => return,
            _ = heads.changed() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Carries what is there; true when there was something.
async fn round(
    host: &Host,
    store: &Store,
    source: &Store,
    subscription: &Subscription,
    topic: &Topic,
    instruments: &Instruments,
) -> Result<bool, Error> {
    let consumed = store.consumed(topic.source).await?;
    let wanted = wanted(topic);
    let mut behind = Vec::new();
    for (workspace, revision) in source.revisions().await? {
        let after = consumed.get(&workspace).copied().unwrap_or(0);
        if revision > after {
            behind.push((workspace, after, revision.abs_diff(after)));
        }
    }
    let labels = consumer::labels(subscription, topic);
    instruments.lag.record(behind.iter().map(|(.., missing)| missing).sum(), &labels);
    let mut moved = false;
    for (workspace, after, _) in behind {
        let rows = source.read_log(workspace.id(), after, BATCH).await?;
        let Some(last) = rows.last().map(|row| row.revision) else { continue };
        for row in rows.into_iter().filter(|row| wanted.contains(row.event_type.as_str())) {
            if !deliver(host, store, subscription, topic, row, &instruments.dead_letters).await {
                return Ok(false);
            }
        }
        store.mark_consumed(topic.source, &workspace, last).await?;
        moved = true;
    }
    Ok(moved)
}

/// Handles one row, again and again during an outage; false when shutdown came first.
async fn deliver(
    host: &Host,
    store: &Store,
    subscription: &Subscription,
    topic: &Topic,
    row: LogRow,
    dead_letters: &Counter<u64>,
) -> bool {
    let event = envelope::to_received(topic.source, row);
    let (mut attempt, mut failures) = (1, 0);
    loop {
        let Err(error) = handle(subscription, event.clone()).await else { return true };
        let reason = chain(&error);
        // An outage is not the event's fault.
        failures += u32::from(!is_outage(&error));
        if failures >= ATTEMPTS {
            let attempts = i32::try_from(failures).unwrap_or(i32::MAX);
            if store.set_aside(&event, &reason, attempts).await.is_ok() {
                let (source, workspace, r#type) = (topic.source, event.workspace.id(), event.event_type.as_str());
                tracing::error!(event = %event.event_id, source, workspace, r#type, error = reason, "event set aside as a dead letter");
                dead_letters.add(1, &consumer::labels(subscription, topic));
                return true;
            }
        } else {
            tracing::warn!(event = %event.event_id, attempt, error = %reason, "event not handled; it will be tried again");
        }
        tokio::select! {
            () = host.shutdown.begun() => return false,
            () = tokio::time::sleep(backoff(attempt)) => attempt += 1,
        }
    }
}

//! What the service does by itself: it measures predictions that are due and metrics, finishes what was begun to be
//! undone, writes down what tracking plans did not expect, and keeps the lake in order.

use std::sync::Arc;
use std::time::Duration;

use waymark_lake::Lake;
use waymark_runtime::Host;
use waymark_store::Store;

use crate::answers::Answers;
use crate::imports::finish_undos;
use crate::measuring::measure_due;
use crate::parts::Parts;
use crate::readings::take_readings;
use crate::tracking::{Tracking, keep_sightings};

/// How often what tracking plans did not expect is written down, if it is due.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Spawns it.
pub(crate) fn spawn(host: &Host, store: &Store, parts: &Parts) {
    let Parts { lake, measure_every, tracking } = parts;
    host.tasks.spawn("metrics: measuring", measuring(host.clone(), store.clone(), lake.clone(), *measure_every));
    host.tasks.spawn("metrics: lake", upkeep(host.clone(), lake.clone()));
    host.tasks.spawn("metrics: tracking", keeping(host.clone(), store.clone(), Arc::clone(tracking)));
}

/// Writes down what tracking plans did not expect, again and again, and at last when no call is left.
async fn keeping(host: Host, store: Store, tracking: Arc<Tracking>) {
    loop {
        tokio::select! {
            () = host.shutdown.drained() => break,
            () = tokio::time::sleep(KEEP_EVERY) => keep_sightings(&store, &tracking.sightings, false).await,
        }
    }
    keep_sightings(&store, &tracking.sightings, true).await;
}

/// Measures predictions that are due and metrics whose intervals are over, again and again.
async fn measuring(host: Host, store: Store, lake: Lake, every: Duration) {
    let mut answers = Answers::new(&lake);
    loop {
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = tokio::time::sleep(every) => {}
        }
        // A pass over many metrics may take long; what it has not committed yet is found again after the next start.
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = pass(&store, &lake, &mut answers) => {}
        }
    }
}

/// Measures once, and before that sees to it that nothing is measured that is to be gone.
async fn pass(store: &Store, lake: &Lake, answers: &mut Answers) {
    match finish_undos(store, lake).await {
        Ok(0) => {}
        Ok(finished) => tracing::info!(finished, "imports were undone whose undoing had been broken off"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "imports to be undone could not be looked for");
        }
    }
    answers.begin();
    match measure_due(store, lake, answers).await {
        Ok(0) => {}
        Ok(measured) => tracing::info!(measured, "due predictions were measured"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "due predictions could not be looked for");
        }
    }
    match take_readings(store, answers).await {
        Ok(0) => {}
        Ok(turned) => tracing::info!(turned, "metrics went beyond their thresholds or came back"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "metrics could not be looked for");
        }
    }
}

/// Compacts the lake while the process lives; when no call is left lets batches that were accepted be committed.
async fn upkeep(host: Host, lake: Lake) {
    tokio::select! {
        () = host.shutdown.begun() => {}
        () = lake.maintain() => {}
    }
    host.shutdown.drained().await;
    lake.close().await;
}

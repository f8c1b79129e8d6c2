//! What a lake does by itself: checkpoints, the log's expiry, vacuum; and what it makes of files that others wrote.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use waymark_clock::Clock;
use waymark_lake::{Lake, LakeOptions};

use crate::support::{all, days, open, open_with, options, stream, time};

async fn rows(lake: &Lake) -> u64 {
    lake.catalogue("acme").await.unwrap().rows
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("acme/events/_delta_log")
}

/// How many files of the log have this in their names.
fn logged(folder: &TempDir, part: &str) -> usize {
    let names = std::fs::read_dir(log(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(part) && !name.contains('#')).count()
}

/// Maintains the lake until `done`; it never ends by itself.
async fn maintain_until(lake: &Lake, done: impl Fn() -> bool) {
    let _ = tokio::time::timeout(Duration::from_mins(1), async {
        tokio::select! {
            () = lake.maintain() => {}
            () = async { while !done() { tokio::time::sleep(Duration::from_millis(20)).await } } => {}
        }
    })
    .await;
}

#[tokio::test]
async fn many_commits_are_checkpointed_and_reopen() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than it is until the time that the tests' clock tells.
    let lake = open_with(&folder, LakeOptions { log_retention: Duration::from_hours(1_000_000), ..options() });
    for batch in 0..105 {
        lake.ingest("acme", stream(&format!("b{batch}"), 3)).await.unwrap();
    }
    assert_eq!(logged(&folder, ".checkpoint."), 0);
    // Maintenance merges the small files, then writes the checkpoint.
    maintain_until(&lake, || logged(&folder, ".checkpoint.") > 0).await;
    assert_eq!(logged(&folder, ".checkpoint."), 1);
    assert!(lake.metrics().compactions > 0);
    assert!(logged(&folder, ".json") > 105, "no entry is old enough to go");
    let day = days("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z");
    let series = async |lake: &Lake| lake.trend("acme", &all(), &day).await.unwrap().series;
    let reopened = open(&folder);
    assert_eq!(rows(&reopened).await, 315);
    assert_eq!(series(&reopened).await, series(&lake).await);
}

#[tokio::test]
async fn expired_log_entries_go_and_a_process_that_missed_them_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    lake.ingest("acme", stream("first", 3)).await.unwrap();
    let (clock, hand) = Clock::manual(time("2030-01-01T00:00:00Z"));
    let [reader, writer] = [(); 2].map(|()| open_with(&folder, LakeOptions { clock: clock.clone(), ..options() }));
    assert_eq!((rows(&reader).await, rows(&writer).await), (3, 3));

    for batch in 0..105 {
        lake.ingest("acme", stream(&format!("b{batch}"), 3)).await.unwrap();
    }
    // By the tests' clock all entries are years old.
    maintain_until(&lake, || logged(&folder, ".json") < 100).await;
    let kept = logged(&folder, ".json");
    assert!(kept < 100 && logged(&folder, ".checkpoint.") == 1, "{kept} entries are left");
    assert_eq!((rows(&lake).await, rows(&open(&folder)).await), (318, 318));

    hand.advance(Duration::from_hours(1));
    writer.ingest("acme", stream("last", 3)).await.unwrap();
    assert_eq!((rows(&reader).await, rows(&writer).await, rows(&lake).await), (321, 321, 321));
    assert_eq!(rows(&open(&folder)).await, 321);
}

#[tokio::test]
async fn vacuum_deletes_replaced_files_after_the_grace_period_only() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { vacuum_grace: Duration::from_millis(3), ..options() });
    lake.ingest("acme", stream("a", 10)).await.unwrap();
    lake.ingest("acme", stream("b", 10)).await.unwrap();
    lake.compact("acme").await.unwrap();
    // The clock of the tests advances a millisecond each time it is read, so at least once a vacuum.
    assert_eq!(lake.vacuum("acme").await.unwrap(), 0);
    let deleted: u64 = {
        let mut sum = 0;
        for _ in 0..5 {
            sum += lake.vacuum("acme").await.unwrap();
        }
        sum
    };
    assert_eq!((deleted, rows(&lake).await), (2, 20));
}

/// Takes the statistics out of the log, as a foreign writer may leave them out.
fn forget_statistics(folder: &TempDir) {
    for entry in std::fs::read_dir(log(folder)).unwrap() {
        let path = entry.unwrap().path();
        let actions = std::fs::read_to_string(&path).unwrap();
        let without = actions.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(add) = action.get_mut("add").and_then(Value::as_object_mut) {
                add.remove("stats");
            }
            format!("{action}\n")
        });
        let without: String = without.collect();
        std::fs::write(&path, without).unwrap();
    }
}

#[tokio::test]
async fn files_without_statistics_are_merged_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = open(&folder);
    foreign.ingest("acme", stream("a", 10)).await.unwrap();
    foreign.ingest("acme", stream("a", 12)).await.unwrap();
    forget_statistics(&folder);
    let lake = open(&folder);
    let report = lake.compact("acme").await.unwrap();
    // How many rows there were is not told, so neither is how many were the same.
    assert_eq!((report.files_before, report.files_after, report.rows_rewritten, report.rows_dropped), (2, 1, 12, 0));
    assert_eq!(rows(&lake).await, 12);
}

#[tokio::test]
async fn events_have_arrived_when_one_from_then_came_then() {
    let folder = tempfile::tempdir().unwrap();
    // A stream's events are a minute apart from midnight on.
    let (clock, hand) = Clock::manual(time("2024-03-01T00:10:00Z"));
    let lake = open_with(&folder, LakeOptions { clock, ..options() });
    let arrived = async |at: &str| lake.has_arrived("acme", time(at)).await.unwrap();
    assert!(!arrived("2024-03-01T00:00:00Z").await, "nothing was ever said");
    // Its clock is ahead by up to twenty minutes.
    lake.ingest("acme", stream("a", 31)).await.unwrap();
    assert!(arrived("2024-03-01T00:10:00Z").await);
    assert!(!arrived("2024-03-01T00:10:01Z").await, "what came before says nothing of others");
    hand.set(time("2024-03-01T00:20:00Z"));
    lake.ingest("acme", stream("b", 12)).await.unwrap();
    assert!(!arrived("2024-03-01T00:12:00Z").await, "what came then is from before");
    lake.ingest("acme", stream("c", 16)).await.unwrap();
    for _compacted in 0..2 {
        assert!(arrived("2024-03-01T00:15:00Z").await);
        assert!(!arrived("2024-03-01T00:15:01Z").await);
        assert!(!arrived("2024-03-01T00:30:00Z").await);
        lake.compact("acme").await.unwrap();
    }
    forget_statistics(&folder);
    let forgetful = open(&folder);
    let arrived = async |at: &str| forgetful.has_arrived("acme", time(at)).await.unwrap();
    assert!(arrived("2024-03-01T00:15:00Z").await && !arrived("2024-03-01T00:15:01Z").await);
}

#[tokio::test]
async fn the_latest_event_is_known_without_reading_any() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    assert_eq!(lake.latest_event_time("acme").await.unwrap(), None);
    lake.ingest("acme", stream("a", 31)).await.unwrap();
    lake.ingest("acme", stream("b", 10)).await.unwrap();
    let latest = Some(time("2024-03-01T00:30:00Z"));
    let forgetful = tempfile::tempdir().unwrap();
    let foreign = open(&forgetful);
    foreign.ingest("acme", stream("a", 31)).await.unwrap();
    foreign.ingest("acme", stream("b", 10)).await.unwrap();
    forget_statistics(&forgetful);
    assert_eq!(open(&forgetful).latest_event_time("acme").await.unwrap(), latest, "unless the log does not tell");

    for entry in std::fs::read_dir(folder.path().join("acme/events")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(lake.latest_event_time("acme").await.unwrap(), latest);
}

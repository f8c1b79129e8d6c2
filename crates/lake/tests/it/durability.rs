//! What survives: concurrency, killed processes, failing storage, old log entries.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::*;
use tokio::sync::Notify;
use waymark_lake::{Event, Lake, LakeError, LakeOptions};

use crate::support::{open, open_with, options, spawn, stream, time};

async fn rows(lake: &Lake) -> u64 {
    lake.catalogue("acme").await.unwrap().rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ingest_compaction_queries_and_vacuum_run_beside_each_other() {
    const WRITERS: usize = 4;
    const BATCHES: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let quick =
        LakeOptions { target_file_rows: 200, merge_files: 3, vacuum_grace: Duration::from_mins(1), ..options() };
    let lake = open_with(&folder, quick);
    let done = Arc::new(AtomicBool::new(false));
    let keeper = {
        let (lake, done) = (lake.clone(), done.clone());
        spawn(async move {
            let mut dropped = 0;
            while !done.load(Ordering::Relaxed) {
                dropped += lake.compact("acme").await.unwrap().rows_dropped;
                lake.vacuum("acme").await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            dropped
        })
    };
    let reader = {
        let (lake, done) = (lake.clone(), done.clone());
        spawn(async move {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let now = rows(&lake).await;
                assert!(now >= last, "an answer went back from {last} to {now} rows");
                last = now;
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let lake = lake.clone();
            spawn(async move {
                for batch in 0..BATCHES {
                    // Every second batch is sent twice, as a client does whose answer was lost.
                    let events = stream(&format!("{writer}-{batch}"), 20);
                    lake.ingest("acme", events.clone()).await.unwrap();
                    if batch % 2 == 0 {
                        lake.ingest("acme", events).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    keeper.await.unwrap();
    reader.await.unwrap();
    let expected = (WRITERS * BATCHES * 20) as u64;
    assert_eq!(rows(&lake).await, expected);
    lake.compact("acme").await.unwrap();
    assert_eq!(rows(&lake).await, expected);
    assert_eq!(rows(&open(&folder)).await, expected);
    let metrics = lake.metrics();
    assert_eq!(metrics.rows_ingested - metrics.rows_dropped, expected);
    assert_eq!((metrics.failed_commits, metrics.queued_rows), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lakes_on_one_folder_see_and_respect_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(&folder), open(&folder));
    let write = |lake: Lake, prefix: &'static str| async move {
        for batch in 0..10 {
            lake.ingest("acme", stream(&format!("{prefix}-{batch}"), 10)).await.unwrap();
        }
    };
    one.ingest("acme", stream("first", 10)).await.unwrap();
    let compaction = async {
        for _ in 0..5 {
            match one.compact("acme").await {
                Ok(_) | Err(LakeError::Conflict) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::join!(write(one.clone(), "a"), write(other.clone(), "b"), compaction, async {
        other.compact("acme").await.unwrap()
    });
    assert_eq!((rows(&one).await, rows(&other).await), (210, 210));
}

#[tokio::test]
async fn callers_share_commits_and_the_queue_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let patient = LakeOptions { max_wait: Duration::from_millis(300), max_queued_rows: 25, ..options() };
    let lake = open_with(&folder, patient);
    let offer = |prefix: &'static str| lake.ingest("acme", stream(prefix, 10));
    let (a, b, c) = tokio::join!(offer("a"), offer("b"), offer("c"));
    assert_eq!(a.unwrap().version, b.unwrap().version);
    assert!(matches!(c, Err(LakeError::Overloaded { unit: "rows", queued: 20, offered: 10, limit: 25 })));
    assert_eq!((lake.metrics().commits, rows(&lake).await), (1, 20));
    assert_eq!(lake.ingest("acme", stream("c", 10)).await.unwrap().accepted, 10);
}

#[tokio::test]
async fn wide_events_are_refused_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { max_queued_bytes: 20_000, ..options() });
    let offer = |id: &str| lake.ingest("acme", vec![event(id).with("note", "x".repeat(10_000))]);
    let (a, b) = tokio::join!(offer("a"), offer("b"));
    assert_eq!(a.unwrap().accepted, 1);
    let error = b.unwrap_err();
    assert!(
        matches!(error, LakeError::Overloaded { unit: "bytes", queued: 10_000.., offered: 10_000.., limit: 20_000 }),
        "{error}"
    );
    assert_eq!(offer("b").await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_query_sees_what_others_committed_while_this_process_commits() {
    let shared = Arc::new(InMemory::new());
    let store = Arc::new(Flaky { inner: shared.clone(), ..Flaky::default() });
    let open = |store| Lake::open("memory:///lake", LakeOptions { store: Some(store), ..options() }).unwrap();
    let (one, other) = (open(store.clone() as Arc<dyn ObjectStore>), open(shared));
    one.ingest("acme", stream("a", 10)).await.unwrap();
    other.ingest("acme", stream("b", 10)).await.unwrap();
    store.stuck.store(true, Ordering::Relaxed);
    let committing = spawn({
        let one = one.clone();
        async move { one.ingest("acme", stream("c", 10)).await }
    });
    store.reached.notified().await;
    other.ingest("acme", stream("d", 10)).await.unwrap();
    assert_eq!(rows(&one).await, 30);
    store.released.notify_one();
    committing.await.unwrap().unwrap();
    assert_eq!((rows(&one).await, rows(&other).await), (40, 40));
}

#[tokio::test]
async fn closing_commits_what_was_accepted_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { max_wait: Duration::from_mins(1), ..options() });
    let accepted = spawn({
        let lake = lake.clone();
        async move { lake.ingest("acme", stream("a", 10)).await }
    });
    while lake.metrics().queued_rows == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    lake.close().await;
    assert_eq!(accepted.await.unwrap().unwrap().accepted, 10);
    assert!(matches!(lake.ingest("acme", stream("b", 1)).await, Err(LakeError::Closed)));
}

/// The process that `acknowledged_batches_survive_a_kill` kills; does nothing when run by hand.
#[test]
#[ignore = "started by another test"]
fn writer_to_be_killed() {
    let Some(folder) = std::env::var_os("WAYMARK_LAKE_TEST_FOLDER") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let lake = Lake::open(folder.to_str().unwrap(), options()).unwrap();
        for batch in 0.. {
            let name = format!("{}-{batch}", std::process::id());
            lake.ingest("acme", stream(&name, 5)).await.unwrap();
            println!("committed {name}");
            if batch % 7 == 6 {
                lake.compact("acme").await.unwrap();
            }
        }
    });
}

#[tokio::test]
async fn acknowledged_batches_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for lines in [3, 9, 16] {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::writer_to_be_killed", "--ignored", "--nocapture"])
            .env("WAYMARK_LAKE_TEST_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(writer.stdout.take().unwrap());
        acknowledged +=
            output.lines().map(Result::unwrap).filter(|line| line.contains("committed ")).take(lines).count();
        writer.kill().unwrap();
        writer.wait().unwrap();
        let found = rows(&open(&folder)).await as usize;
        // A batch may be committed and killed before it could say so; none that said so may be missing, none may be
        // half there.
        assert!(
            found >= acknowledged * 5 && found.is_multiple_of(5),
            "{found} rows of {acknowledged} acknowledged batches"
        );
    }
    assert_eq!(acknowledged, 28);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_fails_the_group_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    lake.ingest("acme", stream("a", 10)).await.unwrap();
    let log = folder.path().join("acme/events/_delta_log");
    let aside = folder.path().join("aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::write(&log, "in the way").unwrap();
    assert!(matches!(lake.ingest("acme", stream("b", 10)).await, Err(LakeError::Failed { .. })));
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    assert_eq!(rows(&lake).await, 10);
    lake.ingest("acme", stream("b", 10)).await.unwrap();
    assert_eq!((rows(&lake).await, rows(&open(&folder)).await, lake.metrics().failed_commits), (20, 20, 1));
}

#[tokio::test]
async fn a_full_disk_fails_exactly_the_callers_of_the_group() {
    let store = Arc::new(Flaky::default());
    let options = LakeOptions { store: Some(store.clone()), max_wait: Duration::from_millis(50), ..options() };
    let lake = Lake::open("memory:///lake", options).unwrap();
    lake.ingest("acme", stream("a", 10)).await.unwrap();
    store.full.store(true, Ordering::Relaxed);
    let (b, c) = tokio::join!(lake.ingest("acme", stream("b", 10)), lake.ingest("acme", stream("c", 10)));
    for refused in [b, c] {
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("no space left"), "{error}");
    }
    assert!(lake.compact("acme").await.is_ok(), "nothing to merge needs no space");
    assert_eq!(rows(&lake).await, 10);
    store.full.store(false, Ordering::Relaxed);
    lake.ingest("acme", stream("b", 10)).await.unwrap();
    assert_eq!((rows(&lake).await, lake.metrics().failed_commits), (20, 1));

    store.full.store(true, Ordering::Relaxed);
    assert!(lake.compact("acme").await.is_err());
    assert_eq!(rows(&lake).await, 20);
    store.full.store(false, Ordering::Relaxed);
    assert_eq!(lake.compact("acme").await.unwrap().files_after, 1);
    assert_eq!(rows(&lake).await, 20);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { max_wait: Duration::from_millis(50), ..options() });
    let given_up = tokio::time::timeout(Duration::from_millis(5), lake.ingest("acme", vec![event("a")])).await;
    let kept = lake.ingest("acme", vec![event("b")]).await;
    assert!(given_up.is_err() && kept.is_ok());
    assert!(rows(&lake).await >= 1);
    assert_eq!(lake.metrics().queued_rows, 0);
}

fn event(id: &str) -> Event {
    Event::new(id, "visit", "ann", time("2024-03-01T00:00:00Z"))
}

/// A store whose disk can be full, and whose next log entry can be stuck on its way.
#[derive(Debug, Default)]
struct Flaky {
    inner: Arc<InMemory>,
    full: AtomicBool,
    stuck: AtomicBool,
    reached: Notify,
    released: Notify,
}

impl fmt::Display for Flaky {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Flaky")
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Error::Generic { store: "flaky", source: "no space left on device".into() });
        }
        if location.as_ref().contains("_delta_log") && self.stuck.swap(false, Ordering::Relaxed) {
            self.reached.notify_one();
            self.released.notified().await;
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

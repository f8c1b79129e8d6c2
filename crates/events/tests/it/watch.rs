//! The guarantees of Watch: ordered, unique, no gap, atomic, resumable, bookmarkable; and its ends.

use std::time::Duration;

use futures::StreamExt as _;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;
use waymark_events::{EventsApi, Subscription};
use waymark_proto::events::v1 as pb;
use waymark_proto::events::v1::events_service_server::EventsService;
use waymark_proto::events::v1::watch_events_request::Start;
use waymark_proto::roadmap::v1::BatchCreateProductsResponse;
use waymark_runtime::Host;
use waymark_store::{LogReaders, Store};
use waymark_testkit::sample::{Products, call, create, created_in, product, store, update, workspace};
use waymark_testkit::{Engine, TestDatabase, host};

use crate::nothing;

type Stream = <EventsApi as EventsService>::WatchEventsStream;

struct Fixture {
    host: Host,
    store: Store,
    api: EventsApi,
    _database: TestDatabase,
}

async fn fixture(engine: Engine) -> Fixture {
    let (host, _) = host(5);
    let (store, database) = store(engine, &host).await.unwrap();
    let roadmap = Subscription { consumer: "roadmap", ..nothing() };
    let api = EventsApi::new(&host, &store, roadmap).with_times(Duration::from_millis(50), Duration::from_millis(200));
    Fixture { host, store, api, _database: database }
}

fn request(start: Option<Start>) -> pb::WatchEventsRequest {
    pb::WatchEventsRequest { parent: workspace().to_string(), start, ..Default::default() }
}

fn list_request() -> pb::ListEventsRequest {
    pb::ListEventsRequest { parent: workspace().to_string(), ..Default::default() }
}

async fn watch(f: &Fixture, start: Option<Start>) -> Result<Stream, tonic::Status> {
    f.api.watch_events(Request::new(request(start))).await.map(tonic::Response::into_inner)
}

/// The next message, be it a checkpoint.
async fn any(stream: &mut Stream) -> pb::WatchEventsResponse {
    tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("a message in time").unwrap().unwrap()
}

/// The next batch with events, and the checkpoints passed over.
async fn next(stream: &mut Stream) -> pb::WatchEventsResponse {
    loop {
        let batch = any(stream).await;
        if !batch.events.is_empty() {
            return batch;
        }
    }
}

async fn batch(store: &Store, count: usize) {
    let rows = (0..count).map(|i| (String::new(), Some(product(&format!("b{i}"), "")))).collect();
    let reply = |b: waymark_store::Batch<_>| BatchCreateProductsResponse { products: b.items, failures: b.failures };
    store.batch_create::<Products, _, _>(&call(), "workspaces/acme", rows, false, created_in, reply).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_position_resumes_to_the_same_history_and_goes_on() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        for i in 0..8 {
            create(&f.store, &format!("p{i}"), "").await;
            batch(&f.store, 3).await;
        }
        let whole = f.store.read_log("acme", 0, 1_000).await.unwrap();
        let mut streams = Vec::new();
        for position in 0..=16 {
            let mut stream = watch(&f, Some(Start::AfterRevision(position))).await.unwrap();
            let expected: Vec<_> =
                whole.iter().filter(|r| r.revision > position).map(|r| r.event_id.to_string()).collect();
            let mut seen = Vec::new();
            let mut last = position;
            while last < 16 {
                let batch = next(&mut stream).await;
                assert_eq!(batch.revision, last + 1, "no gap");
                assert!(batch.events.iter().all(|e| e.revision == batch.revision), "a batch is one revision");
                assert_eq!(batch.events.len(), if batch.revision % 2 == 0 { 3 } else { 1 }, "and all of it");
                seen.extend(batch.events.into_iter().map(|e| e.uid));
                last = batch.revision;
            }
            assert_eq!(seen, expected);
            streams.push(stream);
        }
        update(&f.store, "p0", "new").await;
        for stream in &mut streams {
            let batch = next(stream).await;
            assert_eq!((batch.revision, batch.events[0].r#type.as_str()), (17, "waymark.roadmap.v1.ProductUpdated"));
        }
        // Idle streams are told where they are.
        let checkpoint = streams[0].next().await.unwrap().unwrap();
        assert_eq!((checkpoint.revision, checkpoint.events.len()), (17, 0));
        f.host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn now_earliest_snapshot_and_filters() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        create(&f.store, "a", "").await;
        create(&f.store, "b", "").await;
        update(&f.store, "a", "two").await;
        let mut now = watch(&f, None).await.unwrap();
        let mut earliest = watch(&f, Some(Start::Earliest(pbjson_types::Empty {}))).await.unwrap();
        let mut snapshot = watch(&f, Some(Start::Snapshot(pbjson_types::Empty {}))).await.unwrap();
        let narrow = pb::WatchEventsRequest {
            subjects: vec!["workspaces/acme/products/b".into()],
            types: vec!["waymark.roadmap.v1.ProductUpdated".into()],
            ..request(Some(Start::AfterRevision(0)))
        };
        let mut narrow = f.api.watch_events(Request::new(narrow)).await.unwrap().into_inner();
        let state = next(&mut snapshot).await;
        assert!(state.snapshot);
        assert_eq!(state.revision, 3);
        let states: Vec<_> = state.events.iter().map(|e| (e.subject.as_str(), e.revision)).collect();
        assert_eq!(states, [("workspaces/acme/products/a", 3), ("workspaces/acme/products/b", 2)]);
        assert_eq!(next(&mut earliest).await.revision, 1);
        update(&f.store, "b", "four").await;
        assert_eq!(next(&mut now).await.revision, 4);
        assert_eq!(next(&mut snapshot).await.revision, 4);
        assert_eq!(next(&mut narrow).await.revision, 4);
        f.host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_named_as_people_write_them_and_unknown_ones_refused() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        create(&f.store, "a", "").await;
        update(&f.store, "a", "two").await;
        let list = async |filter: &str| {
            let request = pb::ListEventsRequest { filter: filter.into(), ..list_request() };
            let listed = f.api.list_events(Request::new(request)).await?.into_inner();
            Ok::<Vec<i64>, tonic::Status>(listed.events.iter().map(|event| event.revision).collect())
        };
        for name in ["waymark.roadmap.v1.ProductUpdated", "ProductUpdated", "product-updated", "productupdated"] {
            assert_eq!(list(&format!("type = {name}")).await.unwrap(), [2], "{engine:?}: {name}");
            assert_eq!(list(&format!("NOT type = {name}")).await.unwrap(), [1], "{engine:?}: {name}");
            let asked = pb::WatchEventsRequest { types: vec![name.into()], ..request(Some(Start::AfterRevision(0))) };
            let mut watch = f.api.watch_events(Request::new(asked)).await.unwrap().into_inner();
            assert_eq!(next(&mut watch).await.revision, 2, "{engine:?}: {name}");
        }
        assert_eq!(list("type:updated").await.unwrap(), [2]);
        assert!(list("type = InitiativeShipped").await.unwrap().is_empty(), "another service may have such events");
        let unknown = "is not an event of the contract; those of roadmap are ";
        for filter in ["type = ProductPainted", "type:painted", "subject:a OR type != ProductPainted"] {
            let refused = list(filter).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().contains(unknown) && refused.message().contains(" ProductUpdated"), "{refused}");
        }
        let asked = pb::WatchEventsRequest { types: vec!["ProductPainted".into()], ..request(None) };
        let refused = f.api.watch_events(Request::new(asked)).await.err().unwrap();
        assert!(refused.message().contains(unknown), "{refused}");
        f.host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_comes_in_parts_of_which_the_last_has_the_revision() {
    for engine in Engine::each() {
        let f = fixture(engine).await;
        // No checkpoint is due while this test lasts.
        let api =
            EventsApi::new(&f.host, &f.store, nothing()).with_times(Duration::from_mins(10), Duration::from_secs(20));
        let asked = Request::new(request(Some(Start::Snapshot(pbjson_types::Empty {}))));
        let mut empty = api.watch_events(asked).await.unwrap().into_inner();
        assert_eq!(any(&mut empty).await, pb::WatchEventsResponse { snapshot: true, ..Default::default() });
        let told = any(&mut empty).await;
        assert!(!told.snapshot && told.events.is_empty(), "nobody waits to learn that there was nothing: {told:?}");
        drop(empty);
        let ids: Vec<_> = (0..250).map(|i| format!("p{i:03}")).collect();
        for id in &ids {
            create(&f.store, id, "").await;
        }
        let mut snapshot = watch(&f, Some(Start::Snapshot(pbjson_types::Empty {}))).await.unwrap();
        let (mut seen, mut parts) = (Vec::new(), 0);
        loop {
            let part = any(&mut snapshot).await;
            assert!(part.snapshot);
            seen.extend(part.events.iter().map(|e| e.subject.rsplit('/').next().unwrap().to_owned()));
            parts += 1;
            if part.revision > 0 {
                assert_eq!(part.revision, 250);
                break;
            }
        }
        assert_eq!((seen, parts), (ids, 3));
        f.host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_that_cannot_be_had_are_refused_with_those_that_can() {
    let f = fixture(Engine::Sqlite).await;
    for i in 0..5 {
        create(&f.store, &format!("p{i}"), "").await;
        update(&f.store, &format!("p{i}"), "x").await;
    }
    let refused = |status: Result<Stream, tonic::Status>| {
        let status = status.err().unwrap();
        let info = status.get_details_error_info().unwrap();
        (status.code(), info.reason, info.metadata)
    };
    let (code, reason, metadata) = refused(watch(&f, Some(Start::AfterRevision(11))).await);
    assert_eq!(
        (code, reason.as_str(), metadata["revision"].as_str()),
        (Code::InvalidArgument, "REVISION_IN_FUTURE", "10")
    );
    f.store.trim_log(&workspace(), 5, &LogReaders::default()).await.unwrap();
    let (code, reason, metadata) = refused(watch(&f, Some(Start::AfterRevision(3))).await);
    assert_eq!(
        (code, reason.as_str(), metadata["earliest_revision"].as_str()),
        (Code::OutOfRange, "REVISION_EXPIRED", "5")
    );
    let mut stream = watch(&f, Some(Start::AfterRevision(4))).await.unwrap();
    assert_eq!(next(&mut stream).await.revision, 5);
    let (code, ..) = refused(watch(&f, Some(Start::AfterRevision(-1))).await);
    assert_eq!(code, Code::InvalidArgument);
    f.host.stop(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_cut_with_its_position_and_resumes_without_a_gap() {
    let f = fixture(Engine::Sqlite).await;
    for i in 0..150 {
        create(&f.store, &format!("p{i}"), "").await;
    }
    let mut stream = watch(&f, Some(Start::AfterRevision(0))).await.unwrap();
    // The reader takes nothing until it was cut.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut last = 0;
    let end = loop {
        match stream.next().await.unwrap() {
            Ok(batch) => {
                assert_eq!(batch.revision, last + 1);
                last = batch.revision;
            }
            Err(status) => break status,
        }
    };
    let info = end.get_details_error_info().unwrap();
    assert_eq!((end.code(), info.reason.as_str()), (Code::ResourceExhausted, "SLOW_READER"));
    assert_eq!(info.metadata["revision"], last.to_string());
    let mut stream = watch(&f, Some(Start::AfterRevision(last))).await.unwrap();
    assert_eq!(next(&mut stream).await.revision, last + 1);
    f.host.stop(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_ends_streams_with_their_position() {
    let f = fixture(Engine::Sqlite).await;
    create(&f.store, "a", "").await;
    let mut stream = watch(&f, Some(Start::AfterRevision(0))).await.unwrap();
    assert_eq!(next(&mut stream).await.revision, 1);
    f.host.shutdown.begin();
    let end = loop {
        if let Err(status) = stream.next().await.unwrap() {
            break status;
        }
    };
    let info = end.get_details_error_info().unwrap();
    assert_eq!(
        (end.code(), info.reason.as_str(), info.metadata["revision"].as_str()),
        (Code::Unavailable, "SHUTTING_DOWN", "1")
    );
    f.host.stop(Vec::new()).await;
}

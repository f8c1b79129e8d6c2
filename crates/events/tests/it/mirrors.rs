//! Mirrors over a real broker and over the bus: filled, kept, and filled anew when something may be missing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, jetstream};
use futures::StreamExt as _;
use prost::Message as _;
use tokio::task::JoinSet;
use tokio::time::timeout;
use waymark_events::{Mirroring, Subscription, Topic, bus, consumer, snapshots, stream_name};
use waymark_proto::events::v1::{SnapshotRequest, SnapshotResponse};
use waymark_proto::roadmap::v1 as pb;
use waymark_runtime::Host;
use waymark_store::{Batch, Error, ListQuery, Store, Table};
use waymark_testkit::sample::{COPIER, Mirrored, Products, call, copier, create, created_in, product, store, update};
use waymark_testkit::schema::execute;
use waymark_testkit::{Engine, NatsServer, TestDatabase, host, wait_for, wait_until};

use crate::relay;

const LIMIT: Duration = Duration::from_mins(1);

/// A service with products, and one that mirrors them.
struct World {
    source: Store,
    source_host: Host,
    target: Store,
    database: TestDatabase,
    nats: Option<NatsServer>,
    /// Nothing is taken in.
    closed: Arc<AtomicBool>,
    /// Nothing comes to an end that is being taken in.
    stuck: Arc<AtomicBool>,
    /// How many events were to be taken in at a time.
    together: Arc<Mutex<Vec<usize>>>,
    source_database: TestDatabase,
}

impl World {
    async fn new(engine: Engine, over_nats: bool) -> Self {
        let (source_host, _) = host(1);
        let (source, source_database) = store(engine, &source_host).await.unwrap();
        let (target, database) = copier(engine, &host(2).0).await.unwrap();
        let nats = if over_nats { Some(NatsServer::start().await.unwrap()) } else { None };
        if let Some(nats) = &nats {
            relay(&source_host, &source, nats).await;
        }
        Self {
            source,
            source_host,
            target,
            database,
            nats,
            closed: Arc::default(),
            stuck: Arc::default(),
            together: Arc::default(),
            source_database,
        }
    }

    async fn client(&self) -> Client {
        async_nats::connect(self.nats.as_ref().unwrap().url()).await.unwrap()
    }

    /// Has the source answer who asks for its snapshot.
    async fn serve(&self) {
        if self.nats.is_some() {
            let (host, store) = (self.source_host.clone(), self.source.clone());
            let serve = snapshots::serve(host, store, self.client().await, "roadmap");
            self.source_host.tasks.spawn("roadmap: snapshots", serve);
        }
    }

    /// A process of the service that mirrors; it dies with the set, and ends with the host.
    async fn listen(&self) -> (Host, JoinSet<()>) {
        self.listen_to(Topic::new("roadmap", &[]).mirroring(COPIER.mirrors())).await
    }

    async fn listen_to(&self, topic: Topic) -> (Host, JoinSet<()>) {
        static PROCESSES: AtomicUsize = AtomicUsize::new(10);
        let (host, _) = host(PROCESSES.fetch_add(1, Ordering::Relaxed) as u64);
        let options = self.database.options();
        let target = Store::connect(&options, &host.clock, &host.ids).await.unwrap().keeping(&COPIER);
        let (mirroring, closed, stuck) = (target.clone(), Arc::clone(&self.closed), Arc::clone(&self.stuck));
        let together = Arc::clone(&self.together);
        let mirror: Mirroring = Arc::new(move |events| {
            let (target, is_closed) = (mirroring.clone(), closed.load(Ordering::SeqCst));
            let stuck = Arc::clone(&stuck);
            together.lock().unwrap().push(events.len());
            Box::pin(async move {
                while stuck.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                if is_closed {
                    return Err(Error::Busy(Duration::ZERO));
                }
                target.mirror(COPIER.mirrors(), &events).await
            })
        });
        let handler = Arc::new(|_, _| Box::pin(async { Ok(()) }) as _);
        let subscription = Subscription { consumer: "copier", topics: vec![topic], mirror, handler };
        let mut tasks = JoinSet::new();
        if self.nats.is_some() {
            tasks.spawn(consumer::run(host.clone(), target, self.client().await, subscription, topic));
        } else {
            tasks.spawn(bus::run(host.clone(), target, self.source.clone(), subscription, topic));
        }
        (host, tasks)
    }

    async fn end(&self, (host, mut tasks): (Host, JoinSet<()>)) {
        host.shutdown.begin();
        timeout(LIMIT, tasks.join_next()).await.expect("it ends with its host").unwrap().unwrap();
    }

    async fn published(&self) {
        let behind = "SELECT COUNT(*) FROM workspaces LEFT JOIN relay_cursors ON workspace = workspaces.id
            WHERE workspaces.revision > COALESCE(relay_cursors.revision, 0)";
        let is_over = async || self.nats.is_none() || self.source_database.number(behind).await.unwrap() == 0;
        wait_until("all is published", LIMIT, is_over).await;
    }

    /// Removes all messages from the stream.
    async fn purge(&self) {
        let stream = jetstream::new(self.client().await).get_stream(stream_name("roadmap")).await.unwrap();
        stream.purge().await.unwrap();
    }

    async fn mirrored(&self) -> Vec<pb::Product> {
        all::<Mirrored>(&self.target).await
    }

    async fn wait(&self, what: &str) {
        let expected = all::<Products>(&self.source).await;
        wait_until(what, LIMIT, async || self.mirrored().await == expected).await;
    }

    async fn is_filled(&self) -> bool {
        self.target.filling(&COPIER.mirrors()[0]).await.unwrap().is_done
    }
}

async fn all<T: Table>(store: &Store) -> Vec<T::Message> {
    let query = ListQuery { parent: "workspaces/acme", page_size: 1_000, show_deleted: true, ..Default::default() };
    store.list::<T>(query).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_filled_and_kept_and_says_so() {
    for engine in Engine::each() {
        for over_nats in [true, false] {
            let world = World::new(engine, over_nats).await;
            for i in 0..30 {
                create(&world.source, &format!("p{i}"), "").await;
            }
            world.published().await;
            if over_nats {
                // What was announced before is no longer to be heard.
                world.purge().await;
            }
            let process = world.listen().await;
            if over_nats {
                let what = "until the source answers the mirror waits for it";
                wait_until(what, LIMIT, async || gauge(&process.0, "filled") == Some(0.0)).await;
                assert!(world.mirrored().await.is_empty());
            }
            world.serve().await;
            world.wait("the mirror is filled").await;
            for i in 0..5 {
                update(&world.source, &format!("p{i}"), "new").await;
            }
            world.wait("the mirror is kept").await;
            let filled = async || {
                let gauges = ["filled", "rows", "lag"].map(|name| gauge(&process.0, name));
                gauges == [Some(1.0), Some(30.0), Some(0.0)]
            };
            wait_until("it is told", LIMIT, filled).await;
            // Emptied, it fills itself.
            execute(world.database.url(), "DELETE FROM roadmap_products").await.unwrap();
            world.wait("the emptied mirror is filled again").await;
            world.end(process).await;
        }
    }
}

/// The value of a gauge of the mirror.
fn gauge(host: &Host, name: &str) -> Option<f64> {
    let metrics = host.telemetry.prometheus().unwrap();
    let line =
        metrics.lines().find(|line| line.starts_with(&format!("waymark_mirror_{name}")) && line.contains('{'))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_taken_over_together_and_what_is_not_understood_is_set_aside_alone() {
    for engine in Engine::each() {
        let world = World::new(engine, false).await;
        for i in 0..30 {
            create(&world.source, &format!("p{i:02}"), "").await;
        }
        let process = world.listen().await;
        world.wait("the mirror is filled").await;
        wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;
        world.end(process).await;

        // While nobody hears.
        for i in 0..30 {
            update(&world.source, &format!("p{i:02}"), "new").await;
        }
        world.together.lock().unwrap().clear();
        let process = world.listen().await;
        world.wait("what waited is taken over").await;
        // At once; with the first ones again where the process before ended without having noted that it had read them.
        let together = world.together.lock().unwrap().clone();
        assert!(matches!(together.as_slice(), [30 | 60]), "{together:?}");
        world.end(process).await;

        for i in 0..3 {
            update(&world.source, &format!("p{i:02}"), "newer").await;
        }
        let damaged = r#"UPDATE log SET data = '{"product":{"name":"x"}}' WHERE revision = 62"#;
        execute(world.source_database.url(), damaged).await.unwrap();
        let process = world.listen().await;
        let newer = async || {
            let mirrored = world.mirrored().await;
            mirrored.iter().filter(|product| product.vision == "newer").count() == 2
        };
        wait_until("the others are taken over", LIMIT, newer).await;
        let aside = async || world.database.number("SELECT COUNT(*) FROM dead_letters").await.unwrap() == 1;
        wait_until("one is set aside", LIMIT, aside).await;
        world.end(process).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_of_a_busy_workspace_is_taken_over_together_also_where_it_is_parked() {
    let world = World::new(Engine::Sqlite, true).await;
    world.serve().await;
    create(&world.source, "first", "").await;
    let process = world.listen().await;
    world.wait("the mirror is filled").await;
    wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;

    world.stuck.store(true, Ordering::SeqCst);
    world.together.lock().unwrap().clear();
    let rows = (0..500).map(|_| (String::new(), Some(product("many", "")))).collect();
    let reply = |b: Batch<_>| pb::BatchCreateProductsResponse { products: b.items, failures: b.failures };
    world
        .source
        .batch_create::<Products, _, _>(&call(), "workspaces/acme", rows, false, created_in, reply)
        .await
        .unwrap();
    world.published().await;
    let mut stream = jetstream::new(world.client().await).get_stream(stream_name("roadmap")).await.unwrap();
    let read = async || {
        let last = stream.info().await.unwrap().state.last_sequence;
        let consumers: Vec<_> = stream.consumers().collect().await;
        consumers.iter().flatten().any(|consumer| consumer.delivered.stream_sequence == last)
    };
    wait_until("all is read", LIMIT, read).await;
    world.stuck.store(false, Ordering::SeqCst);
    world.wait("all is taken over").await;
    let times = world.together.lock().unwrap().len();
    assert!(times < 50, "500 events were taken over in {times} times");
    world.end(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_from_the_stream_is_had_from_the_source() {
    let world = World::new(Engine::Sqlite, true).await;
    world.serve().await;
    create(&world.source, "first", "").await;
    world.published().await;
    let process = world.listen().await;
    world.wait("the mirror is filled").await;
    wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;
    world.end(process).await;

    // While nobody heard.
    update(&world.source, "first", "missed").await;
    create(&world.source, "second", "").await;
    world.published().await;
    world.purge().await;
    let process = world.listen().await;
    world.wait("what was removed is had again").await;

    // While it was left to be tried again.
    wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;
    world.closed.store(true, Ordering::SeqCst);
    update(&world.source, "first", "again").await;
    let parked = async || world.database.number("SELECT COUNT(*) FROM parked_workspaces").await.unwrap() == 1;
    wait_until("the workspace is parked", LIMIT, parked).await;
    world.purge().await;
    world.closed.store(false, Ordering::SeqCst);
    world.wait("what was removed in between is had again").await;
    world.end(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_with_the_stream_and_is_no_longer_in_the_log_is_had_from_the_source() {
    let world = World::new(Engine::Sqlite, true).await;
    world.serve().await;
    create(&world.source, "first", "").await;
    world.published().await;
    let process = world.listen().await;
    world.wait("the mirror is filled").await;
    wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;
    world.end(process).await;

    update(&world.source, "first", "missed").await;
    world.published().await;
    for trim in ["DELETE FROM log", "UPDATE workspaces SET earliest_revision = revision"] {
        execute(world.source_database.url(), trim).await.unwrap();
    }
    let context = jetstream::new(world.client().await);
    let stream = context.get_stream(stream_name("roadmap")).await.unwrap();
    context.delete_stream(stream_name("roadmap")).await.unwrap();
    context.get_or_create_stream(stream.cached_info().config.clone()).await.unwrap();
    let process = world.listen().await;
    world.wait("what was lost is had again").await;
    world.end(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_from_the_stream_before_it_is_read_is_had_from_the_source() {
    let world = World::new(Engine::Sqlite, true).await;
    world.serve().await;
    create(&world.source, "first", "").await;
    let process = world.listen().await;
    wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;
    world.wait("the mirror is filled").await;
    // So many that are not done that no more are read.
    world.stuck.store(true, Ordering::SeqCst);
    for workspace in 0..9 {
        let rows = (0..500).map(|_| (String::new(), Some(product("many", "")))).collect();
        let reply = |b: Batch<_>| pb::BatchCreateProductsResponse { products: b.items, failures: b.failures };
        let parent = format!("workspaces/w{workspace}");
        world.source.batch_create::<Products, _, _>(&call(), &parent, rows, false, created_in, reply).await.unwrap();
    }
    world.published().await;
    world.purge().await;
    let there = async || world.database.number("SELECT COUNT(*) FROM roadmap_products").await.unwrap() == 4_501;
    wait_until("what was removed is had from the source", LIMIT, there).await;
    world.stuck.store(false, Ordering::SeqCst);
    world.end(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_heard_that_keeps_no_mirror_is_had_from_the_source() {
    let world = World::new(Engine::Sqlite, true).await;
    world.serve().await;
    create(&world.source, "first", "").await;
    let process = world.listen().await;
    world.wait("the mirror is filled").await;
    wait_until("the walk is over", LIMIT, async || world.is_filled().await).await;
    world.end(process).await;

    // One of before listens to another event, and comes past what it does not know.
    let old = world.listen_to(Topic::new("roadmap", &["waymark.roadmap.v1.ProductDeleted"])).await;
    update(&world.source, "first", "missed").await;
    world.published().await;
    let passed = async || {
        let position = "SELECT sequence FROM stream_positions";
        world.database.number(position).await.unwrap() == 2
    };
    wait_until("the old program is past it", LIMIT, passed).await;
    world.end(old).await;

    let process = world.listen().await;
    world.wait("what was missed is had").await;
    world.end(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_fills_and_the_other_goes_on() {
    let world = World::new(Engine::Sqlite, true).await;
    for i in 0..40 {
        create(&world.source, &format!("p{i:02}"), "").await;
    }
    world.published().await;
    world.purge().await;
    // A source that gives few at a time, and for a while nothing beyond the first ones.
    let (asked, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (client, source) = (world.client().await, world.source.clone());
    let mut requests = client.queue_subscribe("waymark.snapshot.roadmap", "waymark-roadmap".into()).await.unwrap();
    let (told, opened) = (Arc::clone(&asked), Arc::clone(&open));
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        while let Some(request) = requests.next().await {
            let reply = request.reply.unwrap();
            let request = SnapshotRequest::decode(request.payload).unwrap();
            told.lock().unwrap().push(request.after_id.clone());
            let page = if request.after_id.as_str() < "p15" || opened.load(Ordering::SeqCst) {
                source.snapshot_page(&request, 2_000).await.unwrap().encode_to_vec()
            } else {
                vec![0xff]
            };
            client.publish(reply, page.into()).await.unwrap();
        }
    });
    let (one, other) = (world.listen().await, world.listen().await);
    wait_until("the first ones are there", LIMIT, async || world.mirrored().await.len() > 15).await;
    // Whichever fills dies at once, or hands over.
    world.end(one).await;
    let last = asked.lock().unwrap().iter().max().cloned().unwrap();
    open.store(true, Ordering::SeqCst);
    world.wait("the mirror is filled").await;
    let asked = asked.lock().unwrap().clone();
    let from_the_start = asked.iter().filter(|after| after.is_empty()).count();
    let twice = asked.iter().filter(|after| **after == last).count();
    assert!(from_the_start == 1 && twice >= 2, "it goes on where it was: {asked:?}");
    world.end(other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_what_there_is_not_is_told() {
    let world = World::new(Engine::Sqlite, true).await;
    world.serve().await;
    let client = world.client().await;
    let ask = async |payload: Vec<u8>| loop {
        // Until it listens.
        if let Ok(answer) = client.request("waymark.snapshot.roadmap", payload.clone().into()).await {
            return answer;
        }
    };
    let asking = |collection: &str| SnapshotRequest { collection: collection.into(), ..Default::default() };
    for (payload, problem) in
        [(asking("secrets").encode_to_vec(), "\"secrets\""), (vec![0xff], "not a SnapshotRequest")]
    {
        let answer = ask(payload).await;
        let header = |name| answer.headers.as_ref().unwrap().get(name).unwrap().as_str();
        assert_eq!(header("Nats-Service-Error-Code"), "400");
        assert!(header("Nats-Service-Error").contains(problem), "{}", header("Nats-Service-Error"));
        assert!(answer.payload.is_empty());
    }
    let answer = ask(asking("products").encode_to_vec()).await;
    assert_eq!(SnapshotResponse::decode(answer.payload).unwrap(), SnapshotResponse::default());
    // The stream has taken none of it.
    let context = jetstream::new(client);
    let made = async || context.get_stream(stream_name("roadmap")).await.ok();
    let stream = wait_for("the stream is made", LIMIT, made).await;
    assert_eq!(stream.get_info().await.unwrap().state.messages, 0);
}

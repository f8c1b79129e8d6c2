//! A broker outage costs delay, never data; per workspace the stream is ordered, without gaps, and a repeat has the
//! same id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::jetstream;
use futures::StreamExt as _;
use tonic::Request;
use waymark_domain::WorkspaceId;
use waymark_events::{EventsApi, stream_name};
use waymark_proto::events::v1::RepublishEventsRequest;
use waymark_proto::events::v1::events_service_server::EventsService as _;
use waymark_store::{Lease, Store};
use waymark_testkit::sample::{Products, call, created, product, store};
use waymark_testkit::{Engine, NatsServer, TestDatabase, host, wait_until};

use crate::{nothing, relay};

pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Workspace, revision and id of all events in the stream, in its order.
pub(crate) async fn published(nats: &NatsServer, service: &str) -> Vec<(String, i64, String)> {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let context = jetstream::new(client);
    let Ok(stream) = context.get_stream(stream_name(service)).await else { return Vec::new() };
    let count = stream.get_info().await.unwrap().state.messages;
    let consumer = stream.create_consumer(jetstream::consumer::pull::OrderedConfig::default()).await.unwrap();
    let messages: Vec<_> = consumer.messages().await.unwrap().take(usize::try_from(count).unwrap()).collect().await;
    messages
        .into_iter()
        .map(|message| {
            let message = message.unwrap();
            let headers = message.headers.clone().unwrap();
            let workspace = headers.get("ce-source").unwrap().as_str().rsplit('/').next().unwrap().to_owned();
            let revision = headers.get("ce-sequence").unwrap().as_str().parse().unwrap();
            (workspace, revision, headers.get("ce-id").unwrap().as_str().to_owned())
        })
        .collect()
}

pub(crate) async fn write(store: &Store, workspace: &str, count: usize) {
    for _ in 0..count {
        let parent = format!("workspaces/{workspace}");
        store.create_blind::<Products, _>(&call(), &parent, "", Some(product("p", "")), created).await.unwrap();
    }
}

pub(crate) async fn relayed(store: &Store, nats: &NatsServer, workspaces: &[&str], what: &str) {
    wait_until(what, LIMIT, async || {
        let Ok(Ok(rows)) = tokio::time::timeout(Duration::from_secs(5), check(store, nats, workspaces)).await else {
            return false;
        };
        rows
    })
    .await;
}

async fn check(store: &Store, nats: &NatsServer, workspaces: &[&str]) -> Result<bool, async_nats::Error> {
    let context = jetstream::new(async_nats::connect(nats.url()).await?);
    let stream = context.get_stream(stream_name("roadmap")).await?;
    let mut expected = 0;
    for workspace in workspaces {
        expected += store.read_log(workspace, 0, 100_000).await?.len() as u64;
    }
    Ok(stream.get_info().await?.state.messages >= expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_of_the_broker_delay_events_and_lose_none() {
    for engine in Engine::each() {
        let (host, _) = host(1);
        let (store, _database) = store(engine, &host).await.unwrap();
        let mut nats = NatsServer::start().await.unwrap();
        relay(&host, &store, &nats).await;
        let workspaces = ["alpha", "beta", "gamma"];
        for round in 0..3 {
            let writers = workspaces.map(|w| write(&store, w, 15));
            let faults = async {
                match round {
                    0 => nats.kill(),
                    1 => nats.pause().unwrap(),
                    _ => {}
                }
            };
            // Writes answer while the broker is away.
            tokio::join!(futures::future::join_all(writers), faults);
            match round {
                0 => nats.restart().await.unwrap(),
                1 => nats.resume().unwrap(),
                _ => {}
            }
        }
        relayed(&store, &nats, &workspaces, "all events are in the stream").await;
        let events = published(&nats, "roadmap").await;
        let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (workspace, revision, _) in &events {
            seen.entry(workspace.clone()).or_default().push(*revision);
        }
        for workspace in workspaces {
            assert_eq!(seen[workspace], (1..=45).collect::<Vec<_>>(), "{workspace}: ordered, no gap, no duplicate");
        }
        let ids: BTreeSet<_> = events.iter().map(|(_, _, id)| id).collect();
        assert_eq!(ids.len(), 135);
        host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_a_clock_that_was_ahead_does_not_stop_the_relay() {
    for engine in Engine::each() {
        let (host, _) = host(5);
        let (store, database) = store(engine, &host).await.unwrap();
        let (ahead, hand) = waymark_testkit::host(6);
        hand.advance(Duration::from_hours(1));
        let other = Store::connect(&database.options(), &ahead.clock, &ahead.ids).await.unwrap();
        assert!(Lease::new("relay/roadmap", "dead", Duration::from_secs(10)).hold(&other).await.unwrap());
        let nats = NatsServer::start().await.unwrap();
        relay(&host, &store, &nats).await;
        write(&store, "alpha", 3).await;
        relayed(&store, &nats, &["alpha"], "the events are published").await;
        host.stop(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_and_a_repeated_batch_store_each_event_once() {
    let (host, _) = host(3);
    let (store, _database) = store(Engine::Postgres, &host).await.unwrap();
    let nats = NatsServer::start().await.unwrap();
    for _ in 0..2 {
        relay(&host, &store, &nats).await;
    }
    let ws = |id: &str| WorkspaceId::from_id(id).unwrap();
    write(&store, "alpha", 30).await;
    relayed(&store, &nats, &["alpha"], "the events are published").await;
    // As if the process had died between the acknowledgement and the mark.
    let api = EventsApi::new(&host, &store, nothing());
    let request = RepublishEventsRequest { parent: ws("alpha").to_string(), from_revision: 11 };
    api.republish_events(Request::new(request)).await.unwrap();
    write(&store, "alpha", 10).await;
    relayed(&store, &nats, &["alpha"], "the later events are published too").await;
    let revisions: Vec<i64> = published(&nats, "roadmap").await.into_iter().map(|(_, revision, _)| revision).collect();
    assert_eq!(revisions, (1..=40).collect::<Vec<_>>());
    host.stop(Vec::new()).await;
}

/// Rows of cursors and workspaces that PostgreSQL has read for others than this test.
async fn read(database: &TestDatabase) -> i64 {
    // What a connection has read is told at the latest when it ends.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    wait_until("the connections end", LIMIT, async || database.number(others).await.unwrap() == 0).await;
    let read = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables
                WHERE relname IN ('workspaces', 'relay_cursors')";
    database.number(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_reads_does_not_depend_on_how_many_workspaces_there_are() {
    const WORKSPACES: i64 = 5_000;
    const ROUNDS: i64 = 20;
    let (host, _) = host(7);
    let (store, database) = store(Engine::Postgres, &host).await.unwrap();
    let nats = NatsServer::start().await.unwrap();
    relay(&host, &store, &nats).await;
    write(&store, "alpha", 1).await;
    relayed(&store, &nats, &["alpha"], "the first event is published").await;
    host.stop(Vec::new()).await;
    store.close().await.unwrap();
    database
        .execute(&[
            &format!(
                "INSERT INTO workspaces (id, revision) SELECT 'w' || n, 1 FROM generate_series(1, {WORKSPACES}) n"
            ),
            "INSERT INTO relay_cursors (workspace, revision, sequence, reached)
             SELECT id, 1, 1, 1 FROM workspaces WHERE id <> 'alpha'",
            "VACUUM ANALYZE",
        ])
        .await
        .unwrap();
    let before = read(&database).await;

    let (host, _) = waymark_testkit::host(8);
    let store = Store::connect(&database.options(), &host.clock, &host.ids).await.unwrap();
    relay(&host, &store, &nats).await;
    for _ in 0..ROUNDS {
        write(&store, "alpha", 1).await;
        relayed(&store, &nats, &["alpha"], "an event is published").await;
    }
    host.stop(Vec::new()).await;
    store.close().await.unwrap();
    let read = read(&database).await - before;
    // All are compared once, when it begins; from then on a round reads what has moved.
    let (once, each) = (4 * WORKSPACES, 100);
    assert!(read <= once + ROUNDS * each, "{read} rows in {ROUNDS} rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_republish_is_noticed_though_nothing_moves() {
    for engine in Engine::each() {
        let (host, _) = host(9);
        let (store, database) = store(engine, &host).await.unwrap();
        let nats = NatsServer::start().await.unwrap();
        relay(&host, &store, &nats).await;
        write(&store, "alpha", 6).await;
        relayed(&store, &nats, &["alpha"], "the events are published").await;
        let other = Store::connect(&database.options(), &host.clock, &host.ids).await.unwrap();
        assert_eq!(other.republish(&WorkspaceId::from_id("alpha").unwrap(), 2).await.unwrap(), 5);
        wait_until("the events are published again", LIMIT, async || {
            let metrics = host.telemetry.prometheus().unwrap();
            metrics.lines().any(|line| line.starts_with("waymark_relay_republished_total{") && line.ends_with(" 5"))
        })
        .await;
        let rewound = "SELECT count(*) FROM relay_cursors WHERE rewound";
        wait_until("the mark is taken off", LIMIT, async || database.number(rewound).await.unwrap() == 0).await;
        host.stop(Vec::new()).await;
    }
}

//! Events in: how fast a mirror of initiatives follows what the roadmap announces once it is filled, and how fast events
//! are reacted to, each by a write. Both read what was written while they were away, in one process and over NATS.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use async_nats::jetstream;
use waymark_clock::{Clock, Ids};
use waymark_discovery::SERVICE;
use waymark_events::{Subscription, Topic, bus, consumer, stream_name};
use waymark_proto::roadmap::v1 as pb;
use waymark_runtime::{EventArgs, Host};
use waymark_service::{Transport, connect};
use waymark_store::{Store, StoreOptions};
use waymark_testkit::sample::{self, Products, created, product};
use waymark_testkit::{Engine, NatsServer, wait_until};

use crate::bare::Pool;
use crate::report::Report;
use crate::service::{PATIENCE, Roadmap, create};

/// Events of a measurement: as many initiatives are created as are updated then.
const EVENTS: usize = 4_000;
/// Rows of a batch at most.
const BATCH: usize = 500;
const LEAST: f64 = 1_000.0;
/// What is reacted to.
const TOPIC: Topic =
    Topic::new("roadmap", &["waymark.roadmap.v1.InitiativeCreated", "waymark.roadmap.v1.InitiativeUpdated"]);

/// Measures both, each with the events of one workspace and of many.
pub async fn run(engine: Engine, report: &mut Report) -> Result<()> {
    let names = [
        ["mirror in one process, 1 workspace", "mirror in one process, 16 workspaces"],
        ["reactions in one process, 1 workspace", "reactions in one process, 16 workspaces"],
    ];
    within(engine, None, names, report).await?;
    let names = [
        ["mirror over NATS, 1 workspace", "mirror over NATS, 16 workspaces"],
        ["reactions over NATS, 1 workspace", "reactions over NATS, 16 workspaces"],
    ];
    within(engine, Some(NatsServer::start().await?), names, report).await
}

async fn within(
    engine: Engine,
    broker: Option<NatsServer>,
    [mirror, reactions]: [[&'static str; 2]; 2],
    report: &mut Report,
) -> Result<()> {
    let roadmap = Roadmap::open(engine).await?;
    let args = EventArgs::default();
    let client = match &broker {
        Some(broker) => Some(connect(&broker.url(), &args, "bench").await?),
        None => None,
    };
    let wire = match &client {
        Some(client) => Transport::Nats(client.clone()),
        None => Transport::Bus(vec![roadmap.service.peer()]),
    };
    if client.is_some() {
        roadmap.service.start(&roadmap.host, &args, wire.clone());
    }

    let (mirroring, reacting) = (roadmap.another_database().await?, roadmap.another_database().await?);
    let host = Host::local(Clock::system(), Ids::system())?;
    let discovery = SERVICE.open(&host, &mirroring, &()).await?;
    let mirrored = Pool::connect(&mirroring.url(waymark_discovery::NAME), 2).await?;
    let url = reacting.url("sample");
    Store::connect(&StoreOptions::new(&url), &host.clock, &host.ids).await?.migrate(&sample::SCHEMA).await?;
    let reacted = Pool::connect(&url, 2).await?;

    // Filled, the mirror is heard of again when there is more.
    write(&roadmap, 2, 1).await?;
    let host = Host::local(Clock::system(), Ids::system())?;
    discovery.start(&host, &args, wire.clone());
    reach(&mirrored, "SELECT count(*) FROM mirrors WHERE end_time IS NOT NULL", 1).await;
    reach(&mirrored, UPDATED, 1).await;
    host.stop(Vec::new()).await;
    let mut updated = 1;

    for (workspaces, mirror, reactions) in [(1, mirror[0], reactions[0]), (16, mirror[1], reactions[1])] {
        write(&roadmap, EVENTS, workspaces).await?;
        updated += EVENTS as i64 / 2;
        published(&roadmap, client.as_ref()).await?;

        let (host, began) = (Host::local(Clock::system(), Ids::system())?, Instant::now());
        discovery.start(&host, &args, wire.clone());
        reach(&mirrored, UPDATED, updated).await;
        report.rate_of_at_least(mirror, EVENTS as f64 / began.elapsed().as_secs_f64(), LEAST);
        host.stop(Vec::new()).await;

        let host = Host::local(Clock::system(), Ids::system())?;
        let target = Store::connect(&StoreOptions::new(&url), &host.clock, &host.ids).await?.keeping(&sample::SCHEMA);
        let before = reacted.count(PRODUCTS).await?;
        let began = Instant::now();
        react(&host, &roadmap, client.as_ref(), &target);
        reach(&reacted, PRODUCTS, updated * 2).await;
        let events = (updated * 2 - before) as f64;
        let rate = events / began.elapsed().as_secs_f64();
        report.rate_of_at_least(reactions, rate, LEAST);
        host.stop(Vec::new()).await;
        target.close().await?;
    }
    roadmap.stop().await;
    Ok(())
}

/// Initiatives that are mirrored as they were updated.
const UPDATED: &str = "SELECT count(*) FROM roadmap_initiatives WHERE version = 2";
/// What was made of events.
const PRODUCTS: &str = "SELECT count(*) FROM products";

async fn reach(pool: &Pool, count: &'static str, expected: i64) {
    wait_until(count, PATIENCE, async || pool.count(count).await.is_ok_and(|count| count >= expected)).await;
}

/// Writes that many events, the same number in each of that many workspaces.
async fn write(roadmap: &Roadmap, events: usize, workspaces: usize) -> Result<()> {
    let each = events / 2 / workspaces;
    for workspace in 0..workspaces {
        let workspace = format!("tail{events}-{workspaces}-{workspace}");
        let parent = format!("workspaces/{workspace}");
        for first in (0..each).step_by(BATCH) {
            let ids = first..each.min(first + BATCH);
            let requests = ids.clone().map(|id| create(&workspace, format!("t{id}"))).collect();
            let batch = pb::BatchCreateInitiativesRequest { parent: parent.clone(), requests, ..Default::default() };
            roadmap.client(0).batch_create_initiatives(batch).await?;
            let update = |id| {
                let name = format!("{parent}/initiatives/t{id}");
                let initiative = pb::Initiative { name, owner: "users/bob@example.com".into(), ..Default::default() };
                pb::UpdateInitiativeRequest { initiative: Some(initiative), ..Default::default() }
            };
            let requests = ids.map(update).collect();
            let batch = pb::BatchUpdateInitiativesRequest { parent: parent.clone(), requests, ..Default::default() };
            roadmap.client(0).batch_update_initiatives(batch).await?;
        }
    }
    Ok(())
}

/// Waits until the stream has all that was written, where there is one.
async fn published(roadmap: &Roadmap, client: Option<&async_nats::Client>) -> Result<()> {
    let Some(client) = client else { return Ok(()) };
    let written = roadmap.bare.count("SELECT count(*) FROM log").await?.unsigned_abs();
    let context = jetstream::new(client.clone());
    wait_until("all is published", PATIENCE, async || {
        let Ok(mut stream) = context.get_stream(stream_name(waymark_roadmap::NAME)).await else { return false };
        stream.info().await.is_ok_and(|info| info.state.messages >= written)
    })
    .await;
    Ok(())
}

/// Makes a product of each event.
fn react(host: &Host, roadmap: &Roadmap, client: Option<&async_nats::Client>, target: &Store) {
    let reacting = target.clone();
    let handler: waymark_events::Handler = Arc::new(move |_, reaction| {
        let store = reacting.clone();
        Box::pin(async move {
            let make = async |write: &mut waymark_store::Write| {
                write.create::<Products, _>("", product("Made of an event", ""), created).map(|_| ())
            };
            store.react(&reaction, make).await
        })
    });
    let mirror = Arc::new(|_| Box::pin(async { Ok(()) }) as _);
    let subscription = Subscription { consumer: "bench", topics: vec![TOPIC], mirror, handler };
    let (host, target) = (host.clone(), target.clone());
    let tasks = host.tasks.clone();
    if let Some(client) = client {
        tasks.spawn("bench: consumer", consumer::run(host, target, client.clone(), subscription, TOPIC));
    } else {
        let source = roadmap.service.store().clone();
        tasks.spawn("bench: bus", bus::run(host, target, source, subscription, TOPIC));
    }
}

//! A stream that lost messages is read again from where it may be new; one whose old messages were removed is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::Config;
use chrono::DateTime;
use futures::StreamExt as _;
use tonic::Request;
use waymark_domain::WorkspaceId;
use waymark_events::{EventsApi, Handler, stream_name};
use waymark_proto::events::v1::RepublishEventsRequest;
use waymark_proto::events::v1::events_service_server::EventsService as _;
use waymark_store::StreamPosition;
use waymark_testkit::{Engine, NatsServer, wait_until};

use crate::nothing;
use crate::world::{World, copier, names};

const LIMIT: Duration = Duration::from_mins(1);

fn rewinds(world: &World) -> String {
    let metrics = world.target_host.telemetry.prometheus().unwrap();
    let line = metrics.lines().find(|line| line.starts_with("waymark_consumer_rewinds_total{")).unwrap_or_default();
    line.rsplit(' ').next().unwrap().to_owned()
}

async fn stream(world: &World) -> jetstream::stream::Stream {
    let client = async_nats::connect(world.nats.as_ref().unwrap().url()).await.unwrap();
    jetstream::new(client).get_stream(stream_name("roadmap")).await.unwrap()
}

async fn published(world: &World, messages: u64) {
    let client = async_nats::connect(world.nats.as_ref().unwrap().url()).await.unwrap();
    let context = jetstream::new(client);
    wait_until("the events are published", LIMIT, async || match context.get_stream(stream_name("roadmap")).await {
        Ok(stream) => stream.get_info().await.unwrap().state.last_sequence >= messages,
        Err(_) => false,
    })
    .await;
}

async fn write(world: &World, workspace: &str, range: std::ops::Range<usize>) {
    for name in names("p", range) {
        world.write(workspace, &name).await;
    }
}

async fn republish(world: &World, workspace: &str, from_revision: i64) {
    let api = EventsApi::new(&world.source_host, &world.source, nothing());
    let request = RepublishEventsRequest { parent: format!("workspaces/{workspace}"), from_revision };
    api.republish_events(Request::new(request)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_put_back_to_an_older_copy_is_read_again_from_there() {
    for engine in Engine::each() {
        let mut world = World::new(engine, Some(NatsServer::start().await.unwrap())).await;
        let handler = copier(&world.target, |_, _| Ok(()));
        let tasks = world.listen(Arc::clone(&handler)).await;
        write(&world, "a", 0..5).await;
        world.wait_for("a", &names("p", 0..5)).await;
        let backup = world.nats.as_mut().unwrap().back_up().await.unwrap();
        write(&world, "a", 5..10).await;
        world.wait_for("a", &names("p", 0..10)).await;
        world.end(tasks).await;
        world.nats.as_mut().unwrap().restore(&backup).await.unwrap();
        // Where events of the one workspace were, there are now some of the other, and beyond.
        write(&world, "b", 0..9).await;
        published(&world, 14).await;
        let tasks = world.listen(Arc::clone(&handler)).await;
        world.wait_for("b", &names("p", 0..9)).await;
        assert_eq!(rewinds(&world), "1");
        republish(&world, "a", 6).await;
        write(&world, "a", 10..12).await;
        world.wait_for("a", &names("p", 0..12)).await;
        assert_eq!(rewinds(&world), "1");
        // Lost under the eyes of the one that reads.
        world.nats.as_mut().unwrap().wipe().await.unwrap();
        write(&world, "b", 9..12).await;
        world.wait_for("b", &names("p", 0..12)).await;
        assert_eq!(rewinds(&world), "2");
        world.kill(tasks).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_long_before_is_not_read_again() {
    for engine in Engine::each() {
        let world = World::new(engine, Some(NatsServer::start().await.unwrap())).await;
        write(&world, "a", 0..5).await;
        write(&world, "b", 0..5).await;
        published(&world, 10).await;
        // As if all of it had been handled long ago, then more, which is lost, and one workspace was parked there.
        let last = stream(&world).await.get_info().await.unwrap().state.last_timestamp;
        let time = DateTime::from_timestamp(last.unix_timestamp(), 0).unwrap() + Duration::from_hours(25);
        let reader = world.target.take_over("copier", "roadmap", "test").await.unwrap();
        assert!(reader.advance(StreamPosition { sequence: 70, time }).await.unwrap());
        assert!(reader.park(&WorkspaceId::from_id("b").unwrap(), 50).await.unwrap());
        let tasks = world.listen(copier(&world.target, |_, _| Ok(()))).await;
        wait_until("the loss is found", LIMIT, async || rewinds(&world) == "1").await;
        for workspace in ["a", "b"] {
            write(&world, workspace, 5..8).await;
            world.wait_for(workspace, &names("p", 5..8)).await;
        }
        world.kill(tasks).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_longer_kept_are_no_loss() {
    let mut world = World::new(Engine::Sqlite, Some(NatsServer::start().await.unwrap())).await;
    let handler = copier(&world.target, |_, _| Ok(()));
    let tasks = world.listen(Arc::clone(&handler)).await;
    write(&world, "a", 0..5).await;
    world.wait_for("a", &names("p", 0..5)).await;
    world.end(tasks).await;
    stream(&world).await.purge().await.unwrap();
    let tasks = world.listen(Arc::clone(&handler)).await;
    write(&world, "a", 5..8).await;
    world.wait_for("a", &names("p", 0..8)).await;
    assert_eq!(rewinds(&world), "0");
    world.kill(tasks).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_consumer_that_is_there_says_where_to_begin() {
    let world = World::new(Engine::Sqlite, Some(NatsServer::start().await.unwrap())).await;
    write(&world, "a", 0..8).await;
    published(&world, 8).await;
    let config = Config { durable_name: Some("copier".into()), ..Config::default() };
    let durable = stream(&world).await.create_consumer(config).await.unwrap();
    let mut messages = durable.messages().await.unwrap();
    for _ in 0..5 {
        messages.next().await.unwrap().unwrap().double_ack().await.unwrap();
    }
    let deliveries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&deliveries);
    let handler: Handler = copier(&world.target, move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let tasks = world.listen(handler).await;
    world.wait_for("a", &names("p", 5..8)).await;
    assert_eq!(deliveries.load(Ordering::SeqCst), 3);
    world.kill(tasks).await;
    world.stop().await;
}

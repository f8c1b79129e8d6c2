//! Events out: how fast a backlog drains to JetStream beside publishing the same messages without a log, how soon a commit is delivered,
//! and what a hundred watchers of one workspace see.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;
use waymark_clock::Clock;
use waymark_events::{Relay, stream_name};
use waymark_proto::events::v1 as pb;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_runtime::EventArgs;
use waymark_testkit::{NatsServer, wait_for};

use crate::load::{Load, open};
use crate::report::Report;
use crate::service::{PATIENCE, Roadmap, create};

const IN_FLIGHT: usize = 512;
const BACKLOG: usize = 20_000;
const WRITES_A_SECOND: u32 = 500;
const DELIVERED: u64 = 5_000;
const WATCHERS: usize = 100;
const WATCHED_A_SECOND: u32 = 100;
const WATCHED: u64 = 500;

/// Measures all three.
pub async fn run(roadmap: &Roadmap, report: &mut Report) -> Result<()> {
    let broker = NatsServer::start().await?;
    let client = async_nats::connect(broker.url()).await?;
    let context = jetstream::new(client.clone());

    backlog(roadmap).await?;
    let (args, meter) = (EventArgs::default(), roadmap.host.telemetry.meter());
    let relay =
        Relay::new(roadmap.service.store().clone(), waymark_roadmap::NAME, client, &args, "bench".to_owned(), &meter);
    let events = logged(roadmap).await?;
    let start = Instant::now();
    roadmap.host.tasks.spawn("bench: relay", relay.run(roadmap.host.shutdown.begun()));
    wait_for("the backlog to drain", PATIENCE, async || {
        let mut stream = context.get_stream(stream_name(waymark_roadmap::NAME)).await.ok()?;
        stream.info().await.ok().filter(|info| info.state.messages >= events).map(|_| ())
    })
    .await;
    let drained = events as f64 / start.elapsed().as_secs_f64();
    let raw = publish(&context).await?;
    report.rate("relay drains a backlog to JetStream", drained);
    report.rate("bare publishing of the same messages, 512 in flight", raw);
    report.ratio("relay beside bare publishing", drained, raw, 0.2);

    report.latency("from commit to a consumer at 500 writes/s", &delivery(roadmap, &context).await);
    report.latency("from commit to 100 watchers at 100 writes/s", &watch(roadmap).await);
    Ok(())
}

/// Fills the log to at least [`BACKLOG`] events, by batches.
async fn backlog(roadmap: &Roadmap) -> Result<()> {
    for batch in 0.. {
        if logged(roadmap).await? >= BACKLOG as u64 {
            break;
        }
        let workspace = format!("backlog{}", batch % 16);
        let requests = (0..500).map(|n| create(&workspace, format!("b{batch}-{n}"))).collect();
        let parent = format!("workspaces/{workspace}");
        let create =
            waymark_proto::roadmap::v1::BatchCreateInitiativesRequest { parent, requests, ..Default::default() };
        roadmap.client(0).batch_create_initiatives(create).await?;
    }
    Ok(())
}

/// How many events the log has.
async fn logged(roadmap: &Roadmap) -> Result<u64> {
    let count: i64 = match &roadmap.bare {
        crate::bare::Pool::Sqlite { reader, .. } => {
            sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(reader).await?
        }
        crate::bare::Pool::Postgres(pool) => sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(pool).await?,
    };
    Ok(count.unsigned_abs())
}

/// Publishes what the relay published once more to a stream of its own, read beforehand, as fast as acknowledgements
/// allow; messages a second.
async fn publish(context: &jetstream::Context) -> Result<f64> {
    const PREFIX: &str = "bare";
    let source = context.get_stream(stream_name(waymark_roadmap::NAME)).await?;
    let count = source.get_info().await?.state.messages as usize;
    let read = source.create_consumer(OrderedConfig::default()).await?.messages().await?;
    let messages: Vec<_> = read.take(count).try_collect().await?;
    let subjects = vec![format!("{PREFIX}.>")];
    context.create_stream(stream::Config { name: "BARE".to_owned(), subjects, ..stream::Config::default() }).await?;
    let start = Instant::now();
    let published = futures::stream::iter(messages).map(|message| {
        let jetstream::Message { message, .. } = message;
        let subject = format!("{PREFIX}.{}", message.subject);
        // All but what says which place in the stream it was for.
        let sent = message.headers.unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, values) in sent.iter().filter(|(name, _)| !name.to_string().starts_with("Nats-Expected")) {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
        let message = PublishMessage::build().headers(headers).payload(message.payload);
        async move { anyhow::Ok(context.send_publish(subject, message).await?.await?) }
    });
    published.buffered(IN_FLIGHT).try_for_each(|_| async { Ok(()) }).await?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// How long after its commit began each event reaches a consumer of the stream.
async fn delivery(roadmap: &Roadmap, context: &jetstream::Context) -> Result<Load> {
    let stream = context.get_stream(stream_name(waymark_roadmap::NAME)).await?;
    let consumer = stream
        .create_consumer(OrderedConfig { deliver_policy: DeliverPolicy::New, ..OrderedConfig::default() })
        .await?;
    let mut messages = consumer.messages().await?;
    let clock = roadmap.host.clock.clone();
    let mut reader = JoinSet::new();
    reader.spawn(async move {
        let mut times = Vec::new();
        while times.len() < DELIVERED as usize {
            let message = messages.next().await.context("the consumer ended")??;
            let headers = message.headers.as_ref().context("an event has headers")?;
            let time = headers.get("ce-time").context("an event has a time")?.as_str().parse::<DateTime<Utc>>()?;
            times.push(since(&clock, time));
        }
        anyhow::Ok(times)
    });
    let start = Instant::now();
    open(WRITES_A_SECOND, DELIVERED, |number| {
        let mut client = roadmap.client(number as usize);
        let request = create(&format!("delivery{}", number % 16), format!("d{number}"));
        async move { Ok(client.create_initiative(request).await.map(|_| ())?) }
    })
    .await?;
    let times = tokio::time::timeout(PATIENCE, reader.join_next()).await?.context("there is one reader")???;
    Load::of(times, start.elapsed())
}

/// How long after its commit began each event reaches each of the watchers; fails when one of them misses any.
async fn watch(roadmap: &Roadmap) -> Result<Load> {
    let mut watchers = JoinSet::new();
    for watcher in 0..WATCHERS {
        let mut client = EventsServiceClient::new(roadmap.channel(watcher));
        let start = Some(pb::watch_events_request::Start::Now(pbjson_types::Empty {}));
        let request = pb::WatchEventsRequest { parent: "workspaces/watched".to_owned(), start, ..Default::default() };
        let mut stream = client.watch_events(request).await?.into_inner();
        let clock = roadmap.host.clock.clone();
        watchers.spawn(async move {
            let mut times = Vec::new();
            while times.len() < WATCHED as usize {
                let update = stream.message().await?.context("the watch ended")?;
                for event in update.events {
                    let time = event.time.context("an event has a time")?;
                    let time =
                        DateTime::from_timestamp(time.seconds, time.nanos.unsigned_abs()).context("a time in range")?;
                    times.push(since(&clock, time));
                }
            }
            anyhow::Ok(times)
        });
    }
    let start = Instant::now();
    open(WATCHED_A_SECOND, WATCHED, |number| {
        let mut client = roadmap.client(number as usize);
        let request = create("watched", format!("w{number}"));
        async move { Ok(client.create_initiative(request).await.map(|_| ())?) }
    })
    .await?;
    let mut times = Vec::new();
    while let Some(watcher) = tokio::time::timeout(PATIENCE, watchers.join_next()).await? {
        times.extend(watcher??);
    }
    Load::of(times, start.elapsed())
}

/// Events carry the time at which their transaction got its lock, so this is a little more than the time since the
/// commit.
fn since(clock: &Clock, time: DateTime<Utc>) -> Duration {
    (clock.now() - time).to_std().unwrap_or_default()
}

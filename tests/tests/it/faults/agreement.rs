//! The promise at rest: acknowledged writes, log, tables and stream tell the same story. Reads only, through the public
//! contract.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use async_nats::jetstream;
use futures::StreamExt as _;
use prost::Message as _;
use waymark_client::{Channel, Options};
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::events::v1::{Event, ListEventsRequest};
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{ListProductsRequest, Product, ProductCreated, ProductUpdated};
use waymark_testkit::{NatsServer, wait_for};

const LIMIT: Duration = Duration::from_secs(40);

/// A write whose answer was OK.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub workspace: &'static str,
    pub name: String,
    pub request_id: String,
    pub revision: i64,
}

/// The whole log of a workspace.
pub async fn log(address: SocketAddr, workspace: &str) -> Vec<Event> {
    let mut client = EventsServiceClient::new(channel(address));
    let mut events = Vec::new();
    let mut page_token = String::new();
    loop {
        let request =
            ListEventsRequest { parent: workspace.to_owned(), page_size: 1_000, page_token, filter: String::new() };
        let page = client.list_events(request).await.unwrap().into_inner();
        events.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return events;
        }
    }
}

/// Every write is one event at the revision its answer named, and there is no other; revisions have no gap, events no
/// twin.
pub fn log_is_the_writes(log: &[Event], acknowledged: &[&Acknowledged]) {
    let revisions: Vec<i64> = log.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, (1..=log.len() as i64).collect::<Vec<_>>(), "revisions have gaps or are out of order");
    let ids: BTreeSet<&str> = log.iter().map(|event| event.uid.as_str()).collect();
    assert_eq!(ids.len(), log.len(), "two events have one id");
    let written: BTreeMap<i64, (&str, &str)> =
        log.iter().map(|e| (e.revision, (e.request_id.as_str(), e.subject.as_str()))).collect();
    let answered: BTreeMap<i64, (&str, &str)> =
        acknowledged.iter().map(|a| (a.revision, (a.request_id.as_str(), a.name.as_str()))).collect();
    assert_eq!(acknowledged.len(), answered.len(), "two writes were told the same revision");
    let lost: Vec<_> = answered.iter().filter(|(revision, write)| written.get(revision) != Some(write)).collect();
    assert!(lost.is_empty(), "acknowledged but not in the log: {lost:?}");
    let extra: Vec<_> = written.iter().filter(|(revision, _)| !answered.contains_key(revision)).collect();
    assert!(extra.is_empty(), "in the log but never acknowledged: {extra:?}");
}

/// Each resource is as the last event about it says, and there is none without an event.
pub async fn state_is_the_log(address: SocketAddr, workspace: &str, log: &[Event]) {
    let mut told = BTreeMap::new();
    for event in log {
        let data = event.data.as_ref().unwrap();
        let product = match event.r#type.as_str() {
            "waymark.roadmap.v1.ProductCreated" => ProductCreated::decode(data.value.clone()).unwrap().product,
            "waymark.roadmap.v1.ProductUpdated" => ProductUpdated::decode(data.value.clone()).unwrap().product,
            other => panic!("nobody wrote {other}"),
        };
        told.insert(event.subject.clone(), product.unwrap());
    }
    let mut client = StrategyServiceClient::new(channel(address));
    let mut stored: BTreeMap<String, Product> = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListProductsRequest {
            parent: workspace.to_owned(),
            page_size: 1_000,
            page_token,
            ..ListProductsRequest::default()
        };
        let page = client.list_products(request).await.unwrap().into_inner();
        stored.extend(page.products.into_iter().map(|product| (product.name.clone(), product)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(stored, told, "state and log of {workspace} differ");
}

/// The stream has every event of the log, in its order, and nothing else; a repeat has the id of the first.
pub async fn stream_is_the_log(nats: &NatsServer, workspace: &str, log: &[Event]) {
    let logged: Vec<(i64, String)> = log.iter().map(|event| (event.revision, event.uid.clone())).collect();
    let workspace = workspace.rsplit('/').next().unwrap();
    let last = logged.last().unwrap();
    let streamed = wait_for("the relay catches up", LIMIT, async || {
        let streamed = published(nats, workspace).await?;
        streamed.contains(last).then_some(streamed)
    })
    .await;
    let mut first = Vec::new();
    let mut seen = BTreeSet::new();
    for message in streamed {
        if seen.insert(message.1.clone()) {
            first.push(message);
        }
    }
    assert_eq!(first, logged, "stream and log of {workspace} differ");
}

/// Revision and id of each message of a workspace, in the order of the stream.
async fn published(nats: &NatsServer, workspace: &str) -> Option<Vec<(i64, String)>> {
    let context = jetstream::new(async_nats::connect(nats.url()).await.ok()?);
    let stream = context.get_stream("WAYMARK_ROADMAP").await.ok()?;
    let config = jetstream::consumer::pull::OrderedConfig {
        filter_subject: format!("waymark.roadmap.{workspace}.>"),
        ..Default::default()
    };
    let mut consumer = stream.create_consumer(config).await.ok()?;
    let pending = usize::try_from(consumer.info().await.ok()?.num_pending).ok()?;
    let messages: Vec<_> = consumer.messages().await.ok()?.take(pending).collect().await;
    let read = messages.into_iter().map(|message| {
        let headers = message.ok()?.message.headers?;
        Some((headers.get("ce-sequence")?.as_str().parse().ok()?, headers.get("ce-id")?.as_str().to_owned()))
    });
    read.collect()
}

fn channel(address: SocketAddr) -> Channel {
    Channel::new(&address.to_string(), Options::default()).unwrap()
}

//! A broker that tells its users apart, as `deploy/nats.example.conf` says: services publish their own events and read those of
//! the others, a tenant reads its own workspace, and nobody does more.

use std::time::Duration;

use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::{self, Context};
use futures::StreamExt as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_runtime::{DatabaseArgs, EventArgs};
use waymark_service::{Transport, connect};
use waymark_testkit::{Engine, NatsServer, PLANTED, Served, wait_until};

const STREAM: &str = "WAYMARK_ROADMAP";
/// How long the broker may take to answer; what it refuses it does not answer.
const ANSWER: Duration = Duration::from_secs(1);

struct Broker {
    server: NatsServer,
    _store: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let store = tempfile::tempdir().unwrap();
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nats.example.conf");
        let mut configuration = std::fs::read_to_string(example).unwrap();
        for user in ["discovery", "roadmap", "metrics", "acme"] {
            configuration = configuration.replace(&format!("${}_PASSWORD", user.to_uppercase()), PLANTED);
        }
        let configuration = configuration.replace("/data", store.path().to_str().unwrap());
        Self { server: NatsServer::start_configured(&configuration).unwrap(), _store: store }
    }

    fn url(&self, user: &str) -> String {
        self.server.url().replace("nats://", &format!("nats://{user}:{PLANTED}@"))
    }

    /// A connection of a user, whose inbox has a prefix.
    async fn user(&self, user: &str, prefix: &str) -> Context {
        let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), PLANTED.to_owned());
        let options = options.custom_inbox_prefix(prefix).retry_on_initial_connect();
        let mut context = jetstream::new(options.connect(self.server.url()).await.unwrap());
        context.set_timeout(ANSWER);
        context
    }
}

/// A tenant's consumer: of a name and a filter.
fn consumer(name: &str, filter: &str) -> Config {
    Config {
        durable_name: Some(name.to_owned()),
        filter_subject: filter.to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_publish_their_own_and_a_tenant_reads_its_own() {
    let broker = Broker::start();
    let (host, _clock) = waymark_testkit::host(1);
    let events = EventArgs::default();
    let transport = async |service: &str| {
        Transport::Nats(connect(&broker.url(service), &events, &format!("waymark-{service}")).await.unwrap())
    };
    let args = DatabaseArgs::default();
    let roadmap = Served::start_with(Engine::Sqlite, &host, &waymark_roadmap::SERVICE, &(), &args).await.unwrap();
    let discovery = Served::start_with(Engine::Sqlite, &host, &waymark_discovery::SERVICE, &(), &args).await.unwrap();
    roadmap.service.start(&host, &events, transport("roadmap").await);
    discovery.service.start(&host, &events, transport("discovery").await);

    let mut client = StrategyServiceClient::connect(format!("http://{}", roadmap.address())).await.unwrap();
    for workspace in ["acme", "other"] {
        let product = pb::Product {
            display_name: "App".to_owned(),
            lifecycle: pb::ProductLifecycle::Exploring.into(),
            ..Default::default()
        };
        let request = pb::CreateProductRequest {
            parent: format!("workspaces/{workspace}"),
            product_id: "app".to_owned(),
            product: Some(product),
            ..Default::default()
        };
        client.create_product(request).await.unwrap();
    }
    let own = broker.user("roadmap", "_INBOX.waymark-roadmap").await;
    let stored = async || match own.get_stream(STREAM).await {
        Ok(stream) => stream.get_info().await.unwrap().state.messages,
        Err(_) => 0,
    };
    wait_until("both events are published", Duration::from_secs(20), async || stored().await == 2).await;
    // What discovery keeps of the roadmap is filled by the service and then read from the stream.
    let filled = "waymark_mirror_filled";
    wait_until("discovery reads the roadmap's events", Duration::from_secs(20), async || {
        let text = host.telemetry.prometheus().unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with(filled) && line.contains("source=\"roadmap\""));
        lines.any(|line| line.ends_with(" 1"))
    })
    .await;

    // Another service's events are not its to publish.
    let other = broker.user("discovery", "_INBOX.waymark-discovery").await;
    let forged = async |context: &Context, subject: &'static str| {
        let sent = context.publish(subject, "{}".into()).await;
        match sent {
            Ok(acknowledged) => acknowledged.await.is_ok(),
            Err(_) => false,
        }
    };
    assert!(!forged(&other, "waymark.roadmap.acme.products.app.updated").await);

    // The tenant reads what is its own.
    let tenant = broker.user("acme", "_INBOX.acme").await;
    let reading = tenant.create_consumer_on_stream(consumer("acme", "waymark.roadmap.acme.>"), STREAM).await.unwrap();
    let mut messages = reading.fetch().max_messages(10).expires(ANSWER).messages().await.unwrap();
    let mut subjects = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        subjects.push(message.subject.to_string());
        message.ack().await.unwrap();
    }
    assert_eq!(subjects, ["waymark.roadmap.acme.products.app.created"]);

    // Nothing else.
    for (name, filter) in [
        ("acme", "waymark.roadmap.other.>"),
        ("acme", "waymark.roadmap.>"),
        ("acme", ""),
        ("spy", "waymark.roadmap.acme.>"),
        ("spy", ">"),
    ] {
        let made = tenant.create_consumer_on_stream(consumer(name, filter), STREAM).await;
        assert!(made.is_err(), "{name} {filter:?}");
    }
    assert!(tenant.get_stream(STREAM).await.is_err(), "the stream tells which workspaces there are");
    assert!(!forged(&tenant, "waymark.roadmap.acme.products.app.updated").await);
    for subject in ["waymark.>", "_INBOX.>", ">"] {
        let mut heard = tenant.client().subscribe(subject).await.unwrap();
        own.client().publish("waymark.roadmap.other.said", "{}".into()).await.unwrap();
        own.client().flush().await.unwrap();
        assert!(tokio::time::timeout(ANSWER, heard.next()).await.is_err(), "{subject}");
    }
    let before = stored().await;
    // The broker is not made to publish, in the tenant's place, what it asked to be sent.
    let next = format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.acme");
    client
        .delete_product(pb::DeleteProductRequest {
            name: "workspaces/acme/products/app".to_owned(),
            ..Default::default()
        })
        .await
        .unwrap();
    wait_until("the event is published", Duration::from_secs(20), async || stored().await == before + 1).await;
    tenant.client().publish_with_reply(next, "waymark.roadmap.other.products.app.created", "".into()).await.unwrap();
    tenant.client().flush().await.unwrap();
    tokio::time::sleep(ANSWER).await;
    assert_eq!(stored().await, before + 1, "a reply was stored as an event");
    host.stop(vec![roadmap.running, discovery.running]).await;
}

//! A service with events, and one that listens to them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::task::JoinSet;
use waymark_clock::ManualClock;
use waymark_events::{Handler, Subscription, Topic, bus, consumer};
use waymark_proto::roadmap::v1::{BatchCreateProductsResponse, ProductCreated};
use waymark_runtime::Host;
use waymark_store::{Error, Received, Store};
use waymark_testkit::sample::{Products, call, created, created_in, product, store};
use waymark_testkit::{Engine, NatsServer, TestDatabase, host, wait_until};

use crate::{no_mirrors, relay};

const LIMIT: Duration = Duration::from_mins(1);

/// A service with events and one that listens to them.
pub struct World {
    pub source: Store,
    pub source_host: Host,
    pub target: Store,
    pub target_host: Host,
    pub clock: ManualClock,
    pub database: TestDatabase,
    /// What carries the events; without it they are read in this process.
    pub nats: Option<NatsServer>,
    _source_database: TestDatabase,
}

impl World {
    pub async fn new(engine: Engine, nats: Option<NatsServer>) -> Self {
        let (source_host, _) = host(1);
        let (target_host, clock) = host(2);
        let (source, source_database) = store(engine, &source_host).await.unwrap();
        let (target, database) = store(engine, &target_host).await.unwrap();
        if let Some(nats) = &nats {
            relay(&source_host, &source, nats).await;
        }
        Self { source, source_host, target, target_host, clock, database, nats, _source_database: source_database }
    }

    /// Announces a product of this name.
    pub async fn write(&self, workspace: &str, name: &str) {
        let parent = format!("workspaces/{workspace}");
        self.source.create_blind::<Products, _>(&call(), &parent, "", Some(product(name, "")), created).await.unwrap();
    }

    /// Starts what brings the events in; it dies with the set.
    pub async fn listen(&self, handler: Handler) -> JoinSet<()> {
        self.listen_as(self.target_host.clone(), self.target.clone(), handler).await
    }

    /// The same as another process of the service that listens.
    pub async fn listen_as(&self, host: Host, store: Store, handler: Handler) -> JoinSet<()> {
        match &self.nats {
            Some(nats) => {
                let client = async_nats::connect(nats.url()).await.unwrap();
                self.listen_by(Some(client), host, store, handler)
            }
            None => self.listen_by(None, host, store, handler),
        }
    }

    pub fn listen_by(&self, client: Option<Client>, host: Host, store: Store, handler: Handler) -> JoinSet<()> {
        let topic = Topic::new("roadmap", &["waymark.roadmap.v1.ProductCreated"]);
        let subscription = Subscription { consumer: "copier", topics: vec![topic], mirror: no_mirrors(), handler };
        let mut tasks = JoinSet::new();
        match client {
            Some(client) => {
                tasks.spawn(consumer::run(host, store, client, subscription, topic));
            }
            None => {
                tasks.spawn(bus::run(host, store, self.source.clone(), subscription, topic));
            }
        }
        tasks
    }

    /// Kills what brings the events in, and lets its lease run out.
    pub async fn kill(&self, mut tasks: JoinSet<()>) {
        tasks.shutdown().await;
        self.clock.advance(Duration::from_secs(11));
    }

    /// Ends what brings the events in as a process that stops does.
    pub async fn end(&mut self, mut tasks: JoinSet<()>) {
        self.target_host.shutdown.begin();
        tasks.join_next().await.unwrap().unwrap();
        (self.target_host, _) = host(4);
    }

    /// Announces 500 products called `filler` in one write.
    pub async fn fill(&self, workspace: &str) {
        let rows = (0..500).map(|_| (String::new(), Some(product("filler", "")))).collect();
        let reply =
            |b: waymark_store::Batch<_>| BatchCreateProductsResponse { products: b.items, failures: b.failures };
        let parent = format!("workspaces/{workspace}");
        self.source.batch_create::<Products, _, _>(&call(), &parent, rows, false, created_in, reply).await.unwrap();
    }

    /// The names in a workspace of the service that listens, in the order of its log.
    pub async fn effects(&self, workspace: &str) -> Vec<String> {
        self.target.read_log(workspace, 0, 10_000).await.unwrap().iter().map(|row| name(&row.data)).collect()
    }

    pub async fn wait_for(&self, workspace: &str, expected: &[String]) {
        wait_until(&format!("the effects in {workspace}"), LIMIT, async || {
            self.effects(workspace).await.len() >= expected.len()
        })
        .await;
        assert_eq!(self.effects(workspace).await, expected, "in order, none lost, none twice");
    }

    pub async fn stop(self) {
        self.target_host.stop(Vec::new()).await;
        self.source_host.stop(Vec::new()).await;
    }
}

/// Copies each product that is no filler, if `ward` lets it.
pub fn copier(target: &Store, ward: impl Fn(&Received, &str) -> Result<(), Error> + Send + Sync + 'static) -> Handler {
    let (target, ward) = (target.clone(), Arc::new(ward));
    Arc::new(move |event, reaction| {
        let (target, ward) = (target.clone(), Arc::clone(&ward));
        Box::pin(async move {
            let name = name(&event.data);
            ward(&event, &name)?;
            if name == "filler" {
                return Ok(());
            }
            target
                .react(&reaction, async move |write| {
                    write.create::<Products, _>("", product(&name, ""), created).map(|_| ())
                })
                .await
        })
    })
}

pub fn name(data: &str) -> String {
    serde_json::from_str::<ProductCreated>(data).unwrap().product.unwrap_or_default().display_name
}

pub fn names(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("{prefix}{i}")).collect()
}

//! The three services in this process: on either database, hearing of each other over the bus or over a real broker, at
//! a time that stands still until the test moves it. They are called as any client calls them, over gRPC on free ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use waymark_client::{Channel, Options};
use waymark_clock::ManualClock;
use waymark_metrics::{MetricsArgs, Parts};
use waymark_runtime::{DatabaseArgs, EventArgs, Host, KeepLog, Running, ServerArgs};
use waymark_service::{Open, Transport, connect};
use waymark_store::{LogReaders, Store};
use waymark_testkit::{Engine, NatsServer, Postgres};

use crate::support::Wire;

/// How events get from service to service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wires {
    /// Within the process.
    Bus,
    /// Over a nats-server of the test's own.
    Broker,
}

/// The services, running.
pub struct Services {
    /// Moves the time of all three.
    pub clock: ManualClock,
    /// To the discovery service.
    pub discovery: Channel,
    /// To the roadmap service.
    pub roadmap: Channel,
    /// To the metrics service.
    pub metrics: Channel,
    /// Where the metrics service listens.
    pub metrics_address: SocketAddr,
    /// The metrics service itself, for what it does by itself from time to time.
    measuring: Open<Parts, MetricsArgs>,
    host: Host,
    running: Vec<Running>,
    /// The database of each, by the service's name, in the order of `running`.
    stores: [(&'static str, Store); 3],
    /// Where it is, likewise.
    databases: [DatabaseArgs; 3],
    _data: TempDir,
    _broker: Option<NatsServer>,
}

impl Services {
    /// Starts them on empty databases.
    pub async fn start(engine: Engine, wires: Wires) -> Result<Self> {
        Self::start_keeping(engine, wires, KeepLog::default()).await
    }

    /// Starts them so that they keep history for a time.
    pub async fn start_keeping(engine: Engine, wires: Wires, keep_log: KeepLog) -> Result<Self> {
        let (host, clock) = waymark_testkit::host(1);
        let data = tempfile::tempdir()?;
        let broker = match wires {
            Wires::Bus => None,
            Wires::Broker => Some(NatsServer::start().await?),
        };
        // Predictions are measured and alerts judged when a test says so, not by the real time that has passed.
        let metrics_args = MetricsArgs { measure_every: Duration::from_hours(24), ..MetricsArgs::default() };
        let database = async || database(engine, &data, &keep_log).await;
        let databases = [database().await?, database().await?, database().await?];
        let discovery = waymark_discovery::SERVICE.open(&host, &databases[0], &()).await?;
        let roadmap = waymark_roadmap::SERVICE.open(&host, &databases[1], &()).await?;
        let metrics = waymark_metrics::SERVICE.open(&host, &databases[2], &metrics_args).await?;

        let stores = [
            (waymark_discovery::NAME, discovery.store().clone()),
            (waymark_roadmap::NAME, roadmap.store().clone()),
            (waymark_metrics::NAME, metrics.store().clone()),
        ];
        let events = EventArgs::default();
        let transport = match &broker {
            Some(broker) => Transport::Nats(connect(&broker.url(), &events, host.name).await?),
            None => Transport::Bus(vec![discovery.peer(), roadmap.peer(), metrics.peer()]),
        };
        discovery.start(&host, &events, transport.clone());
        roadmap.start(&host, &events, transport.clone());
        metrics.start(&host, &events, transport);

        let args = ServerArgs { listen: Some((Ipv4Addr::LOCALHOST, 0).into()), ..ServerArgs::default() };
        let running = vec![
            discovery.serve(&host, &args).await?,
            roadmap.serve(&host, &args).await?,
            metrics.serve(&host, &args).await?,
        ];
        let channel = |server: usize| {
            let options = Options {
                actor: Some("users/ada@example.com".to_owned()),
                deadline: Duration::from_secs(30),
                ..Options::default()
            };
            Channel::new(&running[server].address().to_string(), options)
        };
        let (metrics_address, measuring) = (running[2].address(), metrics);
        let (discovery, roadmap, metrics) = (channel(0)?, channel(1)?, channel(2)?);
        Ok(Self {
            clock,
            discovery,
            roadmap,
            metrics,
            metrics_address,
            measuring,
            host,
            running,
            stores,
            databases,
            _data: data,
            _broker: broker,
        })
    }

    /// The time of the services.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.host.clock.now()
    }

    /// Where each service listens, by name.
    pub fn addresses(&self) -> [(&'static str, SocketAddr); 3] {
        std::array::from_fn(|i| (self.stores[i].0, self.running[i].address()))
    }

    /// The address of a service's database.
    pub fn database(&self, service: &str) -> String {
        let index = self.stores.iter().position(|(name, _)| *name == service).unwrap();
        self.databases[index].url(service)
    }

    /// Bare connections to those that serve the method at `path`: one, or three for what every service has.
    pub fn serving(&self, path: &str) -> Vec<Wire> {
        let own = self.addresses().into_iter().filter(|(name, _)| path.starts_with(&format!("/waymark.{name}.")));
        let own: Vec<_> = own.map(|(_, address)| Wire::new(address)).collect();
        if own.is_empty() { self.addresses().map(|(_, address)| Wire::new(address)).into() } else { own }
    }

    /// Judges all alerts now; tells how many metrics breached or recovered.
    pub async fn judge_alerts(&self) -> Result<usize> {
        Ok(waymark_metrics::judge_alerts(self.measuring.store(), &self.measuring.parts().lake).await?)
    }

    /// Lets the roadmap service forget what happened in a workspace before `revision`.
    pub async fn forget_roadmap(&self, workspace: &str, revision: i64) {
        let (workspace, none) = (workspace.parse().unwrap(), LogReaders::default());
        self.stores[1].1.trim_log(&workspace, revision, &none).await.unwrap();
    }

    /// Drains them.
    pub async fn stop(self) {
        self.host.stop(self.running).await;
    }
}

/// An empty database, and the folder where product events go beside it.
async fn database(engine: Engine, data: &TempDir, keep_log: &KeepLog) -> Result<DatabaseArgs> {
    let database_url = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(Postgres::shared()?.empty().await?),
    };
    let data_dir = data.path().to_owned();
    Ok(DatabaseArgs { database_url, database_connections: 4, data_dir, keep_log: keep_log.clone() })
}

//! The three services in this process: on either database, hearing of each other over the bus or over a real broker, at
//! a time that stands still until the test moves it. They are called as any client calls them, over gRPC on free ports.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use waymark_client::{Channel, Options};
use waymark_clock::ManualClock;
use waymark_metrics::{MetricsArgs, Parts};
use waymark_runtime::{DatabaseArgs, EventArgs, Host, KeepLog, authentication};
use waymark_service::{Transport, connect};
use waymark_store::LogReaders;
use waymark_testkit::{Engine, NatsServer, Served};

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
    served: (Served, Served, Served<Parts, MetricsArgs>),
    host: Host,
    _lake: TempDir,
    _broker: Option<NatsServer>,
}

impl Services {
    /// Starts them on empty databases.
    pub async fn start(engine: Engine, wires: Wires) -> Result<Self> {
        Self::start_keeping(engine, wires, KeepLog::default()).await
    }

    /// Starts them so that they keep history for a time.
    pub async fn start_keeping(engine: Engine, wires: Wires, keep_log: KeepLog) -> Result<Self> {
        Self::start_known(engine, wires, keep_log, None).await
    }

    /// Starts them with an authentication file.
    pub async fn start_known(
        engine: Engine,
        wires: Wires,
        keep_log: KeepLog,
        authentication: Option<&Path>,
    ) -> Result<Self> {
        let (mut host, clock) = waymark_testkit::host(1);
        if let Some(file) = authentication {
            host.authenticator = authentication::open(file, &host).await?;
            host.readiness.watch().wait_for(|ready| *ready).await?;
        }
        let lake = tempfile::tempdir()?;
        let broker = match wires {
            Wires::Bus => None,
            Wires::Broker => Some(NatsServer::start().await?),
        };
        let metrics_args = MetricsArgs {
            lake: Some(lake.path().display().to_string()),
            // Predictions and metrics are measured when a test says so, not by the real time that has passed.
            measure_every: Duration::from_hours(24),
            ..MetricsArgs::default()
        };
        let args = DatabaseArgs { keep_log, ..DatabaseArgs::default() };
        let discovery = Served::start_with(engine, &host, &waymark_discovery::SERVICE, &(), &args).await?;
        let roadmap = Served::start_with(engine, &host, &waymark_roadmap::SERVICE, &(), &args).await?;
        let metrics = Served::start_with(engine, &host, &waymark_metrics::SERVICE, &metrics_args, &args).await?;

        let events = EventArgs::default();
        let transport = match &broker {
            Some(broker) => Transport::Nats(connect(&broker.url(), &events, host.name).await?),
            None => Transport::Bus(vec![discovery.service.peer(), roadmap.service.peer(), metrics.service.peer()]),
        };
        discovery.service.start(&host, &events, transport.clone());
        roadmap.service.start(&host, &events, transport.clone());
        metrics.service.start(&host, &events, transport);

        let channel = |address: SocketAddr| {
            let options = Options {
                actor: Some("users/ada@example.com".to_owned()),
                deadline: Duration::from_secs(30),
                ..Options::default()
            };
            Channel::new(&address.to_string(), options)
        };
        Ok(Self {
            clock,
            discovery: channel(discovery.address())?,
            roadmap: channel(roadmap.address())?,
            metrics: channel(metrics.address())?,
            served: (discovery, roadmap, metrics),
            host,
            _lake: lake,
            _broker: broker,
        })
    }

    /// The time of the services.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.host.clock.now()
    }

    /// Where each service listens, by name.
    pub fn addresses(&self) -> [(&'static str, SocketAddr); 3] {
        let (discovery, roadmap, metrics) = &self.served;
        [
            (waymark_discovery::NAME, discovery.address()),
            (waymark_roadmap::NAME, roadmap.address()),
            (waymark_metrics::NAME, metrics.address()),
        ]
    }

    /// The address of a service's database.
    pub fn database(&self, service: &str) -> &str {
        let (discovery, roadmap, metrics) = &self.served;
        match service {
            waymark_discovery::NAME => discovery.database().url(),
            waymark_roadmap::NAME => roadmap.database().url(),
            _ => metrics.database().url(),
        }
    }

    /// Bare connections to those that serve the method at `path`: one, or three for what every service has.
    pub fn serving(&self, path: &str) -> Vec<Wire> {
        let own = self.addresses().into_iter().filter(|(name, _)| path.starts_with(&format!("/waymark.{name}.")));
        let own: Vec<_> = own.map(|(_, address)| Wire::new(address)).collect();
        if own.is_empty() { self.addresses().map(|(_, address)| Wire::new(address)).into() } else { own }
    }

    /// Measures all metrics now; tells how many breached or recovered.
    pub async fn take_readings(&self) -> Result<usize> {
        let metrics = &self.served.2;
        let mut answers = waymark_metrics::Answers::new(&metrics.service.parts().lake);
        Ok(waymark_metrics::take_readings(metrics.store(), &mut answers).await?)
    }

    /// Lets the roadmap service forget what happened in a workspace before `revision`.
    pub async fn forget_roadmap(&self, workspace: &str, revision: i64) {
        let (workspace, none) = (workspace.parse().unwrap(), LogReaders::default());
        self.served.1.store().trim_log(&workspace, revision, &none).await.unwrap();
    }

    /// Drains them.
    pub async fn stop(self) {
        let (discovery, roadmap, metrics) = self.served;
        self.host.stop(vec![discovery.running, roadmap.running, metrics.running]).await;
    }
}

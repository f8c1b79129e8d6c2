//! The metrics service: takes product events in, answers questions about them, and tells whether initiatives did what
//! they promised.
//!
//! Wiring only; nothing is decided here. [`Service::open`], [`Service::start`] and [`Service::serve`] are separate
//! steps, so that a process may run several services that hear of each other.

mod alerts;
mod analysis;
mod api;
pub mod config;
mod consume;
mod frictions;
mod measuring;
mod migrations;
mod store;
mod telemetry;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use waymark_events::{EventsApi, Subscription, Transport};
use waymark_lake::{Lake, LakeOptions};
use waymark_proto::events::v1::events_service_server::EventsServiceServer;
use waymark_proto::metrics::v1::analysis_service_server::AnalysisServiceServer;
use waymark_proto::metrics::v1::ingestion_service_server::IngestionServiceServer;
use waymark_proto::metrics::v1::metric_service_server::MetricServiceServer;
use waymark_proto::metrics::v1::outcome_service_server::OutcomeServiceServer;
use waymark_runtime::config::{DatabaseArgs, EventArgs, ServerArgs};
use waymark_runtime::edge::{BULK_MESSAGE_BYTES, MESSAGE_BYTES};
use waymark_runtime::{Host, Running, Server};
use waymark_store::Store;

pub use alerts::judge_alerts;
pub use api::Api;
pub use config::{Args, MetricsArgs};
pub use consume::{CONSUMES, handle};
pub use measuring::measure_due;
pub use migrations::SCHEMA;

/// The service's name, in resource names, events and files.
pub const NAME: &str = "metrics";
/// Where it listens when nothing else is said.
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7403);

/// The service with its data opened.
#[derive(Clone)]
pub struct Service {
    /// What its handlers work with.
    pub api: Api,
    measure_every: Duration,
}

impl Service {
    /// Opens the database, bringing its schema up to date, and the lake.
    pub async fn open(host: &Host, database: &DatabaseArgs, args: &MetricsArgs) -> anyhow::Result<Self> {
        let mut options = LakeOptions::new(host.clock.clone(), host.ids.clone());
        options.max_wait = args.ingest_wait;
        options.storage_options = storage_options();
        let location = args.lake(database);
        // Before the database: a location that cannot be used is refused before the schema is migrated.
        let lake =
            Lake::open(&location, options).with_context(|| format!("product events cannot be kept in {location}"))?;
        let store = waymark_events::open(host, NAME, &SCHEMA, database).await?;
        telemetry::observe(&host.telemetry.meter(), &lake);
        Ok(Self { api: Api { store, lake, intake: args.intake() }, measure_every: args.measure_every })
    }

    /// The service's database.
    pub fn store(&self) -> &Store {
        &self.api.store
    }

    /// What the service listens to and what it does then.
    pub fn subscription(&self) -> Subscription {
        let react = |store, event| async move { handle(&store, &event).await };
        Subscription::new(NAME, CONSUMES, self.store(), react)
    }

    /// Starts what runs in the background: events in and out, measuring, upkeep of the lake.
    pub fn start(&self, host: &Host, events: &EventArgs, transport: Transport) {
        waymark_events::start(host, &self.api.store, NAME, events, &self.subscription(), transport);
        host.tasks.spawn("metrics: measuring", measuring(host.clone(), self.clone()));
        host.tasks.spawn("metrics: lake", upkeep(host.clone(), self.api.lake.clone()));
    }

    /// Serves its RPCs.
    pub async fn serve(&self, host: &Host, args: &ServerArgs) -> anyhow::Result<Running> {
        let api = &self.api;
        let events = EventsApi::new(host, &api.store, self.subscription());
        let server = Server::new(host, args, ADDRESS)
            .service(MetricServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(AnalysisServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(OutcomeServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(IngestionServiceServer::new(api.clone()).max_decoding_message_size(BULK_MESSAGE_BYTES))
            .service(EventsServiceServer::new(events).max_decoding_message_size(MESSAGE_BYTES));
        Ok(server.start().await?)
    }
}

/// Credentials and endpoints of object storage, under the names their own tools use; they are no flags, lest they show
/// in process lists.
fn storage_options() -> HashMap<String, String> {
    std::env::vars()
        .filter(|(name, _)| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix)))
        .collect()
}

/// Runs the service as a process of its own.
pub async fn run(host: Host, args: Args) -> anyhow::Result<Vec<Running>> {
    // What is wrong with the options is said before the schema is migrated.
    Server::new(&host, &args.server, ADDRESS).check()?;
    let transport = Transport::configured(&host, &args.events).await?;
    let service = Service::open(&host, &args.database, &args.metrics).await?;
    service.start(&host, &args.events, transport);
    Ok(vec![service.serve(&host, &args.server).await?])
}

/// Looks for predictions that are due and for metrics beyond their thresholds, again and again.
async fn measuring(host: Host, service: Service) {
    loop {
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = tokio::time::sleep(service.measure_every) => {}
        }
        // A pass over many metrics may take long; what it has not committed yet is found again after the next start.
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = pass(&service.api) => {}
        }
    }
}

/// Measures and judges once.
async fn pass(api: &Api) {
    match measure_due(&api.store, &api.lake).await {
        Ok(0) => {}
        Ok(measured) => tracing::info!(measured, "due predictions were measured"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "due predictions could not be looked for");
        }
    }
    match judge_alerts(&api.store, &api.lake).await {
        Ok(0) => {}
        Ok(changed) => tracing::info!(changed, "metrics went beyond their thresholds or came back"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "metrics with alerts could not be looked for");
        }
    }
}

/// Compacts the lake while the process lives; when no call is left lets batches that were accepted be committed.
async fn upkeep(host: Host, lake: Lake) {
    tokio::select! {
        () = host.shutdown.begun() => {}
        () = lake.maintain() => {}
    }
    host.shutdown.drained().await;
    lake.close().await;
}

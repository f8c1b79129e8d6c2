//! The metrics service: takes product events in, as plans expect them, and imports of them back, answers questions about them, and tells
//! whether initiatives did what they promised.
//!
//! Here it is declared; nothing is decided here.

mod analysis;
mod answers;
mod api;
mod background;
mod config;
mod consume;
mod frictions;
mod funnels;
mod imports;
mod measuring;
mod migrations;
mod name;
mod names;
mod parts;
mod readings;
mod renewing;
mod returning;
mod store;
mod telemetry;
mod tracking;
mod usual;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use waymark_proto::metrics::v1::analysis_service_server::AnalysisServiceServer;
use waymark_proto::metrics::v1::ingestion_service_server::IngestionServiceServer;
use waymark_proto::metrics::v1::metric_service_server::MetricServiceServer;
use waymark_proto::metrics::v1::outcome_service_server::OutcomeServiceServer;
use waymark_runtime::edge::{BULK_MESSAGE_BYTES, MESSAGE_BYTES};
use waymark_service::Service;

use api::Api;

pub use answers::Answers;
pub use config::MetricsArgs;
pub use consume::{CONSUMES, handle};
pub use imports::finish_undos;
pub use measuring::measure_due;
pub use migrations::SCHEMA;
pub use name::NAME;
pub use parts::Parts;
pub use readings::take_readings;
pub use tracking::keep_sightings;

/// The service.
pub static SERVICE: Service<Parts, MetricsArgs> = Service {
    name: NAME,
    program: "waymark-metrics",
    about: "Waymark's metrics service: product events, metrics, predictions and outcomes",
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7403),
    schema: &SCHEMA,
    consumes: CONSUMES,
    handle: |store, event, reaction| Box::pin(handle(store, event, reaction)),
    audience: None,
    workspace: Some(waymark_service::is_active::<store::Workspaces>),
    parts: Parts::open,
    rpcs: |server, store, parts| {
        let api = Api { store: store.clone(), lake: parts.lake.clone(), tracking: Arc::clone(&parts.tracking) };
        server
            .service(MetricServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(AnalysisServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(OutcomeServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(IngestionServiceServer::new(api).max_decoding_message_size(BULK_MESSAGE_BYTES))
    },
    background: background::spawn,
};

//! The roadmap service: what is built, what is not, in which order, and why.
//!
//! Here it is declared; nothing is decided here.

mod api;
mod background;
mod consume;
mod migrations;
mod name;
mod store;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use waymark_proto::roadmap::v1::decision_service_server::DecisionServiceServer;
use waymark_proto::roadmap::v1::prioritization_service_server::PrioritizationServiceServer;
use waymark_proto::roadmap::v1::roadmap_service_server::RoadmapServiceServer;
use waymark_proto::roadmap::v1::scenario_service_server::ScenarioServiceServer;
use waymark_proto::roadmap::v1::strategy_service_server::StrategyServiceServer;
use waymark_proto::roadmap::v1::workspace_service_server::WorkspaceServiceServer;
use waymark_runtime::edge::MESSAGE_BYTES;
use waymark_service::Service;

use api::Api;

pub use consume::{CONSUMES, handle};
pub use migrations::SCHEMA;
pub use name::NAME;

/// The service.
pub static SERVICE: Service = Service {
    name: NAME,
    program: "waymark-roadmap",
    about: "Waymark's roadmap service: products, objectives and how far they have come, initiatives, estimates and the order they make, scenarios, decisions",
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7402),
    schema: &SCHEMA,
    consumes: CONSUMES,
    handle: |store, event, reaction| Box::pin(handle(store, event, reaction)),
    audience: Some(|store, name| Box::pin(store::sight(store, name))),
    workspace: Some(waymark_service::is_active::<store::Workspaces>),
    parts: |_, _, ()| Ok(()),
    rpcs: |server, store, ()| {
        let api = Api { store: store.clone() };
        server
            .service(RoadmapServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(DecisionServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(PrioritizationServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(ScenarioServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(WorkspaceServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(StrategyServiceServer::new(api).max_decoding_message_size(MESSAGE_BYTES))
    },
    background: |host, store, ()| background::spawn(host, store),
};

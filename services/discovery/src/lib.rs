//! The discovery service: what users need, what is known about it, and what might help.
//!
//! Here it is declared; nothing is decided here.

mod api;
mod consume;
mod migrations;
mod name;
mod store;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use waymark_proto::discovery::v1::opportunity_service_server::OpportunityServiceServer;
use waymark_proto::discovery::v1::research_service_server::ResearchServiceServer;
use waymark_runtime::edge::MESSAGE_BYTES;
use waymark_service::Service;

use api::Api;
use store::REQUEST_BYTES;

pub use consume::{CONSUMES, handle};
pub use migrations::SCHEMA;
pub use name::NAME;

/// The service.
pub static SERVICE: Service = Service {
    name: NAME,
    program: "waymark-discovery",
    about: "Waymark's discovery service: research, insights and opportunity solution trees",
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7401),
    schema: &SCHEMA,
    consumes: CONSUMES,
    handle: |store, event, reaction| Box::pin(handle(store, event, reaction)),
    audience: None,
    workspace: Some(waymark_service::is_active::<store::Workspaces>),
    parts: |_, _, ()| Ok(()),
    rpcs: |server, store, ()| {
        let api = Api { store: store.clone() };
        server
            .service(ResearchServiceServer::new(api.clone()).max_decoding_message_size(REQUEST_BYTES))
            .service(OpportunityServiceServer::new(api).max_decoding_message_size(MESSAGE_BYTES))
    },
    background: |_, _, ()| {},
};

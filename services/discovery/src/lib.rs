//! The discovery service: what users need, what is known about it, and what might help.
//!
//! Wiring only; nothing is decided here. [`Service::open`], [`Service::start`] and [`Service::serve`] are separate
//! steps, so that a process may run several services that hear of each other.

mod api;
pub mod config;
mod consume;
mod migrations;
mod store;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use waymark_events::{EventsApi, Subscription, Transport};
use waymark_proto::discovery::v1::opportunity_service_server::OpportunityServiceServer;
use waymark_proto::discovery::v1::research_service_server::ResearchServiceServer;
use waymark_proto::events::v1::events_service_server::EventsServiceServer;
use waymark_runtime::config::{DatabaseArgs, EventArgs, ServerArgs};
use waymark_runtime::edge::MESSAGE_BYTES;
use waymark_runtime::{Host, Running, Server};
use waymark_store::Store;

pub use api::Api;
pub use config::Args;
pub use consume::{CONSUMES, handle};
pub use migrations::SCHEMA;

/// The service's name, in resource names, events and files.
pub const NAME: &str = "discovery";
/// Where it listens when nothing else is said.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7401);
/// Largest message of the research service: a transcript alone may have 1 MiB.
const RESEARCH_BYTES: usize = 2 * MESSAGE_BYTES;

/// The service with its data opened.
#[derive(Clone)]
pub struct Service {
    /// What its handlers work with.
    pub api: Api,
}

impl Service {
    /// Opens the database, bringing its schema up to date.
    pub async fn open(host: &Host, database: &DatabaseArgs) -> anyhow::Result<Self> {
        let store = waymark_events::open(host, NAME, &SCHEMA, database).await?;
        Ok(Self { api: Api { store } })
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

    /// Starts what runs in the background: events in and out.
    pub fn start(&self, host: &Host, events: &EventArgs, transport: Transport) {
        waymark_events::start(host, self.store(), NAME, events, &self.subscription(), transport);
    }

    /// Serves its RPCs.
    pub async fn serve(&self, host: &Host, args: &ServerArgs) -> anyhow::Result<Running> {
        let events = EventsApi::new(host, self.store(), self.subscription());
        let server = Server::new(host, args, ADDRESS)
            .service(ResearchServiceServer::new(self.api.clone()).max_decoding_message_size(RESEARCH_BYTES))
            .service(OpportunityServiceServer::new(self.api.clone()).max_decoding_message_size(MESSAGE_BYTES))
            .service(EventsServiceServer::new(events).max_decoding_message_size(MESSAGE_BYTES));
        Ok(server.start().await?)
    }
}

/// Runs the service as a process of its own.
pub async fn run(host: Host, args: Args) -> anyhow::Result<Vec<Running>> {
    // What is wrong with the options is said before the schema is migrated.
    Server::new(&host, &args.server, ADDRESS).check()?;
    let transport = Transport::configured(&host, &args.events).await?;
    let service = Service::open(&host, &args.database).await?;
    service.start(&host, &args.events, transport);
    Ok(vec![service.serve(&host, &args.server).await?])
}

//! A service as a value, and the steps from it to one that serves.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use waymark_events::{EventsApi, Subscription, Topic};
use waymark_proto::access::v1::access_service_server::AccessServiceServer;
use waymark_proto::events::v1::events_service_server::EventsServiceServer;
use waymark_proto::graph::v1::graph_service_server::GraphServiceServer;
use waymark_runtime::audit::AuditDecision;
use waymark_runtime::edge::MESSAGE_BYTES;
use waymark_runtime::{Audit, DatabaseArgs, EventArgs, Host, KeepAudit, KeepLog, Running, Server, ServerArgs};
use waymark_store::{Error, Migration, Reaction, Received, Schema, Store};

use crate::audiences::{Audiences, FindAudience};
use crate::auditing::Auditing;
use crate::callers::Callers;
use crate::graph::Graph;
use crate::transport::{Peer, Transport};
use crate::trimming::Trimming;
use crate::workspaces::{FindWorkspace, Known, Workspaces};
use crate::{database, housekeeping, standard};

/// What a service does with an event of another, by its reaction to it.
pub type Handle = for<'a> fn(&'a Store, &'a Received, &'a Reaction) -> BoxFuture<'a, Result<(), Error>>;

/// All there is to say about a service. Most have only a database and the options that all services have; one that
/// works with more says what these `Parts` are and by which `Options` they are opened.
pub struct Service<Parts: 'static = (), Options: 'static = ()> {
    /// Its name, in resource names, events and files.
    pub name: &'static str,
    /// Its program.
    pub program: &'static str,
    /// What it is about, in a line of its program's help.
    pub about: &'static str,
    /// Where it listens when nothing else is said.
    pub address: SocketAddr,
    /// What its database is.
    pub schema: &'static Schema,
    /// The events it reacts to.
    pub consumes: &'static [Topic],
    /// What it does then. It must do it by [`Store::react`], so that a repeated delivery changes nothing, and write
    /// nothing otherwise.
    pub handle: Handle,
    /// Finds the audiences that it knows; none where it shows nothing to any.
    pub audience: Option<FindAudience>,
    /// Finds the workspaces that it keeps, or mirrors; none where a workspace is there once it is named.
    pub workspace: Option<FindWorkspace>,
    /// Opens what it works with beside its database, before that is opened: what cannot be used is refused before a
    /// schema is migrated.
    pub parts: fn(&Host, &DatabaseArgs, &Options) -> anyhow::Result<Parts>,
    /// Adds its RPCs to its server. The standard methods of its resources are there, as its schema declares them, and
    /// so are those of the events and graph services, which every service has.
    pub rpcs: fn(Server, &Store, &Parts) -> Server,
    /// Spawns what it does by itself.
    pub background: fn(&Host, &Store, &Parts),
}

impl<Parts, Options> Service<Parts, Options> {
    /// Whether a server can be started with these options: asked before a schema is migrated for one that never can.
    pub fn check(&self, host: &Host, args: &ServerArgs) -> anyhow::Result<()> {
        Ok(Server::new(host, args, self.address).check()?)
    }

    /// What it listens to: the events it reacts to, and those that tell of what it mirrors.
    fn topics(&self) -> Vec<Topic> {
        let mirrors = self.schema.mirrors();
        let mut topics: Vec<Topic> = self.consumes.iter().map(|topic| topic.mirroring(mirrors)).collect();
        for mirror in mirrors {
            if !topics.iter().any(|topic| topic.source == mirror.source) {
                topics.push(Topic::new(mirror.source, &[]).mirroring(mirrors));
            }
        }
        topics
    }

    /// Opens its parts and its database, bringing the schema up to date.
    pub async fn open(
        &'static self,
        host: &Host,
        database: &DatabaseArgs,
        options: &Options,
    ) -> anyhow::Result<Open<Parts, Options>> {
        let parts = (self.parts)(host, database, options)?;
        let (store, applied) = database::open(host, self.name, self.schema, database).await?;
        let (keep_log, keep_audit) = (database.keep_log.clone(), database.keep_audit);
        Ok(Open { service: self, store, applied, keep_log, keep_audit, keeper: Known::default(), parts })
    }
}

/// A service with its data opened.
pub struct Open<Parts: 'static = (), Options: 'static = ()> {
    service: &'static Service<Parts, Options>,
    store: Store,
    /// The migrations that were applied then.
    applied: Vec<&'static Migration>,
    keep_log: KeepLog,
    keep_audit: KeepAudit,
    keeper: Known,
    parts: Parts,
}

impl<Parts, Options> Open<Parts, Options> {
    /// The service's database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What it works with beside the database.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What the others in its process need of it, for [`Transport::Bus`].
    pub fn peer(&self) -> Peer {
        Peer { name: self.service.name, store: self.store.clone(), topics: self.service.topics() }
    }

    /// Starts what runs in the background: events in and out, housekeeping, and what the service does by itself.
    pub fn start(&self, host: &Host, events: &EventArgs, transport: Transport) {
        let name = self.service.name;
        host.tasks.spawn(format!("{name}: housekeeping"), housekeeping::run(host.clone(), self.store.clone()));
        let trimming = Trimming::new(host, &self.store, self.keep_log.clone(), transport.readers(name));
        let trimming = trimming.keeping_audit(self.keep_audit);
        host.tasks.spawn(format!("{name}: trimming"), trimming.run());
        // Once is enough.
        let _ = self.keeper.set(transport.keeper(name));
        transport.start(host, name, &self.store, &self.subscription(), events);
        (self.service.background)(host, &self.store, &self.parts);
    }

    /// Serves its RPCs.
    pub async fn serve(&self, host: &Host, args: &ServerArgs) -> anyhow::Result<Running> {
        let events = EventsApi::new(host, &self.store, self.subscription());
        let (service, schema) = (self.service.name, self.service.schema);
        let graph = Graph { service, schema, store: self.store.clone() };
        let audit = Audit::start(host, service, Arc::new(Auditing(self.store.clone())));
        for Migration { number, name, .. } in &self.applied {
            audit.happened("migration.apply", AuditDecision::Done, format!("{number} {name}"));
        }
        let mut server = Server::new(host, args, self.service.address).audited(&audit);
        if let Some(find) = self.service.audience {
            server = server.audiences(Arc::new(Audiences { store: self.store.clone(), find }));
        }
        if let Some(find) = self.service.workspace.filter(|_| !host.authenticator.is_for_development()) {
            server = server.workspaces(Arc::new(Workspaces::new(&self.store, find, &self.keeper)));
        }
        let server = standard::serve(server, schema, &self.store);
        let server = (self.service.rpcs)(server, &self.store, &self.parts)
            .service(EventsServiceServer::new(events).max_decoding_message_size(MESSAGE_BYTES))
            .service(GraphServiceServer::new(graph).max_decoding_message_size(MESSAGE_BYTES))
            .service(
                AccessServiceServer::new(Callers { store: self.store.clone(), policies: host.policies.clone() })
                    .max_decoding_message_size(MESSAGE_BYTES),
            );
        Ok(server.start().await?)
    }

    fn subscription(&self) -> Subscription {
        let (store, handle, mirrors) = (self.store.clone(), self.service.handle, self.service.schema.mirrors());
        let target = store.clone();
        Subscription {
            consumer: self.service.name,
            topics: self.service.topics(),
            mirror: Arc::new(move |events| {
                let target = target.clone();
                Box::pin(async move { target.mirror(mirrors, &events).await })
            }),
            handler: Arc::new(move |event, reaction| {
                let store = store.clone();
                Box::pin(async move { handle(&store, &event, &reaction).await })
            }),
        }
    }
}

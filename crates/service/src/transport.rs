//! How events get from service to service: what reads a service's log for the others, and what brings theirs to it.

use waymark_domain::Resource as _;
use waymark_domain::roadmap::Workspace;
use waymark_events::{Relay, Subscription, Topic, bus, consumer, snapshots};
use waymark_runtime::{EventArgs, Host};
use waymark_store::{LogReaders, Store};

use crate::address::without_passwords;
use crate::nats;
use crate::workspaces::Keeper;

/// How events get from service to service.
#[derive(Clone)]
pub enum Transport {
    /// Over JetStream.
    Nats(async_nats::Client),
    /// In one process, from the other services' logs.
    Bus(Vec<Peer>),
    /// Not at all: events stay in the log, for Watch.
    None,
}

/// A service as those in its process know it.
#[derive(Clone)]
pub struct Peer {
    pub(crate) name: &'static str,
    pub(crate) store: Store,
    pub(crate) topics: Vec<Topic>,
}

impl Transport {
    /// What a service that is a process of its own is configured to use.
    pub(crate) async fn configured(host: &Host, args: &EventArgs) -> anyhow::Result<Self> {
        let Some(url) = &args.nats_url else {
            tracing::warn!(
                "no NATS server is configured (--nats-url): other services hear nothing of this one's events, nor it of theirs"
            );
            return Ok(Self::None);
        };
        let client = nats::connect(url, args, host.name).await?;
        tracing::info!(nats = without_passwords(url), "events go to other services");
        Ok(Self::Nats(client))
    }

    /// Who reads the log of `service`.
    pub(crate) fn readers(&self, service: &'static str) -> LogReaders {
        let bus = match self {
            Self::Bus(peers) => {
                let reads = |peer: &&Peer| peer.topics.iter().any(|topic| topic.source == service);
                peers.iter().filter(reads).map(|peer| peer.store.clone()).collect()
            }
            Self::Nats(_) | Self::None => Vec::new(),
        };
        LogReaders { relay: matches!(self, Self::Nats(_)), bus, source: service }
    }

    /// Whom `service` asks for workspaces that it does not know.
    pub(crate) fn keeper(&self, service: &str) -> Keeper {
        match self {
            _ if service == Workspace::SERVICE => Keeper::Itself,
            Self::Nats(client) => Keeper::Nats(client.clone()),
            Self::Bus(peers) => {
                let keeper = peers.iter().find(|peer| peer.name == Workspace::SERVICE);
                keeper.map_or(Keeper::Nobody, |peer| Keeper::Store(Box::new(peer.store.clone())))
            }
            Self::None => Keeper::Nobody,
        }
    }

    /// Starts what carries the events of `service` out, and what it subscribes to in.
    pub(crate) fn start(
        self,
        host: &Host,
        service: &'static str,
        store: &Store,
        subscription: &Subscription,
        args: &EventArgs,
    ) {
        let tasks = &host.tasks;
        match self {
            Self::Nats(client) => {
                nats::observe(host, service, client.clone());
                let holder = host.ids.opaque().to_string();
                let relay = Relay::new(store.clone(), service, client.clone(), args, holder, &host.telemetry.meter());
                let snapshots = snapshots::serve(host.clone(), store.clone(), client.clone(), service);
                tasks.spawn(format!("{service}: snapshots"), snapshots);
                // Calls that finish during the drain still commit events.
                tasks.spawn(format!("{service}: relay"), relay.run(host.shutdown.drained()));
                for &topic in &subscription.topics {
                    let run = consumer::run(host.clone(), store.clone(), client.clone(), subscription.clone(), topic);
                    tasks.spawn(format!("{service}: consumer of {}", topic.source), run);
                }
            }
            Self::Bus(peers) => {
                for &topic in &subscription.topics {
                    if let Some(Peer { store: source, .. }) = peers.iter().find(|peer| peer.name == topic.source) {
                        let run = bus::run(host.clone(), store.clone(), source.clone(), subscription.clone(), topic);
                        tasks.spawn(format!("{service}: bus from {}", topic.source), run);
                    }
                }
            }
            Self::None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use waymark_testkit::{Engine, host, sample};

    use super::*;

    #[tokio::test]
    async fn a_log_is_read_by_a_relay_or_by_those_in_the_process_who_listen() {
        let roadmap = || vec![Topic::new("roadmap", &[])];
        let (host, _) = host(7);
        let (store, _database) = sample::store(Engine::Sqlite, &host).await.unwrap();
        let peer = |name, topics| Peer { name, store: store.clone(), topics };
        let bus = Transport::Bus(vec![peer("discovery", vec![]), peer("roadmap", vec![]), peer("metrics", roadmap())]);
        let readers = |transport: &Transport, service| {
            let readers = transport.readers(service);
            assert_eq!(readers.source, service);
            (readers.relay, readers.bus.len())
        };
        assert_eq!((readers(&bus, "roadmap"), readers(&bus, "discovery")), ((false, 1), (false, 0)));
        assert_eq!(readers(&Transport::None, "roadmap"), (false, 0));
        let nats = waymark_testkit::NatsServer::start().await.unwrap();
        let client = async_nats::connect(nats.url()).await.unwrap();
        assert_eq!(readers(&Transport::Nats(client), "roadmap"), (true, 0));
    }
}

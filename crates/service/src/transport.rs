//! How events get from service to service: what reads a service's log for the others, and what brings theirs to it.

use waymark_events::{Relay, Subscription, bus, consumer};
use waymark_runtime::{EventArgs, Host};
use waymark_store::Store;

use crate::address::without_password;
use crate::nats;

/// How events get from service to service.
#[derive(Clone)]
pub enum Transport {
    /// Over JetStream.
    Nats(async_nats::Client),
    /// In one process, from the other services' logs.
    Bus(Vec<(&'static str, Store)>),
    /// Not at all: events stay in the log, for Watch.
    None,
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
        tracing::info!(nats = without_password(url), "events go to other services");
        Ok(Self::Nats(nats::connect(url, args, host.name).await?))
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
                // Calls that finish during the drain still commit events.
                tasks.spawn(format!("{service}: relay"), relay.run(host.shutdown.drained()));
                for &topic in &subscription.topics {
                    let run = consumer::run(host.clone(), store.clone(), client.clone(), subscription.clone(), topic);
                    tasks.spawn(format!("{service}: consumer of {}", topic.source), run);
                }
            }
            Self::Bus(sources) => {
                for &topic in &subscription.topics {
                    if let Some((_, source)) = sources.iter().find(|(name, _)| *name == topic.source) {
                        let run = bus::run(host.clone(), store.clone(), source.clone(), subscription.clone(), topic);
                        tasks.spawn(format!("{service}: bus from {}", topic.source), run);
                    }
                }
            }
            Self::None => {}
        }
    }
}

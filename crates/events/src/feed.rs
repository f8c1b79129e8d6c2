//! A service's database and everything that reads and feeds its log, started with one call each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use tracing::Instrument as _;
use waymark_runtime::config::{DatabaseArgs, EventArgs};
use waymark_runtime::{Host, propagation};
use waymark_store::{Error, Received, Schema, Store, StoreOptions};

use crate::relay::Relay;
use crate::{bus, consumer};

/// How often commits of other processes are looked for.
const POLL: Duration = Duration::from_millis(250);
/// Answers to request ids are kept this long (AIP-155).
const REQUESTS: chrono::Duration = chrono::Duration::hours(24);
/// A failing event is tried this often before it becomes a dead letter.
pub(crate) const ATTEMPTS: u32 = 6;

/// What a service does with an event of another. It must use [`Store::react`], so that a repeated delivery changes
/// nothing.
pub type Handler = Arc<dyn Fn(Received) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// The event types of one source that a service listens to.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The service that announces them.
    pub source: &'static str,
    /// Full names of the event messages.
    pub types: &'static [&'static str],
}

/// What a service listens to.
#[derive(Clone)]
pub struct Subscription {
    /// The service's own name; the durable consumer is called so.
    pub consumer: &'static str,
    /// What it listens to.
    pub topics: Vec<Topic>,
    /// What it does.
    pub handler: Handler,
}

impl Subscription {
    /// What `consumer`, a service with its `store`, does with the events it `consumes`, named by the service they come
    /// from.
    pub fn new<F>(
        consumer: &'static str,
        consumes: &[(&'static str, &'static [&'static str])],
        store: &Store,
        handle: impl Fn(Store, Received) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let store = store.clone();
        Self {
            consumer,
            topics: consumes.iter().map(|&(source, types)| Topic { source, types }).collect(),
            handler: Arc::new(move |event| Box::pin(handle(store.clone(), event))),
        }
    }
}

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
    pub async fn configured(host: &Host, args: &EventArgs) -> anyhow::Result<Self> {
        let Some(url) = &args.nats_url else {
            tracing::warn!(
                "no NATS server is configured (--nats-url): other services hear nothing of this one's events, nor it of theirs"
            );
            return Ok(Self::None);
        };
        tracing::info!(nats = without_password(url), "events go to other services");
        Ok(Self::Nats(connect(url, args, host.name).await?))
    }
}

/// Opens a service's database and brings its schema up to date, waiting for a database that is not there yet.
pub async fn open(host: &Host, service: &'static str, schema: &Schema, args: &DatabaseArgs) -> anyhow::Result<Store> {
    #[cfg(feature = "failpoints")]
    arm_fail_points();
    let _latch = host.readiness.latch(format!("{service}: schema"));
    let url = args.url(service);
    // Said here, as the driver's own words would show the whole address, password included.
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        anyhow::bail!("the database address of {service} must begin with postgres:// or sqlite://; see --database-url");
    }
    // Passwords with characters that must be escaped are what usually goes wrong.
    if !url.starts_with("sqlite:") && url::Url::parse(&url).is_err() {
        anyhow::bail!(
            "the database address of {service} cannot be read; characters such as / # @ in a password must be percent-encoded"
        );
    }
    tracing::info!(service, database = without_password(&url), "opening the database");
    if args.database_url.is_none() {
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("the data folder {} cannot be made", args.data_dir.display()))?;
    }
    let options = StoreOptions { max_connections: args.database_connections, ..StoreOptions::new(url) };
    let mut pause = Duration::from_millis(200);
    loop {
        let attempt = async {
            let store = Store::connect(&options, &host.clock, &host.ids).await?;
            store.migrate(schema).await?;
            store.check_schema(schema).await?;
            Ok::<_, Error>(store)
        };
        match attempt.await {
            Ok(store) => return Ok(store.measured(&host.telemetry.meter(), service)),
            // A file that cannot be opened now cannot be opened later either.
            Err(error) if error.is_transient() && !options.url.starts_with("sqlite:") => {
                // A refused connection, too, comes as the pool's timeout.
                let (database, error) = (without_password(&options.url), chain(&error));
                tracing::warn!(
                    service,
                    database,
                    error,
                    "the database does not answer, or it refuses connections; trying again"
                );
            }
            Err(error) => return Err(error).with_context(|| format!("the database of {service} cannot be used")),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = host.shutdown.begun() => anyhow::bail!("stopped while the database of {service} was waited for"),
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Arms the fail points that the variable FAILPOINTS names, once in a process and for as long as it lives.
#[cfg(feature = "failpoints")]
fn arm_fail_points() {
    static ARMED: std::sync::Once = std::sync::Once::new();
    ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
}

/// Connects to NATS in the background: a broker that is away delays events, never the start.
pub async fn connect(url: &str, args: &EventArgs, name: &str) -> anyhow::Result<async_nats::Client> {
    let options = match &args.nats_credentials {
        Some(file) => async_nats::ConnectOptions::with_credentials_file(file)
            .await
            .with_context(|| format!("the credentials file {} cannot be used", file.display()))?,
        None => async_nats::ConnectOptions::new(),
    };
    let (told, address) = (Arc::new(AtomicBool::new(false)), without_password(url).to_owned());
    options
        .name(name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| Duration::from_millis((50 * attempts as u64).min(2_000)))
        .event_callback(move |event| {
            let (told, address) = (Arc::clone(&told), address.clone());
            async move { report(&event, &told, &address) }
        })
        .connect(url)
        .await
        .with_context(|| format!("{} is not an address of a NATS server", without_password(url)))
}

/// Logs what happens to the connection: an outage once, with its cause, however many attempts fail in it; `told` says
/// that it was.
fn report(event: &async_nats::Event, told: &AtomicBool, nats: &str) {
    match event {
        async_nats::Event::Connected => {
            told.store(false, Ordering::Relaxed);
            tracing::info!(nats, "connected to NATS");
        }
        // Without a cause as yet; the first attempt that fails has one.
        async_nats::Event::Disconnected => tracing::info!(nats, "the connection to NATS was lost; trying again"),
        async_nats::Event::ClientError(cause) if told.swap(true, Ordering::Relaxed) => {
            tracing::debug!(nats, %cause, "NATS still cannot be reached");
        }
        async_nats::Event::ClientError(cause) => {
            tracing::warn!(nats, %cause, "NATS cannot be reached; events wait, trying again");
        }
        event => tracing::warn!(nats, %event, "NATS"),
    }
}

/// An address without what may hold a password: the user before it, the parameters behind it.
pub fn without_password(url: &str) -> &str {
    let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
    address.split_once('?').map_or(address, |(address, _)| address)
}

/// Starts what reads the log of `service` and what brings others' events to it.
pub fn start(
    host: &Host,
    store: &Store,
    service: &'static str,
    args: &EventArgs,
    subscription: &Subscription,
    transport: Transport,
) {
    let tasks = &host.tasks;
    tasks.spawn(format!("{service}: housekeeping"), housekeeping(host.clone(), store.clone()));
    match transport {
        Transport::Nats(client) => {
            let holder = host.ids.opaque().to_string();
            observe_connection(host, service, client.clone());
            let relay = Relay::new(store.clone(), service, client.clone(), args, holder, &host.telemetry.meter());
            // Calls that finish during the drain still commit events.
            tasks.spawn(format!("{service}: relay"), relay.run(host.shutdown.drained()));
            for topic in &subscription.topics {
                let run =
                    consumer::run(host.clone(), store.clone(), client.clone(), subscription.clone(), topic.clone());
                tasks.spawn(format!("{service}: consumer of {}", topic.source), run);
            }
        }
        Transport::Bus(sources) => {
            for topic in &subscription.topics {
                if let Some((_, source)) = sources.iter().find(|(name, _)| *name == topic.source) {
                    let run =
                        bus::run(host.clone(), store.clone(), source.clone(), subscription.clone(), topic.clone());
                    tasks.spawn(format!("{service}: bus from {}", topic.source), run);
                }
            }
        }
        Transport::None => {}
    }
}

/// Shows whether the broker is connected.
fn observe_connection(host: &Host, service: &'static str, client: async_nats::Client) {
    let observe = move |gauge: &dyn AsyncInstrument<u64>| {
        let connected = client.connection_state() == async_nats::connection::State::Connected;
        gauge.observe(connected.into(), &[KeyValue::new("service", service)]);
    };
    let meter = host.telemetry.meter();
    meter
        .u64_observable_gauge("waymark.nats.connected")
        .with_description("1 while the broker is connected")
        .with_callback(observe)
        .build();
}

/// Sees commits of other processes, forgets old answers.
async fn housekeeping(host: Host, store: Store) {
    let mut rounds: u64 = 0;
    loop {
        tokio::select! {
            () = host.shutdown.begun() => return,
            () = tokio::time::sleep(POLL) => {}
        }
        if let Err(error) = store.poll_heads().await {
            tracing::debug!(%error, "the database does not answer");
        }
        // About every ten minutes.
        if rounds.is_multiple_of(2_400) {
            match store.purge_requests(store.now() - REQUESTS).await {
                Ok(purged) => tracing::debug!(purged, "old answers forgotten"),
                Err(error) => tracing::warn!(error = %chain(&error), "old answers are not forgotten"),
            }
        }
        rounds += 1;
    }
}

/// Handles one event in a span that links to the request that caused it.
pub(crate) async fn handle(subscription: &Subscription, event: Received) -> Result<(), Error> {
    let trace_id = propagation::trace_id(&tracing::Span::none(), event.traceparent.as_deref());
    let (r#type, id) = (event.event_type.as_str(), event.event_id);
    let span = tracing::info_span!("event", consumer = subscription.consumer, r#type, %id, cause_trace_id = trace_id);
    if let Some(traceparent) = &event.traceparent {
        propagation::link(&span, traceparent);
    }
    // A panic is the event's fault as any other failure is, and must not end the consumer.
    let handled = std::panic::AssertUnwindSafe((subscription.handler)(event)).catch_unwind().instrument(span).await;
    handled.unwrap_or_else(|_| Err(Error::bug("the handler of the event panicked")))
}

/// The types a topic asks for.
pub(crate) fn wanted(topic: &Topic) -> BTreeSet<&'static str> {
    topic.types.iter().copied().collect()
}

/// An error with all that caused it; for logs and dead letters, which only operators read.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Whether trying again may help: an outage, in contrast to an event that cannot be handled.
pub(crate) fn is_outage(error: &Error) -> bool {
    error.is_transient()
}

/// The wait before attempt `attempt` (from 1), doubling from 100 ms to 10 s.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(100 * 2_u64.pow(attempt.saturating_sub(1).min(7))).min(Duration::from_secs(10))
}

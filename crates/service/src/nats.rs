//! The connection to NATS: made in the background, told of when it goes and comes, shown as a metric.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use waymark_runtime::{EventArgs, Host};

use crate::address::without_password;

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

/// Shows whether the broker is connected.
pub(crate) fn observe(host: &Host, service: &'static str, client: async_nats::Client) {
    let observe = move |gauge: &dyn AsyncInstrument<u64>| {
        let connected = client.connection_state() == State::Connected;
        gauge.observe(connected.into(), &[KeyValue::new("service", service)]);
    };
    let meter = host.telemetry.meter();
    meter
        .u64_observable_gauge("waymark.nats.connected")
        .with_description("1 while the broker is connected")
        .with_callback(observe)
        .build();
}

//! The authentication file of a process: opened at its start, looked after until its end, waited for by readiness, and
//! shown by metrics. Whom it makes of tokens and certificates is said by [`waymark_access`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use waymark_access::{Authentication, SettingsError};

use crate::authenticator::Authenticator;
use crate::host::Host;

/// How often readiness asks whether the first keys are there.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Opens the file, and keeps what it says and the keys it leads to up to date until shutdown. The process is not ready
/// before the first keys of the issuers that are required.
///
/// # Errors
/// Where the file cannot be read, or says something that cannot be done.
pub async fn open(path: &Path, host: &Host) -> Result<Authenticator, SettingsError> {
    let authentication = Arc::new(Authentication::open(path, host.clock.clone()).await?);
    observe(&authentication, &host.telemetry.meter());
    let (running, shutdown) = (Arc::clone(&authentication), host.shutdown.clone());
    // Calls in flight are authenticated until the end, from what was known last.
    let audits = host.audits.clone();
    host.tasks.spawn("authentication", async move { running.run(shutdown.begun(), |read| audits.read(&read)).await });
    let latch = host.readiness.latch("first keys of the issuers that are required");
    let (waiting, shutdown) = (Arc::clone(&authentication), host.shutdown.clone());
    host.tasks.spawn("first keys", async move {
        while !waiting.ready() {
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = shutdown.begun() => break,
            }
        }
        drop(latch);
    });
    Ok(Authenticator::File(authentication))
}

fn observe(authentication: &Arc<Authentication>, meter: &Meter) {
    let counted = Arc::clone(authentication);
    meter
        .u64_observable_counter("waymark.access.tokens")
        .with_description("Tokens by what became of them: verified, remembered from before, or why they were refused")
        .with_callback(move |counter| {
            let counted = counted.counted();
            let taken = [("verified", counted.verified), ("remembered", counted.remembered)];
            for (outcome, times) in taken.into_iter().chain(counted.refused) {
                counter.observe(times, &[KeyValue::new("outcome", outcome)]);
            }
        })
        .build();
    let counted = Arc::clone(authentication);
    meter
        .u64_observable_counter("waymark.access.keys.failures")
        .with_description("Times that the keys of an issuer could not be read")
        .with_callback(move |counter| counter.observe(counted.counted().keys_failed, &[]))
        .build();
    let counted = Arc::clone(authentication);
    meter
        .u64_observable_counter("waymark.access.reload.failures")
        .with_description("Times that the authentication file could not be read, or said what cannot be done")
        .with_callback(move |counter| counter.observe(counted.counted().reloads_failed, &[]))
        .build();
    let known = Arc::clone(authentication);
    meter
        .u64_observable_gauge("waymark.access.keys")
        .with_description("Keys that are known of an issuer")
        .with_callback(move |gauge| {
            for keys in known.keys() {
                gauge.observe(keys.ids.len() as u64, &[KeyValue::new("issuer", keys.issuer)]);
            }
        })
        .build();
    let known = Arc::clone(authentication);
    meter
        .i64_observable_gauge("waymark.access.keys.read")
        .with_unit("s")
        .with_description("When the keys of an issuer were read last, in seconds since 1970; 0 for never")
        .with_callback(move |gauge| {
            for keys in known.keys() {
                let read = keys.read.map_or(0, |read| read.timestamp());
                gauge.observe(read, &[KeyValue::new("issuer", keys.issuer)]);
            }
        })
        .build();
}

//! The limits file of a process: opened at its start, looked after until its end, shown by metrics. What it means is said by
//! [`waymark_access`]; the kinds of calls are the contract's.

use std::path::Path;
use std::sync::Arc;

use opentelemetry::metrics::Meter;
use waymark_access::{Limits, SettingsError};
use waymark_proto::CallKind;

use crate::host::Host;

/// Opens the file, and takes over what it says later until shutdown.
///
/// # Errors
/// Where the file cannot be read, or says something that cannot be done.
pub async fn open(path: &Path, host: &Host) -> Result<Arc<Limits>, SettingsError> {
    let limits = Arc::new(Limits::open(path, CallKind::ALL.map(CallKind::name), host.clock.clone()).await?);
    observe(&limits, &host.telemetry.meter());
    let (running, shutdown) = (Arc::clone(&limits), host.shutdown.clone());
    let audits = host.audits.clone();
    host.tasks.spawn("limits", async move { running.run(shutdown.begun(), |read| audits.read(&read)).await });
    Ok(limits)
}

fn observe(limits: &Arc<Limits>, meter: &Meter) {
    let counted = Arc::clone(limits);
    meter
        .u64_observable_counter("waymark.access.limited")
        .with_description(
            "Calls and streams that were refused, as a principal or a workspace asked for more than it may",
        )
        .with_callback(move |counter| counter.observe(counted.counted().limited, &[]))
        .build();
    let counted = Arc::clone(limits);
    meter
        .u64_observable_counter("waymark.access.limits.reload.failures")
        .with_description("Times that the limits file could not be read, or said what cannot be done")
        .with_callback(move |counter| counter.observe(counted.counted().reloads_failed, &[]))
        .build();
}

#[cfg(test)]
mod tests {
    use waymark_clock::Clock;

    use super::*;

    #[tokio::test]
    async fn the_example_is_right() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/limits.example.yaml");
        Limits::open(&example, CallKind::ALL.map(CallKind::name), Clock::system()).await.unwrap();
        let text = std::fs::read_to_string(example).unwrap();
        for kind in CallKind::ALL {
            assert!(text.contains(&format!("\n  {}: ", kind.name())), "it says nothing of {}", kind.name());
        }
    }
}

//! The certificate that a server shows: read at its start, looked at every few seconds, and told of when what is there
//! cannot be used. What can be is decided by [`waymark_tls`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use waymark_tls::{Acceptor, H2, HTTP1, Look, ServerFiles, ServerTls};

use crate::audit;
use crate::host::Host;

/// What is recorded of the certificate.
const RELOAD: &str = "certificate.reload";
/// A pause between looks.
const LOOK_EVERY: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(4) };

/// Reads the files; `browsers` may speak HTTP/1.1 as well.
pub(super) fn open(files: &ServerFiles, browsers: bool, host: &Host) -> Result<ServerTls, waymark_tls::Error> {
    let protocols: &[&[u8]] = if browsers { &[H2, HTTP1] } else { &[H2] };
    ServerTls::open(files, protocols, host.clock.now())
}

/// Keeps what is served at `address` in step with its files until shutdown.
pub(super) fn keep(mut tls: ServerTls, address: SocketAddr, host: &Host) -> Acceptor {
    let acceptor = tls.acceptor();
    let meter = host.telemetry.meter();
    let labels = [KeyValue::new("listen", address.to_string())];
    let failures = meter
        .u64_counter("waymark.tls.reload.failures")
        .with_description("Looks at the files of a certificate that found what cannot be used")
        .build();
    failures.add(0, &labels);
    let until = Arc::new(AtomicI64::new(tls.until().timestamp()));
    let (shown, labelled) = (Arc::clone(&until), labels.clone());
    meter
        .i64_observable_gauge("waymark.tls.expiry")
        .with_unit("s")
        .with_description("When the certificate that is served expires, in seconds since 1970")
        .with_callback(move |gauge| gauge.observe(shown.load(Ordering::Relaxed), &labelled))
        .build();
    let looking = host.clone();
    host.tasks.spawn(format!("certificate of {address}"), async move {
        let mut told = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = looking.shutdown.begun() => return,
            }
            let now = looking.clock.now();
            let looked = tokio::task::spawn_blocking(move || {
                let look = tls.look(now);
                (tls, look)
            });
            let look = match looked.await {
                Ok((back, look)) => {
                    tls = back;
                    look
                }
                // So that the process reports itself dead; a runtime that ends is no panic.
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return,
                },
            };
            match look {
                Look::Same | Look::Unsettled => {}
                Look::Taken => {
                    told = None;
                    until.store(tls.until().timestamp(), Ordering::Relaxed);
                    tracing::info!(%address, until = %tls.until(), "the certificate was read again");
                    looking.audits.happened(RELOAD, audit::done(true), address.to_string());
                }
                Look::Refused(error) => {
                    failures.add(1, &labels);
                    if told.as_ref() != Some(&error) {
                        tracing::error!(
                            %address, %error, until = %tls.until(),
                            "the files of the certificate changed and cannot be used; the one read before is served on"
                        );
                        told = Some(error);
                        looking.audits.happened(RELOAD, audit::done(false), address.to_string());
                    }
                }
            }
        }
    });
    acceptor
}

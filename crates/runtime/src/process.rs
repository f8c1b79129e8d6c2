//! A process from its start to its orderly end: telemetry, admin port, signals, its servers, and the drain.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use waymark_clock::{Clock, Ids};

use crate::admin;
use crate::authentication;
use crate::config::ProcessArgs;
use crate::host::Host;
use crate::limits;
use crate::policies;
use crate::proxies::Proxies;
use crate::running::Running;
use crate::telemetry::Telemetry;

/// What a collector gets to take the last telemetry: a supervisor's patience has an end.
const FLUSH: Duration = Duration::from_secs(3);

/// Runs a process to its end: telemetry, admin port, signals, then `start`, which returns the servers it started; after
/// SIGINT or SIGTERM it drains them. This is all a service's `main` does.
pub fn run<F, S>(name: &'static str, args: &ProcessArgs, start: S) -> ExitCode
where
    S: FnOnce(Host) -> F,
    F: Future<Output = anyhow::Result<Vec<Running>>>,
{
    let ended =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Into::into).and_then(|runtime| {
            let ended = runtime.block_on(live(name, args, start));
            // Blocking work that does not end must not keep the process from ending.
            runtime.shutdown_timeout(Duration::from_secs(1));
            ended
        });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where lines are collected they are parsed; before logging is installed, or when the filter keeps no
            // errors, it is said plainly.
            if tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!(error = %format_args!("{error:#}"), "the process cannot run");
            } else {
                eprintln!("{name}: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Shows readiness as a metric: what watches for a replica that waits for its database is not what asks `/readyz`.
fn observe_readiness(host: &Host) {
    let (ready, meter) = (host.readiness.watch(), host.telemetry.meter());
    let gauge = meter.u64_observable_gauge("waymark.ready").with_description("1 while the process may be sent traffic");
    gauge.with_callback(move |gauge| gauge.observe((*ready.borrow()).into(), &[])).build();
}

async fn live<F, S>(name: &'static str, args: &ProcessArgs, start: S) -> anyhow::Result<()>
where
    S: FnOnce(Host) -> F,
    F: Future<Output = anyhow::Result<Vec<Running>>>,
{
    waymark_tls::install();
    let ids = Ids::system();
    let telemetry = Telemetry::init(&args.telemetry, name, ids.opaque().to_string())?;
    let mut host = Host::new(name, Clock::system(), ids, telemetry, args.drain_timeout);
    let starting = host.readiness.latch("start-up");
    observe_readiness(&host);
    let admin = admin::serve(args.admin_listen, &host).await.map_err(|error| {
        anyhow::anyhow!(
            "the admin port cannot listen on {}: {error}; choose another with --admin-listen",
            args.admin_listen
        )
    })?;
    tracing::info!(address = %admin, "admin port is open");
    host.proxies = Proxies::new(args.trusted_proxies.iter().copied());
    if let Some(file) = &args.authentication {
        host.authenticator = authentication::open(file, &host).await.context("--authentication cannot be used")?;
    }
    if let Some(bindings) = &args.bindings {
        host.policies = Some(
            policies::open(args.policies.as_deref(), bindings, &host)
                .await
                .context("--bindings or --policies cannot be used")?,
        );
    }
    if let Some(file) = &args.limits {
        host.limits = Some(limits::open(file, &host).await.context("--limits cannot be used")?);
    }
    host.shutdown.on_signals(args.drain_delay, &host.tasks)?;

    // A signal while the database is still waited for ends the process at once: there is nothing to drain.
    let servers = tokio::select! {
        biased;
        () = host.shutdown.begun() => Vec::new(),
        servers = start(host.clone()) => servers?,
    };
    drop(starting);
    let not_ready = {
        host.shutdown.announced().await;
        host.readiness.latch("shutdown")
    };
    host.shutdown.begun().await;
    host.drain(servers).await;
    drop(not_ready);
    let telemetry = host.telemetry.clone();
    let flushed = tokio::task::spawn_blocking(move || telemetry.flush());
    if tokio::time::timeout(FLUSH, flushed).await.is_err() {
        tracing::warn!("the collector does not take the last telemetry; it is lost");
    }
    tracing::info!("ended");
    Ok(())
}

//! Opens a service's database and brings its schema up to date, waiting for a database that is not there yet.

use std::time::Duration;

use anyhow::Context as _;
use waymark_runtime::{DatabaseArgs, Host};
use waymark_store::{Error, Schema, Store, StoreOptions};

use crate::address::without_password;

/// Opens the database of `service`; its readiness and its metrics are the host's.
pub(crate) async fn open(
    host: &Host,
    service: &'static str,
    schema: &'static Schema,
    args: &DatabaseArgs,
) -> anyhow::Result<Store> {
    #[cfg(feature = "failpoints")]
    arm_fail_points();
    let _latch = host.readiness.latch(format!("{service}: schema"));
    let url = args.url(service);
    check(service, &url)?;
    tracing::info!(service, database = without_password(&url), "opening the database");
    if args.database_url.is_none() {
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("the data folder {} cannot be made", args.data_dir.display()))?;
    }
    let options = StoreOptions { max_connections: args.database_connections, ..StoreOptions::new(url) };
    let mut pause = Duration::from_millis(200);
    loop {
        match attempt(host, schema, &options).await {
            Ok(store) => return Ok(store.measured(&host.telemetry.meter(), service)),
            // A file that cannot be opened now cannot be opened later either.
            Err(error) if error.is_transient() && !options.url.starts_with("sqlite:") => {
                // A refused connection, too, comes as the pool's timeout.
                tracing::warn!(
                    service,
                    database = without_password(&options.url),
                    error = %format_args!("{:#}", anyhow::Error::new(error)),
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

/// Refuses an address that is none. It is said here, as the driver's own words would show all of it, password included.
fn check(service: &str, url: &str) -> anyhow::Result<()> {
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        anyhow::bail!("the database address of {service} must begin with postgres:// or sqlite://; see --database-url");
    }
    // Passwords with characters that must be escaped are what usually goes wrong.
    if !url.starts_with("sqlite:") && url::Url::parse(url).is_err() {
        anyhow::bail!(
            "the database address of {service} cannot be read; characters such as / # @ in a password must be percent-encoded"
        );
    }
    Ok(())
}

async fn attempt(host: &Host, schema: &'static Schema, options: &StoreOptions) -> Result<Store, Error> {
    let store = Store::connect(options, &host.clock, &host.ids).await?.keeping(schema);
    store.migrate(schema).await?;
    store.check_schema(schema).await?;
    Ok(store)
}

/// Arms the fail points that the variable FAILPOINTS names, once in a process and for as long as it lives.
#[cfg(feature = "failpoints")]
fn arm_fail_points() {
    static ARMED: std::sync::Once = std::sync::Once::new();
    ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
}

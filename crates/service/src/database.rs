//! Opens a service's database and brings its schema up to date, waiting for a database that is not there yet.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use waymark_runtime::audit::AuditDecision;
use waymark_runtime::{DatabaseArgs, Host};
use waymark_store::{Error, Migration, PostgresFiles, Schema, Store, StoreOptions};
use waymark_tls::ClientFiles;

use crate::address::without_password;

/// A pause before looking again whether the password changed.
const LOOK_EVERY: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(4) };

/// Opens the database of `service`, and tells which migrations were applied; its readiness and its metrics are the host's.
pub(crate) async fn open(
    host: &Host,
    service: &'static str,
    schema: &'static Schema,
    args: &DatabaseArgs,
) -> anyhow::Result<(Store, Vec<&'static Migration>)> {
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
    let files = files(args)?;
    let password = args.database_password_file.as_deref().map(Password::read).transpose()?;
    let options = StoreOptions {
        max_connections: args.database_connections,
        files,
        password: password.as_ref().map(|password| password.held.clone()),
        ..StoreOptions::new(url)
    };
    let (mut pause, mut applied) = (Duration::from_millis(200), Vec::new());
    loop {
        match attempt(host, schema, &options, &mut applied).await {
            Ok(store) => {
                if let Some(password) = password {
                    host.tasks.spawn(format!("{service}: password"), password.kept(host.clone(), store.clone()));
                }
                return Ok((store.measured(&host.telemetry.meter(), service), applied));
            }
            Err(error) if error.is_of_tls() => {
                return Err(error).with_context(|| {
                    format!(
                        "the database of {service} cannot be reached over TLS: name the authority of its certificate by \
                         --database-ca, or write sslmode=disable into its address where plaintext is meant"
                    )
                });
            }
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

/// The files that connections are made by, if they can be used: a connection that cannot be made says less.
fn files(args: &DatabaseArgs) -> anyhow::Result<PostgresFiles> {
    let (ca, certificate, key) =
        (args.database_ca.clone(), args.database_certificate.clone(), args.database_key.clone());
    let files = ClientFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() };
    files.check().context("--database-ca, --database-certificate or --database-key cannot be used")?;
    Ok(PostgresFiles { ca, certificate, key })
}

/// A password in a file.
struct Password {
    file: PathBuf,
    held: String,
}

impl Password {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let read = || {
            let text = std::fs::read_to_string(file)?;
            // Editors and `echo` end a line that is none of the password's.
            let held = text.trim_end_matches(['\r', '\n']).to_owned();
            anyhow::ensure!(!held.is_empty(), "it is empty");
            Ok(held)
        };
        let held = read().with_context(|| format!("--database-password-file {} cannot be used", file.display()))?;
        Ok(Self { file: file.to_owned(), held })
    }

    /// Hands a password that changed to the store until no call is left; what cannot be read changes nothing.
    async fn kept(mut self, host: Host, store: Store) {
        let mut told = false;
        let mut drained = pin!(host.shutdown.drained());
        loop {
            tokio::select! { () = tokio::time::sleep(LOOK_EVERY) => {} () = &mut drained => return }
            let file = self.file.clone();
            match tokio::task::spawn_blocking(move || Self::read(&file)).await {
                Ok(Ok(read)) => {
                    if read.held != self.held {
                        store.give_password(&read.held);
                        tracing::info!(file = %self.file.display(), "the database's password was read again");
                        host.audits.happened("password.reload", AuditDecision::Done, self.file.display().to_string());
                        self = read;
                    }
                    told = false;
                }
                Ok(Err(error)) if !told => {
                    tracing::error!(error = %format_args!("{error:#}"), "the one read before is used on");
                    told = true;
                }
                Ok(Err(_)) => {}
                // The runtime ends.
                Err(_) => return,
            }
        }
    }
}

async fn attempt(
    host: &Host,
    schema: &'static Schema,
    options: &StoreOptions,
    applied: &mut Vec<&'static Migration>,
) -> Result<Store, Error> {
    let store = Store::connect(options, &host.clock, &host.ids).await?.keeping(schema);
    store.migrate_telling(schema, |migration| applied.push(migration)).await?;
    store.check_schema(schema).await?;
    Ok(store)
}

/// Arms the fail points that the variable FAILPOINTS names, once in a process and for as long as it lives.
#[cfg(feature = "failpoints")]
fn arm_fail_points() {
    static ARMED: std::sync::Once = std::sync::Once::new();
    ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
}

#[cfg(test)]
mod tests;

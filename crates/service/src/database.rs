//! Opens a service's database and brings its schema up to date, waiting for a database that is not there yet.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use waymark_runtime::audit::AuditDecision;
use waymark_runtime::{DatabaseArgs, Host};
use waymark_store::schema::Separation;
use waymark_store::{Error, Login, LoginOf, Migration, PostgresFiles, Schema, Store, StoreOptions};
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
    check(service, "--database-url", &url)?;
    tracing::info!(service, database = without_password(&url), "opening the database");
    if args.database_url.is_none() {
        std::fs::create_dir_all(&args.data_dir)
            .with_context(|| format!("the data folder {} cannot be made", args.data_dir.display()))?;
    }
    let files = files(args)?;
    let read = |flag, file: &Option<PathBuf>| file.as_deref().map(|file| Password::read(flag, file)).transpose();
    let password = read("--database-password-file", &args.database_password_file)?;
    let of_keeper = read("--keeper-database-password-file", &args.keeper_database_password_file)?;
    let of_owner = read("--owner-database-password-file", &args.owner_database_password_file)?;
    let login = |flag, url: &Option<String>, password: &Option<Password>| {
        let Some(url) = url.clone() else { return Ok(None) };
        check(service, flag, &url)?;
        anyhow::ensure!(!url.starts_with("sqlite:"), "{flag} of {service} must begin with postgres://");
        Ok(Some(Login { url, password: password.as_ref().map(|password| password.held.clone()) }))
    };
    let keeper = login("--keeper-database-url", &args.keeper_database_url, &of_keeper)?;
    let owner = login("--owner-database-url", &args.owner_database_url, &of_owner)?;
    if keeper.is_some() && url.starts_with("sqlite:") {
        anyhow::bail!("{service} keeps an SQLite file, which has no roles: --keeper-database-url is for PostgreSQL");
    }
    let options = StoreOptions {
        max_connections: args.database_connections,
        files,
        password: password.as_ref().map(|password| password.held.clone()),
        keeper,
        transaction_pooling: args.database_transaction_pooling,
        ..StoreOptions::new(url)
    };
    let (mut pause, mut applied) = (Duration::from_millis(200), Vec::new());
    loop {
        // On the heap, as it is large beside those who wait for it.
        match Box::pin(attempt(host, schema, &options, owner.as_ref(), &mut applied)).await {
            Ok(store) => {
                for (password, of) in [(password, LoginOf::Calls), (of_keeper, LoginOf::Keeper)] {
                    if let Some(password) = password {
                        let kept = password.kept(host.clone(), store.clone(), of);
                        host.tasks.spawn(format!("{service}: password"), kept);
                    }
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
                    "the database cannot be used yet; trying again"
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
fn check(service: &str, flag: &str, url: &str) -> anyhow::Result<()> {
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        anyhow::bail!("the database address of {service} must begin with postgres:// or sqlite://; see {flag}");
    }
    // Passwords with characters that must be escaped are what usually goes wrong.
    if !url.starts_with("sqlite:") && url::Url::parse(url).is_err() {
        anyhow::bail!(
            "the database address of {service} ({flag}) cannot be read; characters such as / # @ in a password must be \
             percent-encoded"
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
    /// The option that names it.
    flag: &'static str,
    file: PathBuf,
    held: String,
}

impl Password {
    fn read(flag: &'static str, file: &Path) -> anyhow::Result<Self> {
        let read = || {
            let text = std::fs::read_to_string(file)?;
            // Editors and `echo` end a line that is none of the password's.
            let held = text.trim_end_matches(['\r', '\n']).to_owned();
            anyhow::ensure!(!held.is_empty(), "it is empty");
            Ok(held)
        };
        let held = read().with_context(|| format!("{flag} {} cannot be used", file.display()))?;
        Ok(Self { flag, file: file.to_owned(), held })
    }

    /// Hands a password that changed to the store until no call is left; what cannot be read changes nothing.
    async fn kept(mut self, host: Host, store: Store, of: LoginOf) {
        let mut told = false;
        let mut drained = pin!(host.shutdown.drained());
        loop {
            tokio::select! { () = tokio::time::sleep(LOOK_EVERY) => {} () = &mut drained => return }
            let (flag, file) = (self.flag, self.file.clone());
            match tokio::task::spawn_blocking(move || Self::read(flag, &file)).await {
                Ok(Ok(read)) => {
                    if read.held != self.held {
                        store.give_password(of, &read.held);
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
    owner: Option<&Login>,
    applied: &mut Vec<&'static Migration>,
) -> Result<Store, Error> {
    if let (Some(owner), Some(keeper)) = (owner, &options.keeper) {
        let calls = Login { url: options.url.clone(), password: None };
        let roles = Separation { calls: calls.role()?, keeper: keeper.role()? };
        let Login { url, password } = owner.clone();
        let options = StoreOptions { url, password, keeper: None, max_connections: 2, ..options.clone() };
        let store = Store::connect(&options, &host.clock, &host.ids).await?;
        store.migrate_telling(schema, |migration| applied.push(migration)).await?;
        store.separate(&roles).await?;
        store.close().await?;
    }
    let store = Store::connect(options, &host.clock, &host.ids).await?.keeping(schema);
    if options.keeper.is_none() {
        store.migrate_telling(schema, |migration| applied.push(migration)).await?;
    }
    store.check_schema(schema).await?;
    store.check_separation().await?;
    store.look().await?;
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

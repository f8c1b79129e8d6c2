//! A private PostgreSQL server, and databases on it.
//!
//! Under nextest one server serves the whole run: the setup script starts it and names it in `WAYMARK_TEST_POSTGRES`.
//! Elsewhere each test process starts its own.

use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use uuid::Uuid;
use waymark_tls::testing::Authority;

use crate::addresses::{Addresses, CALLS, KEEPER, OWNER};
use crate::connection::connect;
use crate::process::Process;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/postgres.sh");

/// A PostgreSQL server that ends with the test process.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    /// None when the run's server is used, which others use too.
    process: Option<Process>,
}

impl Postgres {
    /// A server of this test's own, in the folder for temporary files. It does not sync to disk.
    ///
    /// # Errors
    /// When no PostgreSQL is found, with what to do about it.
    pub fn start() -> Result<Self> {
        Self::script(&["serve"])
    }

    /// The same with fsync on, for measuring.
    ///
    /// # Errors
    /// Those of [`Postgres::start`].
    pub fn start_durable() -> Result<Self> {
        Self::script(&["serve", "durable"])
    }

    /// The same, listening on 127.0.0.1 over TLS as well, at the port that is answered. It shows a certificate of
    /// `authority`, and asks the user `waymark` for one; others have passwords.
    ///
    /// # Errors
    /// Those of [`Postgres::start`].
    pub fn start_encrypted(authority: &Authority) -> Result<(Self, u16)> {
        let (folder, port) = (tempfile::tempdir()?, crate::free_address().port());
        authority.issue(&["localhost", "127.0.0.1"]).put(folder.path(), "tls");
        std::fs::write(folder.path().join("ca.crt"), authority.pem())?;
        let path = folder.path().display().to_string();
        Ok((Self::script(&["serve", "encrypted", &path, &port.to_string()])?, port))
    }

    /// The server of this run: the one the environment names, or one that this process starts once.
    ///
    /// # Errors
    /// Those of [`Postgres::start`].
    #[expect(clippy::disallowed_methods, reason = "the test run's setup script speaks to tests by the environment")]
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        let started = SHARED.get_or_init(|| match std::env::var("WAYMARK_TEST_POSTGRES") {
            Ok(url) => Ok(Self { url, process: None }),
            Err(_) => Self::start().map_err(|error| format!("{error:#}")),
        });
        started.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn script(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(SCRIPT);
        command.args(args);
        let (process, said) = Process::keeping_itself(command, |said| said.trim().rsplit(' ').next()?.parse().ok())
            .context("PostgreSQL did not start")?;
        let url = said.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { url, process: Some(process) })
    }

    /// The address of the server's maintenance database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's process, to pause or kill it; none when it is the run's.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// The server's process; none when it is the run's.
    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The address of the database `name` on this server.
    pub fn url_of(&self, name: &str) -> String {
        self.url.replacen("/postgres?", &format!("/{name}?"), 1)
    }

    /// The addresses of the database `name` on this server for the roles that it separates workspaces between.
    pub fn addresses_of(&self, name: &str) -> Addresses {
        let [owner, calls, keeper] =
            [OWNER, CALLS, KEEPER].map(|role| self.url_of(name).replacen("//waymark@", &format!("//{role}@"), 1));
        Addresses::of_roles(owner, calls, keeper)
    }

    /// Makes an empty database that separates workspaces once it is migrated.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn separated(&self) -> Result<Addresses> {
        let name = format!("test_{}", unique());
        self.run(&roles()).await?;
        self.run(&format!("CREATE DATABASE {name} OWNER {OWNER}")).await?;
        Ok(self.addresses_of(&name))
    }

    /// Makes an empty database. It lives as long as the server.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn empty(&self) -> Result<String> {
        let name = format!("test_{}", unique());
        self.run(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.url_of(&name))
    }

    /// Makes a database as `migrate` leaves an empty one. The first call for `template` migrates, later ones copy, also
    /// those of other processes of the run.
    ///
    /// # Errors
    /// When the server refuses or `migrate` fails.
    pub async fn migrated<F>(&self, template: &str, migrate: impl FnOnce(Addresses) -> F) -> Result<Addresses>
    where
        F: Future<Output = Result<()>>,
    {
        let template = format!("template_{}", template.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let admin = connect(&self.url).await?;
        // Released with the connection, also when this process is killed.
        admin.execute_unprepared(&format!("SELECT pg_advisory_lock(hashtext('{template}'))")).await?;
        let exists = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if admin.query_one_raw(Statement::from_string(DbBackend::Postgres, exists)).await?.is_none() {
            // Renamed when it is complete, so that a template that exists is a whole one.
            let unfinished = format!("unfinished_{}", unique());
            admin.execute_unprepared(&roles()).await?;
            admin.execute_unprepared(&format!("CREATE DATABASE {unfinished} OWNER {OWNER}")).await?;
            migrate(self.addresses_of(&unfinished)).await.with_context(|| format!("migrating {template}"))?;
            crate::wait_for("connections of the migration to close", std::time::Duration::from_secs(10), async || {
                admin.execute_unprepared(&format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await.ok()
            })
            .await;
        }
        admin.close().await?;
        let name = format!("test_{}", unique());
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")).await?;
        Ok(self.addresses_of(&name))
    }

    /// Runs a statement as the server's owner.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn run(&self, statement: &str) -> Result<()> {
        let admin = connect(&self.url).await?;
        admin.execute_unprepared(statement).await.with_context(|| statement.to_owned())?;
        Ok(admin.close().await?)
    }
}

/// Makes the roles that a server lacks.
fn roles() -> String {
    let role = |name| {
        format!(
            "DO $$ BEGIN CREATE ROLE {name} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"
        )
    };
    // The owner sees and ends connections of others for tests, beside what it owns.
    [OWNER, CALLS, KEEPER].map(role).concat()
        + &format!("GRANT pg_monitor, pg_signal_backend, {CALLS}, {KEEPER} TO {OWNER};")
}

#[expect(clippy::disallowed_methods, reason = "names of databases on a shared server must differ between processes")]
fn unique() -> String {
    Uuid::new_v4().simple().to_string()
}

//! One test, both databases: an empty or migrated database of either engine behind its address.

use anyhow::{Context as _, Result};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend as Backend, Statement};
use tempfile::TempDir;
use waymark_store::StoreOptions;

use crate::addresses::Addresses;
use crate::connection::connect;
use crate::postgres::Postgres;

/// The databases a service runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// The run's PostgreSQL server.
    Postgres,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Each in turn, for the loop of a test, which tells on which it failed.
    pub fn each() -> Engines {
        Engines { rest: Self::ALL.into_iter(), at: None }
    }

    /// What the store calls it.
    pub fn backend(self) -> Backend {
        match self {
            Self::Sqlite => Backend::Sqlite,
            Self::Postgres => Backend::Postgres,
        }
    }
}

/// The loop of a test over the engines.
#[derive(Debug)]
pub struct Engines {
    rest: std::array::IntoIter<Engine, 2>,
    at: Option<Engine>,
}

impl Iterator for Engines {
    type Item = Engine;

    fn next(&mut self) -> Option<Engine> {
        self.at = self.rest.next();
        self.at
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        if let (Some(engine), true) = (self.at, std::thread::panicking()) {
            eprintln!("failed on {engine:?}");
        }
    }
}

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    addresses: Addresses,
    /// The folder of an SQLite file, removed with this value.
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// Its address for its owner, who reaches all there is.
    pub fn url(&self) -> &str {
        self.addresses.owner()
    }

    /// Its addresses.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// How a store is connected that serves calls.
    pub fn options(&self) -> StoreOptions {
        self.addresses.options()
    }

    /// A connection of the test's own, to see or disturb what no product path does.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn connect(&self) -> Result<DatabaseConnection> {
        connect(self.url()).await
    }

    /// The number that a question finds which no product path asks.
    ///
    /// # Errors
    /// When the database refuses it, or it finds none.
    pub async fn number(&self, question: &str) -> Result<i64> {
        let connection = self.connect().await?;
        let statement = Statement::from_string(connection.get_database_backend(), question);
        let row = connection.query_one_raw(statement).await?.with_context(|| format!("{question} finds nothing"))?;
        Ok(row.try_get_by_index(0)?)
    }

    /// Runs statements that no product path does, one after the other.
    ///
    /// # Errors
    /// When the database refuses one.
    pub async fn execute(&self, statements: &[&str]) -> Result<()> {
        let connection = self.connect().await?;
        for statement in statements {
            connection.execute_unprepared(statement).await.with_context(|| format!("running {statement}"))?;
        }
        Ok(())
    }
}

/// A database as `migrate`, which is given its addresses, leaves an empty one. `schema` names what it migrates to, such
/// as `roadmap`: on PostgreSQL databases of one schema are copies of a template that was migrated once.
///
/// # Errors
/// When the engine refuses or `migrate` fails.
pub async fn database<F>(engine: Engine, schema: &str, migrate: impl FnOnce(Addresses) -> F) -> Result<TestDatabase>
where
    F: Future<Output = Result<()>>,
{
    match engine {
        Engine::Sqlite => {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite://{}?mode=rwc", folder.path().join(format!("{schema}.db")).display());
            let addresses = Addresses::of_one(url);
            migrate(addresses.clone()).await.with_context(|| format!("migrating {}", addresses.owner()))?;
            Ok(TestDatabase { addresses, _folder: Some(folder) })
        }
        Engine::Postgres => {
            Ok(TestDatabase { addresses: Postgres::shared()?.migrated(schema, migrate).await?, _folder: None })
        }
    }
}

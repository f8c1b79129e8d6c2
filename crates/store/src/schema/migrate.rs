//! Bringing a database to a schema: one process at a time, each migration in a transaction with the row that remembers
//! it, never standing in the way of others for longer than [`LOCK_WAIT`].

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, sqlx};

use super::{Declaration, Migration, Schema, SchemaError, Standing, record};
use crate::{Error, Store};

/// Key of the advisory lock: "waymark" in ASCII.
const LOCK: i64 = 0x77_61_79_6d_61_72_6b;
/// How long a statement waits for a table or a row. Whoever comes after it in the queue waits as long.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How long those who queued have the table to themselves before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

impl Store {
    /// The same, knowing the tables that `schema` declares: so they are read by collection, and its mirrors are asked
    /// what other services have; and which of them holds revisions.
    #[must_use]
    pub fn keeping(mut self, schema: &Schema) -> Self {
        self.collections = schema.tables().iter().map(Declaration::collection).collect();
        self.holding = schema.holding;
        self
    }

    /// Brings the database to `schema`: applies the migrations it lacks, then sees their backfills to the end. A
    /// database that a newer program migrated is left as it is when that schema allows this one.
    ///
    /// Where nothing is missing no lock is asked for, so a backfill at work holds up nobody who does without it.
    pub async fn migrate(&self, schema: &Schema) -> Result<(), Error> {
        self.migrate_telling(schema, drop).await
    }

    /// The same, telling of each migration that this process has applied.
    pub async fn migrate_telling(
        &self,
        schema: &Schema,
        mut tell: impl FnMut(&'static Migration),
    ) -> Result<(), Error> {
        loop {
            match schema.standing(&record::applied(&self.writer).await?, self.backend())? {
                Standing::Behind(migration) => {
                    let applied = self.patiently(migration.name, || self.apply(schema)).await?;
                    applied.into_iter().for_each(&mut tell);
                }
                Standing::Current => break,
                Standing::Ahead(number) => {
                    tracing::warn!(
                        database = number,
                        program = schema.number(),
                        "the database's schema is newer than this program's, and allows it"
                    );
                    // What this program will write lacks what the newer one derives.
                    record::reopen(&self.writer, schema.number()).await?;
                    break;
                }
            }
        }
        for migration in schema.migrations() {
            if let Some(backfill) = &migration.backfill {
                self.fill_in(migration.number, backfill).await?;
            }
        }
        self.look().await
    }

    /// Whether the database is as this program needs it, backfills included: what readiness asks.
    pub async fn check_schema(&self, schema: &Schema) -> Result<(), Error> {
        match schema.standing(&record::applied(&self.reader).await?, self.backend())? {
            Standing::Behind(Migration { number, name, .. }) => Err(SchemaError::Behind { number: *number, name })?,
            Standing::Current | Standing::Ahead(_) => {}
        }
        for migration in schema.migrations() {
            if let Some(backfill) = &migration.backfill
                && record::position(&self.reader, migration.number).await?.is_some()
            {
                Err(SchemaError::Backfilling(backfill.name))?;
            }
        }
        Ok(())
    }

    /// Applies the next migration, if another process has not done so meanwhile.
    async fn apply(&self, schema: &Schema) -> Result<Option<&'static Migration>, Error> {
        let begin = Instant::now();
        let transaction = self.one_process().await?;
        let applied = record::applied(&transaction).await?;
        let Standing::Behind(migration) = schema.standing(&applied, self.backend())? else { return Ok(None) };
        let taken_over = applied.is_empty() && record::is_of_before(&transaction).await?;
        if !taken_over {
            for script in migration.scripts {
                transaction.execute_unprepared(&script.text(self.backend())).await?;
            }
        }
        let backfill = migration.backfill.as_ref().map(|backfill| backfill.name);
        record::remember(&transaction, &migration.applied(self.backend()), backfill, self.now()).await?;
        transaction.commit().await?;
        let (number, name, took) = (migration.number, migration.name, begin.elapsed());
        tracing::info!(number, name, taken_over, ?took, "a migration was applied");
        Ok(Some(migration))
    }

    /// A transaction that no other of its kind runs beside, in any process. Waiting for it has no limit; once it has
    /// begun, a lock of anybody else's is waited for [`LOCK_WAIT`] only.
    pub(super) async fn one_process(&self) -> Result<DatabaseTransaction, Error> {
        // On SQLite beginning it is the lock.
        let transaction = self.writer.begin(true).await.map_err(|error| self.error(error))?;
        if self.backend() == DbBackend::Postgres {
            // In text, as settings and advisory locks have no form in sea-query.
            transaction.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
            let wait = LOCK_WAIT.as_millis();
            transaction.execute_unprepared(&format!("SET LOCAL lock_timeout = '{wait}ms'")).await?;
        }
        Ok(transaction)
    }

    /// Does `work`, which begins and commits a transaction of its own, again and again while others hold what it must
    /// lock.
    pub(super) async fn patiently<T, F>(&self, name: &str, work: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            match work().await {
                Err(Error::Database(error)) if is_locked_out(&error) => {
                    tracing::warn!(name, %error, "others hold what must be locked; trying again until it is free");
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    }
}

/// PostgreSQL's lock that was not available and its deadlock; SQLite's busy, with its two extended codes.
fn is_locked_out(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = error.as_ref() else { return false };
    error.code().is_some_and(|code| matches!(code.as_ref(), "55P03" | "40P01" | "5" | "261" | "517"))
}

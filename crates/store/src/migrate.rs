//! Schema: the tables every service has, and a resource's table from its declaration. Migrations run under a lock, so
//! that replicas that start together do not race; readiness waits until all of them are applied.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::{MigratorTrait, SchemaManager};

use crate::table::ColumnValue;
use crate::{Error, Store, Table};

/// Key of the advisory lock: "waymark" in ASCII.
const LOCK: i64 = 0x77_61_79_6d_61_72_6b;

impl Store {
    /// Applies the migrations that are missing, one process at a time.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), Error> {
        // One transaction for the lock and all migrations: a process killed half-way leaves nothing behind. On SQLite
        // beginning it is the lock.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        if self.backend() == DbBackend::Postgres {
            transaction.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
            transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
        }
        M::up(&transaction, None).await?;
        transaction.commit().await?;
        self.poll_heads().await
    }

    /// Whether every migration of this program is applied: what readiness asks.
    pub async fn schema_is_current<M: MigratorTrait>(&self) -> Result<(), Error> {
        let pending = M::get_pending_migrations_read_only(&self.reader).await?;
        if pending.is_empty() {
            return Ok(());
        }
        Err(Error::Schema(pending.iter().map(|m| m.name().to_owned()).collect::<Vec<_>>().join(", ")))
    }
}

struct Dialect {
    text: &'static str,
    json: &'static str,
    bytes: &'static str,
    number: &'static str,
}

fn dialect(backend: DbBackend) -> Dialect {
    if backend == DbBackend::Postgres {
        // Collation C sorts by bytes, as SQLite does, so that pages and orders agree on both.
        Dialect { text: "text COLLATE \"C\"", json: "json", bytes: "bytea", number: "double precision" }
    } else {
        Dialect { text: "text", json: "text", bytes: "blob", number: "real" }
    }
}

async fn run(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    for sql in statements {
        connection.execute_raw(Statement::from_string(manager.get_database_backend(), sql.clone())).await?;
    }
    Ok(())
}

/// The tables every service has: revisions, the log, remembered requests, and what relay and consumers keep. Times are
/// microseconds since 1970.
pub async fn foundation(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let Dialect { text, json, bytes, .. } = dialect(manager.get_database_backend());
    run(
        manager,
        &[
            // The revision of a workspace. Its row is the lock that puts the workspace's writes in order.
            format!("CREATE TABLE workspaces (id {text} PRIMARY KEY, revision bigint NOT NULL, earliest_revision bigint NOT NULL DEFAULT 0,
                 last_time bigint NOT NULL DEFAULT 0)"),
            format!(
                "CREATE TABLE log (workspace {text} NOT NULL, revision bigint NOT NULL, ordinal integer NOT NULL, event_id {text} NOT NULL,
                 type {text} NOT NULL, collection {text} NOT NULL, resource_id {text} NOT NULL, time bigint NOT NULL, actor {text} NOT NULL,
                 request_id {text}, causation_id {text}, traceparent {text}, data {json} NOT NULL,
                 PRIMARY KEY (workspace, revision, ordinal))"
            ),
            "CREATE INDEX log_resource ON log (workspace, collection, resource_id, revision, ordinal)".into(),
            "CREATE INDEX log_time ON log (workspace, time)".into(),
            "CREATE UNIQUE INDEX log_event ON log (workspace, event_id)".into(),
            // What a request id was answered: 32 bytes digest of the request, then the answer.
            format!(
                "CREATE TABLE requests (workspace {text} NOT NULL, request_id {text} NOT NULL, revision bigint NOT NULL, time bigint NOT NULL,
                 answer {bytes} NOT NULL, PRIMARY KEY (workspace, request_id))"
            ),
            "CREATE INDEX requests_time ON requests (time)".into(),
            // How far the relay has published.
            format!("CREATE TABLE relay_cursors (workspace {text} PRIMARY KEY, revision bigint NOT NULL)"),
            // Who may relay until when.
            format!("CREATE TABLE leases (name {text} PRIMARY KEY, holder {text} NOT NULL, expire_time bigint NOT NULL)"),
            // Events of other services that were handled.
            format!(
                "CREATE TABLE inbox (consumer {text} NOT NULL, event_id {text} NOT NULL, time bigint NOT NULL, PRIMARY KEY (consumer, event_id))"
            ),
            // How far the in-process bus has read another service's log.
            format!(
                "CREATE TABLE bus_cursors (source {text} NOT NULL, workspace {text} NOT NULL, revision bigint NOT NULL,
                 PRIMARY KEY (source, workspace))"
            ),
            // Events of other services that could not be handled.
            format!(
                "CREATE TABLE dead_letters (workspace {text} NOT NULL, event_id {text} NOT NULL, source {text} NOT NULL, event {json} NOT NULL,
                 error {text} NOT NULL, attempts integer NOT NULL, time bigint NOT NULL, PRIMARY KEY (workspace, event_id))"
            ),
        ],
    )
    .await
}

/// The table of a resource, with its declared columns and indexes.
pub async fn table<T: Table>(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let Dialect { text, json, number, .. } = dialect(manager.get_database_backend());
    let table = T::TABLE;
    let mut columns = String::new();
    let mut statements = Vec::new();
    for column in T::COLUMNS {
        let kind = match column.value {
            ColumnValue::Text(_) => text,
            ColumnValue::Integer(_) | ColumnValue::Time(_) => "bigint",
            ColumnValue::Number(_) => number,
            ColumnValue::Boolean(_) => "boolean",
        };
        columns.extend([", ", column.name, " ", kind]);
        if column.indexed {
            let name = column.name;
            statements.push(format!("CREATE INDEX {table}_{name} ON {table} (workspace, {name}, id)"));
        }
    }
    statements.insert(
        0,
        format!(
            "CREATE TABLE {table} (workspace {text} NOT NULL, id {text} NOT NULL, uid {text} NOT NULL, version bigint NOT NULL,
             display_name {text} NOT NULL, create_time bigint NOT NULL, update_time bigint NOT NULL, delete_time bigint,
             body {json} NOT NULL{columns}, PRIMARY KEY (workspace, id))"
        ),
    );
    run(manager, &statements).await
}

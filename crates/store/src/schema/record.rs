//! What a database remembers of its schema: the migrations that were applied, and how far backfills have come.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

const MIGRATIONS: &str = "schema_migrations";
const BACKFILLS: &str = "schema_backfills";

/// In text, as are all tables; both databases read it alike.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS schema_migrations (
    number bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, oldest bigint NOT NULL, time bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS schema_backfills (
    migration bigint PRIMARY KEY, name text NOT NULL, workspace text NOT NULL, id text NOT NULL, end_time bigint
);";

/// A migration that was applied.
pub(super) struct Applied {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) checksum: String,
    pub(super) oldest: i64,
}

/// What was applied, in order.
pub(super) async fn applied(connection: &impl ConnectionTrait) -> Result<Vec<Applied>, DbErr> {
    if !exists(connection, MIGRATIONS).await? {
        return Ok(Vec::new());
    }
    let mut select = Query::select();
    select.columns(["number", "name", "checksum", "oldest"]).from(MIGRATIONS).order_by("number", Order::Asc);
    let rows = connection.query_all(&select).await?;
    rows.iter()
        .map(|row| {
            Ok(Applied {
                number: row.try_get("", "number")?,
                name: row.try_get("", "name")?,
                checksum: row.try_get("", "checksum")?,
                oldest: row.try_get("", "oldest")?,
            })
        })
        .collect()
}

/// Whether the database was made by the releases before this record, whose only schema is today's first.
pub(super) async fn is_of_before(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    const TABLE: &str = "seaql_migrations";
    if !exists(connection, TABLE).await? {
        return Ok(false);
    }
    let mut select = Query::select();
    select.column("version").from(TABLE).and_where(Expr::col("version").eq("m0001_initial"));
    Ok(connection.query_one(&select).await?.is_some())
}

/// Remembers a migration, and that the backfill it has by this name is to begin.
pub(super) async fn remember(
    connection: &impl ConnectionTrait,
    migration: &Applied,
    backfill: Option<&str>,
    time: DateTime<Utc>,
) -> Result<(), DbErr> {
    // Inside the lock: two that make a table at the same time fail, whatever IF NOT EXISTS says.
    connection.execute_unprepared(TABLES).await?;
    let mut insert = Query::insert();
    insert.into_table(MIGRATIONS).columns(["number", "name", "checksum", "oldest", "time"]).values_panic([
        migration.number.into(),
        migration.name.as_str().into(),
        migration.checksum.as_str().into(),
        migration.oldest.into(),
        time.timestamp_micros().into(),
    ]);
    connection.execute(&insert).await?;
    if let Some(name) = backfill {
        let mut insert = Query::insert();
        insert.into_table(BACKFILLS).columns(["migration", "name", "workspace", "id"]).values_panic([
            migration.number.into(),
            name.into(),
            "".into(),
            "".into(),
        ]);
        connection.execute(&insert).await?;
    }
    Ok(())
}

/// Behind which workspace and id the backfill of a migration goes on; none when it has come to its end.
pub(super) async fn position(
    connection: &impl ConnectionTrait,
    migration: i64,
) -> Result<Option<(String, String)>, DbErr> {
    let mut select = Query::select();
    select.columns(["workspace", "id"]).from(BACKFILLS);
    select.and_where(Expr::col("migration").eq(migration)).and_where(Expr::col("end_time").is_null());
    let row = connection.query_one(&select).await?;
    row.map(|row| Ok((row.try_get("", "workspace")?, row.try_get("", "id")?))).transpose()
}

/// Moves the backfill of a migration behind a row.
pub(super) async fn advance(
    connection: &impl ConnectionTrait,
    migration: i64,
    (workspace, id): (&str, &str),
) -> Result<(), DbErr> {
    let mut update = Query::update();
    update.table(BACKFILLS).values([("workspace", workspace.into()), ("id", id.into())]);
    update.and_where(Expr::col("migration").eq(migration));
    connection.execute(&update).await.map(|_| ())
}

/// Ends the backfill of a migration.
pub(super) async fn end(connection: &impl ConnectionTrait, migration: i64, time: DateTime<Utc>) -> Result<(), DbErr> {
    let mut update = Query::update();
    update.table(BACKFILLS).value("end_time", time.timestamp_micros()).and_where(Expr::col("migration").eq(migration));
    connection.execute(&update).await.map(|_| ())
}

/// Lets the backfills of migrations after `number` begin anew.
pub(super) async fn reopen(connection: &impl ConnectionTrait, number: i64) -> Result<(), DbErr> {
    let mut update = Query::update();
    update.table(BACKFILLS).values([("workspace", "".into()), ("id", "".into())]);
    update.value("end_time", Value::BigInt(None)).and_where(Expr::col("migration").gt(number));
    connection.execute(&update).await.map(|_| ())
}

/// Whether there is such a table; in text, as each database has a catalogue of its own.
async fn exists(connection: &impl ConnectionTrait, table: &str) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    let sql = if backend == DbBackend::Postgres {
        "SELECT 1 WHERE to_regclass($1) IS NOT NULL"
    } else {
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1"
    };
    Ok(connection.query_one_raw(Statement::from_sql_and_values(backend, sql, [table.into()])).await?.is_some())
}

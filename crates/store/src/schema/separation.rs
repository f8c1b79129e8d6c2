//! Separation of workspaces in PostgreSQL: every table that has rows of workspaces gets a policy, which binds all roles but
//! two, and every role the rights it needs.
//!
//! Calls are answered by a role that owns nothing and reaches the rows of the workspace that it has told
//! (`crate::reach`); the keeper, who relays, reacts and keeps house, reaches all; and so does the owner, as migrations
//! fill in rows of all workspaces. What is to be is said here, compared with the catalog, and what lacks is made: so a
//! table that a migration adds is separated from its first row on.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use super::SchemaError;
use crate::told::SETTING;
use crate::{Error, Store};

/// Tables without a policy, and why they have none.
pub const WITHOUT_POLICY: &[(&str, &str)] = &[
    ("schema_migrations", "is of the schema"),
    ("schema_backfills", "is of the schema: how far a backfill has come"),
    ("leases", "says who relays"),
    ("relay_stream", "is of the stream that is published to"),
    ("relay_checkpoints", "is of the stream that is published to"),
    ("relay_cursors", "says how far the relay is, and nothing of what it relays"),
    ("bus_cursors", "says how far a consumer is, and nothing of what it read"),
    ("stream_positions", "says how far a consumer is, and nothing of what it read"),
    ("parked_workspaces", "says how far a consumer is, and nothing of what it read"),
    ("inbox", "says which events were handled, and nothing of what they carry"),
    ("inbox_floors", "says which events were handled, and nothing of what they carry"),
    ("mirrors", "says how far a mirror is filled, and nothing of what it has"),
    ("audit_floor", "says up to when entries of the audit are forgotten"),
];

/// The two roles beside the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separation {
    /// By whom calls are answered.
    pub calls: String,
    /// Who reaches all workspaces.
    pub keeper: String,
}

/// A table, and by which column its rows are of workspaces, if they are.
struct Found {
    table: String,
    column: Option<String>,
    /// Its policies bind everybody, the owner included.
    forced: bool,
    policies: BTreeSet<String>,
}

impl Store {
    /// Has the database separate workspaces: gives all tables their policies, and the roles their rights. It is for the
    /// owner of the tables; where nothing lacks, nothing is locked.
    pub async fn separate(&self, roles: &Separation) -> Result<(), Error> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        if lacking(&self.writer, roles).await?.is_empty() {
            return Ok(());
        }
        let lacked = self.patiently("separation", async || {
            let transaction = self.one_process().await?;
            let lacking = lacking(&transaction, roles).await?;
            for statement in &lacking {
                transaction.execute_unprepared(statement).await?;
            }
            transaction.commit().await?;
            Ok(lacking.len())
        });
        let statements = lacked.await?;
        tracing::info!(statements, calls = roles.calls, keeper = roles.keeper, "workspaces are separated");
        Ok(())
    }

    /// Refuses a database that does not separate workspaces as this store is used: the role of its calls must be bound,
    /// and the keeper must not be.
    pub async fn check_separation(&self) -> Result<(), Error> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let role = self.reader.query_one_raw(in_text(ROLE, [])).await?.ok_or_else(|| Error::bug("nobody asks"))?;
        let (role, is_free): (String, bool) = (role.try_get_by_index(0)?, role.try_get_by_index(1)?);
        let tables = found(&self.reader).await?;
        let separated = || tables.iter().filter(|found| found.column.is_some());
        let Some(keeper) = &self.keeper else {
            let bound = separated().find(|found| found.forced).filter(|_| !is_free);
            return bound.map_or(Ok(()), |found| {
                let table = found.table.clone();
                Err(SchemaError::Separated { role, table }.into())
            });
        };
        if is_free {
            return Err(SchemaError::NotBound { role }.into());
        }
        if let Some(found) = separated().find(|found| !found.forced || !found.policies.contains(POLICY)) {
            return Err(SchemaError::NotSeparated { table: found.table.clone() }.into());
        }
        let row = keeper.query_one_raw(in_text(KEEPS, [])).await?;
        match row.map(|row| Ok::<_, DbErr>((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()? {
            Some((role, table)) => Err(SchemaError::NotKept { role, table }.into()),
            None => Ok(()),
        }
    }
}

/// The policy that binds.
const POLICY: &str = "workspace";

/// Who asks, and whether policies do not bind it: it may bypass them, or be the owner, who may drop them.
const ROLE: &str = "
SELECT current_user::text, rolsuper OR rolbypassrls OR EXISTS (
    SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
    AND pg_has_role(current_user, relowner, 'USAGE')
) FROM pg_roles WHERE rolname = current_user";

/// Who asks, and a table whose policies bind it that should not.
const KEEPS: &str = "
SELECT current_user::text, relname::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relforcerowsecurity AND NOT EXISTS (
    SELECT FROM pg_policy JOIN pg_roles ON pg_roles.oid = ANY (polroles)
    WHERE polrelid = pg_class.oid AND polname = 'keeper' AND rolname = current_user
) LIMIT 1";

/// Tables with the column of their workspace, whether policies are forced on them, and which they have.
const TABLES: &str = "
SELECT relname::text,
    (SELECT attname::text FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        AND attname = CASE relname WHEN 'workspaces' THEN 'id' ELSE 'workspace' END),
    relrowsecurity AND relforcerowsecurity,
    array(SELECT polname::text FROM pg_policy WHERE polrelid = pg_class.oid)
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') ORDER BY relname";

/// Tables, and what a role may do with them.
const GRANTED: &str = "
SELECT relname::text, granted FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS granted
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    AND has_table_privilege($1::name, pg_class.oid, granted)";

/// In text, as sea-query knows no catalog.
fn in_text<const N: usize>(sql: &str, values: [sea_orm::Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

async fn found(connection: &impl ConnectionTrait) -> Result<Vec<Found>, DbErr> {
    let read = |row: &QueryResult| {
        let table: String = row.try_get_by_index(0)?;
        let column: Option<String> = row.try_get_by_index(1)?;
        let column = column.filter(|_| !WITHOUT_POLICY.iter().any(|(without, _)| *without == table));
        let policies: Vec<String> = row.try_get_by_index(3)?;
        Ok(Found { table, column, forced: row.try_get_by_index(2)?, policies: policies.into_iter().collect() })
    };
    connection.query_all_raw(in_text(TABLES, [])).await?.iter().map(read).collect()
}

/// The statements that a database lacks to separate workspaces between roles.
async fn lacking(connection: &impl ConnectionTrait, roles: &Separation) -> Result<Vec<String>, DbErr> {
    let (calls, keeper) = (quoted(&roles.calls), quoted(&roles.keeper));
    let granted = (granted(connection, &roles.calls).await?, granted(connection, &roles.keeper).await?);
    let mut lacking = Vec::new();
    for Found { table, column, forced, policies } in found(connection).await? {
        let name = quoted(&table);
        if let Some(column) = column {
            if !forced {
                lacking.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"));
            }
            let bound = format!("{} = current_setting('{SETTING}', true)", quoted(&column));
            for (policy, role, rows) in
                [(POLICY, "PUBLIC", bound.as_str()), ("keeper", &keeper, "true"), ("owner", "CURRENT_USER", "true")]
            {
                if !policies.contains(policy) {
                    lacking.push(format!("CREATE POLICY {policy} ON {name} TO {role} USING ({rows})"));
                }
            }
        }
        for (role, granted, rights) in
            [(&calls, &granted.0, of_calls(&table)), (&keeper, &granted.1, of_keeper(&table))]
        {
            let lacks = rights.iter().filter(|right| !granted.contains(&(table.clone(), (**right).to_owned())));
            lacking.extend(lacks.map(|right| format!("GRANT {right} ON {name} TO {role}")));
        }
    }
    Ok(lacking)
}

/// What a role may do with which table.
async fn granted(connection: &impl ConnectionTrait, role: &str) -> Result<BTreeSet<(String, String)>, DbErr> {
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    connection.query_all_raw(in_text(GRANTED, [role.into()])).await?.iter().map(read).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What the role of calls may do with a table.
fn of_calls(table: &str) -> &'static [&'static str] {
    match table {
        "inbox" | "log" | "requests" => &["SELECT", "INSERT"],
        "audit_entries" | "held_events" | "inbox_floors" | "schema_migrations" | "schema_backfills" => &["SELECT"],
        _ if WITHOUT_POLICY.iter().any(|(without, _)| *without == table) => &[],
        _ => &["SELECT", "INSERT", "UPDATE", "DELETE"],
    }
}

/// What the keeper may do with a table.
fn of_keeper(table: &str) -> &'static [&'static str] {
    match table {
        "log" | "requests" => &["SELECT", "DELETE"],
        "audit_entries" | "held_events" => &["SELECT", "INSERT", "DELETE"],
        "workspaces" | "dead_letters" | "audit_floor" => &["SELECT", "UPDATE"],
        "schema_migrations" | "schema_backfills" => &["SELECT"],
        _ if WITHOUT_POLICY.iter().any(|(without, _)| *without == table) => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        _ => &["SELECT"],
    }
}

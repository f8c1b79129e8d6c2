//! What a database consists of, as it tells itself: every column with type, collation, nullability and default, every
//! constraint and every index. In no order, as a column that is added later comes last.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, QueryResult, Statement};

use crate::connection::connect;

/// The parts of a database with their definitions. The record of the schema itself is left out.
pub type Catalogue = BTreeMap<Part, String>;

/// A part of a database: its table, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A column.
    Column(String, String),
    /// A constraint, named by what it says, since databases make up other names.
    Constraint(String, String),
    /// An index.
    Index(String, String),
}

impl Part {
    /// The table it belongs to.
    pub fn table(&self) -> &str {
        match self {
            Self::Column(table, _) | Self::Constraint(table, _) | Self::Index(table, _) => table,
        }
    }
}

/// The catalogue of the database at `url`.
///
/// # Errors
/// When it cannot be read.
pub async fn catalogue(url: &str) -> Result<Catalogue> {
    let connection = connect(url).await?;
    let mut parts = match connection.get_database_backend() {
        DbBackend::Postgres => postgres(&connection).await?,
        _ => sqlite(&connection).await?,
    };
    connection.close().await?;
    parts.retain(|part, _| !["schema_", "seaql_"].iter().any(|prefix| part.table().starts_with(prefix)));
    Ok(parts)
}

async fn postgres(connection: &DatabaseConnection) -> Result<Catalogue> {
    const TABLES: &str = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()";
    let mut parts = Catalogue::new();
    let columns = format!(
        "SELECT c.relname::text, a.attname::text, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
             'COLLATE ' || o.collname, CASE WHEN a.attnotnull THEN 'NOT NULL' END,
             'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), nullif(a.attidentity::text || a.attgenerated::text, ''))
         FROM {TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_collation o ON o.oid = a.attcollation
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relkind IN ('r', 'p')"
    );
    for (table, column, definition) in three(connection, columns).await? {
        parts.insert(Part::Column(table, column), definition);
    }
    // NOT NULL is a constraint too, since PostgreSQL 18, but the columns have said so.
    let constraints = format!(
        "SELECT c.relname::text, pg_get_constraintdef(k.oid), '' FROM {TABLES}
         JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype <> 'n'"
    );
    for (table, constraint, nothing) in three(connection, constraints).await? {
        parts.insert(Part::Constraint(table, constraint), nothing);
    }
    let indexes = format!(
        "SELECT c.relname::text, x.relname::text, pg_get_indexdef(i.indexrelid)
             || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
         FROM {TABLES} JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid
         WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
    );
    for (table, index, definition) in three(connection, indexes).await? {
        parts.insert(Part::Index(table, index), definition);
    }
    Ok(parts)
}

/// SQLite keeps the statements themselves.
async fn sqlite(connection: &DatabaseConnection) -> Result<Catalogue> {
    let mut parts = Catalogue::new();
    let statements = "SELECT tbl_name, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
    for (table, name, sql) in three(connection, statements.to_owned()).await? {
        if table != name {
            parts.insert(Part::Index(table, name), words(&sql));
            continue;
        }
        let (_, body) = sql.split_once('(').with_context(|| format!("{sql} has no columns"))?;
        let (body, _) = body.rsplit_once(')').with_context(|| format!("{sql} does not end"))?;
        for definition in definitions(body) {
            let definition = words(&definition);
            let (first, rest) = definition.split_once(' ').unwrap_or((&definition, ""));
            let part = if ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"].contains(&first) {
                (Part::Constraint(table.clone(), definition.clone()), "")
            } else {
                (Part::Column(table.clone(), first.to_owned()), rest)
            };
            parts.insert(part.0, part.1.to_owned());
        }
    }
    Ok(parts)
}

/// The parts between the commas that are in no parentheses.
fn definitions(body: &str) -> Vec<String> {
    let (mut depth, mut all) = (0, vec![String::new()]);
    for c in body.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        match all.last_mut() {
            Some(last) if c != ',' || depth > 0 => last.push(c),
            _ => all.push(String::new()),
        }
    }
    all
}

/// The text with one space wherever it has any, and names without their quotes.
fn words(sql: &str) -> String {
    sql.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn three(connection: &DatabaseConnection, sql: String) -> Result<Vec<(String, String, String)>> {
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await?;
    let text = |row: &QueryResult, at| row.try_get_by_index::<String>(at);
    rows.iter().map(|row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?))).collect()
}

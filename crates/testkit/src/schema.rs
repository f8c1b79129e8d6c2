//! Whether a service's migrations and its declarations agree: on each engine a database is made of either, and their
//! catalogues are compared.

mod catalogue;
mod frozen;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use sea_orm::{ConnectionTrait as _, Statement};
use waymark_store::schema::{foundation, in_dialect};
use waymark_store::{Declaration, Schema, Store, StoreOptions};

use crate::connection::connect;
use crate::database::{Engine, TestDatabase, database};

pub use catalogue::{Catalogue, Part, catalogue};
pub use frozen::{CHECKSUMS, frozen};

/// The statements that lead from the migrations of `schema` to what it declares, for the file of the next one (a
/// [`Script`](waymark_store::Script) of both databases); none when both agree. What no statement can do is told as a
/// comment.
///
/// # Errors
/// When no database can be had, or the statements of a migration or of a declaration fail.
pub async fn missing(engine: Engine, schema: &Schema) -> Result<Vec<String>> {
    let backend = engine.backend();
    let migrated = {
        let database = empty(engine).await?;
        migrate(schema, database.url()).await?;
        catalogue(database.url()).await?
    };
    let declared = {
        let database = empty(engine).await?;
        for script in foundation::ALL {
            execute(database.url(), &script.text(backend)).await?;
        }
        for declaration in schema.tables() {
            execute(database.url(), &in_dialect(&declaration.create(), backend)).await?;
            let indexes = declaration.indexes().into_iter().map(|(_, index)| index);
            for index in indexes.chain(declaration.log_indexes().into_iter().map(|(_, index)| index)) {
                execute(database.url(), &index).await?;
            }
        }
        catalogue(database.url()).await?
    };
    Ok(difference(&migrated, &declared, &schema.tables()))
}

/// An empty database.
///
/// # Errors
/// When the engine refuses.
pub async fn empty(engine: Engine) -> Result<TestDatabase> {
    database(engine, "empty", async |_| Ok(())).await
}

/// A store on the database at `url`, whatever its schema.
///
/// # Errors
/// When it cannot be reached.
pub async fn store(url: &str) -> Result<Store> {
    let (host, _) = crate::host(1);
    Ok(Store::connect(&StoreOptions::new(url), &host.clock, &host.ids).await?)
}

/// Migrates the database at `url` to `schema`, as a service does at its start.
///
/// # Errors
/// When the store refuses.
pub async fn migrate(schema: &Schema, url: &str) -> Result<()> {
    let store = store(url).await?;
    let migrated = store.migrate(schema).await;
    store.close().await?;
    Ok(migrated?)
}

/// Runs statements on the database at `url`.
///
/// # Errors
/// When one fails.
pub async fn execute(url: &str, statements: &str) -> Result<()> {
    let connection = connect(url).await?;
    connection.execute_unprepared(statements).await.with_context(|| statements.to_owned())?;
    Ok(connection.close().await?)
}

/// The text that a query finds in the database at `url`.
///
/// # Errors
/// When it finds none.
pub async fn text(url: &str, query: &str) -> Result<String> {
    let connection = connect(url).await?;
    let query = Statement::from_string(connection.get_database_backend(), query);
    let found = connection.query_one_raw(query).await?.context("no row")?.try_get_by_index(0)?;
    connection.close().await?;
    Ok(found)
}

fn difference(from: &Catalogue, to: &Catalogue, declarations: &[Declaration]) -> Vec<String> {
    let names = |catalogue: &Catalogue| catalogue.keys().map(|part| part.table().to_owned()).collect::<BTreeSet<_>>();
    let (old, new) = (names(from), names(to));
    let mut statements: Vec<String> = old.difference(&new).map(|table| format!("DROP TABLE {table};")).collect();
    for table in &new {
        match (declarations.iter().find(|declaration| declaration.table == table), old.contains(table)) {
            (Some(declaration), true) => statements.extend(alter(from, to, declaration)),
            (Some(declaration), false) => {
                statements.push(declaration.create());
                statements.extend(declaration.indexes().into_iter().map(|(_, index)| index));
            }
            (None, _) if of(from, table) != of(to, table) => {
                let known = |index: &str| from.contains_key(&Part::Index(table.clone(), index.to_owned()));
                let indexes = declarations.iter().flat_map(Declaration::log_indexes);
                let lacking = indexes.filter(|(index, _)| table == "log" && !known(index)).map(|(_, index)| index);
                let before = statements.len();
                statements.extend(lacking);
                if statements.len() > before {
                    continue;
                }
                statements.push(format!("-- {table}: take in every script of waymark_store::schema::foundation"));
            }
            (None, _) => {}
        }
    }
    statements
}

/// What changes a table that is there already. A column of another definition is made anew: it follows from the body,
/// so a backfill derives its values again.
fn alter(from: &Catalogue, to: &Catalogue, declaration: &Declaration) -> Vec<String> {
    let table = declaration.table;
    let definitions = declaration.columns();
    let mut remade = BTreeSet::new();
    let (mut drop, mut add) = (Vec::new(), Vec::new());
    let parts: BTreeSet<&Part> = of(from, table).into_keys().chain(of(to, table).into_keys()).collect();
    for &part in &parts {
        let (old, new) = (from.get(part), to.get(part));
        match part {
            Part::Column(_, column) if old != new => {
                remade.insert(column.as_str());
                if old.is_some() {
                    // Before the column, which SQLite would not drop.
                    drop.push(format!("DROP INDEX IF EXISTS {table}_{column};"));
                    drop.push(format!("ALTER TABLE {table} DROP COLUMN {column};"));
                }
                if let Some((_, definition)) = definitions.iter().find(|(name, _)| name == column) {
                    add.push(format!("ALTER TABLE {table} ADD COLUMN {column} {definition};"));
                }
            }
            Part::Constraint(_, constraint) if old != new => {
                let is = if old.is_some() { "is not declared" } else { "is lacking" };
                add.push(format!("-- {table}: {constraint} {is}"));
            }
            _ => {}
        }
    }
    let declared = declaration.indexes();
    for &part in &parts {
        let Part::Index(_, index) = part else { continue };
        let column = index.strip_prefix(&format!("{table}_")).unwrap_or(index);
        let (differs, dropped) = (from.get(part) != to.get(part), remade.contains(column));
        if from.contains_key(part) && differs && !dropped {
            drop.push(format!("DROP INDEX {index};"));
        }
        if let Some((_, statement)) = declared.iter().find(|(name, _)| *name == column)
            && (differs || dropped)
        {
            add.push(statement.clone());
        }
    }
    drop.into_iter().chain(add).collect()
}

/// The parts of one table.
fn of<'a>(catalogue: &'a Catalogue, table: &str) -> BTreeMap<&'a Part, &'a String> {
    catalogue.iter().filter(|(part, _)| part.table() == table).collect()
}

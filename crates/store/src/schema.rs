//! A service's schema as a value: what its database became step by step, and what its tables are declared to be.
//!
//! A [`Migration`] is frozen once it is released: its statements are files that lie beside the service and never follow
//! the declarations. That both agree is for tests to say (`waymark_testkit::schema`), and `make schema` prints what a
//! next migration lacks. The database remembers what was applied; [`Store::migrate`](crate::Store::migrate) applies
//! the rest.

mod backfill;
mod declaration;
mod error;
pub mod foundation;
mod migrate;
mod record;
mod separation;

use std::fmt::Write as _;

use sea_orm::DbBackend;
use sha2::{Digest as _, Sha256};

use record::Applied;

use crate::{Holding, Mirror};

pub use backfill::Backfill;
pub use declaration::Declaration;
pub use error::SchemaError;
pub use separation::{Separation, WITHOUT_POLICY};

/// The schema of one service.
#[derive(Debug)]
pub struct Schema {
    migrations: &'static [Migration],
    declarations: &'static [Declaration],
    mirrors: &'static [Mirror],
    holding: Option<Holding>,
}

/// One step of a schema.
#[derive(Debug)]
pub struct Migration {
    /// Its place in the order, from 1; that of the last one is the schema's number.
    pub number: i64,
    /// What it is about, such as `initial`.
    pub name: &'static str,
    /// Its statements, run in one transaction.
    pub scripts: &'static [Script],
    /// A binary whose schema has at least this number works on a database with this migration. Additions leave it where
    /// it was; what takes away or renames raises it to the number of the first schema that did without.
    pub oldest: i64,
    /// What fills in rows that were there before, once the statements have committed.
    pub backfill: Option<Backfill>,
}

/// Statements in the dialects of both databases. A type that they call differently may stand in braces: `{text}`, which
/// sorts by bytes, `{json}` and `{number}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// For PostgreSQL.
    pub postgres: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
}

/// How a database's schema relates to a program's.
enum Standing {
    /// This migration is the next to apply.
    Behind(&'static Migration),
    Current,
    /// A newer program has migrated it, to this number, which allows this one.
    Ahead(i64),
}

impl Schema {
    /// The schema that `migrations` make, in order, whose resource tables are declared by `declarations`.
    ///
    /// # Panics
    /// When compiled, as a schema is a constant: numbers must count from 1, and `oldest` never falls nor passes its own
    /// number.
    pub const fn new(migrations: &'static [Migration], declarations: &'static [Declaration]) -> Self {
        let (mut at, mut oldest) = (0, 1);
        while at < migrations.len() {
            let migration = &migrations[at];
            assert!(migration.number == at as i64 + 1, "migrations are numbered from 1 without gaps");
            assert!(
                oldest <= migration.oldest && migration.oldest <= migration.number,
                "oldest grows up to the number"
            );
            oldest = migration.oldest;
            at += 1;
        }
        Self { migrations, declarations, mirrors: &[], holding: None }
    }

    /// The same with tables that mirror those of other services.
    #[must_use]
    pub const fn mirroring(mut self, mirrors: &'static [Mirror]) -> Self {
        self.mirrors = mirrors;
        self
    }

    /// The same with a table whose resources hold revisions.
    #[must_use]
    pub const fn holding(mut self, holding: Holding) -> Self {
        self.holding = Some(holding);
        self
    }

    /// The number of its last migration.
    pub fn number(&self) -> i64 {
        self.migrations.last().map_or(0, |migration| migration.number)
    }

    /// Its migrations, in order.
    pub fn migrations(&self) -> &'static [Migration] {
        self.migrations
    }

    /// The tables of its own resources, for what they serve.
    pub fn declarations(&self) -> &'static [Declaration] {
        self.declarations
    }

    /// The tables that it keeps of other services.
    pub fn mirrors(&self) -> &'static [Mirror] {
        self.mirrors
    }

    /// All tables of resources as the code declares them, for the check of the migrations.
    pub fn tables(&self) -> Vec<Declaration> {
        self.declarations.iter().copied().chain(self.mirrors.iter().map(Mirror::declaration)).collect()
    }

    fn standing(&self, applied: &[Applied], backend: DbBackend) -> Result<Standing, SchemaError> {
        for (migration, applied) in self.migrations.iter().zip(applied) {
            let same = applied.number == migration.number
                && applied.name == migration.name
                && applied.checksum == migration.checksum(backend);
            if !same {
                return Err(SchemaError::Changed { number: applied.number, name: applied.name.clone() });
            }
        }
        let Some(newest) = applied.get(self.migrations.len()..).unwrap_or_default().last() else {
            return Ok(self.migrations.get(applied.len()).map_or(Standing::Current, Standing::Behind));
        };
        if newest.oldest > self.number() {
            return Err(SchemaError::TooNew { database: newest.number, oldest: newest.oldest, program: self.number() });
        }
        Ok(Standing::Ahead(newest.number))
    }
}

impl Migration {
    /// What a database remembers of it once it was applied.
    fn applied(&self, backend: DbBackend) -> Applied {
        Applied {
            number: self.number,
            name: self.name.to_owned(),
            checksum: self.checksum(backend),
            oldest: self.oldest,
        }
    }

    /// SHA-256 over its statements for a database, in hexadecimal.
    fn checksum(&self, backend: DbBackend) -> String {
        let mut digest = Sha256::new();
        for script in self.scripts {
            digest.update(script.text(backend));
        }
        let mut text = String::new();
        for byte in digest.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl Script {
    /// The same statements for both databases.
    pub const fn both(statements: &'static str) -> Self {
        Self { postgres: statements, sqlite: statements }
    }

    /// The statements for one database.
    pub fn text(&self, backend: DbBackend) -> String {
        in_dialect(if backend == DbBackend::Postgres { self.postgres } else { self.sqlite }, backend)
    }
}

/// Statements with types in braces, as one database calls them. Released migrations rest on it, so it never changes.
pub fn in_dialect(statements: &str, backend: DbBackend) -> String {
    // Collation C sorts by bytes, as SQLite does, so that pages and orders agree on both.
    let [text, json, number] = match backend {
        DbBackend::Postgres => ["text COLLATE \"C\"", "json", "double precision"],
        _ => ["text", "text", "real"],
    };
    statements.replace("{text}", text).replace("{json}", json).replace("{number}", number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_braces_are_as_they_were_released() {
        const SCRIPT: Script = Script::both("a {text} NOT NULL, b {json}, c {number}, d bigint");
        let expected = "a text COLLATE \"C\" NOT NULL, b json, c double precision, d bigint";
        assert_eq!(SCRIPT.text(DbBackend::Postgres), expected);
        assert_eq!(SCRIPT.text(DbBackend::Sqlite), "a text NOT NULL, b text, c real, d bigint");
    }
}

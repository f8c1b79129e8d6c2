//! Why a database cannot be used with a schema.

/// What is wrong between a database's schema and the program's.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The program's migrations are not all applied.
    #[error(
        "the database's schema lacks migration {number} ({name}); a replica of this version applies it at its start"
    )]
    Behind {
        /// The first one's number.
        number: i64,
        /// Its name.
        name: &'static str,
    },
    /// Rows that were there before a migration are not all filled in.
    #[error("the backfill {0} has not come to its end; a replica of this version goes on with it at its start")]
    Backfilling(&'static str),
    /// The database was migrated with other statements than the program has under that number.
    #[error(
        "migration {number} ({name}) of the database was made from other statements than this program's: a released \
         migration never changes, so either this program or that database is of an unreleased version; use the \
         program that made the database, or another database"
    )]
    Changed {
        /// The migration's number in the database.
        number: i64,
        /// Its name there.
        name: String,
    },
    /// The database was migrated by a newer program, so far that this one cannot work with it.
    #[error(
        "the database's schema is number {database}, with which only programs of schema {oldest} or later can work; \
         this one's schema is number {program}: start a newer version, or restore the database of before"
    )]
    TooNew {
        /// The number of the database's schema.
        database: i64,
        /// The oldest schema it allows.
        oldest: i64,
        /// The number of the program's schema.
        program: i64,
    },
}

impl SchemaError {
    /// Whether it passes by itself, as another replica may be at work on it.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Behind { .. } | Self::Backfilling(_) => true,
            Self::Changed { .. } | Self::TooNew { .. } => false,
        }
    }
}

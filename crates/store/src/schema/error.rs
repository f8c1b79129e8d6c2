//! Why a database cannot be used with a schema.

/// What is wrong between a database's schema and the program's.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The program's migrations are not all applied.
    #[error(
        "the database's schema lacks migration {number} ({name}); a replica of this version applies it at its start, \
         as the owner where one is told apart"
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
    /// The keeper is named, and policies do not bind the role of calls.
    #[error(
        "the database's role {role} is not bound by row-level security, as it is a superuser, has BYPASSRLS, or owns \
         tables: give calls a role that owns nothing (deploy/postgres.sql makes it), or name no keeper"
    )]
    NotBound {
        /// The role.
        role: String,
    },
    /// The keeper is named, and a table has no policy.
    #[error(
        "the table {table} is not separated by row-level security yet; who is named by --owner-database-url does so at \
         the start"
    )]
    NotSeparated {
        /// The table.
        table: String,
    },
    /// Policies bind the keeper.
    #[error(
        "row-level security of the table {table} hides rows from the keeper {role}, as it was set up for another one: \
         drop the policy \"keeper\" of each table, and start once with --owner-database-url"
    )]
    NotKept {
        /// The role.
        role: String,
        /// The table.
        table: String,
    },
    /// No keeper is named, and policies bind the role.
    #[error(
        "row-level security of the table {table} hides rows from the role {role}: name the keeper by \
         --keeper-database-url"
    )]
    Separated {
        /// The role.
        role: String,
        /// The table.
        table: String,
    },
}

impl SchemaError {
    /// Whether it passes by itself, as another replica may be at work on it.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Behind { .. } | Self::Backfilling(_) | Self::NotSeparated { .. } => true,
            Self::Changed { .. }
            | Self::TooNew { .. }
            | Self::NotBound { .. }
            | Self::NotKept { .. }
            | Self::Separated { .. } => false,
        }
    }
}

//! Why the store refuses or fails, as a [`Failure`].

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr, sqlx};
use waymark_domain::{Failure, FailureKind, Reason, Violation, Violations};
use waymark_request::mask::MaskError;
use waymark_request::page::PageError;
use waymark_request::{FilterError, OrderError};

use crate::SchemaError;

/// What can go wrong between a request and its commit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the domain refused.
    #[error("{0}")]
    Rule(Box<dyn Failure + Send + Sync>),
    /// Fields of the request are wrong.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// The update mask is wrong.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// The filter is wrong.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The order is wrong.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The page token or size is wrong.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A row of a batch that is all or nothing.
    #[error("requests[{index}]: {error}")]
    Row {
        /// Index of the row in the request.
        index: usize,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// No such resource.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The name is taken.
    #[error("{0} exists already; a deleted resource keeps its name")]
    Exists(String),
    /// The resource is deleted; only Get and Undelete reach it.
    #[error("{0} is deleted; undelete it first")]
    Deleted(String),
    /// Undelete of what is not deleted.
    #[error("{0} is not deleted")]
    NotDeleted(String),
    /// The etag is outdated.
    #[error(
        "{resource} has changed: its etag is {current:?}, the request has {given:?}; read it again and decide again"
    )]
    Stale {
        /// The resource.
        resource: String,
        /// Its etag now.
        current: String,
        /// The etag of the request.
        given: String,
    },
    /// The resource a request refers to does not exist.
    #[error("{field}: {resource} does not exist")]
    Reference {
        /// Path of the field that refers.
        field: &'static str,
        /// The resource referred to.
        resource: String,
    },
    /// A reference that leads back to where it begins.
    #[error("{}: this leads back to where it begins; leave one of these references out", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// Another resource refers to this one.
    #[error("{resource} is still referred to by {referrer}; change or delete that first")]
    InUse {
        /// The resource.
        resource: String,
        /// One that refers to it.
        referrer: String,
    },
    /// The request id was used for something else.
    #[error("request_id {0} was used for another request; make a new id for each request")]
    RequestIdReused(uuid::Uuid),
    /// History before this is no longer kept.
    #[error("revision {asked} is no longer kept; the earliest is {earliest}")]
    Expired {
        /// The revision asked for.
        asked: i64,
        /// The earliest that can be read.
        earliest: i64,
    },
    /// The revision has not happened.
    #[error("revision {asked} has not happened yet; the current one is {current}")]
    Future {
        /// The revision asked for.
        asked: i64,
        /// The workspace's revision.
        current: i64,
    },
    /// A stored row breaks an invariant.
    #[error("table {table}, column {column}, row {workspace}/{id}: {problem}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The workspace's id.
        workspace: String,
        /// The row's id.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A bug of this program, which its caller cannot mend. It is found in the log by an incident id.
    #[error("bug: {0}")]
    Bug(String),
    /// The database's schema is not one this program can work with.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DbErr),
    /// The commit was not confirmed: that of the transaction which this write shared with others failed, or the
    /// database does not answer. Whether it happened, the next read tells.
    #[error("the database did not confirm the commit")]
    Unconfirmed(#[source] Option<Arc<DbErr>>),
    /// The write's turn did not come, or no connection was free, in time.
    #[error("the database was too busy to begin within {0:?}")]
    Busy(Duration),
}

impl Error {
    /// A domain error, for use in `map_err`.
    pub fn rule(error: impl Failure + Send + Sync + 'static) -> Self {
        Self::Rule(Box::new(error))
    }

    /// A bug, described by what is not as it must be.
    pub fn bug(what: impl Display) -> Self {
        Self::Bug(what.to_string())
    }

    /// Whether, in a batch, it is the row that failed, and not the database.
    pub(crate) fn is_of_the_row(&self) -> bool {
        !matches!(self, Self::Database(_) | Self::Unconfirmed(_) | Self::Busy(_))
    }

    /// Whether trying the same again later may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind(), FailureKind::Unavailable | FailureKind::Overloaded)
    }
}

impl Failure for Error {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Rule(inner) => inner.kind(),
            Self::Row { error, .. } => error.kind(),
            Self::Invalid(inner) => inner.kind(),
            Self::Mask(inner) => inner.kind(),
            Self::Filter(inner) => inner.kind(),
            Self::Order(inner) => inner.kind(),
            Self::Page(inner) => inner.kind(),
            Self::NotFound(_) | Self::Deleted(_) => FailureKind::NotFound,
            Self::Exists(_) => FailureKind::AlreadyExists,
            Self::NotDeleted(_) | Self::Reference { .. } | Self::Cycle(_) | Self::InUse { .. } => FailureKind::Refused,
            Self::Stale { .. } => FailureKind::Stale,
            Self::RequestIdReused(_) | Self::Future { .. } => FailureKind::Invalid,
            Self::Expired { .. } => FailureKind::OutOfRange,
            Self::Damaged { .. } | Self::Bug(_) => FailureKind::Bug,
            Self::Database(error) if is_bug(error) => FailureKind::Bug,
            Self::Schema(error) if !error.is_passing() => FailureKind::Bug,
            Self::Database(_) | Self::Unconfirmed(_) | Self::Busy(_) | Self::Schema(_) => FailureKind::Unavailable,
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Rule(inner) => inner.reason(),
            Self::Row { error, .. } => error.reason(),
            Self::Invalid(inner) => inner.reason(),
            Self::Mask(inner) => inner.reason(),
            Self::Filter(inner) => inner.reason(),
            Self::Order(inner) => inner.reason(),
            Self::Page(inner) => inner.reason(),
            Self::NotFound(_) | Self::Deleted(_) => Reason::ResourceNotFound,
            Self::Exists(_) => Reason::ResourceExists,
            Self::NotDeleted(_) => Reason::StateConflict,
            Self::Stale { .. } => Reason::EtagMismatch,
            Self::Reference { .. } => Reason::ReferenceNotFound,
            Self::Cycle(_) => Reason::Cycle,
            Self::InUse { .. } => Reason::ResourceInUse,
            Self::RequestIdReused(_) => Reason::RequestIdReused,
            Self::Expired { .. } => Reason::RevisionExpired,
            Self::Future { .. } => Reason::RevisionInFuture,
            Self::Damaged { .. } | Self::Bug(_) => Reason::Internal,
            Self::Database(error) if is_bug(error) => Reason::Internal,
            Self::Schema(error) if !error.is_passing() => Reason::Internal,
            Self::Database(_) | Self::Unconfirmed(_) | Self::Busy(_) | Self::Schema(_) => Reason::Unavailable,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Rule(inner) => inner.metadata(),
            Self::Row { error, .. } => error.metadata(),
            Self::Filter(inner) => inner.metadata(),
            Self::NotFound(resource) | Self::Exists(resource) | Self::Deleted(resource) => {
                vec![("resource", resource.clone())]
            }
            Self::NotDeleted(resource) => {
                vec![("resource", resource.clone()), ("state", "LIVE".into()), ("action", "undelete".into())]
            }
            Self::Stale { resource, current, .. } => vec![("resource", resource.clone()), ("etag", current.clone())],
            Self::Reference { field, resource } => vec![("field", (*field).to_owned()), ("resource", resource.clone())],
            Self::Cycle(cycle) => vec![("cycle", cycle.join(" -> "))],
            Self::InUse { resource, referrer } => vec![("resource", resource.clone()), ("referrer", referrer.clone())],
            Self::RequestIdReused(id) => vec![("request_id", id.to_string())],
            Self::Expired { earliest, .. } => vec![("earliest_revision", earliest.to_string())],
            Self::Future { current, .. } => vec![("revision", current.to_string())],
            Self::Invalid(_)
            | Self::Mask(_)
            | Self::Order(_)
            | Self::Page(_)
            | Self::Damaged { .. }
            | Self::Bug(_)
            | Self::Schema(_)
            | Self::Database(_)
            | Self::Unconfirmed(_)
            | Self::Busy(_) => Vec::new(),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Rule(inner) => inner.violations(),
            Self::Row { index, error } => error
                .violations()
                .into_iter()
                .map(|v| Violation { field: format!("requests[{index}].{}", v.field), description: v.description })
                .collect(),
            Self::Invalid(inner) => inner.violations(),
            Self::Mask(inner) => inner.violations(),
            Self::Filter(inner) => inner.violations(),
            Self::Order(inner) => inner.violations(),
            Self::Page(inner) => inner.violations(),
            Self::NotDeleted(_) | Self::Reference { .. } | Self::Cycle(_) | Self::InUse { .. } => {
                vec![Violation { field: self.reason().name().to_lowercase(), description: self.to_string() }]
            }
            Self::NotFound(_)
            | Self::Exists(_)
            | Self::Deleted(_)
            | Self::Stale { .. }
            | Self::RequestIdReused(_)
            | Self::Expired { .. }
            | Self::Future { .. }
            | Self::Damaged { .. }
            | Self::Bug(_)
            | Self::Schema(_)
            | Self::Database(_)
            | Self::Unconfirmed(_)
            | Self::Busy(_) => Vec::new(),
        }
    }
}

/// Whether PostgreSQL refused to divide by zero.
pub(crate) fn is_division_by_zero(error: &DbErr) -> bool {
    let code = of_driver(error).and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("22012")
}

fn of_driver(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// A statement the database rejects is a bug; a database that cannot serve is an outage.
fn is_bug(error: &DbErr) -> bool {
    if let Some(error) = of_driver(error) {
        return match error {
            sqlx::Error::Database(error) => !is_outage_code(error.code().as_deref().unwrap_or_default()),
            // The connection, the pool or the protocol gave way.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => false,
            _ => true,
        };
    }
    !matches!(error, DbErr::ConnectionAcquire(_))
}

/// PostgreSQL's SQLSTATE classes of connection, resources, operator intervention, system and rolled-back transactions,
/// its read-only, idle-transaction and lock errors; and SQLite's busy, locked, out of memory, read-only, input-output,
/// full, cannot open.
fn is_outage_code(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class))
            || matches!(code, "25006" | "25P03" | "55P03");
    }
    // SQLite's extended codes carry the primary one in the low byte.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_told_from_bugs_by_code() {
        for code in ["57014", "53300", "08006", "25006", "25P03", "55P03", "40P01", "5", "13", "778"] {
            assert!(is_outage_code(code), "{code}");
        }
        for code in ["42601", "23505", "22P02", "1", "19", ""] {
            assert!(!is_outage_code(code), "{code}");
        }
    }
}

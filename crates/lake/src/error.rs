//! Why the lake refused or failed, in words a caller can act on. Errors are cloneable because one failed commit answers
//! many callers.

use std::error::Error;
use std::sync::Arc;

/// Any failure of the lake.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The root is not a path or URL the lake can store at.
    #[error("cannot use {location} as the lake's root: {reason}")]
    InvalidLocation {
        /// What was given.
        location: String,
        /// What is wrong with it and what to give instead.
        reason: String,
    },
    /// A workspace id that cannot be a folder name.
    #[error("workspace {0:?} must be 1 to 63 characters of a-z, 0-9, '-' or '_'")]
    InvalidWorkspace(String),
    /// An event that has no place in a table.
    #[error("event {index} ({event_id:?}): {reason}")]
    InvalidEvent {
        /// Position in the batch.
        index: usize,
        /// The event's own id.
        event_id: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A query that has no answer.
    #[error("{0}")]
    InvalidQuery(String),
    /// More waits to be committed than the lake keeps in memory.
    #[error(
        "{queued} {unit} wait to be committed and {offered} more would exceed the limit of {limit}: retry after a moment"
    )]
    Overloaded {
        /// `rows` or `bytes`: what there is too much of.
        unit: &'static str,
        /// How many already wait.
        queued: usize,
        /// How many the refused batch has.
        offered: usize,
        /// The configured limit.
        limit: usize,
    },
    /// The lake is shutting down.
    #[error("the event lake is shutting down: send the batch to another replica or retry after the restart")]
    Closed,
    /// Another writer rewrote the same files first; the operation can be tried again.
    #[error("another writer changed the files being rewritten: try again")]
    Conflict,
    /// Storage or an engine failed.
    #[error("cannot {action}: {source}")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// The cause.
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl LakeError {
    /// `map_err(LakeError::failed("write a Parquet file"))`.
    pub(crate) fn failed<E: Error + Send + Sync + 'static>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Failed { action, source: Arc::new(source) }
    }

    /// A failure that is told in words only.
    pub(crate) fn told(action: &'static str, reason: impl Into<String>) -> Self {
        Self::Failed { action, source: Arc::from(Box::<dyn Error + Send + Sync>::from(reason.into())) }
    }
}

/// Shorthand used throughout the crate.
pub(crate) type Result<T> = std::result::Result<T, LakeError>;

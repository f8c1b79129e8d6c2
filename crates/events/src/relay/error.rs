//! What keeps a relay from publishing.

use waymark_store::Error as StoreError;

/// Why a round of relaying ended early; the next round resumes where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The database.
    #[error("reading the log")]
    Store(#[from] StoreError),
    /// The broker.
    #[error("publishing to JetStream: {0}")]
    Broker(String),
}

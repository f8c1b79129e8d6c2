//! Where a service keeps what it decided: in its own database, out of which it tells it to who administers the workspace.

use std::fmt;

use futures::future::BoxFuture;
use waymark_runtime::audit::{AuditEntry, Sink};
use waymark_store::Store;

/// Entries that are kept in a store.
pub(crate) struct Auditing(pub Store);

impl Sink for Auditing {
    fn keep<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move { Ok(self.0.add_audit(entries).await?) })
    }
}

impl fmt::Debug for Auditing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auditing")
    }
}

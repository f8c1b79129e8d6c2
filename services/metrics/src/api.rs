//! The service's RPCs beside the standard methods. A handler parses, makes one call and answers; rules are the domain's, transactions the store's.

mod analysis;
mod ingestion;
mod metrics;
mod outcomes;

use std::sync::Arc;

use waymark_lake::Lake;
use waymark_store::Store;

use crate::tracking::Tracking;

/// What the handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Metrics, predictions, outcomes, frictions and the log.
    pub store: Store,
    /// Product events.
    pub lake: Lake,
    /// What is expected of them.
    pub tracking: Arc<Tracking>,
}

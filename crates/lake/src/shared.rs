//! What tasks of the lake share with its handles: the store, the engine, and the limits on what may wait.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use crate::metrics::Counters;
use crate::options::LakeOptions;
use crate::scan::Engine;
use crate::storage::Root;

/// What tasks of the lake share with its handles.
pub(crate) struct Shared {
    pub options: LakeOptions,
    pub root: Root,
    pub engine: Engine,
    pub counters: Counters,
    /// One permit per row that may wait.
    pub queue: Arc<Semaphore>,
    /// One permit per byte that may wait.
    pub queue_bytes: Arc<Semaphore>,
    pub tasks: TaskTracker,
    /// Told after every commit, for maintenance.
    pub committed: Notify,
}

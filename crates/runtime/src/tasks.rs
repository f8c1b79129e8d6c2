//! Background tasks: named, counted, waited for at the end, and never dead unnoticed.
//!
//! A task that panics makes `/livez` fail, so that whatever supervises the process restarts it; a silently missing
//! relay would be worse than a restart.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::panic;

/// Spawns tasks and waits for them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    dead: Arc<Mutex<Vec<String>>>,
}

impl Tasks {
    /// No task yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` in the background. It must end by itself once shutdown has begun or, if calls need it, once they are
    /// drained; [`Tasks::finish`] waits for it.
    pub fn spawn(&self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        let (dead, name) = (Arc::clone(&self.dead), name.into());
        let span = tracing::info_span!("task", task = %name);
        let watched = async move {
            if let Err(caught) = AssertUnwindSafe(task).catch_unwind().await {
                let said = panic::message(&*caught);
                tracing::error!(panic = said, "background task panicked; the process reports itself dead");
                dead.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            }
        };
        self.tracker.spawn(watched.instrument(span));
    }

    /// Runs `task` for as long as the process lives; nothing waits for it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one detached spawn: tasks that outlive the drain, such as the signal handler"
    )]
    pub fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(task));
    }

    /// Names of the tasks that panicked.
    pub fn dead(&self) -> Vec<String> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for all tasks, at most `limit`. Returns how many were still running.
    pub async fn finish(&self, limit: Duration) -> usize {
        self.tracker.close();
        match tokio::time::timeout(limit, self.tracker.wait()).await {
            Ok(()) => 0,
            Err(_) => self.tracker.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_is_named_and_others_are_waited_for() {
        let tasks = Tasks::new();
        tasks.spawn("relay", async { panic!("broken") });
        tasks.spawn("endless", std::future::pending());
        assert_eq!(tasks.finish(Duration::from_millis(200)).await, 1);
        assert_eq!(tasks.dead(), ["relay"]);
    }
}

//! The newest revision of each workspace, as far as this process knows: what wakes relays, watches and the in-process
//! bus.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Newest known revisions. A commit of this process moves them at once; [`Store::poll_heads`](crate::Store::poll_heads)
/// finds those of other processes.
#[derive(Clone)]
pub struct Heads {
    workspaces: Arc<Mutex<HashMap<String, watch::Sender<i64>>>>,
    any: watch::Sender<u64>,
}

impl Default for Heads {
    fn default() -> Self {
        Self { workspaces: Arc::default(), any: watch::Sender::new(0) }
    }
}

impl Heads {
    /// A receiver of the workspace's newest revision; 0 until one is known.
    pub fn subscribe(&self, workspace: &str) -> watch::Receiver<i64> {
        self.with(workspace, watch::Sender::subscribe)
    }

    /// A receiver that changes whenever any workspace moves.
    pub fn subscribe_any(&self) -> watch::Receiver<u64> {
        self.any.subscribe()
    }

    /// Tells that `workspace` has reached `revision`; an older revision changes nothing.
    pub fn observe(&self, workspace: &str, revision: i64) {
        let moved = self.with(workspace, |sender| {
            sender.send_if_modified(|known| {
                let moved = revision > *known;
                *known = revision.max(*known);
                moved
            })
        });
        if moved {
            self.any.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    fn with<T>(&self, workspace: &str, f: impl FnOnce(&watch::Sender<i64>) -> T) -> T {
        // A panic while holding the lock leaves a usable map: every step keeps it whole.
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        match workspaces.get(workspace) {
            Some(sender) => f(sender),
            None => f(workspaces.entry(workspace.to_owned()).or_insert_with(|| watch::Sender::new(0))),
        }
    }
}

//! Reactions that are committed together: those to events of one workspace that wait, one after the other in one turn,
//! hence with one commit. While they are at work nobody else writes to the workspace.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::timeout;
use waymark_domain::WorkspaceId;
use waymark_request::Call;

use crate::turn::Turn;
use crate::{Error, Store, Write};

/// Reactions to events of one workspace that are committed together, or none of them. It is for those who can do each
/// by itself when that fails. One that is dropped before it is committed is undone.
#[derive(Clone)]
pub struct Together {
    store: Store,
    workspace: WorkspaceId,
    state: Arc<Mutex<State>>,
}

enum State {
    /// Nobody has reacted yet.
    Idle,
    /// What was done so far, and the last revision that is to be kept, if any is.
    Open(Turn, Option<i64>),
    /// A reaction failed, or all is committed.
    Over,
}

impl Store {
    /// For reactions to events of `workspace`. It takes the workspace's lock when the first begins.
    pub fn together(&self, workspace: &WorkspaceId) -> Together {
        Together { store: self.clone(), workspace: workspace.clone(), state: Arc::new(Mutex::new(State::Idle)) }
    }
}

impl Together {
    /// Does one more. Its caller must not write to the database elsewhere before all are committed. When it fails,
    /// nothing is kept of those before it either.
    pub(crate) async fn react<F>(&self, call: &Call, work: F) -> Result<(), Error>
    where
        F: AsyncFnOnce(&mut Write) -> Result<(), Error>,
    {
        let mut state = self.state.lock().await;
        let (turn, kept) = match std::mem::replace(&mut *state, State::Over) {
            State::Idle => (self.store.turn(self.workspace.id()).await?, None),
            State::Open(turn, kept) => (turn, kept),
            State::Over => return Err(Error::Unconfirmed(None)),
        };
        let mut write = Write::new(&self.store, &self.workspace, call, turn);
        // On the heap, as work holds messages and is moved about before it runs.
        let done = timeout(self.store.patience, Box::pin(write.run(work))).await;
        let done = done.unwrap_or(Err(Error::Busy(self.store.patience)))?;
        *state = State::Open(write.into_turn(), done.kept.or(kept));
        Ok(())
    }

    /// Commits what was done. When it fails nothing is known to be kept.
    pub async fn commit(self) -> Result<(), Error> {
        match std::mem::replace(&mut *self.state.lock().await, State::Over) {
            State::Idle => Ok(()),
            State::Open(turn, kept) => turn.finish(kept.map(|revision| (self.workspace, revision))).await,
            State::Over => Err(Error::Unconfirmed(None)),
        }
    }
}

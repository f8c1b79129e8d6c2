//! A turn: the right of one write to work in an open transaction, and who waits for it. How turns share a transaction is
//! in `group_commit`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr, QueryResult, Statement};
use tokio::sync::oneshot;
use waymark_domain::WorkspaceId;

use crate::Error;

/// A write that waits for its turn.
pub(crate) type Waiting = oneshot::Sender<Result<Turn, Error>>;

/// Who waits for which lock.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Keys>>);

#[derive(Default)]
struct Keys {
    /// Those that wait; a key is there while a task serves it.
    waiting: HashMap<String, VecDeque<Waiting>>,
    /// Keys under which a write is at work that needs no turn.
    alone: HashSet<String>,
    /// Keys for which more than one came since [`Turns::alone`] last asked.
    contended: HashSet<String>,
}

/// One write's turn: an open transaction, its to use until it gives it back.
pub(crate) struct Turn {
    /// There until the turn ends.
    transaction: Option<DatabaseTransaction>,
    back: Option<oneshot::Sender<Ended>>,
    /// A statement failed.
    failed: bool,
}

/// A turn that ended, and the transaction as it left it.
pub(crate) struct Ended {
    pub transaction: DatabaseTransaction,
    /// The workspace and the revision that are to be committed; what was done is undone when there are none.
    pub kept: Option<(WorkspaceId, i64)>,
    /// Who wants to know what became of the commit; nobody does when the turn was abandoned.
    pub tell: Option<oneshot::Sender<Committed>>,
}

/// Whether a commit was confirmed; an error of the database, or none when it did not answer in time.
pub(crate) type Committed = Result<(), Option<Arc<DbErr>>>;

/// A write that needs no turn is at work under the key, until this is dropped.
pub(crate) struct Alone<'a> {
    turns: &'a Turns,
    key: &'a str,
}

impl Turn {
    /// A turn in `transaction`, and where it is given back when the turn ends. It does so also when it is dropped, as by
    /// one that has given up.
    pub(crate) fn new(transaction: DatabaseTransaction) -> (Self, oneshot::Receiver<Ended>) {
        let (back, ended) = oneshot::channel();
        (Self { transaction: Some(transaction), back: Some(back), failed: false }, ended)
    }

    pub(crate) async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, Error> {
        let result = self.transaction()?.query_one_raw(statement).await;
        self.noting(result)
    }

    pub(crate) async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, Error> {
        let result = self.transaction()?.query_all_raw(statement).await;
        self.noting(result)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        let result = self.transaction()?.execute_raw(statement).await;
        Ok(self.noting(result)?.rows_affected())
    }

    /// Refuses a write that went on after a statement of it failed: PostgreSQL takes the COMMIT of such a transaction,
    /// rolls back and reports no error.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.failed { Err(Error::bug("a statement failed and the write went on")) } else { Ok(()) }
    }

    /// Ends the turn: what was done is kept as a revision of a workspace, or undone. Returns when that is committed,
    /// and what the write found, which may be of the writes before it.
    pub(crate) async fn finish(mut self, kept: Option<(WorkspaceId, i64)>) -> Result<(), Error> {
        let (tell, committed) = oneshot::channel();
        self.end(kept, Some(tell));
        match committed.await {
            Ok(committed) => committed.map_err(Error::Unconfirmed),
            // The task that serves the key went away, as it does when the process ends.
            Err(_) => Err(Error::Unconfirmed(None)),
        }
    }

    fn end(&mut self, kept: Option<(WorkspaceId, i64)>, tell: Option<oneshot::Sender<Committed>>) {
        if let (Some(transaction), Some(back)) = (self.transaction.take(), self.back.take()) {
            // Nobody takes it when the process ends: it is rolled back then.
            let _ = back.send(Ended { transaction, kept, tell });
        }
    }

    fn transaction(&self) -> Result<&DatabaseTransaction, Error> {
        self.transaction.as_ref().ok_or_else(|| Error::bug("a turn is used after its end"))
    }

    fn noting<T>(&mut self, result: Result<T, DbErr>) -> Result<T, Error> {
        self.failed |= result.is_err();
        Ok(result?)
    }
}

/// Only a write that is abandoned ends its turn so.
impl Drop for Turn {
    fn drop(&mut self) {
        self.end(None, None);
    }
}

impl Turns {
    /// Queues a write; true when a task has to be started that serves the key.
    pub(crate) fn wait(&self, key: &str, waiting: Waiting) -> bool {
        let mut keys = self.keys();
        if keys.waiting.contains_key(key) || keys.alone.contains(key) {
            keys.contended.insert(key.to_owned());
        }
        if let Some(queue) = keys.waiting.get_mut(key) {
            queue.push_back(waiting);
            return false;
        }
        keys.waiting.insert(key.to_owned(), VecDeque::from([waiting]));
        true
    }

    /// The next that waits for a transaction that is open.
    pub(crate) fn next(&self, key: &str) -> Option<Waiting> {
        self.keys().waiting.get_mut(key).and_then(VecDeque::pop_front)
    }

    /// The next that waits; when there is none, the key is no longer served.
    pub(crate) fn next_or_leave(&self, key: &str) -> Option<Waiting> {
        let mut keys = self.keys();
        let next = keys.waiting.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() {
            keys.waiting.remove(key);
        }
        next
    }

    pub(crate) fn alone<'a>(&'a self, key: &'a str) -> Option<Alone<'a>> {
        let mut keys = self.keys();
        let free = !keys.waiting.contains_key(key) && !keys.contended.remove(key) && keys.alone.insert(key.to_owned());
        free.then(|| Alone { turns: self, key })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        // A panic while holding the lock leaves usable keys: every step keeps them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.turns.keys().alone.remove(self.key);
    }
}

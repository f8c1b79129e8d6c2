//! Turns: writes that wait for the same lock share one transaction, hence one sync of the disk.
//!
//! A workspace's writes run one after another, on SQLite those of all workspaces. While anybody waits, one task serves
//! the key: it begins a transaction, lends it to the first that waits, takes it back, lends it to the next behind a
//! savepoint, and at last commits once and tells all. A write that fails, changes nothing or is abandoned by its caller
//! is undone to its savepoint, and the others go on. Nobody is answered before the commit, since what a write found may
//! be another's that is not committed yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, QueryResult, SqliteTransactionMode, StatementBuilder,
    TransactionOptions, TransactionTrait as _,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{Error, Store};

/// Writes of one transaction at most.
const WRITES: u32 = 32;
/// A transaction this old is not lent again, lest writes that are done wait long for those that come.
const AGE: Duration = Duration::from_millis(50);

/// A write that waits for its turn.
type Waiting = oneshot::Sender<Result<Turn, Error>>;

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
struct Ended {
    transaction: DatabaseTransaction,
    /// The workspace and the revision that are to be committed; what was done is undone when there are none.
    kept: Option<(String, i64)>,
    /// Who wants to know what became of the commit; nobody does when the turn was abandoned.
    tell: Option<oneshot::Sender<Committed>>,
}

/// Whether a commit was confirmed; an error of the database, or none when it did not answer in time.
type Committed = Result<(), Option<Arc<DbErr>>>;

/// The writes that one transaction has.
#[derive(Default)]
struct Group {
    kept: Vec<(String, i64)>,
    tell: Vec<oneshot::Sender<Committed>>,
}

/// A write that needs no turn is at work under the key, until this is dropped.
pub(crate) struct Alone<'a> {
    turns: &'a Turns,
    key: &'a str,
}

impl Store {
    /// Waits for the turn of a write of `workspace`.
    pub(crate) async fn turn(&self, workspace: &str) -> Result<Turn, Error> {
        let key = self.key(workspace);
        let (waiting, turn) = oneshot::channel();
        if self.turns.wait(key, waiting) {
            self.tasks.spawn(serve(self.clone(), key.to_owned()));
        }
        match timeout(self.acquire_timeout, turn).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => Err(Error::Busy(self.acquire_timeout)),
        }
    }

    /// Leave to write without a turn; `None` where writes meet: they do better in one transaction.
    pub(crate) fn alone<'a>(&'a self, workspace: &'a str) -> Option<Alone<'a>> {
        self.turns.alone(self.key(workspace))
    }

    /// What writes of `workspace` wait for.
    fn key<'a>(&self, workspace: &'a str) -> &'a str {
        if self.backend() == DbBackend::Postgres { workspace } else { "" }
    }

    async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        let immediate = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() };
        let writer = self.writer.clone();
        let mut begin = Box::pin(async move { writer.begin_with_options(options).await });
        if let Ok(begun) = timeout(self.patience, &mut begin).await {
            return begun.map_err(|error| self.error(error));
        }
        // Dropped half-way, the driver would give the connection back with the transaction open and unnoticed.
        self.tasks.spawn(begin);
        Err(Error::Busy(self.patience))
    }
}

/// Serves a key until nobody waits.
async fn serve(store: Store, key: String) {
    while let Some(first) = store.turns.next_or_leave(&key) {
        let mut first = Some(first);
        while let Some(waiting) = first {
            first = share(&store, &key, waiting).await;
        }
    }
}

/// One transaction for the write that waits and for those behind it. Gives back one that waits for another transaction
/// because this one broke.
async fn share(store: &Store, key: &str, first: Waiting) -> Option<Waiting> {
    let mut transaction = match store.begin().await {
        Ok(transaction) => transaction,
        Err(error) => {
            // Who has gone need not be told.
            let _ = first.send(Err(error));
            return None;
        }
    };
    let began = Instant::now();
    let mut group = Group::default();
    let mut waiting = first;
    let mut savepoint = 0;
    loop {
        let ended = lend(transaction, waiting).await?;
        transaction = ended.transaction;
        group.tell.extend(ended.tell);
        let undo = ended.kept.is_none();
        group.kept.extend(ended.kept);
        if group.kept.is_empty() {
            // There is nothing to commit, and nothing that was found will be undone.
            group.told(&Ok(()));
            // Dropping it rolls it back, once it has answered the statement in which the write may have been abandoned.
            return None;
        }
        if undo && let Err(error) = in_time(store, undone(&transaction, savepoint)).await {
            group.told(&Err(error));
            return None;
        }
        savepoint += 1;
        let full = savepoint >= WRITES || began.elapsed() > AGE;
        let Some(next) = (!full).then(|| store.turns.next(key)).flatten() else { break };
        // Each has a name of its own: undoing to it cannot undo to another by mistake.
        let name = format!("SAVEPOINT write_{savepoint}");
        if let Err(error) = in_time(store, transaction.execute_unprepared(&name)).await {
            group.told(&Err(error));
            return Some(next);
        }
        waiting = next;
    }
    commit(store, transaction, group).await;
    None
}

/// Lends the transaction to one that waits, until its turn ends. One that has given up waiting, or gives up in its turn,
/// drops it, which gives it back.
async fn lend(transaction: DatabaseTransaction, waiting: Waiting) -> Option<Ended> {
    let (back, ended) = oneshot::channel();
    let turn = Turn { transaction: Some(transaction), back: Some(back), failed: false };
    drop(waiting.send(Ok(turn)));
    ended.await.ok()
}

/// Undoes what was done behind the savepoint, which stays; savepoint 0 stands for the beginning, which is not undone.
async fn undone(transaction: &DatabaseTransaction, savepoint: u32) -> Result<(), DbErr> {
    let undo = format!("ROLLBACK TO SAVEPOINT write_{savepoint}");
    if transaction.execute_unprepared(&undo).await.is_err() {
        // On PostgreSQL that may be the late answer to the statement in which the last write was abandoned; nothing was
        // sent then.
        transaction.execute_unprepared(&undo).await?;
    }
    Ok(())
}

async fn commit(store: &Store, transaction: DatabaseTransaction, group: Group) {
    fail::fail_point!("store-before-commit", |_| std::process::abort());
    let committed = in_time(store, transaction.commit()).await;
    match &committed {
        Ok(()) => {
            fail::fail_point!("store-after-commit", |_| std::process::abort());
            for (workspace, revision) in &group.kept {
                store.heads().observe(workspace, *revision);
            }
        }
        Err(error) => {
            let error = error.as_deref().map_or("no answer".to_owned(), ToString::to_string);
            tracing::warn!(error, writes = group.kept.len(), "the database did not confirm a commit");
        }
    }
    group.told(&committed);
}

/// A network that swallows packets must not keep the key.
async fn in_time<T>(store: &Store, answer: impl Future<Output = Result<T, DbErr>>) -> Result<T, Option<Arc<DbErr>>> {
    match timeout(store.patience, answer).await {
        Ok(answer) => answer.map_err(|error| Some(Arc::new(error))),
        Err(_) => Err(None),
    }
}

impl Group {
    fn told(self, committed: &Committed) {
        for tell in self.tell {
            // Who has gone need not be told.
            let _ = tell.send(committed.clone());
        }
    }
}

impl Turn {
    pub(crate) async fn one(&mut self, statement: &impl StatementBuilder) -> Result<Option<QueryResult>, Error> {
        let result = self.transaction()?.query_one(statement).await;
        self.noting(result)
    }

    pub(crate) async fn all(&mut self, statement: &impl StatementBuilder) -> Result<Vec<QueryResult>, Error> {
        let result = self.transaction()?.query_all(statement).await;
        self.noting(result)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, statement: &impl StatementBuilder) -> Result<u64, Error> {
        let result = self.transaction()?.execute(statement).await;
        Ok(self.noting(result)?.rows_affected())
    }

    /// Refuses a write that went on after a statement of it failed: PostgreSQL takes the COMMIT of such a transaction,
    /// rolls back and reports no error.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.failed { Err(Error::bug("a statement failed and the write went on")) } else { Ok(()) }
    }

    /// Ends the turn: what was done is kept as a revision of a workspace, or undone. Returns when that is committed,
    /// and what the write found, which may be of the writes before it.
    pub(crate) async fn finish(mut self, kept: Option<(String, i64)>) -> Result<(), Error> {
        let (tell, committed) = oneshot::channel();
        self.end(kept, Some(tell));
        match committed.await {
            Ok(committed) => committed.map_err(Error::Unconfirmed),
            // The task that serves the key went away, as it does when the process ends.
            Err(_) => Err(Error::Unconfirmed(None)),
        }
    }

    fn end(&mut self, kept: Option<(String, i64)>, tell: Option<oneshot::Sender<Committed>>) {
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
    fn wait(&self, key: &str, waiting: Waiting) -> bool {
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
    fn next(&self, key: &str) -> Option<Waiting> {
        self.keys().waiting.get_mut(key).and_then(VecDeque::pop_front)
    }

    /// The next that waits; when there is none, the key is no longer served.
    fn next_or_leave(&self, key: &str) -> Option<Waiting> {
        let mut keys = self.keys();
        let next = keys.waiting.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() {
            keys.waiting.remove(key);
        }
        next
    }

    fn alone<'a>(&'a self, key: &'a str) -> Option<Alone<'a>> {
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

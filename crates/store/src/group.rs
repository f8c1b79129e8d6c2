//! Group commit: writes that wait for the same lock share one transaction, hence one sync of the disk.
//!
//! A workspace's writes run one after another, on SQLite those of all workspaces. The first begins a transaction. When
//! its work is done it hands the open transaction to the next that waits, which sets a savepoint and does its work
//! behind it; after the last it is committed for all. A write that fails, changes nothing or is abandoned by its caller
//! is undone to its savepoint, and the others go on. Nobody is answered before the commit, since what a write found may
//! be another's that is not committed yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::sql::Sql;
use crate::{Error, Heads, Store};

/// Writes of one transaction at most.
const WRITES: u32 = 32;
/// A transaction this old is not handed on, lest writes that are done wait long for those that come.
const AGE: Duration = Duration::from_millis(50);

/// Whether the commit that an answer waits for succeeded.
pub(crate) type Outcome = Result<(), Arc<DbErr>>;

/// Who waits for which lock.
#[derive(Clone, Default)]
pub(crate) struct Groups(Arc<Mutex<Queues>>);

#[derive(Default)]
struct Queues {
    /// A key is there while somebody holds its seat or commits.
    waiting: HashMap<String, VecDeque<oneshot::Sender<Seat>>>,
    /// Keys that somebody waited for since their seat was last asked for by [`Groups::enter_alone`].
    crowded: HashSet<String>,
}

/// The right to write: held by one at a time for each key. Dropping it hands it on, or commits.
pub(crate) struct Seat {
    groups: Groups,
    heads: Heads,
    key: String,
    /// How long the database may take to commit.
    patience: Duration,
    /// Dropping hands on; false once that is done.
    held: bool,
    group: Option<Group>,
}

/// An open transaction, as one write uses it.
pub(crate) struct Transaction {
    inner: Arc<DatabaseTransaction>,
    backend: DbBackend,
    failed: bool,
}

/// An open transaction and those who wait for its commit.
struct Group {
    transaction: Arc<DatabaseTransaction>,
    began: Instant,
    /// Number of the last savepoint; 0 while the first write is at work.
    savepoint: u32,
    /// What was done behind the last savepoint is not to be kept.
    undo: bool,
    /// The revisions that are to be committed.
    kept: Vec<(String, i64)>,
    waiting: Vec<oneshot::Sender<Outcome>>,
}

impl Store {
    /// Waits for the turn of a write of `workspace`.
    pub(crate) async fn seat(&self, workspace: &str) -> Result<Seat, Error> {
        let key = self.key(workspace);
        match self.groups.enter(key) {
            None => Ok(self.taken_seat(key)),
            Some(turn) => match tokio::time::timeout(self.acquire_timeout, turn).await {
                Ok(Ok(seat)) => Ok(seat),
                Ok(Err(_)) | Err(_) => Err(Error::Busy(self.acquire_timeout)),
            },
        }
    }

    /// The same for a write that keeps its transaction to itself. `None` where writes meet: they do better in one
    /// transaction.
    pub(crate) fn lone_seat(&self, workspace: &str) -> Option<Seat> {
        let key = self.key(workspace);
        self.groups.enter_alone(key).then(|| self.taken_seat(key))
    }

    /// What writes of `workspace` wait for.
    fn key<'a>(&self, workspace: &'a str) -> &'a str {
        if self.backend() == DbBackend::Postgres { workspace } else { "" }
    }

    fn taken_seat(&self, key: &str) -> Seat {
        Seat {
            groups: self.groups.clone(),
            heads: self.heads().clone(),
            key: key.to_owned(),
            patience: self.patience,
            held: true,
            group: None,
        }
    }

    /// The transaction to work in: begun, or as the writes before left it, behind a savepoint.
    pub(crate) async fn take_transaction(&self, seat: &mut Seat) -> Result<Transaction, Error> {
        let using = |inner| Transaction { inner, backend: self.backend(), failed: false };
        // The group stays in its seat meanwhile: were this write abandoned here, the others would go on without it.
        if let Some(group) = &mut seat.group {
            match group.prepare().await {
                Ok(()) => return Ok(using(group.transaction.clone())),
                Err(error) => {
                    // Nothing of that transaction can be saved any more; this write begins another.
                    let waiting = seat.group.take().map(|group| group.waiting).unwrap_or_default();
                    tell(waiting, &Err(Arc::new(error)));
                }
            }
        }
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let writer = self.writer.clone();
        let begin = Begin(Some(Box::pin(async move { writer.begin_with_options(options).await })));
        let transaction = Arc::new(begin.await.map_err(|e| self.error(e))?);
        seat.group = Some(Group {
            transaction: transaction.clone(),
            began: Instant::now(),
            savepoint: 0,
            undo: true,
            kept: Vec::new(),
            waiting: Vec::new(),
        });
        Ok(using(transaction))
    }
}

/// BEGIN under way. Were it dropped half-way, the driver would give the connection back with the transaction open and
/// unnoticed; so it is finished in the background instead, and what it returns to nobody is rolled back.
struct Begin(Option<Beginning>);

type Beginning = Pin<Box<dyn Future<Output = Result<DatabaseTransaction, DbErr>> + Send>>;

impl Future for Begin {
    type Output = Result<DatabaseTransaction, DbErr>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Never polled again once it is done.
        let Some(begin) = &mut self.0 else { return Poll::Pending };
        let begun = ready!(begin.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(begun)
    }
}

impl Drop for Begin {
    fn drop(&mut self) {
        if let (Some(begin), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(begin.in_current_span());
        }
    }
}

impl Transaction {
    pub(crate) async fn one(&mut self, sql: Sql) -> Result<Option<QueryResult>, DbErr> {
        self.noting(self.inner.query_one_raw(sql.statement(self.backend)).await)
    }

    pub(crate) async fn all(&mut self, sql: Sql) -> Result<Vec<QueryResult>, DbErr> {
        self.noting(self.inner.query_all_raw(sql.statement(self.backend)).await)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, DbErr> {
        self.noting(self.inner.execute_raw(sql.statement(self.backend)).await.map(|done| done.rows_affected()))
    }

    /// Refuses a write that went on after a statement of it failed: PostgreSQL takes the COMMIT of such a transaction,
    /// rolls back and reports no error.
    pub(crate) fn check(&self) -> Result<(), DbErr> {
        if self.failed { Err(DbErr::Custom("a statement failed and the write went on".into())) } else { Ok(()) }
    }

    fn noting<T>(&mut self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        self.failed |= result.is_err();
        result
    }
}

impl Groups {
    /// Takes the seat if it is free, else a place in the queue.
    fn enter(&self, key: &str) -> Option<oneshot::Receiver<Seat>> {
        let mut queues = self.queues();
        if let Some(queue) = queues.waiting.get_mut(key) {
            let (sender, receiver) = oneshot::channel();
            queue.push_back(sender);
            if !queues.crowded.contains(key) {
                queues.crowded.insert(key.to_owned());
            }
            return Some(receiver);
        }
        queues.waiting.insert(key.to_owned(), VecDeque::new());
        None
    }

    /// Takes the seat if it is free and nobody is likely to want it meanwhile.
    fn enter_alone(&self, key: &str) -> bool {
        let mut queues = self.queues();
        let alone = !queues.waiting.contains_key(key) && !queues.crowded.remove(key);
        if alone {
            queues.waiting.insert(key.to_owned(), VecDeque::new());
        }
        alone
    }

    /// The next in the queue. Frees the seat when there is none, unless it is still needed to commit.
    fn next(&self, key: &str, to_commit: bool) -> Option<oneshot::Sender<Seat>> {
        let mut queues = self.queues();
        let next = queues.waiting.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() && !to_commit {
            queues.waiting.remove(key);
        }
        next
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        // A panic while holding the lock leaves usable queues: every step keeps them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Keeps what was done since the seat was taken, as `revision` of `workspace`. Otherwise it is undone.
    pub(crate) fn keep(&mut self, workspace: &str, revision: i64) {
        if let Some(group) = &mut self.group {
            group.undo = false;
            group.kept.push((workspace.to_owned(), revision));
        }
    }

    /// Hands the seat on. What a write saw is true only once the writes before it, and its own if kept, are committed:
    /// the answer tells. `None` when there are none.
    pub(crate) fn wait(mut self) -> Option<oneshot::Receiver<Outcome>> {
        let group = self.group.as_mut().filter(|group| !group.kept.is_empty())?;
        let (sender, receiver) = oneshot::channel();
        group.waiting.push(sender);
        Some(receiver)
    }

    fn successor(&self, group: Option<Group>) -> Self {
        let Self { groups, heads, key, patience, .. } = self;
        Self { groups: groups.clone(), heads: heads.clone(), key: key.clone(), patience: *patience, held: true, group }
    }

    /// Hands the seat on, with the open transaction while there is room in it.
    fn pass(&mut self) {
        // A transaction in which nothing is kept is rolled back by being dropped.
        let mut group = self.group.take().filter(|group| !group.kept.is_empty());
        if !group.as_ref().is_some_and(Group::is_full) {
            while let Some(next) = self.groups.next(&self.key, group.is_some()) {
                let Err(mut back) = next.send(self.successor(group)) else { return };
                // That one has given up waiting.
                back.held = false;
                group = back.group.take();
            }
        }
        let Some(group) = group else { return };
        // Without a runtime nobody waits for an answer any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.groups.queues().waiting.remove(&self.key);
            return;
        };
        let seat = self.successor(None);
        // Not in the task of the last write: were that abandoned, the others would not learn what became of theirs.
        runtime.spawn(commit(seat, group).in_current_span());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if std::mem::take(&mut self.held) {
            self.pass();
        }
    }
}

impl Group {
    fn is_full(&self) -> bool {
        self.savepoint + 1 >= WRITES || self.began.elapsed() > AGE
    }

    /// Makes the transaction ready for the next write: what the last one left is undone, or stays behind a savepoint.
    async fn prepare(&mut self) -> Result<(), DbErr> {
        if self.undo {
            return self.undo().await;
        }
        // Each has a name of its own: undoing to it cannot undo to another by mistake. Counted before it is sent: if
        // this is abandoned half-way, undoing fails rather than undo too much.
        self.savepoint += 1;
        self.undo = true;
        self.transaction.execute_unprepared(&format!("SAVEPOINT write_{}", self.savepoint)).await.map(|_| ())
    }

    /// Undoes what the last write did, if it is not to be kept. The savepoint stays.
    async fn undo(&mut self) -> Result<(), DbErr> {
        if !self.undo {
            return Ok(());
        }
        let undo = format!("ROLLBACK TO SAVEPOINT write_{}", self.savepoint);
        if self.transaction.execute_unprepared(&undo).await.is_err() {
            // On PostgreSQL that may be the late answer to the statement in which the last write was abandoned; nothing
            // was sent then.
            self.transaction.execute_unprepared(&undo).await?;
        }
        Ok(())
    }
}

/// Commits for all who wait, and frees the seat.
async fn commit(seat: Seat, mut group: Group) {
    let (kept, waiting) = (std::mem::take(&mut group.kept), std::mem::take(&mut group.waiting));
    let committed = async {
        group.undo().await?;
        let Group { transaction, .. } = group;
        // A write that still holds the transaction has not ended, though it handed its seat on.
        let transaction = Arc::into_inner(transaction)
            .ok_or_else(|| DbErr::Custom("the transaction is in use at its commit".into()))?;
        fail::fail_point!("store-before-commit", |_| std::process::abort());
        transaction.commit().await
    };
    // A network that swallows packets must not keep the seat taken.
    let outcome = tokio::time::timeout(seat.patience, committed).await;
    let outcome = outcome.unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))).map_err(Arc::new);
    if let Err(error) = &outcome {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            writes = kept.len(),
            "the database did not confirm a commit"
        );
    } else {
        fail::fail_point!("store-after-commit", |_| std::process::abort());
        for (workspace, revision) in kept {
            seat.heads.observe(&workspace, revision);
        }
    }
    drop(seat);
    tell(waiting, &outcome);
}

fn tell(waiting: Vec<oneshot::Sender<Outcome>>, outcome: &Outcome) {
    for waiting in waiting {
        // Who has gone need not be told.
        let _ = waiting.send(outcome.clone());
    }
}

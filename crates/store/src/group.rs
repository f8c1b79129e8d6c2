//! Group commit: writes that wait for the same lock share one transaction, hence one sync of the disk.
//!
//! A workspace's writes run one after another, on SQLite those of all workspaces. The first begins a transaction. When its work is
//! done it hands the open transaction to the next that waits, which sets a savepoint and does its work behind it; the last commits for
//! all. A write that fails, changes nothing or is abandoned by its caller is undone to its savepoint, and the others go on. Nobody is
//! answered before the commit, since what a write found may be another's that is not committed yet.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::{Error, Heads, Store};

/// Writes of one transaction at most.
const WRITES: u32 = 32;
/// A transaction this old is not handed on, so that a slow write delays few others.
const AGE: Duration = Duration::from_millis(10);

/// Whether the commit that an answer waits for succeeded.
pub(crate) type Outcome = Result<(), Arc<DbErr>>;

/// Who waits for which lock. A key is there while somebody holds its seat or commits.
#[derive(Clone, Default)]
pub(crate) struct Groups(Arc<Mutex<HashMap<String, VecDeque<oneshot::Sender<Seat>>>>>);

/// The right to write: held by one at a time for each key. Dropping it hands it on, or commits.
pub(crate) struct Seat {
    groups: Groups,
    heads: Heads,
    key: String,
    /// Dropping hands on; false once that is done.
    held: bool,
    group: Option<Group>,
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
        let key = if self.backend() == DbBackend::Postgres { workspace } else { "" };
        let turn = self.groups.enter(key);
        match turn {
            None => Ok(Seat { groups: self.groups.clone(), heads: self.heads().clone(), key: key.to_owned(), held: true, group: None }),
            Some(turn) => match tokio::time::timeout(self.acquire_timeout, turn).await {
                Ok(Ok(seat)) => Ok(seat),
                Ok(Err(_)) | Err(_) => Err(Error::Busy(self.acquire_timeout)),
            },
        }
    }

    /// The transaction to work in: begun, or as the writes before left it, behind a savepoint.
    pub(crate) async fn take_transaction(&self, seat: &mut Seat) -> Result<Arc<DatabaseTransaction>, Error> {
        // The group stays in its seat meanwhile: were this write abandoned here, the others would go on without it.
        if let Some(group) = &mut seat.group {
            match group.prepare().await {
                Ok(()) => return Ok(group.transaction.clone()),
                Err(error) => {
                    // Nothing of that transaction can be saved any more; this write begins another.
                    let waiting = seat.group.take().map(|group| group.waiting).unwrap_or_default();
                    tell(waiting, &Err(Arc::new(error)));
                }
            }
        }
        let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
        let transaction = Arc::new(self.writer.begin_with_options(options).await.map_err(|e| self.error(e))?);
        seat.group = Some(Group {
            transaction: transaction.clone(),
            began: Instant::now(),
            savepoint: 0,
            undo: true,
            kept: Vec::new(),
            waiting: Vec::new(),
        });
        Ok(transaction)
    }
}

impl Groups {
    /// Takes the seat if it is free, else a place in the queue.
    fn enter(&self, key: &str) -> Option<oneshot::Receiver<Seat>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get_mut(key) {
            let (sender, receiver) = oneshot::channel();
            queue.push_back(sender);
            return Some(receiver);
        }
        queues.insert(key.to_owned(), VecDeque::new());
        None
    }

    /// The next in the queue. Frees the seat when there is none, unless it is still needed to commit.
    fn next(&self, key: &str, to_commit: bool) -> Option<oneshot::Sender<Seat>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = queues.get_mut(key).and_then(VecDeque::pop_front);
        if next.is_none() && !to_commit {
            queues.remove(key);
        }
        next
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

    /// Hands the seat on. What a write saw is true only once the writes before it, and its own if kept, are committed: the answer tells.
    /// `None` when there are none.
    pub(crate) fn wait(mut self) -> Option<oneshot::Receiver<Outcome>> {
        let group = self.group.as_mut().filter(|group| !group.kept.is_empty())?;
        let (sender, receiver) = oneshot::channel();
        group.waiting.push(sender);
        Some(receiver)
    }

    /// Hands the seat on, with the open transaction while there is room in it.
    fn pass(&mut self) {
        // A transaction in which nothing is kept is rolled back by being dropped.
        let mut group = self.group.take().filter(|group| !group.kept.is_empty());
        if !group.as_ref().is_some_and(Group::is_full) {
            while let Some(next) = self.groups.next(&self.key, group.is_some()) {
                let seat = Seat { groups: self.groups.clone(), heads: self.heads.clone(), key: self.key.clone(), held: true, group };
                let Err(mut back) = next.send(seat) else { return };
                // That one has given up waiting.
                back.held = false;
                group = back.group.take();
            }
        }
        let Some(group) = group else { return };
        // Without a runtime nobody waits for an answer any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let seat = Seat { groups: self.groups.clone(), heads: self.heads.clone(), key: self.key.clone(), held: true, group: None };
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

    /// Sets a savepoint of a name of its own: undoing to it cannot undo to another by mistake.
    async fn set_savepoint(&mut self) -> Result<(), DbErr> {
        // Counted before it is sent: if this is abandoned half-way, undoing fails rather than undo too little.
        self.savepoint += 1;
        self.undo = true;
        self.transaction.execute_unprepared(&format!("SAVEPOINT write_{}", self.savepoint)).await.map(|_| ())
    }

    async fn prepare(&mut self) -> Result<(), DbErr> {
        self.undo().await?;
        self.set_savepoint().await
    }

    /// Undoes what the last write did, if it is not to be kept.
    async fn undo(&mut self) -> Result<(), DbErr> {
        if self.undo {
            self.transaction.execute_unprepared(&format!("ROLLBACK TO SAVEPOINT write_{}", self.savepoint)).await?;
            self.undo = false;
        }
        Ok(())
    }
}

/// Commits for all who wait, and frees the seat.
async fn commit(seat: Seat, mut group: Group) {
    let outcome = group.undo().await;
    let Group { transaction, kept, waiting, .. } = group;
    let outcome = match (outcome, Arc::into_inner(transaction)) {
        (Ok(()), Some(transaction)) => {
            fail::fail_point!("store-before-commit", |_| std::process::abort());
            transaction.commit().await.map_err(Arc::new)
        }
        // A write that still holds the transaction has not ended, though it handed its seat on.
        (Ok(()), None) => Err(Arc::new(DbErr::Custom("the transaction is in use at its commit".into()))),
        (Err(error), _) => Err(Arc::new(error)),
    };
    if outcome.is_ok() {
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

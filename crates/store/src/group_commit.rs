//! Group commit: writes that wait for the same lock share one transaction, hence one sync of the disk.
//!
//! A workspace's writes run one after another, on SQLite those of all workspaces. While anybody waits, one task serves
//! the key: it begins a transaction, lends it to the first that waits, takes it back, lends it to the next behind a
//! savepoint, and at last commits once and tells all. A write that fails, changes nothing or is abandoned by its caller
//! is undone to its savepoint, and the others go on. Nobody is answered before the commit, since what a write found may
//! be another's that is not committed yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr};
use tokio::sync::oneshot;
use tokio::time::timeout;
use waymark_domain::WorkspaceId;

use crate::turn::{Alone, Committed, Ended, Turn, Waiting};
use crate::{Error, Store};

/// Writes of one transaction at most.
const WRITES: u32 = 32;
/// A transaction this old is not lent again, lest writes that are done wait long for those that come.
const AGE: Duration = Duration::from_millis(50);

/// The writes that one transaction has.
#[derive(Default)]
struct Group {
    kept: Vec<(WorkspaceId, i64)>,
    tell: Vec<oneshot::Sender<Committed>>,
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
        let writer = self.writer.clone();
        let mut begin = Box::pin(async move { writer.begin(true).await });
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
        if let Err(error) = in_time(store, transaction.execute_unprepared(&next_savepoint(savepoint))).await {
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
    let (turn, ended) = Turn::new(transaction);
    drop(waiting.send(Ok(turn)));
    ended.await.ok()
}

/// The savepoint of a write, in place of that of the write before: a page is kept once for each that is open. Each has a
/// name of its own: undoing to it cannot undo to another by mistake.
fn next_savepoint(savepoint: u32) -> String {
    let set = format!("SAVEPOINT write_{savepoint}");
    if savepoint == 1 { set } else { format!("RELEASE SAVEPOINT write_{}; {set}", savepoint - 1) }
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

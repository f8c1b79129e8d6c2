//! A blind write: one that reads nothing, so that nothing must be locked before it decides. Its bump, state, log and
//! answer are one statement, which is a transaction by itself: one round trip instead of four. Only on PostgreSQL; on
//! SQLite there is no trip to save.

use std::sync::Arc;
use std::time::Instant;

use prost::Message;
use sea_orm::{ConnAcquireErr, ConnectionTrait as _, DbBackend, DbErr, SqlErr};
use waymark_domain::WorkspaceId;
use waymark_request::{Call, Written};

use crate::{Error, Store, Write};

impl Store {
    /// As [`Store::write`], for work that usually reads nothing, as most creates do. It is tried without the lock, and
    /// done again under it when it did want to read, was refused, or could not be saved so. So work may run twice, also
    /// for a request that was answered before, and what it decides may depend on nothing that changes but what it is
    /// told by its [`Write`].
    pub async fn write_blind<R, F>(&self, call: &Call, workspace: &WorkspaceId, work: F) -> Result<Written<R>, Error>
    where
        R: Message + Default,
        F: AsyncFn(&mut Write) -> Result<R, Error>,
    {
        match self.try_blind(call, workspace, &work).await {
            Ok(Some(written)) => Ok(written),
            Ok(None) => self.write(call, workspace, work).await,
            Err(error) => self.repeat_or(call, workspace, error).await,
        }
    }

    /// `None` when nothing was written and the lock is needed to do or to refuse it.
    async fn try_blind<R, F>(&self, call: &Call, workspace: &WorkspaceId, work: &F) -> Result<Option<Written<R>>, Error>
    where
        R: Message + Default,
        F: AsyncFn(&mut Write) -> Result<R, Error>,
    {
        if self.backend() != DbBackend::Postgres || call.validate_only || call.causation.is_some() {
            return Ok(None);
        }
        let Some(seat) = self.lone_seat(workspace.id()) else { return Ok(None) };
        let asked = Instant::now();
        let mut write = Write::new(self, call, workspace, self.now());
        let Ok(message) = work(&mut write).await else { return Ok(None) };
        if write.looked || write.ordinal == 0 {
            return Ok(None);
        }
        if let Some(request_id) = call.request_id {
            write.remember(request_id, &message);
        }
        fail::fail_point!("store-before-commit", |_| std::process::abort());
        let statement = write.into_statement().statement(DbBackend::Postgres);
        let sent = tokio::time::timeout(self.patience, self.writer.query_one_raw(statement)).await;
        // The driver answers when the server is ready for the next statement, which is after this one's commit.
        let revision: i64 = match sent {
            Ok(Ok(Some(row))) => row.try_get_by_index(0)?,
            Ok(Ok(None)) => return Ok(None),
            // The name is taken, or the request was answered before.
            Ok(Err(error)) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => return Ok(None),
            Ok(Err(error)) => {
                self.waited(asked.elapsed());
                return Err(self.error(error));
            }
            Err(_) => return Err(Error::Commit(Arc::new(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))),
        };
        self.waited(asked.elapsed());
        fail::fail_point!("store-after-commit", |_| std::process::abort());
        self.heads().observe(workspace.id(), revision);
        drop(seat);
        Ok(Some(Written { message, revision: Some(revision) }))
    }
}

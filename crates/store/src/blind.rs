//! Blind writes: those that hold no lock while they decide. On PostgreSQL, where nobody else writes to the workspace, the
//! bump, state, log and answer are then one statement, which is a transaction by itself: one round trip instead of four.
//!
//! Under the workspace's lock, which the statement takes before it looks at anything, it makes sure of what was decided on:
//! that no replica whose clock is ahead wrote before, that what is changed is of the version that was read, and that what is
//! referred to exists, or is at least not known to be deleted where another service keeps it. Where it is not so the statement changes nothing, and the write is done again under the lock, where
//! it can say what is wrong.

use std::time::Instant;

use prost::Message;
use sea_orm::DbBackend;
use tokio::time::timeout;
use waymark_domain::{Name, WorkspaceId};
use waymark_request::{Call, Written};

use crate::draft::{Draft, form};
use crate::error::is_division_by_zero;
use crate::write::conflict;
use crate::{Error, Store, Table, Write, resource};

impl Store {
    /// As [`Store::write`], for work that reads nothing, as most creates do. `work` runs again under the lock when the
    /// workspace turns out to be other than the statement needs it.
    pub async fn write_blind<R, F>(&self, call: &Call, workspace: &WorkspaceId, work: F) -> Result<Written<R>, Error>
    where
        R: Message + Default,
        F: Fn(&mut Draft) -> Result<R, Error>,
    {
        let blind = async |draft: &mut Draft| work(draft);
        self.blind_or(call, workspace, blind, async |write| work(write)).await
    }

    /// The write done blind, or under the lock where that cannot be. What `blind` reads without a lock must be what it
    /// changes, by [`Store::load_unlocked`].
    pub(crate) async fn blind_or<R, B, L>(
        &self,
        call: &Call,
        workspace: &WorkspaceId,
        blind: B,
        locked: L,
    ) -> Result<Written<R>, Error>
    where
        R: Message + Default,
        B: AsyncFnOnce(&mut Draft) -> Result<R, Error>,
        L: AsyncFnOnce(&mut Write) -> Result<R, Error>,
    {
        match self.send_blind(call, workspace, blind).await {
            Ok(Some(written)) => Ok(written),
            Ok(None) => self.write(call, workspace, locked).await,
            Err(error) => self.repeat_or(call, workspace, error).await,
        }
    }

    /// The message of a resource as it stands, deleted or not, for a draft that changes it.
    pub(crate) async fn load_unlocked<T: Table>(
        &self,
        draft: &mut Draft,
        name: &Name<T::Resource>,
    ) -> Result<T::Message, Error> {
        let (workspace, id) = (name.workspace().id(), name.id().as_str());
        let body = self.body::<T>(name).await?;
        let message = resource::decode::<T>(workspace, id, &body)?;
        draft.loaded(T::TABLE, id.to_owned(), body.to_string());
        Ok(message)
    }

    /// `None` when nothing was written because it takes the lock to do it.
    async fn send_blind<R, B>(&self, call: &Call, workspace: &WorkspaceId, work: B) -> Result<Option<Written<R>>, Error>
    where
        R: Message,
        B: AsyncFnOnce(&mut Draft) -> Result<R, Error>,
    {
        if self.backend() != DbBackend::Postgres || call.validate_only || call.causation.is_some() {
            return Ok(None);
        }
        let Some(_alone) = self.alone(workspace.id()) else { return Ok(None) };
        let asked = Instant::now();
        let mut draft = Draft::new(self, workspace, call);
        let message = work(&mut draft).await?;
        if !draft.has_events() {
            // Under the lock it can say at which revision; or it is a repeated one, which had something to do.
            return Ok(None);
        }
        let Some(looked_for) = draft.require() else { return Ok(None) };
        let mut unverified = std::mem::take(&mut draft.integrity.unverified);
        if let Some(request_id) = call.request_id {
            draft.remember(request_id, &message);
        }
        // Each row by itself: values of several do not come from the bump.
        let mut groups: Vec<_> = std::mem::take(&mut draft.rows).into_iter().map(|row| vec![row]).collect();
        let statement = form::blind(&draft.workspace, draft.now, &mut groups)?;
        fail::fail_point!("store-before-commit", |_| std::process::abort());
        // The driver answers when the server is ready for the next statement, which is after this one's commit.
        let sent = timeout(self.patience, self.query_one_on_writer(statement)).await;
        self.waited(asked.elapsed());
        let row = match sent {
            Ok(Ok(Some(row))) => row,
            // The workspace's time is ahead.
            Ok(Ok(None)) => return Ok(None),
            // It is not as it was decided on.
            Ok(Err(Error::Database(error))) if is_division_by_zero(&error) => return Ok(None),
            Ok(Err(Error::Database(error))) => return Err(conflict(&groups, error)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(Error::Unconfirmed(None)),
        };
        fail::fail_point!("store-after-commit", |_| std::process::abort());
        let revision = row.try_get_by_index(0)?;
        for (place, name) in looked_for.into_iter().enumerate() {
            if !row.try_get_by_index::<bool>(place + 1)? {
                unverified.insert(name);
            }
        }
        self.heads().observe(workspace, revision);
        Ok(Some(Written { message, revision: Some(revision), changed: true, unverified }))
    }
}

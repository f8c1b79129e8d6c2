//! One write of one workspace: bump the revision, load, decide, save state and log, commit.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use chrono::DateTime;
use prost::Message;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{DbBackend, DbErr, QueryResult, SqlErr, StatementBuilder};
use tokio::time::timeout;
use uuid::Uuid;
use waymark_domain::name::Path;
use waymark_domain::{Change, Name, WorkspaceId};
use waymark_proto::{ResourceMessage, Standard};
use waymark_request::{Call, Written};

use crate::draft::sql::Group;
use crate::draft::{Draft, Row, form, sql};
use crate::holding::Holding;
use crate::statement::{json_text, keyed};
use crate::turn::Turn;
use crate::{Error, Own, Store, Table, inbox, resource};

/// A write at work: a [`Draft`] with an open transaction to read in, which holds the workspace's lock. Everything it
/// reads is as it will be at commit.
pub struct Write {
    draft: Draft,
    turn: Turn,
    backend: DbBackend,
    revision: i64,
    holding: Option<Holding>,
}

impl Deref for Write {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.draft
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Draft {
        &mut self.draft
    }
}

impl Store {
    /// Runs `work` in its turn, in a transaction of `workspace`, and commits what it put, state and log together.
    ///
    /// A repeated request id gets the first answer without running `work`. With `validate_only` everything is checked
    /// and nothing committed. Work that changes nothing makes no revision; what it answers is remembered all the same. An
    /// error undoes everything.
    ///
    /// Others wait meanwhile, so `work` must wait for nothing but this database.
    pub async fn write<R, F>(&self, call: &Call, workspace: &WorkspaceId, work: F) -> Result<Written<R>, Error>
    where
        R: Message + Default,
        F: AsyncFnOnce(&mut Write) -> Result<R, Error>,
    {
        let asked = Instant::now();
        let turn = self.turn(workspace.id()).await;
        // Also when it was in vain: that is the wait to know about.
        self.waited(asked.elapsed());
        let mut write = Write::new(self, workspace, call, turn?);
        // On the heap, as work holds messages and is moved about before it runs.
        let done = timeout(self.patience, Box::pin(write.run(work))).await.unwrap_or(Err(Error::Busy(self.patience)));
        let kept = done.as_ref().ok().and_then(|done| done.kept);
        write.turn.finish(kept.map(|revision| (workspace.clone(), revision))).await?;
        match done {
            Ok(Done { written, .. }) => Ok(written),
            Err(error) => self.repeat_or(call, workspace, error).await,
        }
    }

    /// What the request was answered before; `error` if it was not. On PostgreSQL a request that did not see what the
    /// same request, at another replica, was answered fails on the other's effect. The other's answer is the answer.
    pub(crate) async fn repeat_or<R>(
        &self,
        call: &Call,
        workspace: &WorkspaceId,
        error: Error,
    ) -> Result<Written<R>, Error>
    where
        R: Message + Default,
    {
        let Some(id) = call.request_id else { return Err(error) };
        let mut answer = Query::select();
        answer.column("answer").from("requests").and_where(Expr::col("workspace").eq(workspace.id()));
        answer.and_where(Expr::col("request_id").eq(id.to_string()));
        match self.of(workspace.id()).query_one(&answer).await? {
            Some(row) => repeat(call, &row.try_get_by_index::<Vec<u8>>(0)?),
            None => Err(error),
        }
    }
}

/// What came of a write's work.
pub(crate) struct Done<R> {
    written: Written<R>,
    /// The revision at which it is committed.
    pub(crate) kept: Option<i64>,
}

impl Write {
    pub(crate) fn new(store: &Store, workspace: &WorkspaceId, call: &Call, turn: Turn) -> Self {
        Self {
            draft: Draft::new(store, workspace, call),
            turn,
            backend: store.backend(),
            revision: 0,
            holding: store.holding,
        }
    }

    /// The turn, for another write.
    pub(crate) fn into_turn(self) -> Turn {
        self.turn
    }

    /// The revision that the workspace has once this is committed.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// What happens in the turn.
    pub(crate) async fn run<R, F>(&mut self, work: F) -> Result<Done<R>, Error>
    where
        R: Message + Default,
        F: AsyncFnOnce(&mut Self) -> Result<R, Error>,
    {
        if let Some(answer) = self.begin().await? {
            return Ok(Done { written: repeat(&self.draft.call, &answer)?, kept: None });
        }
        if let Some(causation) = &self.draft.call.causation
            && self.turn.execute(self.backend.build(&inbox::note(causation, self.backend, self.draft.now)?)).await? == 0
        {
            // The event was handled before.
            self.unbump().await?;
            return Ok(Done { written: Written::unchanged(R::default(), None), kept: None });
        }
        let message = work(self).await?;
        let changed = self.draft.has_events();
        if !changed {
            // No revision without an event.
            self.unbump().await?;
        }
        // Of a workspace that was never written to no answer is kept.
        let request_id = self.draft.call.request_id.filter(|_| self.revision > 0);
        if let Some(request_id) = request_id {
            self.draft.remember(request_id, &message);
        }
        self.flush().await?;
        let integrity = std::mem::take(&mut self.draft.integrity);
        let unverified = self.keep_integrity(integrity).await?;
        self.turn.check()?;
        let counts = !self.draft.call.validate_only;
        let remembered = request_id.is_some() || self.draft.call.causation.is_some();
        let kept = (counts && (changed || remembered)).then_some(self.revision);
        let revision = counts.then_some(self.revision);
        Ok(Done { written: Written { message, revision, changed: changed && counts, unverified }, kept })
    }

    /// Takes the bump back, so that what is remembered can be committed without.
    async fn unbump(&mut self) -> Result<(), Error> {
        self.revision -= 1;
        let this = Expr::col("id").eq(self.draft.workspace.id());
        let unbump = if self.revision == 0 {
            self.backend.build(Query::delete().from_table("workspaces").and_where(this))
        } else {
            let mut unbump = Query::update();
            self.backend.build(unbump.table("workspaces").value("revision", self.revision).and_where(this))
        };
        self.turn.execute(unbump).await.map(|_| ())
    }

    /// Takes the workspace's lock by bumping its revision; tells what the request was answered before, if it was.
    async fn begin(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let call = &self.draft.call;
        let bump = form::bump(self.backend, &self.draft.workspace, self.draft.now, call.request_id)?;
        let row = self.turn.one(bump).await?.ok_or_else(|| Error::bug("a bump answered nothing"))?;
        self.revision = row.try_get_by_index(0)?;
        self.draft.now = DateTime::from_timestamp_micros(row.try_get_by_index(1)?).unwrap_or(self.draft.now);
        Ok(if call.request_id.is_some() { row.try_get_by_index(2)? } else { None })
    }

    /// Puts a change: the state under its next version, and a log row per event. The only way to save anything but what
    /// is new. Returns the resource as it now is.
    pub fn put<T: Own>(&mut self, change: Change<T::Resource>) -> Result<T::Message, Error> {
        self.draft.put::<T>(change)
    }

    /// Sends what was put. On PostgreSQL all of it is one statement, hence one round trip; on SQLite there is no trip
    /// to save.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        for mut part in sql::parts(std::mem::take(&mut self.draft.rows)) {
            let written = match send(&mut self.turn, self.backend, &mut part, self.revision).await {
                Err(Error::Database(error)) => return Err(conflict(&part, error)),
                other => other?,
            };
            if written != counted(&part) {
                return Err(Error::bug("a row that was loaded under the lock was changed by somebody who has it not"));
            }
        }
        Ok(())
    }

    /// A resource that must exist and not be deleted. A given `etag` must be the current one.
    pub async fn load<T: Table>(&mut self, name: &Name<T::Resource>, etag: &str) -> Result<T::Resource, Error> {
        let message = self.load_any::<T>(name, etag).await?;
        is_live(&message)?;
        resource::parse::<T>(self.draft.workspace.id(), message)
    }

    /// A resource, unless there is none, or it is deleted, or its name is of another workspace.
    pub async fn find<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<Option<T::Resource>, Error> {
        match self.load::<T>(name, "").await {
            Ok(resource) => Ok(Some(resource)),
            Err(Error::NotFound(_) | Error::Deleted(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Those of these that there are, are not deleted and are of this workspace, by id, read at once.
    pub async fn find_all<'a, T: Table>(
        &mut self,
        names: impl Iterator<Item = &'a Name<T::Resource>>,
    ) -> Result<BTreeMap<String, T::Resource>, Error> {
        let own: Vec<_> = names.filter(|name| *name.workspace() == self.draft.workspace).collect();
        let mut found = BTreeMap::new();
        for (id, message) in self.load_many::<T>(own.iter().map(|name| name.id().to_string())).await? {
            if is_live(&message).is_ok() {
                found.insert(id, resource::parse::<T>(self.draft.workspace.id(), message)?);
            }
        }
        Ok(found)
    }

    /// Whether a live resource of this name exists.
    pub async fn exists<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<bool, Error> {
        if *name.workspace() != self.draft.workspace {
            return Ok(false);
        }
        let mut select = self.select::<T>();
        select.column("id").and_where(Expr::col("id").eq(name.id().as_str()));
        select.and_where(Expr::col("delete_time").is_null());
        self.flush().await?;
        Ok(self.turn.one(self.backend.build(&select)).await?.is_some())
    }

    /// Whether no resource has this name, not even a deleted one.
    pub async fn is_free<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<bool, Error> {
        Ok(self.taken::<T>(&[name.id().to_string()]).await?.is_empty())
    }

    /// Live resources whose declared text column `column` is `value`, in order of id; at most `limit`.
    pub async fn all_where<T: Table>(
        &mut self,
        column: &'static str,
        value: &str,
        limit: u32,
    ) -> Result<Vec<T::Resource>, Error> {
        let mut select = resource::those::<T>(self.backend, &self.draft.workspace, column, &[value.to_owned()])?;
        select.order_by("id", Order::Asc).limit(limit.into());
        self.resources::<T>(select).await
    }

    /// Of each of these values of a declared text column, the live resource that is last by the column `by`, if there is
    /// one; of those that are equal there the last by id.
    pub async fn last<T: Table>(
        &mut self,
        by: &'static str,
        column: &'static str,
        values: &[String],
    ) -> Result<Vec<T::Resource>, Error> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let select = resource::last::<T>(&self.draft.workspace, by, column, values)?;
        self.flush().await?;
        let rows = self.turn.all(self.backend.build(&select)).await?;
        let ids: Vec<Option<String>> = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?;
        let found = self.load_many::<T>(ids.into_iter().flatten()).await?;
        found.into_values().map(|message| resource::parse::<T>(self.draft.workspace.id(), message)).collect()
    }

    pub(crate) async fn resources<T: Table>(&mut self, select: SelectStatement) -> Result<Vec<T::Resource>, Error> {
        let messages = self.messages::<T>(select).await?;
        messages.into_iter().map(|message| resource::parse::<T>(self.draft.workspace.id(), message)).collect()
    }

    pub(crate) async fn messages<T: Table>(&mut self, select: SelectStatement) -> Result<Vec<T::Message>, Error> {
        self.flush().await?;
        let rows = self.turn.all(self.backend.build(&select)).await?;
        rows.iter().map(|row| self.decode::<T>(row.try_get_by_index(0)?, row.try_get_by_index(1)?)).collect()
    }

    /// A resource's message, deleted or not. A given `etag` must be the current one.
    pub(crate) async fn load_any<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
        etag: &str,
    ) -> Result<T::Message, Error> {
        if *name.workspace() != self.draft.workspace {
            return Err(Error::NotFound(name.to_string()));
        }
        let mut select = self.select::<T>();
        select.expr(json_text("body")).and_where(Expr::col("id").eq(name.id().as_str()));
        self.flush().await?;
        let row = self.turn.one(self.backend.build(&select)).await?.ok_or_else(|| Error::NotFound(name.to_string()))?;
        let message = self.decode::<T>(name.id().as_str().to_owned(), row.try_get_by_index(0)?)?;
        is_current(&message, etag)?;
        Ok(message)
    }

    /// The messages of those of these ids that there are, deleted or not, read at once.
    pub async fn load_many<T: Table>(
        &mut self,
        ids: impl Iterator<Item = String>,
    ) -> Result<BTreeMap<String, T::Message>, Error> {
        let ids: Vec<String> = ids.collect();
        let ids = ids.iter().map(String::as_str);
        let select = resource::bodies_of::<T>(self.backend, self.draft.workspace.id(), ids);
        self.flush().await?;
        let mut found = BTreeMap::new();
        for row in self.turn.all(self.backend.build(&select)).await? {
            let id: String = row.try_get_by_index(0)?;
            found.insert(id.clone(), self.decode::<T>(id, row.try_get_by_index(1)?)?);
        }
        Ok(found)
    }

    /// Ids among `ids` that are taken, by live or deleted resources.
    pub(crate) async fn taken<T: Table>(&mut self, ids: &[String]) -> Result<Vec<String>, Error> {
        let those = keyed(self.backend, self.draft.workspace.id(), ids.iter().map(String::as_str));
        let select = Query::select().column("id").from(T::TABLE).and_where(those).take();
        self.flush().await?;
        let rows = self.turn.all(self.backend.build(&select)).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, DbErr>>()?)
    }

    /// What a statement answers in this transaction, as it stands.
    pub(crate) async fn rows(&mut self, statement: &impl StatementBuilder) -> Result<Vec<QueryResult>, Error> {
        self.turn.all(self.backend.build(statement)).await
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.backend
    }

    pub(crate) fn holding(&self) -> Option<Holding> {
        self.holding
    }

    fn select<T: Table>(&self) -> SelectStatement {
        Query::select().from(T::TABLE).and_where(Expr::col("workspace").eq(self.draft.workspace.id())).take()
    }

    fn decode<T: Table>(&mut self, id: String, body: String) -> Result<T::Message, Error> {
        let message = resource::decode::<T>(self.draft.workspace.id(), &id, &body)?;
        self.draft.loaded(T::TABLE, id, body);
        Ok(message)
    }
}

/// Sends rows that fit into one statement; tells how many of those were written that are counted.
pub(crate) async fn send(
    turn: &mut Turn,
    backend: DbBackend,
    groups: &mut [Group],
    revision: i64,
) -> Result<u64, Error> {
    if backend == DbBackend::Postgres {
        let row = turn.one(form::together(groups, revision)?).await?;
        let written: i64 = row.ok_or_else(|| Error::bug("a count answered nothing"))?.try_get_by_index(0)?;
        return Ok(written.unsigned_abs());
    }
    let mut written = 0;
    for group in groups {
        let counted = group.iter().any(Row::is_counted);
        let done = turn.execute(form::sent(backend, group, revision)?).await?;
        written += if counted { done } else { 0 };
    }
    Ok(written)
}

/// How many rows sending them must write.
pub(crate) fn counted(groups: &[Group]) -> u64 {
    groups.iter().flatten().filter(|row| row.is_counted()).count() as u64
}

/// Refuses a resource that is deleted.
pub(crate) fn is_live(message: &impl ResourceMessage) -> Result<(), Error> {
    let Standard { name, delete_time, .. } = message.standard();
    if delete_time.is_some() { Err(Error::Deleted(name)) } else { Ok(()) }
}

/// Refuses a given `etag` that is not the resource's.
pub(crate) fn is_current(message: &impl ResourceMessage, etag: &str) -> Result<(), Error> {
    let Standard { name: resource, etag: current, .. } = message.standard();
    if etag.is_empty() || etag == current {
        return Ok(());
    }
    Err(Error::Stale { resource, current, given: etag.to_owned() })
}

/// The remembered answer to a request; refuses another request under the same id.
fn repeat<R: Message + Default>(call: &Call, answer: &[u8]) -> Result<Written<R>, Error> {
    let reused = || Error::RequestIdReused(call.request_id.unwrap_or_default());
    let (digest, rest) = answer.split_at_checked(32).ok_or_else(reused)?;
    let (revision, message) = rest.split_at_checked(8).ok_or_else(reused)?;
    if digest != call.digest {
        return Err(reused());
    }
    let revision = revision.try_into().map(i64::from_be_bytes).map_err(|_| reused())?;
    Ok(Written::unchanged(R::decode(message).map_err(|_| reused())?, Some(revision)))
}

/// Which name or request id was taken, from the constraint that the database names.
pub(crate) fn conflict(groups: &[Group], error: DbErr) -> Error {
    let Some(SqlErr::UniqueConstraintViolation(constraint)) = error.sql_err() else { return error.into() };
    // PostgreSQL names `<table>_pkey`, SQLite `<table>.<column>`.
    let broken = |row: &&Row| {
        constraint.contains(&format!("\"{}_pkey\"", row.table)) || constraint.contains(&format!(" {}.", row.table))
    };
    match groups.iter().flatten().find(broken) {
        Some(Row { table: "requests", id, .. }) => Uuid::parse_str(id).map_or(error.into(), Error::RequestIdReused),
        Some(Row { workspace, collection, id, .. }) => match WorkspaceId::from_id(workspace) {
            Ok(workspace) => Error::Exists(Path { workspace: &workspace, collection, id }.to_string()),
            Err(_) => error.into(),
        },
        None => error.into(),
    }
}

//! One write of one workspace: bump the revision, load, decide, save state and log, commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use prost::Message;
use sea_orm::{ConnAcquireErr, DbBackend, DbErr};
use uuid::Uuid;
use waymark_domain::{Change, Name, WorkspaceId};
use waymark_proto::{ResourceMessage, Standard};
use waymark_request::{Call, Written};

use crate::group::Transaction;
use crate::put::Pending;
use crate::reaction::inbox;
use crate::sql::{Sql, json_text};
use crate::{Error, Store, Table, repository};

/// A write at work. It reads in an open transaction, which holds the workspace's lock: everything it reads is as it
/// will be at commit.
pub struct Write {
    /// None when it is blind: it may put, but not read.
    transaction: Option<Transaction>,
    /// It was blind and would have read.
    pub(crate) looked: bool,
    pub(crate) backend: DbBackend,
    pub(crate) workspace: WorkspaceId,
    /// Not known yet while it is blind.
    pub(crate) revision: i64,
    pub(crate) ordinal: i32,
    pub(crate) now: DateTime<Utc>,
    pub(crate) store: Store,
    pub(crate) call: Call,
    /// Bodies as they were loaded or put, to tell what changed.
    pub(crate) loaded: BTreeMap<(&'static str, String), String>,
    pub(crate) pending: Vec<Pending>,
}

impl Store {
    /// Runs `work` in one transaction of `workspace` and commits what it put, state and log together.
    ///
    /// A repeated request id gets the first answer without running `work`. With `validate_only` everything is checked
    /// and nothing committed. Work that puts nothing commits nothing and makes no revision. An error rolls everything
    /// back.
    ///
    /// Others wait meanwhile, so `work` must wait for nothing but this database.
    pub async fn write<R, F>(&self, call: &Call, workspace: &WorkspaceId, work: F) -> Result<Written<R>, Error>
    where
        R: Message + Default,
        F: AsyncFnOnce(&mut Write) -> Result<R, Error>,
    {
        let asked = Instant::now();
        // Before the write, hence dropped after it: the seat is handed on when nothing uses the transaction any more.
        let seat = self.seat(workspace.id()).await;
        let mut seat = seat.inspect_err(|_| self.waited(asked.elapsed()))?;
        let done = async {
            let transaction = self.take_transaction(&mut seat).await;
            // Also when it was in vain: that is the wait to know about.
            self.waited(asked.elapsed());
            self.work(transaction?, call, workspace, work).await
        };
        let done = tokio::time::timeout(self.patience, done).await.unwrap_or(Err(Error::Busy(self.patience)));
        if let Ok((_, Some(revision))) = done {
            seat.keep(workspace.id(), revision);
        }
        if let Some(outcome) = seat.wait() {
            // The sender is dropped without a word only when the process ends.
            outcome
                .await
                .unwrap_or_else(|_| Err(Arc::new(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))))
                .map_err(Error::Commit)?;
        }
        match done {
            Ok((written, _)) => Ok(written),
            Err(error) => self.repeat_or(call, workspace, error).await,
        }
    }

    /// What the request was answered before; `error` if it was not. On PostgreSQL a request that waited for the lock
    /// did not see what the same request, which held it, was answered: it then fails on the other's effect. The other's
    /// answer is the answer.
    pub(crate) async fn repeat_or<R>(
        &self,
        call: &Call,
        workspace: &WorkspaceId,
        error: Error,
    ) -> Result<Written<R>, Error>
    where
        R: Message + Default,
    {
        match call.request_id {
            Some(id) => self.find_answer(workspace, id).await?.map_or(Err(error), |answer| Self::repeat(call, &answer)),
            None => Err(error),
        }
    }

    /// What happens between taking the transaction and handing it on; the revision that is to be kept, if any.
    async fn work<R, F>(
        &self,
        transaction: Transaction,
        call: &Call,
        workspace: &WorkspaceId,
        work: F,
    ) -> Result<(Written<R>, Option<i64>), Error>
    where
        R: Message + Default,
        F: AsyncFnOnce(&mut Write) -> Result<R, Error>,
    {
        let (mut write, answered) = self.begin(transaction, call, workspace).await?;
        if let Some(answer) = answered {
            return Ok((Self::repeat(call, &answer)?, None));
        }
        let inbox = call.causation.as_ref().map(|causation| inbox(causation, write.now));
        if let Some(inbox) = inbox
            && write.transaction()?.execute(inbox).await? == 0
        {
            return Ok((Written { message: R::default(), revision: None }, None));
        }
        let message = work(&mut write).await?;
        if let (Some(request_id), true) = (call.request_id, write.ordinal > 0) {
            write.remember(request_id, &message);
        }
        write.flush().await?;
        write.transaction()?.check()?;
        // No revision without an event.
        let revision = (write.ordinal > 0 && !call.validate_only).then_some(write.revision);
        Ok((Written { message, revision }, revision))
    }

    /// Takes the workspace's lock by bumping its revision; tells what the request id was answered, if it was. One round
    /// trip.
    async fn begin(
        &self,
        mut transaction: Transaction,
        call: &Call,
        workspace: &WorkspaceId,
    ) -> Result<(Write, Option<Vec<u8>>), Error> {
        let mut sql = bump(self.backend(), workspace, self.now());
        sql.push(" RETURNING revision, last_time");
        if let Some(request_id) = call.request_id {
            sql.push(", (SELECT answer FROM requests WHERE workspace = ").bind(workspace.id());
            sql.push(" AND request_id = ").bind(request_id.to_string()).push(")");
        }
        let row = transaction.one(sql).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the workspace's revision".into()))?;
        let answered = if call.request_id.is_some() { row.try_get_by_index(2)? } else { None };
        let time: i64 = row.try_get_by_index(1)?;
        let now = DateTime::from_timestamp_micros(time).unwrap_or_else(|| self.now());
        let mut write = Write::new(self, call, workspace, now);
        write.transaction = Some(transaction);
        write.revision = row.try_get_by_index(0)?;
        Ok((write, answered))
    }

    fn repeat<R: Message + Default>(call: &Call, answer: &[u8]) -> Result<Written<R>, Error> {
        let reused = || Error::RequestIdReused(call.request_id.unwrap_or_default());
        let (digest, rest) = answer.split_at_checked(32).ok_or_else(reused)?;
        let (revision, message) = rest.split_at_checked(8).ok_or_else(reused)?;
        if digest != call.digest {
            return Err(reused());
        }
        let revision = revision.try_into().map(i64::from_be_bytes).map_err(|_| reused())?;
        Ok(Written { message: R::decode(message).map_err(|_| reused())?, revision: Some(revision) })
    }

    async fn find_answer(&self, workspace: &WorkspaceId, request_id: Uuid) -> Result<Option<Vec<u8>>, Error> {
        let mut sql = Sql::new("SELECT answer FROM requests WHERE workspace = ");
        sql.bind(workspace.id()).push(" AND request_id = ").bind(request_id.to_string());
        Ok(self.query_one(&sql).await?.map(|row| row.try_get_by_index(0)).transpose()?)
    }
}

/// Bumps the revision of a workspace, and its last time.
pub(crate) fn bump(backend: DbBackend, workspace: &WorkspaceId, now: DateTime<Utc>) -> Sql {
    let mut sql = Sql::new("INSERT INTO workspaces (id, revision, last_time) VALUES (");
    sql.bind(workspace.id()).push(", 1, ").bind(now.timestamp_micros());
    sql.push(") ON CONFLICT (id) DO UPDATE SET revision = workspaces.revision + 1, last_time = ");
    // Clocks of replicas differ and step back; the times of a workspace do not.
    sql.push(if backend == DbBackend::Postgres { "greatest" } else { "max" })
        .push("(workspaces.last_time, excluded.last_time)");
    sql
}

impl Write {
    /// A blind one.
    pub(crate) fn new(store: &Store, call: &Call, workspace: &WorkspaceId, now: DateTime<Utc>) -> Self {
        Self {
            transaction: None,
            looked: false,
            backend: store.backend(),
            workspace: workspace.clone(),
            revision: 0,
            ordinal: 0,
            now,
            store: store.clone(),
            call: call.clone(),
            loaded: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    pub(crate) fn is_blind(&self) -> bool {
        self.transaction.is_none()
    }

    /// The transaction to work in. A blind write that asks for it is given up, and done again with one.
    pub(crate) fn transaction(&mut self) -> Result<&mut Transaction, Error> {
        self.looked |= self.is_blind();
        self.transaction.as_mut().ok_or_else(|| DbErr::Custom("a blind write reads".into()).into())
    }

    /// The time of this write.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// A new identity.
    pub fn new_id(&self) -> Uuid {
        self.store.new_id()
    }

    /// The workspace that is written to.
    pub fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    /// Who asks for the write.
    pub fn actor(&self) -> &str {
        &self.call.actor.subject
    }

    /// A resource that must exist and not be deleted. A given `etag` must be the current one.
    pub async fn load<T: Table>(&mut self, name: &Name<T::Resource>, etag: &str) -> Result<T::Resource, Error> {
        let message = self.load_message::<T>(name, etag).await?;
        if message.standard().delete_time.is_some() {
            return Err(Error::Deleted(name.to_string()));
        }
        self.parse::<T>(message)
    }

    /// A resource, unless there is none, or it is deleted, or its name is of another workspace.
    pub async fn find<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<Option<T::Resource>, Error> {
        match self.load::<T>(name, "").await {
            Ok(resource) => Ok(Some(resource)),
            Err(Error::NotFound(_) | Error::Deleted(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a live resource of this name exists.
    pub async fn exists<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<bool, Error> {
        if *name.workspace() != self.workspace {
            return Ok(false);
        }
        self.flush().await?;
        let mut sql = Sql::new("SELECT 1 FROM ");
        sql.push(T::TABLE)
            .push(" WHERE workspace = ")
            .bind(self.workspace.id())
            .push(" AND id = ")
            .bind(name.id().as_str());
        sql.push(" AND delete_time IS NULL");
        Ok(self.transaction()?.one(sql).await?.is_some())
    }

    /// Whether no resource has this name, not even a deleted one.
    pub async fn is_free<T: Table>(&mut self, name: &Name<T::Resource>) -> Result<bool, Error> {
        Ok(self.taken::<T>(&[name.id().to_string()]).await?.is_empty())
    }

    /// Refuses when `name`, which `field` of the request refers to, does not exist.
    pub async fn require<T: Table>(&mut self, field: &'static str, name: &Name<T::Resource>) -> Result<(), Error> {
        if self.exists::<T>(name).await? { Ok(()) } else { Err(Error::Reference { field, resource: name.to_string() }) }
    }

    /// All live resources of the workspace, in order of id.
    pub async fn all<T: Table>(&mut self) -> Result<Vec<T::Resource>, Error> {
        self.flush().await?;
        let mut sql = Sql::new("SELECT id, ");
        sql.push(&json_text(self.backend, "body")).push(" FROM ").push(T::TABLE);
        sql.push(" WHERE workspace = ").bind(self.workspace.id()).push(" AND delete_time IS NULL ORDER BY id");
        self.resources::<T>(sql).await
    }

    /// Live resources whose declared text column `column` is `value`, in order of id; at most `limit`.
    pub async fn all_where<T: Table>(
        &mut self,
        column: &str,
        value: &str,
        limit: u32,
    ) -> Result<Vec<T::Resource>, Error> {
        // The name goes into the statement's text, so only a declared one may.
        let Some(column) = T::COLUMNS.iter().map(|c| c.name).find(|name| *name == column) else {
            return Err(DbErr::Custom(format!("{} has no column {column:?}", T::TABLE)).into());
        };
        self.flush().await?;
        let mut sql = Sql::new("SELECT id, ");
        sql.push(&json_text(self.backend, "body"))
            .push(" FROM ")
            .push(T::TABLE)
            .push(" WHERE workspace = ")
            .bind(self.workspace.id());
        sql.push(" AND delete_time IS NULL AND ")
            .push(column)
            .push(" = ")
            .bind(value)
            .push(" ORDER BY id LIMIT ")
            .bind(i64::from(limit));
        self.resources::<T>(sql).await
    }

    async fn resources<T: Table>(&mut self, sql: Sql) -> Result<Vec<T::Resource>, Error> {
        let rows = self.transaction()?.all(sql).await?;
        let mut resources = Vec::with_capacity(rows.len());
        for row in rows {
            let (id, body): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let message = self.decode::<T>(id, &body)?;
            resources.push(self.parse::<T>(message)?);
        }
        Ok(resources)
    }

    /// A resource message, deleted or not.
    pub(crate) async fn load_message<T: Table>(
        &mut self,
        name: &Name<T::Resource>,
        etag: &str,
    ) -> Result<T::Message, Error> {
        if *name.workspace() != self.workspace {
            return Err(Error::NotFound(name.to_string()));
        }
        self.flush().await?;
        let mut sql = Sql::new("SELECT ");
        sql.push(&json_text(self.backend, "body")).push(" FROM ").push(T::TABLE);
        sql.push(" WHERE workspace = ").bind(self.workspace.id()).push(" AND id = ").bind(name.id().as_str());
        let row = self.transaction()?.one(sql).await?;
        let row = row.ok_or_else(|| Error::NotFound(name.to_string()))?;
        let message = self.decode::<T>(name.id().as_str().to_owned(), &row.try_get_by_index::<String>(0)?)?;
        let current = message.standard().etag;
        if !etag.is_empty() && etag != current {
            return Err(Error::Stale { resource: name.to_string(), current, given: etag.to_owned() });
        }
        Ok(message)
    }

    fn decode<T: Table>(&mut self, id: String, body: &str) -> Result<T::Message, Error> {
        let message = repository::decode::<T>(self.workspace.id(), &id, body)?;
        self.loaded.insert((T::TABLE, id), body.to_owned());
        Ok(message)
    }

    pub(crate) fn parse<T: Table>(&self, message: T::Message) -> Result<T::Resource, Error> {
        repository::parse::<T>(self.workspace.id(), message)
    }

    /// Ids among `ids` that are taken, by live or deleted resources.
    pub(crate) async fn taken<T: Table>(&mut self, ids: &[String]) -> Result<Vec<String>, Error> {
        self.flush().await?;
        let mut sql = Sql::new("SELECT id FROM ");
        sql.push(T::TABLE).push(" WHERE workspace = ").bind(self.workspace.id()).push(" AND id IN (''");
        for id in ids {
            sql.push(", ").bind(id.clone());
        }
        sql.push(")");
        let rows = self.transaction()?.all(sql).await?;
        Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
    }

    /// A resource that does not exist yet, from what a caller sent: checked and complete, not saved. `id` empty: one is
    /// made.
    pub fn draft<T: Table>(&self, id: &str, message: T::Message) -> Result<T::Resource, Error> {
        repository::fresh::<T>(&self.workspace, id, message, self.now, self.store.new_id())
    }

    /// Decides on a new resource and puts it. `id` empty: one is made.
    pub async fn create<T: Table, E>(
        &mut self,
        id: &str,
        message: T::Message,
        decide: impl FnOnce(T::Resource) -> Result<Change<T::Resource>, E>,
    ) -> Result<T::Message, Error>
    where
        E: waymark_domain::Failure + Send + Sync + 'static,
    {
        let change = decide(self.draft::<T>(id, message)?).map_err(Error::rule)?;
        self.put::<T>(change).await
    }
}

/// The standard fields of a resource that does not exist yet.
pub(crate) fn new_standard(name: String, uid: Uuid, given: Standard, now: DateTime<Utc>) -> Standard {
    let now = Some(waymark_proto::convert::timestamp(now));
    Standard {
        name,
        uid: uid.to_string(),
        etag: "0".into(),
        create_time: now,
        update_time: now,
        delete_time: None,
        display_name: given.display_name,
        labels: given.labels,
    }
}

//! What is forgotten: old answers, and of a log what is older than it is to be kept. The inbox folds its notes itself.
//!
//! Each call forgets a part, found by an index and small enough that nobody waits for it, and tells how much that was.
//! Two may be at it at once: neither forgets more than it may, only some of their work is in vain.
//!
//! A log is trimmed to a revision: from there on its history is whole. Of what came before, the last event of each
//! resource stays, so that every later state can be read, and what revisions need that are held (`freeing`). It moves on from revision to revision, and each step deletes
//! what the events of the step made superfluous: to each event the one before it of the same resource. So the work is
//! that of the events passed, however many older ones stay for their resources.

use std::cmp::{max, min};
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::{DeleteStatement, Expr, ExprTrait as _, Order, Query, SelectStatement, UpdateStatement};
use waymark_domain::WorkspaceId;

use crate::freeing::{STEP, Superseded, held_before, take};
use crate::statement::columns;
use crate::workspaces::workspace_of;
use crate::{Error, Store};

/// Who reads a service's log to its end, in their own time: what one of them has yet to read is kept, whatever its age.
#[derive(Clone, Default)]
pub struct LogReaders {
    /// Whether a relay publishes the log. What it has begun to publish is kept in any case.
    pub relay: bool,
    /// The databases of the services that read it in this process.
    pub bus: Vec<Store>,
    /// What these call the service whose log it is.
    pub source: &'static str,
}

impl Store {
    /// Forgets answers of requests made before `before`, the oldest `limit` of them at most.
    pub async fn purge_requests(&self, before: DateTime<Utc>, limit: u64) -> Result<u64, Error> {
        self.across().execute(&old_requests(before, limit)).await
    }

    /// The first `limit` workspaces behind the one called `after`, in order of their ids.
    pub async fn workspaces_after(&self, after: &str, limit: u64) -> Result<Vec<WorkspaceId>, Error> {
        let mut select = Query::select();
        select.column("id").from("workspaces").and_where(Expr::col("id").gt(after));
        let rows = self.across().query_all(select.order_by("id", Order::Asc).limit(limit)).await?;
        rows.iter().map(|row| workspace_of("workspaces", row.try_get_by_index(0)?)).collect()
    }

    /// Trims the log of a workspace, by a step, so that history from `time` on is whole.
    pub async fn trim_log_before(
        &self,
        workspace: &WorkspaceId,
        time: DateTime<Utc>,
        readers: &LogReaders,
    ) -> Result<Option<u64>, Error> {
        // How it stood at that time is how it stood after the last revision before.
        self.trim_log(workspace, self.last_before(workspace, time).await?, readers).await
    }

    /// Trims the log of a workspace to `revision` or what its readers have read, by a step. Tells how many events it
    /// forgot; `None` when there was nothing to do.
    pub async fn trim_log(
        &self,
        workspace: &WorkspaceId,
        revision: i64,
        readers: &LogReaders,
    ) -> Result<Option<u64>, Error> {
        let (earliest, current) = self.bounds(workspace.id()).await?;
        // Before the first revision there is nothing.
        let beginning = max(earliest, 1);
        if min(revision, current) <= beginning {
            return Ok(None);
        }
        let to = min(min(revision, current), self.unread(workspace, readers).await?);
        if to <= beginning {
            return Ok(None);
        }
        let to = match self.of(workspace.id()).query_one(&step_end(workspace, earliest, to)).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => to,
        };
        let rows = self.of(workspace.id()).query_all(&superseded(workspace, earliest, to)).await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let (revision, id): (Option<i64>, Option<String>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let (found, until) = (revision.zip(id), row.try_get_by_index(2)?);
            events.extend(found.map(|(revision, event_id)| Superseded { revision, event_id, until }));
        }
        let transaction = self.across().begin().await?;
        if transaction.execute(&advance(workspace, earliest, to)).await?.rows_affected() == 0 {
            // Another has moved on, or the relay was sent back.
            transaction.rollback().await?;
            return Ok(None);
        }
        // Behind the lock of the workspace's row: whatever holds a revision before `to` is there by now.
        let holds = match &self.holding {
            Some(holding) => held_before(&transaction, holding, workspace, to).await?,
            None => BTreeSet::new(),
        };
        let deleted = take(&transaction, workspace, events, &holds).await?;
        transaction.commit().await?;
        Ok(Some(deleted))
    }

    /// The first revision that one of the log's readers has yet to read.
    async fn unread(&self, workspace: &WorkspaceId, readers: &LogReaders) -> Result<i64, Error> {
        let read = |table: &'static str| {
            let mut select = Query::select();
            select.column("revision").from(table).and_where(Expr::col("workspace").eq(workspace.id())).take()
        };
        let mut unread = match self.across().query_one(&read("relay_cursors")).await? {
            Some(row) => row.try_get_by_index::<i64>(0)? + 1,
            None if readers.relay => 1,
            None => i64::MAX,
        };
        let mut read = read("bus_cursors");
        read.and_where(Expr::col("source").eq(readers.source));
        for reader in &readers.bus {
            let row = reader.across().query_one(&read).await?;
            let revision: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
            unread = min(unread, revision + 1);
        }
        Ok(unread)
    }
}

pub(crate) fn old_requests(before: DateTime<Utc>, limit: u64) -> DeleteStatement {
    const KEY: [&str; 2] = ["workspace", "request_id"];
    let mut old = Query::select();
    old.columns(KEY).from("requests").and_where(Expr::col("time").lt(before.timestamp_micros()));
    old.order_by("time", Order::Asc).limit(limit);
    Query::delete().from_table("requests").and_where(columns(KEY).in_subquery(old)).take()
}

/// The revision that a step from `earliest` ends with; none when it gets to `to`.
pub(crate) fn step_end(workspace: &WorkspaceId, earliest: i64, to: i64) -> SelectStatement {
    let mut select = Query::select();
    select.column("revision").from("log").and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("revision").gt(earliest)).and_where(Expr::col("revision").lt(to));
    select.order_by("revision", Order::Asc).order_by("ordinal", Order::Asc).offset(STEP - 1).limit(1).take()
}

/// The events before `to` that those from `earliest` to `to` supersede, by revision and id: to each the one before it of
/// the same resource, if there is one; and its own revision.
pub(crate) fn superseded(workspace: &WorkspaceId, earliest: i64, to: i64) -> SelectStatement {
    const PLACE: [&str; 2] = ["revision", "ordinal"];
    let place = |table: &'static str| columns(PLACE.map(|column| (table, column)));
    let mut previous = Query::select();
    previous.from_as("log", "previous");
    for column in ["workspace", "collection", "resource_id"] {
        previous.and_where(Expr::col(("previous", column)).equals(("log", column)));
    }
    previous.and_where(place("previous").lt(place("log"))).and_where(Expr::col(("previous", "revision")).lt(to));
    for column in PLACE {
        previous.order_by(("previous", column), Order::Desc);
    }
    previous.limit(1);
    let of_previous =
        |column| Expr::SubQuery(None, Box::new(previous.clone().column(("previous", column)).take().into()));
    let mut select = Query::select();
    select.exprs([of_previous("revision"), of_previous("event_id"), Expr::col("revision")]).from("log");
    select.and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("revision").gte(earliest)).and_where(Expr::col("revision").lte(to)).take()
}

/// Moves the beginning of whole history from `earliest` to `to`, unless it was moved meanwhile or the relay has yet to
/// publish what is before.
pub(crate) fn advance(workspace: &WorkspaceId, earliest: i64, to: i64) -> UpdateStatement {
    let unpublished = Query::select()
        .expr(Expr::val(1))
        .from("relay_cursors")
        .and_where(Expr::col("workspace").eq(workspace.id()))
        .and_where(Expr::col("revision").lt(to - 1))
        .take();
    let mut advance = Query::update();
    advance.table("workspaces").value("earliest_revision", to);
    advance.and_where(Expr::col("id").eq(workspace.id())).and_where(Expr::col("earliest_revision").eq(earliest));
    advance.and_where(Expr::not_exists(unpublished)).take()
}

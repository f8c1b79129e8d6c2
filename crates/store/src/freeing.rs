//! What trimming leaves of a log for revisions that are held, and when that goes.
//!
//! Nothing is kept for a revision until trimming comes by. What it would take because a later event of the same resource came it
//! leaves where a revision between the two is held, as that is what the revision needs of the resource, and notes it in
//! `held_events` under the last such revision. When nothing names that any more, each event noted goes to the held revision
//! before, if that needs it as well, or is forgotten. So both cost what changed, and no table is read.

use std::collections::BTreeSet;

use sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Order, Query, SelectStatement,
};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction};
use waymark_domain::WorkspaceId;

use crate::holding::Holding;
use crate::{Error, Store};

const TABLE: &str = "held_events";
/// Events that a step passes, about: whole revisions.
pub(crate) const STEP: u64 = 500;

/// An event that would be gone, were not a revision from its own on and before that of the next event of its resource held.
pub(crate) struct Superseded {
    pub revision: i64,
    pub event_id: String,
    /// The revision of the next event.
    pub until: i64,
}

impl Store {
    /// Forgets events of a workspace that were kept for a revision which is held no more, by a step. Tells how many that was;
    /// `None` when there was nothing to do.
    pub async fn free_log(&self, workspace: &WorkspaceId) -> Result<Option<u64>, Error> {
        let Some(holding) = self.holding else { return Ok(None) };
        let mut last = i64::MIN;
        while let Some(row) = self.of(workspace.id()).query_one(&next(workspace, last)).await? {
            last = row.try_get_by_index(0)?;
            if self.of(workspace.id()).query_one(&holding.holds(workspace, last)).await?.is_none() {
                return self.free(&holding, workspace, last).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Forgets or hands over a part of what was kept for a revision.
    async fn free(&self, holding: &Holding, workspace: &WorkspaceId, held: i64) -> Result<u64, Error> {
        let transaction = self.across().begin().await?;
        let holds = held_before(&transaction, holding, workspace, held).await?;
        let (mut gone, mut rows) = (Vec::new(), Vec::new());
        for row in transaction.query_all(&kept(workspace, held)).await? {
            let (revision, event_id): (i64, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            rows.push((revision, event_id.clone()));
            gone.push(Superseded { revision, event_id, until: held });
        }
        transaction.execute(&unkeep(workspace, held, &rows)).await?;
        let deleted = take(&transaction, workspace, gone, &holds).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}

/// The held revisions before one, as they stand.
pub(crate) async fn held_before(
    transaction: &DatabaseTransaction,
    holding: &Holding,
    workspace: &WorkspaceId,
    revision: i64,
) -> Result<BTreeSet<i64>, Error> {
    let rows = transaction.query_all(&holding.before(workspace, revision)).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}

/// Forgets events, but for those that a held revision needs, which are noted. Tells how many were forgotten.
pub(crate) async fn take(
    transaction: &DatabaseTransaction,
    workspace: &WorkspaceId,
    superseded: Vec<Superseded>,
    holds: &BTreeSet<i64>,
) -> Result<u64, Error> {
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for Superseded { revision, event_id, until } in superseded {
        match holds.range(revision..until).next_back() {
            Some(held) => kept.push((*held, revision, event_id)),
            None => gone.push((revision, event_id)),
        }
    }
    for part in kept.chunks(STEP as usize) {
        transaction.execute(&keep(workspace, part)).await?;
    }
    let mut deleted = 0;
    // A revision may have more events than a step.
    for part in gone.chunks(STEP as usize) {
        deleted += transaction.execute(&forget(workspace, part)).await?.rows_affected();
    }
    Ok(deleted)
}

/// The first revision behind another one that events are kept for.
pub(crate) fn next(workspace: &WorkspaceId, last: i64) -> SelectStatement {
    let mut select = Query::select();
    select.column("held").from(TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("held").gt(last)).order_by("held", Order::Asc).limit(1).take()
}

/// Some of the events that are kept for a revision.
pub(crate) fn kept(workspace: &WorkspaceId, held: i64) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["revision", "event_id"]).from(TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("held").eq(held));
    select.order_by("revision", Order::Asc).order_by("event_id", Order::Asc).limit(STEP).take()
}

fn keep(workspace: &WorkspaceId, events: &[(i64, i64, String)]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(TABLE).columns(["workspace", "held", "revision", "event_id"]);
    for (held, revision, event_id) in events {
        insert.values_panic([workspace.id().into(), (*held).into(), (*revision).into(), event_id.as_str().into()]);
    }
    // The last revision of a step is the first of the next, which finds them again.
    insert.on_conflict(OnConflict::new().do_nothing().to_owned()).take()
}

/// Takes notes of events away.
pub(crate) fn unkeep(workspace: &WorkspaceId, held: i64, events: &[(i64, String)]) -> DeleteStatement {
    let mut delete = Query::delete();
    delete.from_table(TABLE).and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("held").eq(held));
    delete.and_where(Expr::col("revision").is_in(events.iter().map(|(revision, _)| *revision)));
    delete.and_where(Expr::col("event_id").is_in(events.iter().map(|(_, id)| id.as_str()))).take()
}

/// Forgets events, by revision and id.
pub(crate) fn forget(workspace: &WorkspaceId, events: &[(i64, String)]) -> DeleteStatement {
    let mut delete = Query::delete();
    delete.from_table("log").and_where(Expr::col("workspace").eq(workspace.id()));
    delete.and_where(Expr::col("revision").is_in(events.iter().map(|(revision, _)| *revision)));
    delete.and_where(Expr::col("event_id").is_in(events.iter().map(|(_, id)| id.as_str()))).take()
}

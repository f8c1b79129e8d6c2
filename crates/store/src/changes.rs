//! What changed between two revisions, from the log: at the cost of the events between them.

use std::cmp::{max, min};

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Resource, WorkspaceId};

use crate::history::{carried, state};
use crate::list::PAGE_BYTES;
use crate::log::{ORDER, later};
use crate::statement::{columns, order_by};
use crate::{Error, Table, View};

/// Events that are looked at for changes at once, at most: of many, few may be of the collection asked for.
const LOOKED_AT: u64 = 5_000;

/// What became of some of the resources that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes<M> {
    /// Of each the state at the earlier and at the later revision; none where it did not exist or was deleted. In the
    /// order of their last events.
    pub items: Vec<(Option<M>, Option<M>)>,
    /// The event that the next part begins behind, by revision and ordinal; none when this is the last. There may be
    /// one though there are no items.
    pub next: Option<(i64, i32)>,
}

impl View {
    /// What became of resources between `revision` and the one that is shown, whichever came first: those with events
    /// behind the one at `after`, `limit` of them at most. Refuses a revision in the future or no longer kept.
    pub async fn changes<T: Table>(
        &self,
        revision: i64,
        after: Option<(i64, i32)>,
        limit: u64,
    ) -> Result<Changes<T::Message>, Error> {
        self.check(revision)?;
        let (from, to) = (min(revision, self.revision()), max(revision, self.revision()));
        let after = after.unwrap_or((from, i32::MAX));
        let end = match self.rows(&end(self.workspace(), after, to)).await?.pop() {
            Some(row) => Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?)),
            None => None,
        };
        let select = changed::<T>(self.workspace(), from, to, after, end, limit);
        let by_place = ORDER.map(|column| (column.to_owned(), Order::Asc, None));
        // Half for what they were, half for what they are.
        let (rows, more) = self.page(select, limit as usize, ("after", PAGE_BYTES / 2), &by_place).await?;
        let next = match rows.last() {
            Some(last) if more || rows.len() as u64 == limit => {
                Some((last.try_get_by_index(0)?, last.try_get_by_index(1)?))
            }
            _ => end,
        };
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: String = row.try_get_by_index(2)?;
            let state = |index| -> Result<_, Error> { self.read::<T>(&id, &row.try_get_by_index::<String>(index)?) };
            let (before, after) = (state(3)?, state(4)?);
            items.push(if revision > self.revision() { (after, before) } else { (before, after) });
        }
        Ok(Changes { items, next })
    }
}

/// The place of the last event that is looked at in one go; none when that gets to the last one before `to`.
pub(crate) fn end(workspace: &WorkspaceId, after: (i64, i32), to: i64) -> SelectStatement {
    let mut select = between(workspace, after, to);
    select.columns(ORDER).offset(LOOKED_AT - 1).limit(1).take()
}

/// The last events up to `to` of the resources that have one behind `after` and up to `end`: place, resource, and the
/// states after `from` and `to`.
pub(crate) fn changed<T: Table>(
    workspace: &WorkspaceId,
    from: i64,
    to: i64,
    after: (i64, i32),
    end: Option<(i64, i32)>,
    limit: u64,
) -> SelectStatement {
    let mut select = between(workspace, after, to);
    select.columns(ORDER).column("resource_id");
    select.expr_as(state::<T>(workspace, from, ("log", "resource_id")), "before");
    select.expr_as(carried::<T>("data"), "after");
    if let Some((revision, ordinal)) = end {
        select.and_where(columns(ORDER).lte(Expr::tuple([revision.into(), ordinal.into()])));
    }
    select.and_where(Expr::col("collection").eq(T::Resource::COLLECTION)).and_where(Expr::not_exists(later(to)));
    select.limit(limit).take()
}

/// Events behind `after` up to the end of `to`, in order.
fn between(workspace: &WorkspaceId, (revision, ordinal): (i64, i32), to: i64) -> SelectStatement {
    let mut select = Query::select();
    select.from("log").and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(columns(ORDER).gt(Expr::tuple([revision.into(), ordinal.into()])));
    select.and_where(Expr::col("revision").lte(to));
    order_by(&mut select, ORDER.map(|column| (column.to_owned(), Order::Asc, None)));
    select.take()
}

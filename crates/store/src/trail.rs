//! The events of one resource, the last first: what the past is read by. Each look is one into the index `log_resource`,
//! whatever the databases know of the log.
//!
//! PostgreSQL has to be led there. Its statistics say nothing of a workspace that was filled since they were gathered, so it
//! takes it for one of a single row and reads all of it, by whichever index begins with the workspace and is the smallest. It is
//! not shown the workspace, therefore: one that it does not know holds as much as any; nor the collection, as some have indexes
//! of their own, which seem empty. And what is asked of an event is never whether there is no later one, which it makes a join
//! of all with all, but whether it is the last.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};

use crate::statement::{columns, unseen};

/// What tells events of a resource apart, in order.
const PLACE: [&str; 2] = ["revision", "ordinal"];

/// Events of a resource behind revision `after` and up to `to`, the last first: from the log under the name `past`, columns
/// and limit left open. Collection and id are columns of a statement around it, or [unseen].
pub(crate) fn trail(
    backend: DbBackend,
    workspace: &str,
    [collection, id]: [Expr; 2],
    (after, to): (i64, i64),
) -> SelectStatement {
    let of = |column| Expr::col(("past", column));
    let mut select = Query::select();
    select.from_as("log", "past").and_where(of("workspace").eq(unseen(backend, workspace)));
    select.and_where(of("collection").eq(collection)).and_where(of("resource_id").eq(id));
    // What says nothing would make other indexes look good.
    select.and_where_option((after > 0).then(|| of("revision").gt(after)));
    select.and_where_option((to < i64::MAX).then(|| of("revision").lte(to)));
    for column in PLACE {
        select.order_by(("past", column), Order::Desc);
    }
    select
}

/// That no event of the same resource comes behind a row of `events`, by which name a statement has the log or some of it, up to
/// revision `to`.
pub(crate) fn is_last(backend: DbBackend, workspace: &str, events: &'static str, to: i64) -> Expr {
    let resource = ["collection", "resource_id"].map(|column| Expr::col((events, column)));
    let mut last = trail(backend, workspace, resource, (0, to));
    last.columns(PLACE.map(|column| ("past", column))).limit(1);
    columns(PLACE.map(|column| (events, column))).eq(Expr::SubQuery(None, Box::new(last.into())))
}

//! The events of one resource, the last first: what the past is read by. Each look is one into the index `log_resource`,
//! whatever the databases know of the log.
//!
//! PostgreSQL has to be led there. Statistics say nothing of a workspace that was filled since they were gathered, so it
//! takes it for one of a single row and reads all of it, by whichever index begins with the workspace and is the smallest.
//! What it cannot mistake is a stretch of an order that one index alone has, from a place in it: told as rows that are
//! compared, of which it knows no more than that a third of the log is below or above.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};

use crate::statement::{columns, unseen};

/// The index of resources, in its order.
const KEY: [&str; 5] = ["workspace", "collection", "resource_id", "revision", "ordinal"];

/// Events of a resource behind revision `after` and up to `to`, the last first: from the log under the name `past`, columns
/// and limit left open. Collection and id may be columns of a statement around it.
pub(crate) fn trail(
    backend: DbBackend,
    workspace: &str,
    [collection, id]: [Expr; 2],
    (after, to): (i64, i64),
) -> SelectStatement {
    let mut select = Query::select();
    select.from_as("log", "past");
    if backend == DbBackend::Postgres {
        let key = || columns(KEY.map(|column| ("past", column)));
        let place = |revision: i64| {
            let workspace = unseen(backend, workspace);
            Expr::tuple([workspace, collection.clone(), id.clone(), revision.into(), i32::MAX.into()])
        };
        select.and_where(key().gt(place(after))).and_where(key().lte(place(to)));
    } else {
        select.and_where(Expr::col(("past", "workspace")).eq(workspace));
        select.and_where(Expr::col(("past", "collection")).eq(collection));
        select.and_where(Expr::col(("past", "resource_id")).eq(id));
        // What says nothing would make other indexes look good.
        let revision = || Expr::col(("past", "revision"));
        select.and_where_option((after > 0).then(|| revision().gt(after)));
        select.and_where_option((to < i64::MAX).then(|| revision().lte(to)));
    }
    for column in KEY {
        select.order_by(("past", column), Order::Desc);
    }
    select
}

/// That no event of the same resource comes behind a row of `log` up to revision `to`.
pub(crate) fn is_last(backend: DbBackend, workspace: &str, to: i64) -> Expr {
    const PLACE: [&str; 2] = ["revision", "ordinal"];
    let resource = ["collection", "resource_id"].map(|column| Expr::col(("log", column)));
    let mut last = trail(backend, workspace, resource, (0, to));
    last.columns(PLACE.map(|column| ("past", column))).limit(1);
    columns(PLACE.map(|column| ("log", column))).eq(Expr::SubQuery(None, Box::new(last.into())))
}

//! The inbox: which events of other services were handled.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, InsertStatement, OnConflict, Query, SelectStatement};
use waymark_request::Causation;

use crate::statement::insert;

/// Finds a row when the event was handled.
pub(crate) fn handled(causation: &Causation) -> SelectStatement {
    let mut select = Query::select();
    select.column("event_id").from("inbox").and_where(Expr::col("consumer").eq(causation.consumer.as_str()));
    select.and_where(Expr::col("event_id").eq(causation.event_id.to_string())).take()
}

/// The note that an event was handled. Inside a write, a second handler of the same event waits for the workspace's
/// lock, then finds the note: the insert counts no row.
pub(crate) fn note(causation: &Causation, now: DateTime<Utc>) -> InsertStatement {
    let row = [
        ("consumer", causation.consumer.as_str().into()),
        ("event_id", causation.event_id.to_string().into()),
        ("time", now.timestamp_micros().into()),
    ];
    let mut insert = insert("inbox", row);
    insert.on_conflict(OnConflict::new().do_nothing().to_owned()).take()
}

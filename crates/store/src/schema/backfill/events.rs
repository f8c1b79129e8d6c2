//! Events that were there before what they say was looked up by: it is derived from the resource that each of them carries.
//!
//! Their place takes the room of an id, so they are taken in batches as rows are. Nobody else changes an event, so no workspace
//! is locked; one that is trimmed meanwhile is gone.

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait as _, Value};

use crate::schema::record;
use crate::statement::{columns, json_text};
use crate::{Error, Store, Table, resource};

/// Events of a batch.
const EVENTS: u64 = 500;
/// What tells events apart, in order.
const KEY: [&str; 3] = ["workspace", "revision", "ordinal"];

/// What an event says of the column that is traced.
pub(super) fn trace<T: Table>(workspace: &str, id: &str, event: &str) -> Result<Value, Error> {
    let message = resource::carried::<T, T::Message>(workspace, id, event)?;
    let resource = message.map(|message| resource::parse::<T>(workspace, message)).transpose()?;
    let column = T::COLUMNS.iter().find(|column| column.traced);
    let value = resource.zip(column).map(|(resource, column)| column.value_of(&resource));
    Ok(value.unwrap_or(Value::String(None)))
}

impl Store {
    /// Fills in the next events of a collection and tells how many; none when there are no more.
    pub(super) async fn trace_batch(
        &self,
        migration: i64,
        collection: &'static str,
        trace: fn(&str, &str, &str) -> Result<Value, Error>,
    ) -> Result<Option<usize>, Error> {
        let transaction = self.one_process().await?;
        let Some((workspace, at)) = record::position(&transaction, migration).await? else { return Ok(None) };
        let rows = transaction.query_all(&events(collection, &workspace, place(&at))).await?;
        let Some(last) = rows.last() else {
            record::end(&transaction, migration, self.now()).await?;
            transaction.commit().await?;
            return Ok(None);
        };
        for row in &rows {
            let (workspace, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(3)?);
            match trace(&workspace, &id, &row.try_get_by_index::<String>(4)?) {
                Ok(value) => {
                    let mut update = Query::update();
                    update.table("log").value("traced", value).and_where(Expr::col("workspace").eq(workspace));
                    update.and_where(Expr::col("revision").eq(row.try_get_by_index::<i64>(1)?));
                    update.and_where(Expr::col("ordinal").eq(row.try_get_by_index::<i32>(2)?));
                    transaction.execute(&update).await?;
                }
                // One event that was damaged before must not keep a service from its start.
                Err(error) => tracing::error!(%error, "a damaged event is left as it is"),
            }
        }
        let at = format!("{} {}", last.try_get_by_index::<i64>(1)?, last.try_get_by_index::<i32>(2)?);
        record::advance(&transaction, migration, (&last.try_get_by_index::<String>(0)?, &at)).await?;
        transaction.commit().await?;
        Ok(Some(rows.len()))
    }
}

/// The events of a collection behind a place.
fn events(collection: &'static str, workspace: &str, (revision, ordinal): (i64, i32)) -> SelectStatement {
    let mut select = Query::select();
    select.columns(KEY).column("resource_id").expr(json_text("data")).from("log");
    select.and_where(columns(KEY).gt(Expr::tuple([workspace.into(), revision.into(), ordinal.into()])));
    select.and_where(Expr::col("collection").eq(collection));
    for column in KEY {
        select.order_by(column, Order::Asc);
    }
    select.limit(EVENTS).take()
}

/// The revision and ordinal of a text that was written here; before all of them without one.
fn place(text: &str) -> (i64, i32) {
    let place = text.split_once(' ').and_then(|(revision, at)| Some((revision.parse().ok()?, at.parse().ok()?)));
    place.unwrap_or((-1, 0))
}

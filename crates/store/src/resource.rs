//! From what a body column holds to the domain's value. A row that breaks an invariant is named by table, column and id.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use serde::de::DeserializeOwned;
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::statement::{json_text, keyed, one_of, unseen};
use crate::{Error, Table, carried};

/// The domain's value of a message that the store gave out.
pub fn resource<T: Table>(message: T::Message) -> Result<T::Resource, Error> {
    let name = message.standard().name;
    let workspace = name.split('/').nth(1).unwrap_or_default().to_owned();
    parse::<T>(&workspace, message)
}

/// The message a body column holds.
pub(crate) fn decode<T: Table>(workspace: &str, id: &str, body: &str) -> Result<T::Message, Error> {
    serde_json::from_str(body).map_err(|e| damaged::<T>(workspace, id, e.to_string()))
}

pub(crate) fn parse<T: Table>(workspace: &str, message: T::Message) -> Result<T::Resource, Error> {
    let name = message.standard().name;
    waymark_proto::parse(message).map_err(|violations: Violations| {
        damaged::<T>(workspace, name.rsplit('/').next().unwrap_or_default(), violations.to_string())
    })
}

/// As much of it as is asked for.
pub(crate) fn kept<T: Table, V: DeserializeOwned>(workspace: &str, id: &str, body: &str) -> Result<Option<V>, Error> {
    serde_json::from_str(body).map(Some).map_err(|e| damaged::<T>(workspace, id, e.to_string()))
}

/// The same of what an event carries; none of an empty text, which stands for no event.
pub(crate) fn carried<T: Table, V: DeserializeOwned>(
    workspace: &str,
    id: &str,
    event: &str,
) -> Result<Option<V>, Error> {
    if event.is_empty() {
        return Ok(None);
    }
    let found = carried::resource::<T::Message, V>(event).map_err(|error| in_log(workspace, id, error.to_string()))?;
    found.map(Some).ok_or_else(|| in_log(workspace, id, format!("has no {}", T::Message::SINGULAR)))
}

/// A text field of the resource that an event carries, if it is set.
pub(crate) fn text_carried<T: Table>(
    workspace: &str,
    id: &str,
    event: &str,
    field: &str,
) -> Result<Option<String>, Error> {
    if event.is_empty() {
        return Ok(None);
    }
    carried::text::<T::Message>(event, field).map_err(|error| in_log(workspace, id, error.to_string()))
}

/// All resources of a workspace, as ids and bodies.
pub(crate) fn bodies<T: Table>(workspace: &str) -> SelectStatement {
    ids_and_bodies::<T>().and_where(Expr::col("workspace").eq(workspace)).take()
}

/// The resources of these ids, as ids and bodies.
pub(crate) fn bodies_of<'a, T: Table>(
    backend: DbBackend,
    workspace: &str,
    ids: impl IntoIterator<Item = &'a str>,
) -> SelectStatement {
    ids_and_bodies::<T>().and_where(keyed(backend, workspace, ids)).take()
}

fn ids_and_bodies<T: Table>() -> SelectStatement {
    Query::select().column("id").expr_as(json_text("body"), "body").from(T::TABLE).take()
}

/// Ids and bodies of the live resources whose declared text column is one of `values`.
pub(crate) fn those<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    column: &'static str,
    values: &[String],
) -> Result<SelectStatement, Error> {
    let mut select = ids_and_bodies::<T>();
    select.and_where(Expr::col("workspace").eq(unseen(backend, workspace.id())));
    select.and_where(one_of(backend, declared::<T>(column)?, values.iter().map(String::as_str)));
    Ok(select.and_where(Expr::col("delete_time").is_null()).take())
}

/// Of each value of a declared text column, the id of the live resource that is last by another column, if there is one; of
/// those that are equal there the last id.
pub(crate) fn last<T: Table>(
    workspace: &WorkspaceId,
    by: &'static str,
    column: &'static str,
    values: &[String],
) -> Result<SelectStatement, Error> {
    let mut last = Query::select();
    last.column("id").from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    last.and_where(Expr::col(declared::<T>(column)?).equals(("of", "column1")));
    last.and_where(Expr::col("delete_time").is_null());
    last.order_by(by, Order::Desc).order_by("id", Order::Desc).limit(1);
    let last = Expr::SubQuery(None, Box::new(last.into()));
    Ok(Query::select().expr(last).from_values(values.iter().cloned(), "of").take())
}

/// A column that the table declares.
pub(crate) fn declared<T: Table>(column: &'static str) -> Result<&'static str, Error> {
    let declared = T::COLUMNS.iter().any(|c| c.name == column);
    declared.then_some(column).ok_or_else(|| Error::bug(format!("{} has no column {column:?}", T::TABLE)))
}

fn damaged<T: Table>(workspace: &str, id: &str, problem: String) -> Error {
    Error::Damaged { table: T::TABLE, column: "body", workspace: workspace.to_owned(), id: id.to_owned(), problem }
}

/// What is wrong with the resource of an event.
pub(crate) fn in_log(workspace: &str, id: &str, problem: String) -> Error {
    Error::Damaged { table: "log", column: "data", workspace: workspace.to_owned(), id: id.to_owned(), problem }
}

//! From what a body column holds to the domain's value. A row that breaks an invariant is named by table, column and id.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::statement::{json_text, keyed, one_of};
use crate::{Error, Table};

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
    let mut select = bodies::<T>(workspace.id());
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

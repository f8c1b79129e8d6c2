//! From what a body column holds to the domain's value. A row that breaks an invariant is named by table, column and id.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use waymark_domain::Violations;
use waymark_proto::ResourceMessage;

use crate::statement::json_text;
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
    let mut select = Query::select();
    select.column("id").expr(json_text("body")).from(T::TABLE);
    select.and_where(Expr::col("workspace").eq(workspace)).take()
}

fn damaged<T: Table>(workspace: &str, id: &str, problem: String) -> Error {
    Error::Damaged { table: T::TABLE, column: "body", workspace: workspace.to_owned(), id: id.to_owned(), problem }
}

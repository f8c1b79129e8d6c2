//! How the database is told which workspace a statement is of: before its rows are looked at, within the statement or its
//! transaction.

use sea_orm::Statement;
use sea_orm::sea_query::{CommonTableExpression, Expr, Func, Query, SelectStatement};

/// The setting that policies compare with.
pub(crate) const SETTING: &str = "waymark.workspace";

/// Tells the workspace to the rest of the transaction.
pub(crate) fn tell(workspace: &str) -> SelectStatement {
    let [setting, local] = [format!("'{SETTING}'"), "true".to_owned()].map(Expr::cust);
    let tell = Func::cust("set_config").arg(setting).arg(workspace).arg(local);
    Query::select().expr_as(tell, "workspace").take()
}

/// The same as the first part of a statement, whose other parts read `workspace` from `told` to come after it.
pub(crate) fn told(workspace: &str) -> CommonTableExpression {
    CommonTableExpression::new().table_name("told").query(tell(workspace)).materialized(true).to_owned()
}

/// A statement that finds rows, in the same order, after the workspace is told. The planner would run policies before
/// that, were it free to; it is not where the rows are a subquery of its own that refers to what was told.
pub(crate) fn telling(workspace: &str, statement: Statement) -> Statement {
    let Statement { sql, values, db_backend } = statement;
    let mut values = values.map(|values| values.0).unwrap_or_default();
    values.push(workspace.into());
    let place = values.len();
    let sql = format!(
        "WITH told AS MATERIALIZED (SELECT set_config('{SETTING}', ${place}, true) AS workspace) \
         SELECT found.* FROM told CROSS JOIN LATERAL \
         (SELECT rows.* FROM ({sql}) AS rows WHERE told.workspace IS NOT NULL OFFSET 0) AS found"
    );
    Statement::from_sql_and_values(db_backend, sql, values)
}

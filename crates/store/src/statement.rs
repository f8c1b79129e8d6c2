//! What statements are made of: pieces that several of them need, and the few places where the two databases differ
//! and sea-query does not know it. All other statements are built where they are sent; values are always bound.

use std::pin::pin;

use futures::TryStreamExt as _;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{
    Asterisk, BinOper, Expr, ExprTrait as _, Func, FunctionCall, InsertStatement, IntoColumnRef, NullOrdering, Order,
    OrderedStatement, Query, SelectStatement, WindowStatement,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, StreamTrait};

use crate::told::telling;

/// A column to order by; where nulls go only if it can be null.
pub(crate) type Ordering = (String, Order, Option<NullOrdering>);

/// INSERT of one row, each value beside its column.
pub(crate) fn insert<const N: usize>(table: &'static str, row: [(&'static str, Expr); N]) -> InsertStatement {
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    // It panics when there are not as many values as columns.
    Query::insert().into_table(table).columns(columns).values_panic(values).take()
}

/// The columns together, to compare them as one.
pub(crate) fn columns<const N: usize>(columns: [impl IntoColumnRef; N]) -> Expr {
    Expr::tuple(columns.map(|column| Expr::col(column)))
}

/// Whether a column is one of many texts. PostgreSQL gets them as one value: from a list of many it makes no condition of an
/// index once it plans without looking at them, and reads all of a workspace instead.
pub(crate) fn one_of<'a>(
    backend: DbBackend,
    column: impl IntoColumnRef,
    values: impl IntoIterator<Item = &'a str>,
) -> Expr {
    let (column, values) = (Expr::col(column), values.into_iter());
    if backend == DbBackend::Postgres {
        column.eq(PgFunc::any(values.map(str::to_owned).collect::<Vec<_>>()))
    } else {
        column.is_in(values)
    }
}

/// A text that PostgreSQL plans a statement without. What it knows of a table may be from before a workspace was filled: to a
/// value that it sees, and that its statistics lack, it gives a single row.
pub(crate) fn unseen(backend: DbBackend, text: &str) -> Expr {
    let text = Expr::val(text);
    if backend == DbBackend::Postgres {
        Expr::SubQuery(None, Box::new(Query::select().expr(text.cast_as("text")).take().into()))
    } else {
        text
    }
}

/// Whether a row is one of those with these ids. SQLite, which takes a workspace for ten rows, would rather read an index
/// of all its rows that has the columns that are asked for than look up a few by their keys, unless they are told whole.
pub(crate) fn keyed<'a>(backend: DbBackend, workspace: &str, ids: impl IntoIterator<Item = &'a str>) -> Expr {
    if backend == DbBackend::Postgres {
        return Expr::col("workspace").eq(unseen(backend, workspace)).and(one_of(backend, "id", ids));
    }
    let ids: Vec<&str> = ids.into_iter().collect();
    let each = Func::cust("json_each").arg(serde_json::Value::from(ids).to_string());
    let mut keys = Query::select();
    keys.expr(Expr::val(workspace)).column(("wanted", "value")).from_function(each, "wanted");
    columns(["workspace", "id"]).in_subquery(keys)
}

/// A JSON column as text, whatever its type is.
pub(crate) fn json_text(column: impl IntoColumnRef) -> Expr {
    Expr::col(column).cast_as("text")
}

/// A JSON text for a JSON column: PostgreSQL wants it told apart from text, and its `json` keeps the text as it is;
/// to SQLite, where the column is text, a type called json would be a number.
pub(crate) fn json_value(backend: DbBackend, json: String) -> Expr {
    Expr::val(json).cast_as(if backend == DbBackend::Postgres { "json" } else { "text" })
}

/// Columns of all rows as one JSON text, an array of arrays; or nothing where there is no row. sea-query has no word for it.
pub(crate) fn lists<const N: usize>(backend: DbBackend, columns: [&'static str; N]) -> Expr {
    let (all, one) = match backend {
        DbBackend::Postgres => ("json_agg", "json_build_array"),
        _ => ("json_group_array", "json_array"),
    };
    Func::cust(all).arg(Func::cust(one).args(columns.map(Expr::col))).cast_as("text")
}

/// What stands between texts of a row and between rows that are sent as one text: no id has it, nor has JSON, which escapes
/// it (RFC 7464).
const BETWEEN: [char; 2] = ['\u{1f}', '\u{1e}'];

/// Texts of all rows as one, in no order, which [`apart`] takes apart; nothing where there is no row. What is not set is empty.
/// sea-query has no word for it.
pub(crate) fn as_one(backend: DbBackend, rows: SelectStatement, columns: &[&'static str]) -> SelectStatement {
    let name = if backend == DbBackend::Postgres { "string_agg" } else { "group_concat" };
    let [texts, all] = BETWEEN.map(String::from);
    let mut columns = columns.iter().map(|column| Func::coalesce([Expr::col(*column), Expr::val("")]).into());
    let first = columns.next().unwrap_or_else(|| Expr::val(""));
    let row = joined(first, columns.flat_map(|column| [Expr::val(texts.as_str()), column]));
    Query::select().expr(Func::cust(name).arg(row).arg(Expr::val(all))).from_subquery(rows, "rows").take()
}

/// The rows of [`as_one`]: of each the first text, and what comes behind it.
pub(crate) fn apart(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(BETWEEN[1]).filter(|row| !row.is_empty()).map(first_of)
}

/// The first text of a row or of what is left of one, and what comes behind it.
pub(crate) fn first_of(row: &str) -> (&str, &str) {
    row.split_once(BETWEEN[0]).unwrap_or((row, ""))
}

/// About how many bytes a JSON column takes, without reading it where it is kept apart from its row; sea-query has no
/// word for it.
pub(crate) fn stored_bytes(backend: DbBackend, column: &'static str) -> FunctionCall {
    Func::cust(if backend == DbBackend::Postgres { "pg_column_size" } else { "octet_length" }).arg(Expr::col(column))
}

/// Where `part` begins in `text`, from 1; 0 where it does not. sea-query has no word for it.
pub(crate) fn index_of(backend: DbBackend, text: impl Into<Expr>, part: impl Into<Expr>) -> FunctionCall {
    Func::cust(if backend == DbBackend::Postgres { "strpos" } else { "instr" }).arg(text).arg(part)
}

/// Texts in a row. sea-query knows the operator for PostgreSQL alone.
pub(crate) fn joined(first: Expr, rest: impl IntoIterator<Item = Expr>) -> Expr {
    rest.into_iter().fold(first, |text, next| text.binary(BinOper::Custom("||"), next))
}

/// Adds an order to a statement or a window.
pub(crate) fn order_by<S: OrderedStatement>(statement: &mut S, order: impl IntoIterator<Item = Ordering>) {
    for (column, direction, nulls) in order {
        match nulls {
            Some(nulls) => statement.order_by_with_nulls(column, direction, nulls),
            None => statement.order_by(column, direction),
        };
    }
}

/// The first rows of `page` until its column `text` adds up to `bytes`, at least one row. `order` is its own, by names
/// of its columns, and total. `rows_found` tells how many rows there were.
fn within_bytes(page: SelectStatement, bytes: i64, text: &'static str, order: &[Ordering]) -> SelectStatement {
    let length = || Func::cust("octet_length").arg(Expr::col(text));
    let mut ordered = WindowStatement::new();
    order_by(&mut ordered, order.iter().cloned());
    let weighed = Query::select()
        .column(("page", Asterisk))
        .expr_window_as(Func::sum(length()), ordered, "bytes_with_it")
        .expr_window_as(Expr::col(Asterisk).count(), WindowStatement::new(), "rows_found")
        .from_subquery(page, "page")
        .take();
    let mut select = Query::select();
    select.column(Asterisk).from_subquery(weighed, "weighed");
    select.and_where(Expr::col("bytes_with_it").sub(length()).lt(bytes));
    order_by(&mut select, order.iter().cloned());
    select
}

/// The first `size` rows of `select` until its column `text` adds up to `bytes`, at least one row, and whether it found
/// more. `order` is its own, by names of its columns, and total. The workspace is `told` where the database has to know it.
pub(crate) async fn page(
    connection: &(impl ConnectionTrait + StreamTrait),
    told: Option<&str>,
    select: SelectStatement,
    size: usize,
    (text, bytes): (&'static str, i64),
    order: &[Ordering],
) -> Result<(Vec<QueryResult>, bool), DbErr> {
    if ConnectionTrait::get_database_backend(connection) == DbBackend::Postgres {
        // It sends whatever it was asked for, read or not.
        let mut statement = DbBackend::Postgres.build(&within_bytes(select, bytes, text, order));
        if let Some(workspace) = told {
            statement = telling(workspace, statement);
        }
        let mut rows = connection.query_all_raw(statement).await?;
        let found = rows.first().map(|row| row.try_get::<i64>("", "rows_found")).transpose()?.unwrap_or(0);
        rows.truncate(size);
        let more = found as usize > rows.len();
        return Ok((rows, more));
    }
    // What a window looks at SQLite copies into tables of their own, which takes longer than the page.
    let mut found = pin!(connection.stream(&select).await?);
    let (mut rows, mut read) = (Vec::new(), 0);
    while let Some(row) = found.try_next().await? {
        if rows.len() == size || read >= bytes {
            return Ok((rows, true));
        }
        read += row.try_get::<String>("", text)?.len() as i64;
        rows.push(row);
    }
    Ok((rows, false))
}

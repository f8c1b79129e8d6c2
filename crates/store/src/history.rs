//! The past, from the log: the states of resources as they were after a revision.

use sea_orm::DbBackend;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Order, Query, SelectStatement};
use waymark_domain::{Name, Resource, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::draft::json_name;
use crate::list::PAGE_BYTES;
use crate::log::{ORDER, decode_all, events, later};
use crate::statement::{columns, order_by};
use crate::{Error, LogRow, Store, Table};

/// Resources of a snapshot read at once, at most.
const PART: u64 = 100;

impl Store {
    /// The last event of every resource at or before `revision`, deleted ones included, in order of collection and id:
    /// those behind the resource of `after`, some of them at least. Empty behind the last.
    pub async fn snapshot(&self, workspace: &str, revision: i64, after: Option<&LogRow>) -> Result<Vec<LogRow>, Error> {
        const KEY: [&str; 2] = ["collection", "resource_id"];
        let mut select = events();
        select.from("log").and_where(Expr::col("workspace").eq(workspace));
        select.and_where(Expr::col("revision").lte(revision)).and_where(Expr::not_exists(later(revision)));
        if let Some(LogRow { collection, resource_id, .. }) = after {
            let last = Expr::tuple([collection.as_str().into(), resource_id.as_str().into()]);
            select.and_where(columns(KEY).gt(last));
        }
        let order = KEY.map(|column| (column.to_owned(), Order::Asc, None));
        order_by(&mut select, order.clone());
        select.limit(PART);
        let (rows, _) = self.page(select, PART as usize, ("data", PAGE_BYTES), &order).await?;
        decode_all(&rows)
    }
}

impl Store {
    /// The events of a resource before the one at `before`, the last first: `limit` at most, and whether there are more.
    pub async fn events_of<T: Table>(
        &self,
        name: &Name<T::Resource>,
        before: Option<(i64, i32)>,
        limit: usize,
    ) -> Result<(Vec<LogRow>, bool), Error> {
        let select = events_of::<T>(name, before, limit);
        let order = ORDER.map(|column| (column.to_owned(), Order::Desc, None));
        let (rows, more) = self.page(select, limit, ("data", PAGE_BYTES), &order).await?;
        Ok((decode_all(&rows)?, more))
    }
}

pub(crate) fn events_of<T: Table>(
    name: &Name<T::Resource>,
    before: Option<(i64, i32)>,
    limit: usize,
) -> SelectStatement {
    let mut select = events();
    select.from("log").and_where(Expr::col("workspace").eq(name.workspace().id()));
    select.and_where(Expr::col("collection").eq(T::Resource::COLLECTION));
    select.and_where(Expr::col("resource_id").eq(name.id().as_str()));
    if let Some((revision, ordinal)) = before {
        select.and_where(columns(ORDER).lt(Expr::tuple([Expr::val(revision), Expr::val(ordinal)])));
    }
    order_by(&mut select, ORDER.map(|column| (column.to_owned(), Order::Desc, None)));
    select.limit(limit as u64 + 1).take()
}

/// The state after `revision` of the resource whose id is in `id`, a column of the statement around it: JSON, or empty
/// when there was none.
pub(crate) fn state<T: Table>(workspace: &WorkspaceId, revision: i64, id: (&'static str, &'static str)) -> Expr {
    let mut last = Query::select();
    last.expr(carried::<T>("past.data")).from_as("log", "past");
    last.and_where(Expr::col(("past", "workspace")).eq(workspace.id()));
    last.and_where(Expr::col(("past", "collection")).eq(T::Resource::COLLECTION));
    last.and_where(Expr::col(("past", "resource_id")).equals(id));
    last.and_where(Expr::col(("past", "revision")).lte(revision));
    for column in ORDER {
        last.order_by(("past", column), Order::Desc);
    }
    Func::coalesce([Expr::SubQuery(None, Box::new(last.limit(1).take().into())), Expr::val("")]).into()
}

/// Ids and states of the live resources whose traced column was one of `values` after `revision`.
pub(crate) fn those<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    revision: i64,
    column: &'static str,
    values: &[String],
) -> Result<SelectStatement, Error> {
    if !T::COLUMNS.iter().any(|c| c.name == column && c.traced) {
        return Err(Error::bug(format!("{} are not traced by {column:?}", T::TABLE)));
    }
    Ok(matching::<T>(backend, workspace, revision, column, values))
}

pub(crate) fn matching<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    revision: i64,
    column: &str,
    values: &[String],
) -> SelectStatement {
    let mut select = Query::select();
    select.column("resource_id").expr(carried::<T>("data"));
    let traced_column = Expr::cust(traced::<T>(column));
    if backend == DbBackend::Postgres {
        select.from("log").and_where(traced_column.eq(PgFunc::any(values.to_vec())));
    } else {
        // One by one: many values at once look so costly to SQLite, which has no statistics, that it would rather read
        // all of the collection.
        let array = Func::cust("json_each").arg(serde_json::Value::from(values).to_string());
        select.from_function(array, "one").cross_join("log").and_where(traced_column.eq(Expr::col(("one", "value"))));
    }
    select.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::cust(collection::<T>()));
    // A sum, as SQLite would rather read all the log up to the revision than what is traced.
    select.and_where(Expr::col("revision").add(0_i64).lte(revision)).and_where(Expr::not_exists(later(revision)));
    select.and_where(Expr::cust(traced::<T>("delete_time")).is_null()).take()
}

/// Ids and states of the live resources whose traced column was not set after `revision`, behind the id `after` and in order
/// of id: one more than `limit`.
pub(crate) fn unset<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    revision: i64,
    column: &str,
    after: &str,
    limit: usize,
) -> SelectStatement {
    let mut select = Query::select();
    select.column("resource_id").expr_as(carried::<T>("data"), "state").from("log");
    select.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::cust(collection::<T>()));
    select.and_where(Expr::cust(traced::<T>(column)).is_null());
    let behind = Expr::col("resource_id").gt(after);
    // SQLite would rather read all of the collection behind the id than what is traced, unless it thinks that few are.
    let few = Func::cust("unlikely").arg(behind.clone());
    select.and_where(if backend == DbBackend::Postgres { behind } else { few.into() });
    select.and_where(Expr::col("revision").lte(revision)).and_where(Expr::not_exists(later(revision)));
    select.and_where(Expr::cust(traced::<T>("delete_time")).is_null());
    select.order_by("resource_id", Order::Asc).limit(limit as u64 + 1).take()
}

/// The statement that makes the index of the log by which [`those`] finds them, after its name.
pub(crate) fn index<T: Table>(column: &str) -> (String, String) {
    let name = format!("log_{}_{column}", T::TABLE);
    let (traced, collection) = (traced::<T>(column), collection::<T>());
    let columns = format!("workspace, ({traced}), resource_id, revision, ordinal");
    let statement = format!("CREATE INDEX {name} ON log ({columns}) WHERE {collection};");
    (name, statement)
}

/// That an event is of a resource of the table. As text, as is what follows: an index over an expression, or of some
/// rows, serves only statements that say the same, and not those that bind a value there.
fn collection<T: Table>() -> String {
    format!("collection = '{}'", T::Resource::COLLECTION)
}

/// A field of the resource that an event carries.
fn traced<T: Table>(field: &str) -> String {
    format!("data -> '{}' ->> '{}'", json_name(T::Message::SINGULAR), json_name(field))
}

/// The resource that an event carries, as text.
pub(crate) fn carried<T: Table>(data: &str) -> Expr {
    Expr::cust(format!("({data} -> '{}')", json_name(T::Message::SINGULAR))).cast_as("text")
}

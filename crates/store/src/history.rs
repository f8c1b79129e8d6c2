//! The past, from the log: the states of resources as they were after a revision.

use sea_orm::DbBackend;
use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait as _, Func, Order, Query, SelectStatement, UnionType, WithClause,
};
use waymark_domain::{Name, Resource, WorkspaceId};

use crate::list::PAGE_BYTES;
use crate::log::{ORDER, decode_all, events, of_events};
use crate::statement::{columns, json_text, order_by, unseen};
use crate::trail::{is_last, trail};
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
        select.and_where(Expr::col("revision").lte(revision)).and_where(is_last(
            self.backend(),
            workspace,
            "log",
            revision,
        ));
        if let Some(LogRow { collection, resource_id, .. }) = after {
            let last = Expr::tuple([collection.as_str().into(), resource_id.as_str().into()]);
            select.and_where(columns(KEY).gt(last));
        }
        let order = KEY.map(|column| (column.to_owned(), Order::Asc, None));
        order_by(&mut select, order.clone());
        select.limit(PART);
        let (rows, _) = self.of(workspace).page(select, PART as usize, ("data", PAGE_BYTES), &order).await?;
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
        let select = events_of::<T>(self.backend(), name, before, limit);
        let order = ORDER.map(|column| (column.to_owned(), Order::Desc, None));
        let (rows, more) = self.of(name.workspace().id()).page(select, limit, ("data", PAGE_BYTES), &order).await?;
        Ok((decode_all(&rows)?, more))
    }
}

pub(crate) fn events_of<T: Table>(
    backend: DbBackend,
    name: &Name<T::Resource>,
    before: Option<(i64, i32)>,
    limit: usize,
) -> SelectStatement {
    let resource = [unseen(backend, T::Resource::COLLECTION), Expr::val(name.id().as_str())];
    let last = before.map_or(i64::MAX, |(revision, _)| revision);
    let mut select = of_events(trail(backend, name.workspace().id(), resource, (0, last)));
    if let Some((revision, ordinal)) = before {
        select.and_where(columns(ORDER).lt(Expr::tuple([Expr::val(revision), Expr::val(ordinal)])));
    }
    select.limit(limit as u64 + 1).take()
}

/// The last event up to `revision` of the resource whose id is in `id`, a column of the statement around it: JSON, or empty
/// when there was none.
pub(crate) fn state<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    revision: i64,
    id: (&'static str, &'static str),
) -> Expr {
    let resource = [unseen(backend, T::Resource::COLLECTION), Expr::col(id)];
    let mut last = trail(backend, workspace.id(), resource, (0, revision));
    last.expr(json_text(("past", "data"))).limit(1);
    Func::coalesce([Expr::SubQuery(None, Box::new(last.into())), Expr::val("")]).into()
}

/// Ids of the resources whose traced column was one of `values` once, some of them twice: at the cost of a look into the index
/// of the log for each, however often it changed.
pub(crate) fn once<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    column: &str,
    values: &[String],
) -> Result<SelectStatement, Error> {
    traced::<T>(column)?;
    let mut next = Query::select();
    next.column("resource_id").from("log").and_where(Expr::cust(collection::<T>()));
    let (value, id) = (Expr::col(("once", "value")), Expr::col(("once", "id")));
    next.and_where(Expr::col("workspace").eq(unseen(backend, workspace.id()))).and_where(Expr::col("traced").eq(value));
    next.and_where(Expr::col("resource_id").gt(id)).order_by("resource_id", Order::Asc);
    let all = match backend {
        DbBackend::Postgres => Func::cust("unnest").arg(Expr::val(values.to_vec()).cast_as("text[]")),
        _ => Func::cust("json_each").arg(serde_json::Value::from(values).to_string()),
    };
    let mut begin = Query::select();
    begin.column(("value", "value")).expr(by_bytes(backend, "")).from_function(all, "value");
    let mut further = Query::select();
    further.column(("once", "value")).expr(Expr::SubQuery(None, Box::new(next.limit(1).take().into())));
    further.from("once").and_where(Expr::col(("once", "id")).is_not_null());
    begin.union(UnionType::All, further);
    Ok(led_to("", begin, ["value", "id"]))
}

/// Ids of the resources whose traced column was not set once, in order, behind the id `after`: one more than `limit`.
pub(crate) fn once_unset<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    after: &str,
    limit: usize,
) -> SelectStatement {
    let mut next = Query::select();
    next.column("resource_id").from("log").and_where(Expr::cust(collection::<T>()));
    next.and_where(Expr::col("workspace").eq(unseen(backend, workspace.id()))).and_where(Expr::col("traced").is_null());
    let behind = Expr::col("resource_id").gt(Expr::col(("once", "id")));
    if backend == DbBackend::Postgres {
        // By both, as it does not take those without a value for the same.
        next.and_where(behind).order_by("traced", Order::Asc);
    } else {
        // It would rather read all of the collection behind the id than what is traced, unless it thinks that few are.
        next.and_where(Func::cust("unlikely").arg(behind).into());
    }
    next.order_by("resource_id", Order::Asc).limit(1);
    let mut begin = Query::select();
    begin.expr(Expr::val(0).cast_as("bigint")).expr(by_bytes(backend, after));
    let mut further = Query::select();
    further.expr(Expr::col(("once", "number")).add(1)).expr(Expr::SubQuery(None, Box::new(next.take().into())));
    further.from("once").and_where(Expr::col(("once", "id")).is_not_null());
    further.and_where(Expr::col(("once", "number")).lte(limit as i64));
    begin.union(UnionType::All, further);
    led_to(after, begin, ["number", "id"])
}

/// What a recursion finds behind an id. It leads from one id to the next, and ends with none.
fn led_to(after: &str, begin: SelectStatement, columns: [&'static str; 2]) -> SelectStatement {
    let once = CommonTableExpression::new().table_name("once").columns(columns).query(begin).to_owned();
    let mut found = Query::select();
    found.column("id").from("once").and_where(Expr::col("id").gt(after));
    found.with_cte(WithClause::new().recursive(true).cte(once).to_owned()).take()
}

/// A text that compares as columns do.
fn by_bytes(backend: DbBackend, text: &str) -> Expr {
    match backend {
        DbBackend::Postgres => Expr::cust_with_values("CAST($1 AS text) COLLATE \"C\"", [text]),
        _ => Expr::val(text),
    }
}

/// The statement that makes the index of the log by which [`those`] finds them, after its name.
pub(crate) fn index<T: Table>(column: &str) -> (String, String) {
    let name = format!("log_{}_{column}", T::TABLE);
    let (columns, collection) = ("workspace, traced, resource_id, revision, ordinal", collection::<T>());
    let statement = format!("CREATE INDEX {name} ON log ({columns}) WHERE {collection};");
    (name, statement)
}

/// Refuses a column by which the log does not know a table's resources.
pub(crate) fn traced<T: Table>(column: &str) -> Result<(), Error> {
    if T::COLUMNS.iter().any(|c| c.name == column && c.traced) {
        return Ok(());
    }
    Err(Error::bug(format!("{} are not traced by {column:?}", T::TABLE)))
}

/// That an event is of a resource of the table. As text, as is what follows: an index over an expression, or of some
/// rows, serves only statements that say the same, and not those that bind a value there.
pub(crate) fn collection<T: Table>() -> String {
    format!("collection = '{}'", T::Resource::COLLECTION)
}

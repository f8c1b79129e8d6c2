//! What callers who have an audience are read: pages of what it is shown alone, found by the links of `audiences`, so that they are
//! full and cost what they hold; and nothing that they may not see is asked for, be it by a filter, an order or a token. What is seen
//! of a message is said by [`Sight`].

use std::collections::BTreeSet;

use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage;
use waymark_proto::sight::{AUDIENCES, EVENT, Sight};
use waymark_request::order::Order as Asked;
use waymark_request::{Comparison, Filter, FilterError, Operator, OrderError};

use crate::integrity::{links, referring};
use crate::links::prefix;
use crate::statement::joined;
use crate::{Error, Store, Table};

/// Names that one statement looks for; databases limit how many it may bind.
const NAMES: usize = 1_000;

/// An audience as links have it.
pub(crate) fn target(sight: &Sight) -> String {
    sight.audience().splitn(3, '/').nth(2).unwrap_or_default().to_owned()
}

/// A list's filter, narrowed to what an audience is shown; refuses what it must not ask.
pub(crate) fn narrowed<T: Table>(
    sight: &Sight,
    mut filter: Filter,
    order: &[Asked],
    show_deleted: bool,
) -> Result<Filter, Error> {
    if show_deleted {
        let problem = format!("must not be set by who has the audience {}, which is not shown them", sight.audience());
        return Err(Violations::one("show_deleted", problem).into());
    }
    may_filter(sight, T::Message::FULL_NAME, &mut filter)?;
    if let Some(hidden) = order.iter().find(|asked| !sight.may_ask(T::Message::FULL_NAME, &asked.field)) {
        return Err(OrderError(not_seen(sight, &hidden.field)).into());
    }
    let (field, value) = (AUDIENCES.to_owned(), sight.audience().to_owned());
    let shown = Filter::Compare(Comparison { field, operator: Operator::Equal, value, position: 0, value_at: 0..0 });
    Ok(match filter {
        Filter::All(mut terms) => {
            terms.push(shown);
            Filter::All(terms)
        }
        term => Filter::All(vec![term, shown]),
    })
}

/// Refuses a filter of messages of this name by a field that is not seen.
pub(crate) fn may_filter(sight: &Sight, full_name: &str, filter: &mut Filter) -> Result<(), FilterError> {
    let comparisons = filter.comparisons_mut();
    match comparisons.into_iter().find(|comparison| !sight.may_ask(full_name, &comparison.field)) {
        Some(Comparison { field, position, .. }) => {
            Err(FilterError { problem: not_seen(sight, field), position: *position })
        }
        None => Ok(()),
    }
}

fn not_seen(sight: &Sight, field: &str) -> String {
    format!("{field:?} is not shown, or not as it is kept, to {}", sight.audience())
}

/// Of a table, ids of what an audience is shown behind one, in order and at most so many.
pub(crate) fn shown<T: Table>(workspace: &WorkspaceId, sight: &Sight, after: &str, most: u64) -> SelectStatement {
    let prefix = prefix::<T>();
    let mut ids = referring(workspace, &prefix, &target(sight), &[AUDIENCES]);
    // In another workspace there may be an audience of the same id.
    ids.and_where(Expr::col("workspace").eq(sight.workspace().id()));
    ids.and_where(Expr::col("referrer").gt(format!("{prefix}{after}")));
    ids.order_by("referrer", Order::Asc).limit(most).take()
}

/// Those of resources, as collections and ids, that an audience is shown. Each is looked up: PostgreSQL would rather read all
/// that the audience is shown than find what is on a list.
pub(crate) fn among<'a>(sight: &Sight, names: impl IntoIterator<Item = &'a str>) -> SelectStatement {
    let mut shown = links(sight.workspace());
    shown.expr(Expr::val(1_i32)).and_where(Expr::col("target").eq(target(sight)));
    shown.and_where(Expr::col("field").eq(AUDIENCES)).and_where(Expr::col("referrer").equals(("of", "column1")));
    let mut select = Query::select();
    select.column(("of", "column1")).from_values(names.into_iter().map(str::to_owned).collect::<Vec<_>>(), "of");
    select.and_where(Expr::SubQuery(None, Box::new(shown.take().into())).is_not_null()).take()
}

/// The condition that the audience is told of an event, a row of `log`.
pub(crate) fn of_log(sight: &Sight, filter: &mut Filter) -> Result<Expr, FilterError> {
    may_filter(sight, EVENT, filter)?;
    let subject = joined(Expr::col(("log", "collection")), [Expr::val("/"), Expr::col(("log", "resource_id"))]);
    let mut shown = links(sight.workspace());
    shown.expr(Expr::val(1_i32)).and_where(Expr::col("target").eq(target(sight)));
    shown.and_where(Expr::col("field").eq(AUDIENCES)).and_where(Expr::col("referrer").eq(subject));
    let own = Expr::col(("log", "workspace")).eq(sight.workspace().id());
    Ok(own.and(Expr::col(("log", "type")).is_in(sight.events())).and(Expr::exists(shown.take())))
}

impl Store {
    /// Those of resources, by name, that an audience is shown as things stand.
    pub async fn shown(&self, sight: &Sight, names: BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        let mut shown = BTreeSet::new();
        for select in statements(sight, &names) {
            shown.extend(named(sight, &self.of(sight.workspace().id()).query_all(&select).await?)?);
        }
        Ok(shown)
    }
}

/// Statements that find those of resources that an audience is shown, which are of its workspace.
pub(crate) fn statements(sight: &Sight, names: &BTreeSet<String>) -> Vec<SelectStatement> {
    let own = format!("{}/", sight.workspace());
    let wanted: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(&own)).collect();
    wanted.chunks(NAMES).map(|names| among(sight, names.iter().copied())).collect()
}

/// The names of the resources in rows of these.
pub(crate) fn named(sight: &Sight, rows: &[QueryResult]) -> Result<Vec<String>, Error> {
    let name = |row: &QueryResult| Ok(format!("{}/{}", sight.workspace(), row.try_get_by_index::<String>(0)?));
    rows.iter().map(name).collect()
}

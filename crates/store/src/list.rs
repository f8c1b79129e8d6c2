//! Lists: filter, order and keyset pages over a table's declared columns, all in the database.

use std::cmp::{max, min};
use std::collections::BTreeMap;

use sea_orm::sea_query::{
    CommonTableExpression, Condition, Expr, ExprTrait as _, NullOrdering, Order as Direction, Query, SelectStatement,
};
use sea_orm::{DbBackend, QueryResult};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage as _;
use waymark_proto::Sight;
use waymark_proto::standard::Page;
use waymark_request::order::{self, Order};
use waymark_request::{Comparison, Filter, Operator, OrderError, PageToken, page};

use crate::access::{Access, among};
use crate::filter::{Fields, stored};
use crate::statement::{Ordering, json_text, order_by};
use crate::table::{always_set, listable};
use crate::{ColumnKind, Error, Store, Table, sight};

/// Bytes of JSON on a page, about: the first row beyond is still on it. Clients of gRPC take messages of 4 MiB unless
/// told otherwise.
pub(crate) const PAGE_BYTES: i64 = 2 << 20;

/// Rows that a page passes over at most where an index has just what is selected, and what is deleted; or as many as are
/// on two pages.
const PASSED_OVER: u64 = 1_000;

/// Ids that one statement looks for; databases limit how many it may bind.
const IDS: usize = 1_000;

/// What a List request asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListQuery<'a> {
    /// `workspaces/{workspace}`.
    pub parent: &'a str,
    /// Rows at most; 0 for the default.
    pub page_size: i32,
    /// Token of the page before.
    pub page_token: &'a str,
    /// AIP-160 filter.
    pub filter: &'a str,
    /// AIP-132 order.
    pub order_by: &'a str,
    /// Whether deleted rows are listed.
    pub show_deleted: bool,
    /// What is seen by who asks, where that is not all.
    pub sight: Option<&'a Sight>,
}

impl Store {
    /// A page of a table.
    pub async fn list<T: Table>(&self, query: ListQuery<'_>) -> Result<Page<T::Message>, Error> {
        let workspace: WorkspaceId = query
            .parent
            .parse()
            .map_err(|e: waymark_domain::name::NameError| Violations::one("parent", e.to_string()))?;
        let columns = listable::<T>();
        let size = page::size(query.page_size)?;
        let (mut filter, order) = (Filter::parse(query.filter)?, order::parse(query.order_by)?);
        if let Some(sight) = query.sight {
            filter = sight::narrowed::<T>(sight, filter, &order, query.show_deleted)?;
        }
        let order = ordered(order, &columns)?;
        let rows = if query.show_deleted { "deleted" } else { query.sight.map_or("", Sight::audience) };
        let parts = [T::TABLE, query.parent, query.filter, query.order_by, rows];
        let token = PageToken::decode(query.page_token, &parts, order.len())?;

        let condition = Fields::of::<T>(self.backend(), Some(&workspace)).condition(&filter)?;
        let is_by_index = is_by_index::<T>(&filter, &order);
        let way = if is_by_index {
            Access::Stretch
        } else {
            let names = order.iter().map(|(name, ..)| *name);
            let wanted: Vec<_> = names.chain((!query.show_deleted).then_some("delete_time")).collect();
            self.access::<T>(&workspace, &filter, &wanted, query.show_deleted).await?
        };
        let from = token.as_ref().map(|token| token.key.as_slice());
        let (way, shown_to) = match (way, query.sight) {
            (Access::Stretch, Some(sight)) if is_by_id(&order) => {
                let after = token.as_ref().and_then(|token| token.key.last()?.as_deref()).unwrap_or_default();
                let ids = sight::shown::<T>(&workspace, sight, after, self.looked_at);
                (Access::Among(Box::new(ids.clone())), Some(ids))
            }
            // A page that ended at a row that is hidden would tell of it in its token.
            (Access::Stretch, Some(_)) => return Err(self.not_kept::<T>().into()),
            (way, _) => (way, None),
        };
        let end = match way {
            Access::Among(_) if let Some(mut ids) = shown_to => {
                let last =
                    self.of(workspace.id()).query_one(ids.offset(self.looked_at.saturating_sub(1)).limit(1)).await?;
                last.map(|row| Ok::<_, Error>(vec![Some(row.try_get_by_index(0)?)])).transpose()?
            }
            Access::All | Access::Among(_) | Access::Entries(_) => None,
            Access::Stretch if is_by_index && query.show_deleted => None,
            // The index has what is deleted, too.
            Access::Stretch if is_by_index => {
                let rows = min(self.looked_at, max(PASSED_OVER, 2 * size as u64));
                self.end::<T>(&workspace, &order, from, Some(condition.clone()), rows).await?
            }
            Access::Stretch if is_kept::<T>(&order) => {
                self.end::<T>(&workspace, &order, from, None, self.looked_at).await?
            }
            Access::Stretch => return Err(self.not_kept::<T>().into()),
        };
        let set = always_set::<T>();
        let mut select = rows_of::<T>(self.backend(), &workspace, way);
        if !query.show_deleted {
            select.and_where(Expr::col("delete_time").is_null());
        }
        select.and_where(condition);
        if let Some(end) = &end {
            select.cond_where(until(&order, end)?);
        }
        if let Some(from) = from {
            select.cond_where(after(&order, from, &set)?);
        }
        order_by(&mut select, order.iter().map(|ordered| direction(ordered.0.to_owned(), ordered, &set)));
        select.limit(size as u64 + 1);
        let keys = || (0..order.len()).map(|i| format!("key{i}"));
        for ((name, ..), key) in order.iter().zip(keys()) {
            select.expr_as(Expr::col(*name), key);
        }
        let by_keys: Vec<_> = order.iter().zip(keys()).map(|(ordered, key)| direction(key, ordered, &set)).collect();
        let mut select = with_bodies::<T>(&workspace, select, keys());
        order_by(&mut select, by_keys.iter().cloned());
        let (rows, more) = self.of(workspace.id()).page(select, size, ("body", PAGE_BYTES), &by_keys).await?;
        let last = match rows.last() {
            Some(last) if more => Some(key(last, &order, 2)?),
            // What was looked at ends here, be it without any that the filter selects.
            _ => end,
        };
        let next_page_token = last.map(|key| PageToken::after(&parts, key).encode()).unwrap_or_default();
        let items: Result<Vec<_>, Error> = rows
            .iter()
            .map(|row| {
                crate::resource::decode::<T>(
                    workspace.id(),
                    &row.try_get_by_index::<String>(0)?,
                    &row.try_get_by_index::<String>(1)?,
                )
            })
            .collect();
        Ok(Page { items: items?, next_page_token })
    }
}

impl Store {
    /// Where the rows end that a page looks at, if there are so many: the order's values of the last one. Of those alone
    /// that `only` selects, if it is given.
    async fn end<T: Table>(
        &self,
        workspace: &WorkspaceId,
        order: &[Ordered],
        from: Option<&[Option<String>]>,
        only: Option<Expr>,
        rows: u64,
    ) -> Result<Option<Vec<Option<String>>>, Error> {
        let mut last = stretch::<T>(workspace, order, from, rows)?;
        let last = self.of(workspace.id()).query_one(last.and_where_option(only)).await?;
        last.map(|row| key(&row, order, 0)).transpose()
    }

    /// Why an order is refused.
    fn not_kept<T: Table>(&self) -> OrderError {
        let kept = T::COLUMNS.iter().filter(|column| column.is_kept() && column.listed).map(|column| column.name);
        let kept: Vec<_> = ["id"].into_iter().chain(kept).collect();
        OrderError(format!(
            "more than {} {} would have to be looked at, which are not sorted for a page; order by one of {}, or narrow \
             the filter by {}",
            self.looked_at,
            T::Message::COLLECTION,
            kept.join(", "),
            by_index::<T>()
        ))
    }

    /// The live ones of the resources with these ids, by id.
    pub async fn named<T: Table>(
        &self,
        workspace: &WorkspaceId,
        ids: impl IntoIterator<Item = &str>,
    ) -> Result<BTreeMap<String, T::Message>, Error> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut named = BTreeMap::new();
        for ids in ids.chunks(IDS) {
            let mut select = crate::resource::bodies_of::<T>(self.backend(), workspace.id(), ids.iter().copied());
            select.and_where(Expr::col("delete_time").is_null());
            for row in self.of(workspace.id()).query_all(&select).await? {
                let (id, body): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let message = crate::resource::decode::<T>(workspace.id(), &id, &body)?;
                named.insert(id, message);
            }
        }
        Ok(named)
    }
}

/// `column` in the order of one that is ordered by. Null is the smallest value; the databases disagree on where it goes
/// by default. Where there is none, saying where it goes would keep PostgreSQL from using an index.
fn direction(column: String, (name, _, descending): &Ordered, always_set: &[&str]) -> Ordering {
    let set = always_set.contains(name);
    if *descending {
        (column, Direction::Desc, (!set).then_some(NullOrdering::Last))
    } else {
        (column, Direction::Asc, (!set).then_some(NullOrdering::First))
    }
}

/// A column that is ordered by, and whether the largest comes first.
pub(crate) type Ordered = (&'static str, ColumnKind, bool);

/// Whether an order is that of ids alone.
fn is_by_id(order: &[Ordered]) -> bool {
    matches!(order, [("id", _, false)])
}

/// Whether an index has rows in this order, so that a page is read without looking at others.
fn is_kept<T: Table>(order: &[Ordered]) -> bool {
    let by_id = |(name, _, descending): &Ordered| *name == "id" && !descending;
    match order {
        [("id", ..)] => true,
        [(name, _, false), last] => by_id(last) && T::COLUMNS.iter().any(|c| c.name == *name && c.is_kept()),
        _ => false,
    }
}

/// Whether an index has just the rows that a filter selects, in this order.
fn is_by_index<T: Table>(filter: &Filter, order: &[Ordered]) -> bool {
    let first = order.first().map(|(name, ..)| *name).unwrap_or_default();
    let selects = match filter {
        Filter::All(terms) => terms.is_empty(),
        Filter::Compare(Comparison { field, operator: Operator::Equal, .. }) if first == "id" => {
            field == "id" || T::COLUMNS.iter().any(|column| column.name == *field && column.index.is_some())
        }
        Filter::Compare(Comparison { field, operator, .. }) => {
            *field == first && !matches!(operator, Operator::NotEqual | Operator::Contains)
        }
        Filter::Any(_) | Filter::Not(_) => false,
    };
    selects && is_kept::<T>(order)
}

/// What indexes find rows by.
pub(crate) fn by_index<T: Table>() -> String {
    let columns = T::COLUMNS.iter().filter(|column| column.listed && column.index.is_some()).map(|column| column.name);
    let links = T::Message::LINKS.iter().map(|link| link.path);
    let mut names: Vec<_> = ["labels"].into_iter().chain(columns).chain(links).collect();
    names.dedup();
    names.join(", ")
}

/// The last row of a stretch, if there are as many rows as it has: its values of the columns that are ordered by.
pub(crate) fn stretch<T: Table>(
    workspace: &WorkspaceId,
    order: &[Ordered],
    from: Option<&[Option<String>]>,
    rows: u64,
) -> Result<SelectStatement, Error> {
    let mut last = Query::select();
    last.columns(order.iter().map(|(name, ..)| *name)).from(T::TABLE);
    last.and_where(Expr::col("workspace").eq(workspace.id()));
    let set = always_set::<T>();
    if let Some(from) = from {
        last.cond_where(after(order, from, &set)?);
    }
    order_by(&mut last, order.iter().map(|ordered| direction(ordered.0.to_owned(), ordered, &set)));
    Ok(last.limit(1).offset(rows.saturating_sub(1)).take())
}

/// Rows to choose from, of which nothing is selected yet.
pub(crate) fn rows_of<T: Table>(backend: DbBackend, workspace: &WorkspaceId, way: Access) -> SelectStatement {
    let mut rows = Query::select();
    if let Access::Entries(entries) = way {
        // Taken by itself, lest another index is read that is in the order that is asked for.
        let entries = CommonTableExpression::new().table_name("entries").query(*entries).materialized(true).to_owned();
        return rows.with_cte(entries).from("entries").take();
    }
    rows.from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    if let Access::Among(ids) = way {
        rows.and_where(among(backend, *ids));
    }
    rows
}

/// Rows of a page with their bodies: read at last, as those of rows that were looked at are long and nobody asked for them.
/// Not joined: SQLite might look for the page among all rows.
fn with_bodies<T: Table>(
    workspace: &WorkspaceId,
    mut page: SelectStatement,
    keys: impl Iterator<Item = String>,
) -> SelectStatement {
    let mut body = Query::select();
    body.expr(json_text("body")).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    body.and_where(Expr::col((T::TABLE, "id")).equals(("page", "id")));
    let mut select = Query::select();
    select.column(("page", "id")).expr_as(Expr::SubQuery(None, Box::new(body.into())), "body");
    select.columns(keys.map(|key| ("page", key))).from_subquery(page.column("id").take(), "page").take()
}

/// The columns to order by, made total by the id.
fn ordered(orders: Vec<Order>, columns: &[(&'static str, ColumnKind)]) -> Result<Vec<Ordered>, OrderError> {
    let mut result: Vec<Ordered> = Vec::new();
    for Order { field, descending } in orders {
        let Some((name, kind)) = columns.iter().find(|(name, _)| *name == field) else {
            return Err(OrderError(format!("{field:?} is not a field to order by; those are {}", names(columns))));
        };
        if result.iter().any(|(known, ..)| known == name) {
            return Err(OrderError(format!("{field:?} is named twice")));
        }
        result.push((name, *kind, descending));
    }
    if !result.iter().any(|(name, ..)| *name == "id") {
        result.push(("id", ColumnKind::Text, false));
    }
    Ok(result)
}

fn names(columns: &[(&'static str, ColumnKind)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A row's values of the columns that are ordered by, the first of which is at `from`.
fn key(row: &QueryResult, order: &[Ordered], from: usize) -> Result<Vec<Option<String>>, Error> {
    let mut key = Vec::with_capacity(order.len());
    for (i, (_, kind, _)) in order.iter().enumerate() {
        let index = from + i;
        key.push(match kind {
            ColumnKind::Text | ColumnKind::Choice(_) => row.try_get_by_index::<Option<String>>(index)?,
            ColumnKind::Integer | ColumnKind::Time => {
                row.try_get_by_index::<Option<i64>>(index)?.map(|v| v.to_string())
            }
            // `{:?}` prints the shortest text that reads back as the same number.
            ColumnKind::Number => row.try_get_by_index::<Option<f64>>(index)?.map(|v| format!("{v:?}")),
            ColumnKind::Boolean => row.try_get_by_index::<Option<bool>>(index)?.map(|v| v.to_string()),
        });
    }
    Ok(key)
}

/// Rows after `key` in the given order: larger in the first column, or equal there and after the rest of the key.
fn after(order: &[Ordered], key: &[Option<String>], always_set: &[&str]) -> Result<Condition, Error> {
    if order.iter().all(|(name, _, descending)| always_set.contains(name) && !descending) {
        let (columns, values) = as_one(order, key)?;
        return Ok(Condition::all().add(columns.gt(values)));
    }
    let mut rest = None;
    for ((name, kind, descending), value) in order.iter().zip(key).rev() {
        let column = || Expr::col(*name);
        let value = value.as_deref().map(|text| stored(*kind, text).ok_or(page::PageError::Damaged)).transpose()?;
        // Null is the smallest value: first when ascending, last when descending.
        let (larger, equal) = match (value, descending) {
            (None, false) => (Condition::any().add(column().is_not_null()), column().is_null()),
            (None, true) => (Condition::any(), column().is_null()),
            (Some(value), false) => (Condition::any().add(column().gt(value.clone())), column().eq(value)),
            (Some(value), true) => {
                let larger = Condition::any().add(column().lt(value.clone()));
                // A condition for nothing would keep the index from being used.
                let absent = (!always_set.contains(name)).then(|| column().is_null());
                (absent.into_iter().fold(larger, Condition::add), column().eq(value))
            }
        };
        rest = Some(match rest {
            Some(rest) => larger.add(Condition::all().add(equal).add(rest)),
            None => larger,
        });
    }
    Ok(rest.unwrap_or_else(Condition::any))
}

/// Rows up to `key` in an order that is kept.
fn until(order: &[Ordered], key: &[Option<String>]) -> Result<Condition, Error> {
    let (columns, values) = as_one(order, key)?;
    let descending = order.iter().any(|(_, _, descending)| *descending);
    Ok(Condition::all().add(if descending { columns.gte(values) } else { columns.lte(values) }))
}

/// The columns that are ordered by and their values of a row, which is found in an index at once when they are compared
/// as one, wherever it stands.
fn as_one(order: &[Ordered], key: &[Option<String>]) -> Result<(Expr, Expr), Error> {
    let values = order.iter().zip(key).map(|((_, kind, _), value)| stored(*kind, value.as_deref()?));
    let values: Option<Vec<Expr>> = values.map(|value| Some(Expr::val(value?))).collect();
    let columns = Expr::tuple(order.iter().map(|(name, ..)| Expr::col(*name)));
    Ok((columns, Expr::tuple(values.ok_or(page::PageError::Damaged)?)))
}

//! Lists: filter, order and keyset pages over a table's declared columns, all in the database.

use std::collections::BTreeMap;

use chrono::DateTime;
use sea_orm::sea_query::{
    Condition, Expr, ExprTrait as _, Func, NullOrdering, Order as Direction, Query, SelectStatement,
};
use sea_orm::{DbBackend, QueryResult, Value};
use waymark_domain::{AnyName, FullName, Resource as _, Violations, WorkspaceId};
use waymark_proto::ResourceMessage as _;
use waymark_proto::standard::Page;
use waymark_request::order::{self, Order};
use waymark_request::{Comparison, Filter, FilterError, Operator, OrderError, PageToken, page};

use crate::integrity::referring;
use crate::links::{key as target_key, prefix};
use crate::statement::{Ordering, found, index_of, json_text, order_by, within_bytes};
use crate::table::{always_set, listable};
use crate::{ColumnKind, Error, Store, Table};

/// Bytes of JSON on a page, about: the first row beyond is still on it. Clients of gRPC take messages of 4 MiB unless
/// told otherwise.
pub(crate) const PAGE_BYTES: i64 = 2 << 20;

/// Rows that are sorted for a page at most, where no index has them in order.
const SORTED: u64 = 10_000;

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
        let filter = Filter::parse(query.filter)?;
        let order = ordered(order::parse(query.order_by)?, &columns)?;
        let parts =
            [T::TABLE, query.parent, query.filter, query.order_by, if query.show_deleted { "deleted" } else { "" }];
        let token = PageToken::decode(query.page_token, &parts, order.len())?;

        let set = always_set::<T>();
        let keys = || (0..order.len()).map(|i| format!("key{i}"));
        let mut select = Query::select();
        select.from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
        if !query.show_deleted {
            select.and_where(Expr::col("delete_time").is_null());
        }
        select.and_where(condition(self.backend(), &filter, &columns)?);
        if !query.show_deleted {
            narrow::<T>(&mut select, &workspace, &filter);
        }
        if !is_kept::<T>(&order) {
            self.must_be_sortable::<T>(select.clone()).await?;
        }
        select.column("id").expr_as(json_text("body"), "body");
        for ((name, ..), key) in order.iter().zip(keys()) {
            select.expr_as(Expr::col(*name), key);
        }
        if let Some(token) = &token {
            select.cond_where(after(&order, &token.key, &set)?);
        }
        order_by(&mut select, order.iter().map(|ordered| direction(ordered.0.to_owned(), ordered, &set)));
        select.limit(size as u64 + 1);
        let by_keys: Vec<_> = order.iter().zip(keys()).map(|(ordered, key)| direction(key, ordered, &set)).collect();
        let mut rows = self.query_all(&within_bytes(select, PAGE_BYTES, "body", &by_keys)).await?;
        let more = found(&rows)? > rows.len().min(size);
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if more => PageToken::after(&parts, key(last, &order)?).encode(),
            _ => String::new(),
        };
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
    /// Refuses to sort more rows for a page than a page may take time for.
    async fn must_be_sortable<T: Table>(&self, mut selected: SelectStatement) -> Result<(), Error> {
        selected.column("id").limit(SORTED + 1);
        let counted = Query::select().expr(Expr::col("id").count()).from_subquery(selected, "selected").take();
        let count: i64 = match self.query_one(&counted).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        };
        if count.unsigned_abs() <= SORTED {
            return Ok(());
        }
        let kept = T::COLUMNS.iter().filter(|column| column.is_kept() && column.listed).map(|column| column.name);
        let kept: Vec<_> = ["id"].into_iter().chain(kept).collect();
        Err(OrderError(format!(
            "the filter selects more than {SORTED} {}, which are not sorted for a page; narrow it, or order by one of {}",
            T::Message::COLLECTION,
            kept.join(", ")
        ))
        .into())
    }

    /// Ids of the live resources that a filter selects, with their values of a text column, in no order. Refused when it
    /// selects more than `most`.
    pub async fn values<T: Table>(
        &self,
        workspace: &WorkspaceId,
        filter: &str,
        column: &'static str,
        most: usize,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut select = Query::select();
        select.columns(["id", column]).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
        select.and_where(Expr::col("delete_time").is_null()).and_where(Expr::col(column).is_not_null());
        let filter = Filter::parse(filter)?;
        select.and_where(condition(self.backend(), &filter, &listable::<T>())?);
        narrow::<T>(&mut select, workspace, &filter);
        let rows = self.query_all(select.limit(most as u64 + 1)).await?;
        if rows.len() > most {
            let problem = format!("selects more than {most} {}; narrow it", T::Message::COLLECTION);
            return Err(Violations::one("filter", problem).into());
        }
        rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
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
            let mut select = crate::resource::bodies::<T>(workspace.id());
            select.and_where(Expr::col("delete_time").is_null()).and_where(Expr::col("id").is_in(ids.iter().copied()));
            for row in self.query_all(&select).await? {
                let (id, body): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let message = crate::resource::decode::<T>(workspace.id(), &id, &body)?;
                named.insert(id, message);
            }
        }
        Ok(named)
    }
}

/// Where a filter asks for live resources that refer to one by a column without an index, links tell which they are.
fn narrow<T: Table>(select: &mut SelectStatement, workspace: &WorkspaceId, filter: &Filter) {
    match filter {
        Filter::All(terms) => terms.iter().for_each(|term| narrow::<T>(select, workspace, term)),
        Filter::Compare(Comparison { field, operator: Operator::Equal, value, .. }) => {
            let has_index = T::COLUMNS.iter().any(|column| column.name == *field && column.index.is_some());
            let link = T::Message::LINKS.iter().find(|link| link.path == *field && link.service.is_empty());
            if let (Some(link), false, Ok(target)) = (link, has_index, value.parse::<AnyName>()) {
                let target = FullName { service: T::Resource::SERVICE.to_owned(), name: target };
                let referring = referring(workspace, &prefix::<T>(), &target_key(T::KEEPER, &target), &[link.path]);
                select.and_where(Expr::col("id").in_subquery(referring));
            }
        }
        Filter::Compare(_) | Filter::Any(_) | Filter::Not(_) => {}
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

type Ordered = (&'static str, ColumnKind, bool);

/// Whether an index has rows in this order, so that a page is read without looking at others.
fn is_kept<T: Table>(order: &[Ordered]) -> bool {
    let by_id = |(name, _, descending): &Ordered| *name == "id" && !descending;
    match order {
        [("id", ..)] => true,
        [(name, _, false), last] => by_id(last) && T::COLUMNS.iter().any(|c| c.name == *name && c.is_kept()),
        _ => false,
    }
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

fn key(row: &QueryResult, order: &[Ordered]) -> Result<Vec<Option<String>>, Error> {
    let mut key = Vec::with_capacity(order.len());
    for (i, (_, kind, _)) in order.iter().enumerate() {
        let index = i + 2;
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
        // Compared as one they are found in an index at once, wherever the page begins.
        let values = order.iter().zip(key).map(|((_, kind, _), value)| stored(*kind, value.as_deref()?));
        let values: Vec<Expr> =
            values.map(|value| Some(Expr::val(value?))).collect::<Option<_>>().ok_or(page::PageError::Damaged)?;
        let columns = Expr::tuple(order.iter().map(|(name, ..)| Expr::col(*name)));
        return Ok(Condition::all().add(columns.gt(Expr::tuple(values))));
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
                (Condition::any().add(column().lt(value.clone())).add(column().is_null()), column().eq(value))
            }
        };
        rest = Some(match rest {
            Some(rest) => larger.add(Condition::all().add(equal).add(rest)),
            None => larger,
        });
    }
    Ok(rest.unwrap_or_else(Condition::any))
}

/// A value of a column from text, in the form it is stored in.
fn stored(kind: ColumnKind, text: &str) -> Option<Value> {
    match kind {
        ColumnKind::Text | ColumnKind::Choice(_) => Some(text.into()),
        ColumnKind::Integer | ColumnKind::Time => text.parse::<i64>().ok().map(Into::into),
        ColumnKind::Number => text.parse::<f64>().ok().map(Into::into),
        ColumnKind::Boolean => text.parse::<bool>().ok().map(Into::into),
    }
}

/// A filter as a condition that is true or false, never null, so that NOT means not.
pub(crate) fn condition(
    backend: DbBackend,
    filter: &Filter,
    columns: &[(&'static str, ColumnKind)],
) -> Result<Expr, FilterError> {
    let together = |start: Condition, terms: &[Filter]| {
        let mut terms = terms.iter().map(|term| condition(backend, term, columns));
        terms.try_fold(start, |all, term| Ok(all.add(term?))).map(Expr::from)
    };
    match filter {
        Filter::All(terms) => together(Condition::all(), terms),
        Filter::Any(terms) => together(Condition::any(), terms),
        Filter::Not(inner) => Ok(condition(backend, inner, columns)?.not()),
        Filter::Compare(comparison) => compare(backend, comparison, columns),
    }
}

fn compare(
    backend: DbBackend,
    comparison: &Comparison,
    columns: &[(&'static str, ColumnKind)],
) -> Result<Expr, FilterError> {
    let Comparison { field, operator, value, position } = comparison;
    let error = |problem: String| FilterError { problem, position: *position };
    let Some((name, kind)) = columns.iter().find(|(name, _)| name == field) else {
        return Err(error(format!("{field:?} is not a field to filter by; those are {}", names(columns))));
    };
    let column = || Expr::col(*name);
    if *operator == Operator::Contains && value == "*" {
        return Ok(column().is_not_null());
    }
    if value.contains('\0') {
        return Err(error("a value must not contain the NUL character".into()));
    }
    if let ColumnKind::Choice(names) = kind
        && *operator != Operator::Contains
        && !names.contains(&value.as_str())
    {
        return Err(error(format!("{value:?} is not a value of {field}; those are {}", names.join(", "))));
    }
    let bound = match kind {
        ColumnKind::Time => DateTime::parse_from_rfc3339(value).ok().map(|t| Value::from(t.timestamp_micros())),
        other => stored(*other, value),
    };
    let bound = bound.ok_or_else(|| {
        error(match kind {
            ColumnKind::Text | ColumnKind::Choice(_) => format!("{field} compares with text"),
            ColumnKind::Integer => format!("{field} compares with an integer, not {value:?}"),
            ColumnKind::Number => format!("{field} compares with a number, not {value:?}"),
            ColumnKind::Boolean => format!("{field} compares with true or false, not {value:?}"),
            ColumnKind::Time => format!("{field} compares with a time such as 2026-01-31T12:00:00Z, not {value:?}"),
        })
    })?;
    let set = |compared: Expr| column().is_not_null().and(compared);
    Ok(match operator {
        Operator::Equal => set(column().eq(bound)),
        Operator::NotEqual => column().is_null().or(column().ne(bound)),
        Operator::Less => set(column().lt(bound)),
        Operator::LessOrEqual => set(column().lte(bound)),
        Operator::Greater => set(column().gt(bound)),
        Operator::GreaterOrEqual => set(column().gte(bound)),
        Operator::Contains if matches!(kind, ColumnKind::Text | ColumnKind::Choice(_)) => {
            // Both databases fold the case of ASCII alone, by the column's collation.
            set(index_of(backend, Func::lower(column()), value.to_ascii_lowercase()).gt(0))
        }
        Operator::Contains => {
            return Err(error(format!(
                "\":\" looks into texts, {field} is none; \"{field}:*\" asks whether it is set"
            )));
        }
    })
}

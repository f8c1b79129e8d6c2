//! Lists: filter, order and keyset pages over a table's declared columns, all in the database.

use chrono::DateTime;
use sea_orm::{DbBackend, QueryResult, Value};
use waymark_domain::{Violations, WorkspaceId};
use waymark_request::order::{self, Order};
use waymark_request::{Comparison, Filter, FilterError, Operator, OrderError, PageToken, page};

use crate::sql::{Sql, found, json_text};
use crate::table::listable;
use crate::{ColumnKind, Error, Store, Table};

/// Bytes of JSON on a page, about: the first row beyond is still on it. Clients of gRPC take messages of 4 MiB unless
/// told otherwise.
pub(crate) const PAGE_BYTES: i64 = 2 << 20;

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

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<M> {
    /// The rows.
    pub items: Vec<M>,
    /// Token of the next page; empty on the last.
    pub next_page_token: String,
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

        let backend = self.backend();
        let mut sql = Sql::new("SELECT id, ");
        sql.push(&json_text(backend, "body")).push(" AS body");
        for (i, (name, ..)) in order.iter().enumerate() {
            sql.push(", ").push(name).push(&format!(" AS key{i}"));
        }
        sql.push(" FROM ").push(T::TABLE).push(" WHERE workspace = ").bind(workspace.id());
        if !query.show_deleted {
            sql.push(" AND delete_time IS NULL");
        }
        sql.push(" AND ");
        condition(backend, &filter, &columns, &mut sql)?;
        if let Some(token) = &token {
            sql.push(" AND ");
            after(&order, &token.key, &mut sql)?;
        }
        // The databases disagree on where null goes by default.
        let direction = |descending: &bool| if *descending { "DESC NULLS LAST" } else { "ASC NULLS FIRST" };
        let keys: Vec<_> =
            order.iter().enumerate().map(|(i, (.., descending))| format!("key{i} {}", direction(descending))).collect();
        let names: Vec<_> =
            order.iter().map(|(name, _, descending)| format!("{name} {}", direction(descending))).collect();
        sql.push(" ORDER BY ").push(&names.join(", ")).push(" LIMIT ").bind(size as i64 + 1);

        let mut rows = self.query_all(sql.within_bytes(PAGE_BYTES, "body", &keys.join(", "))).await?;
        let more = found(&rows)? > rows.len().min(size);
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if more => PageToken::after(&parts, key(last, &order)?).encode(),
            _ => String::new(),
        };
        let items: Result<Vec<_>, Error> = rows
            .iter()
            .map(|row| {
                crate::repository::decode::<T>(
                    workspace.id(),
                    &row.try_get_by_index::<String>(0)?,
                    &row.try_get_by_index::<String>(1)?,
                )
            })
            .collect();
        Ok(Page { items: items?, next_page_token })
    }
}

type Ordered = (&'static str, ColumnKind, bool);

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
            ColumnKind::Text => row.try_get_by_index::<Option<String>>(index)?,
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
fn after(order: &[Ordered], key: &[Option<String>], sql: &mut Sql) -> Result<(), Error> {
    let mut open = 0;
    for (i, ((name, kind, descending), value)) in order.iter().zip(key).enumerate() {
        let last = i + 1 == order.len();
        let value = value.as_deref().map(|text| stored(*kind, text).ok_or(page::PageError::Damaged)).transpose()?;
        sql.push("(");
        open += 1;
        // Null is the smallest value: first when ascending, last when descending.
        match (value, descending) {
            (None, false) => {
                sql.push(name).push(" IS NOT NULL OR (").push(name).push(" IS NULL AND ");
            }
            (None, true) => {
                sql.push("false OR (").push(name).push(" IS NULL AND ");
            }
            (Some(value), false) => {
                sql.push(name)
                    .push(" > ")
                    .bind(value.clone())
                    .push(" OR (")
                    .push(name)
                    .push(" = ")
                    .bind(value)
                    .push(" AND ");
            }
            (Some(value), true) => {
                sql.push(name).push(" < ").bind(value.clone()).push(" OR ").push(name).push(" IS NULL OR (");
                sql.push(name).push(" = ").bind(value).push(" AND ");
            }
        }
        open += 1;
        if last {
            sql.push("false");
        }
    }
    sql.push(&")".repeat(open));
    Ok(())
}

/// A value of a column from text, in the form it is stored in.
fn stored(kind: ColumnKind, text: &str) -> Option<Value> {
    match kind {
        ColumnKind::Text => Some(text.into()),
        ColumnKind::Integer | ColumnKind::Time => text.parse::<i64>().ok().map(Into::into),
        ColumnKind::Number => text.parse::<f64>().ok().map(Into::into),
        ColumnKind::Boolean => text.parse::<bool>().ok().map(Into::into),
    }
}

/// Appends a filter as a condition that is true or false, never null, so that NOT means not.
pub(crate) fn condition(
    backend: DbBackend,
    filter: &Filter,
    columns: &[(&'static str, ColumnKind)],
    sql: &mut Sql,
) -> Result<(), FilterError> {
    match filter {
        Filter::All(terms) | Filter::Any(terms) if terms.is_empty() => {
            sql.push(if matches!(filter, Filter::All(_)) { "true" } else { "false" });
        }
        Filter::All(terms) | Filter::Any(terms) => {
            let separator = if matches!(filter, Filter::All(_)) { " AND " } else { " OR " };
            sql.push("(");
            for (i, term) in terms.iter().enumerate() {
                if i > 0 {
                    sql.push(separator);
                }
                condition(backend, term, columns, sql)?;
            }
            sql.push(")");
        }
        Filter::Not(inner) => {
            sql.push("NOT ");
            condition(backend, inner, columns, sql)?;
        }
        Filter::Compare(comparison) => compare(backend, comparison, columns, sql)?,
    }
    Ok(())
}

fn compare(
    backend: DbBackend,
    comparison: &Comparison,
    columns: &[(&'static str, ColumnKind)],
    sql: &mut Sql,
) -> Result<(), FilterError> {
    let Comparison { field, operator, value, position } = comparison;
    let error = |problem: String| FilterError { problem, position: *position };
    let Some((name, kind)) = columns.iter().find(|(name, _)| name == field) else {
        return Err(error(format!("{field:?} is not a field to filter by; those are {}", names(columns))));
    };
    if *operator == Operator::Contains && value == "*" {
        sql.push("(").push(name).push(" IS NOT NULL)");
        return Ok(());
    }
    if value.contains('\0') {
        return Err(error("a value must not contain the NUL character".into()));
    }
    let bound = match kind {
        ColumnKind::Time => DateTime::parse_from_rfc3339(value).ok().map(|t| Value::from(t.timestamp_micros())),
        other => stored(*other, value),
    };
    let bound = bound.ok_or_else(|| {
        error(match kind {
            ColumnKind::Text => format!("{field} compares with text"),
            ColumnKind::Integer => format!("{field} compares with an integer, not {value:?}"),
            ColumnKind::Number => format!("{field} compares with a number, not {value:?}"),
            ColumnKind::Boolean => format!("{field} compares with true or false, not {value:?}"),
            ColumnKind::Time => format!("{field} compares with a time such as 2026-01-31T12:00:00Z, not {value:?}"),
        })
    })?;
    if *operator == Operator::Contains {
        if *kind != ColumnKind::Text {
            return Err(error(format!(
                "\":\" looks into texts, {field} is none; \"{field}:*\" asks whether it is set"
            )));
        }
        let find = if backend == DbBackend::Postgres { "strpos" } else { "instr" };
        sql.push("(")
            .push(name)
            .push(" IS NOT NULL AND ")
            .push(find)
            .push("(lower(")
            .push(name)
            .push("), lower(")
            .bind(bound)
            // As the column's: letters beyond ASCII are told apart by case on every database, whatever its locale.
            .push(if backend == DbBackend::Postgres { " COLLATE \"C\"" } else { "" })
            .push(")) > 0)");
        return Ok(());
    }
    let (unset, symbol) = match operator {
        // "Contains" is handled above.
        Operator::Equal | Operator::Contains => (" IS NOT NULL AND ", " = "),
        Operator::NotEqual => (" IS NULL OR ", " <> "),
        Operator::Less => (" IS NOT NULL AND ", " < "),
        Operator::LessOrEqual => (" IS NOT NULL AND ", " <= "),
        Operator::Greater => (" IS NOT NULL AND ", " > "),
        Operator::GreaterOrEqual => (" IS NOT NULL AND ", " >= "),
    };
    sql.push("(").push(name).push(unset).push(name).push(symbol).bind(bound).push(")");
    Ok(())
}

//! From rows to SQL: the bump of a workspace, rows sent under its lock, and the blind form, in which the bump, the rows
//! and the commit are one statement. Its statements are sent as `form` keeps them.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::DbBackend;
use sea_orm::sea_query::extension::postgres::PgBinOper;
use sea_orm::sea_query::{
    Asterisk, CommonTableExpression, Expr, ExprTrait as _, Func, FunctionCall, InsertStatement, LockType, OnConflict,
    Query, SelectStatement, SubQueryStatement, WithClause, WithQuery,
};
use uuid::Uuid;
use waymark_domain::WorkspaceId;

use crate::Error;
use crate::statement::json_value;
use crate::told::told;

use super::{Action, Cell, Row};

/// Rows sent in one statement at most; databases limit the values of one.
const TOGETHER: usize = 256;

/// Rows that one statement writes: alike in table, columns and what is done with them.
pub(crate) type Group = Vec<Row>;

/// Where the revision comes from.
#[derive(Clone, Copy)]
pub(super) enum Revision {
    /// It was made under the lock.
    Known(i64),
    /// The statement makes it, as `bump`.
    Bumped,
}

/// The bump of a workspace's revision under its lock, which it takes. It answers the revision, the time of the write
/// (clocks of replicas differ and step back, the times of a workspace do not) and what the request, if it has an id, was
/// answered before.
pub(super) fn bump(
    backend: DbBackend,
    workspace: &WorkspaceId,
    now: DateTime<Utc>,
    request_id: Option<Uuid>,
) -> Result<InsertStatement, Error> {
    let mut answers = vec![Expr::col("revision"), Expr::col("last_time")];
    if let Some(request_id) = request_id {
        let mut answer = Query::select();
        answer.column("answer").from("requests").and_where(Expr::col("workspace").eq(workspace.id()));
        answer.and_where(Expr::col("request_id").eq(request_id.to_string()));
        answers.push(Expr::SubQuery(None, Box::new(answer.into())));
    }
    let mut insert = bumping(backend, workspace, now, bumped())?;
    if backend == DbBackend::Postgres {
        // What is told holds for the rest of the transaction.
        insert.with_cte(WithClause::new().cte(told(workspace.id())).to_owned());
    }
    insert.returning(Query::returning().exprs(answers));
    Ok(insert)
}

/// On PostgreSQL the workspace is what was told before.
fn bumping(
    backend: DbBackend,
    workspace: &WorkspaceId,
    now: DateTime<Utc>,
    conflict: OnConflict,
) -> Result<InsertStatement, Error> {
    let mut insert = Query::insert();
    insert.into_table("workspaces").columns(["id", "revision", "last_time"]).on_conflict(conflict);
    let (revision, time) = (Expr::val(1_i64), Expr::val(now.timestamp_micros()));
    let filled = if backend == DbBackend::Postgres {
        insert.select_from(Query::select().column(("told", "workspace")).exprs([revision, time]).from("told").take())
    } else {
        insert.values([workspace.id().into(), revision, time])
    };
    Ok(filled.map_err(Error::bug)?.take())
}

fn bumped() -> OnConflict {
    let last_time = [Expr::col(("workspaces", "last_time")), Expr::col(("excluded", "last_time"))];
    OnConflict::column("id")
        .value("revision", Expr::col(("workspaces", "revision")).add(1_i64))
        .value("last_time", Func::greatest(last_time))
        .to_owned()
}

/// All of a blind write. It answers the revision, and of each row that is looked for whether it is there; or nothing when
/// the workspace's time is ahead of the draft's: then it has changed nothing. Where a row is not as it must be it fails,
/// dividing by zero. What takes locks comes after the bump, hence is done under the lock that that takes: so none is waited
/// for out of order.
pub(super) fn blind(workspace: &WorkspaceId, now: DateTime<Utc>, groups: &[Group]) -> Result<WithQuery, Error> {
    let mut conflict = bumped();
    conflict.action_and_where(Expr::col(("workspaces", "last_time")).lte(Expr::col(("excluded", "last_time"))));
    let mut bump = bumping(DbBackend::Postgres, workspace, now, conflict)?;
    bump.returning_col("revision");
    let mut with = WithClause::new();
    with.cte(told(workspace.id())).cte(table("bump".to_owned(), bump.into()));
    let (mut guards, mut looks) = (Vec::new(), Vec::new());
    for (i, group) in groups.iter().enumerate() {
        let name = format!("group{i}");
        let mut statement = sent(group, DbBackend::Postgres, Revision::Bumped)?;
        let any = |column: &'static str| Query::select().column(column).from(name.clone()).take();
        match group.first().map(|row| row.action) {
            Some(Action::Replace(_) | Action::Require) => {
                guards.push(Expr::exists(any("workspace")));
                statement = answering(statement);
            }
            Some(Action::Look) => {
                guards.push(Expr::exists(any("deleted").and_where(Expr::col("deleted")).take()).not());
                looks.push(Expr::exists(any("deleted")));
            }
            _ => {}
        }
        with.cte(table(name, statement));
    }
    let revision = match guards.into_iter().reduce(Expr::and) {
        Some(guard) => Expr::col("revision").div(guard.cast_as("integer")),
        None => Expr::col("revision"),
    };
    Ok(with.query(Query::select().expr(revision).exprs(looks).from("bump").take()))
}

/// Rows that are sent under the lock, in parts that each fit into one statement, no row twice in one, and what is alike
/// in a part together.
pub(crate) fn parts(rows: Vec<Row>) -> Vec<Vec<Group>> {
    let (mut parts, mut part, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for row in rows {
        if seen.len() == TOGETHER || !seen.insert((row.table, row.id.clone())) {
            parts.push(grouped(std::mem::take(&mut part)));
            seen = HashSet::from([(row.table, row.id.clone())]);
        }
        part.push(row);
    }
    if !part.is_empty() {
        parts.push(grouped(part));
    }
    parts
}

fn grouped(rows: Vec<Row>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| first.takes(&row))) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups.into_iter().map(joined).collect()
}

/// One row for all of a group of links or labels, which are values of one statement in any case.
fn joined(group: Group) -> Group {
    let are_many = |row: &Row| matches!(row.action, Action::Link | Action::Unlink);
    let mut rows = group.into_iter();
    let Some(mut first) = rows.next() else { return Vec::new() };
    if !are_many(&first) {
        return std::iter::once(first).chain(rows).collect();
    }
    for row in rows {
        for ((_, all), (_, more)) in first.cells.iter_mut().zip(row.cells) {
            if let (Cell::Json(all), Cell::Json(more)) = (all, more) {
                all.truncate(all.len() - 1);
                all.push(',');
                all.push_str(more.get(1..).unwrap_or_default());
            }
        }
    }
    vec![first]
}

/// Rows as one statement, which answers how many were written: on PostgreSQL, where it saves round trips.
pub(super) fn together(groups: &[Group], revision: i64) -> Result<WithQuery, Error> {
    let mut with = WithClause::new();
    let mut counts = Vec::with_capacity(groups.len());
    for (i, group) in groups.iter().enumerate() {
        let name = format!("group{i}");
        let statement = sent(group, DbBackend::Postgres, Revision::Known(revision))?;
        if !group.iter().any(Row::is_counted) {
            with.cte(table(name, statement));
            continue;
        }
        let count = Query::select().expr(Func::count(Expr::col(Asterisk))).from(name.clone()).take();
        counts.push(Expr::SubQuery(None, Box::new(count.into())));
        with.cte(table(name, answering(statement)));
    }
    let written = counts.into_iter().reduce(Expr::add).unwrap_or(Expr::val(0_i64));
    Ok(with.query(Query::select().expr(written).take()))
}

/// The statement that inserts rows that are alike, or updates one.
pub(super) fn sent(group: &[Row], backend: DbBackend, revision: Revision) -> Result<SubQueryStatement, Error> {
    let Some(first) = group.first() else { return Err(Error::bug("no row is sent")) };
    let values = |row: &Row| row.cells.iter().map(|(_, cell)| expression(cell, backend, revision)).collect::<Vec<_>>();
    let columns = first.cells.iter().map(|(column, _)| *column);
    let replaced = match first.action {
        Action::Replace(version) => Some(version),
        Action::Insert | Action::Tally => None,
        Action::Link => return linked(first.table, values(first).into_iter(), backend, revision),
        Action::Unlink => return unlinked(first.table, values(first).into_iter(), backend, revision),
        Action::Require => return Ok(required(first.table, columns.zip(values(first))).into()),
        Action::Look => return Ok(looked_for(first.table, columns.zip(values(first))).into()),
    };
    let Some(replaced) = replaced else {
        let mut insert = Query::insert();
        insert.into_table(first.table).columns(columns);
        for row in group {
            match revision {
                Revision::Known(_) => insert.values(values(row)),
                Revision::Bumped => insert.select_from(Query::select().exprs(values(row)).from("bump").take()),
            }
            .map_err(Error::bug)?;
        }
        if first.action == Action::Tally {
            let count = Expr::col((first.table, "count")).add(Expr::col(("excluded", "count")));
            insert.on_conflict(OnConflict::columns(["workspace", "tally", "head"]).value("count", count).to_owned());
        }
        return Ok(insert.into());
    };
    let mut update = Query::update();
    update.table(first.table).values(columns.zip(values(first)));
    update.and_where(Expr::col("workspace").eq(first.workspace.as_str()));
    update.and_where(Expr::col("id").eq(first.id.as_str()));
    update.and_where(Expr::col("version").eq(replaced.cast_signed()));
    if matches!(revision, Revision::Bumped) {
        update.and_where(bump_done());
    }
    Ok(update.into())
}

/// True once the bump is done, before which nothing is looked at: the workspace is not told, nor its lock taken.
fn bump_done() -> Expr {
    Expr::exists(Query::select().column("revision").from("bump").take())
}

/// The row, locked, if it is there and not deleted. It is looked at again when it changed while the bump was waited for.
fn required<'a>(table: &'static str, key: impl Iterator<Item = (&'a str, Expr)>) -> SelectStatement {
    let mut select = Query::select();
    select.column("workspace").from(table).and_where(bump_done());
    for (column, value) in key {
        select.and_where(Expr::col(column.to_owned()).eq(value));
    }
    select.and_where(Expr::col("delete_time").is_null());
    select.lock_with_tables(LockType::Share, [table]).take()
}

/// Whether the row, if it is there, is deleted.
fn looked_for<'a>(table: &'static str, key: impl Iterator<Item = (&'a str, Expr)>) -> SelectStatement {
    let mut select = Query::select();
    select.expr_as(Expr::col("delete_time").is_not_null(), "deleted").from(table).and_where(bump_done());
    for (column, value) in key {
        select.and_where(Expr::col(column.to_owned()).eq(value));
    }
    select.take()
}

/// Adds the links or labels of a resource: one statement for all, so that its text does not depend on how many there are.
fn linked(
    table: &str,
    values: impl Iterator<Item = Expr>,
    backend: DbBackend,
    revision: Revision,
) -> Result<SubQueryStatement, Error> {
    let [workspace, rows] = two(values)?;
    let mut select = Query::select();
    select.expr(workspace).exprs((0..3).map(|index| part(backend, index)));
    select.expr(if table == "links" { Expr::cust("(link.value ->> 3) = '1'") } else { part(backend, 3) });
    if matches!(revision, Revision::Bumped) {
        select.from("bump");
    }
    // SQLite reads ON as a join's unless a condition comes before it.
    select.from_function(elements(backend, rows), "link").and_where(Expr::cust("true"));
    let mut insert = Query::insert();
    insert.into_table(table.to_owned()).columns(parts_of(table));
    insert.select_from(select).map_err(Error::bug)?;
    // A program that does not know them may have left some there.
    insert.on_conflict(OnConflict::new().do_nothing().to_owned());
    Ok(insert.into())
}

/// Takes away links or labels of a resource.
fn unlinked(
    table: &str,
    values: impl Iterator<Item = Expr>,
    backend: DbBackend,
    revision: Revision,
) -> Result<SubQueryStatement, Error> {
    let [workspace, rows] = two(values)?;
    let parts = parts_of(table);
    // Whether a link holds does not tell it apart.
    let key = if table == "links" { &parts[..4] } else { &parts[..] };
    let mut named = Query::select();
    named.expr(workspace).exprs((0_u8..).zip(&key[1..]).map(|(index, _)| part(backend, index)));
    named.from_function(elements(backend, rows), "link");
    let key = Expr::tuple(key.iter().map(|column| Expr::col(*column)));
    let mut delete = Query::delete();
    delete.from_table(table.to_owned()).and_where(key.in_subquery(named));
    if matches!(revision, Revision::Bumped) {
        delete.and_where(bump_done());
    }
    Ok(delete.into())
}

/// The columns of links or labels: the workspace, and what each row of them says in its order.
fn parts_of(table: &str) -> [&'static str; 5] {
    match table {
        "links" => ["workspace", "target", "field", "referrer", "holds"],
        _ => ["workspace", "collection", "key", "value", "id"],
    }
}

fn two(mut values: impl Iterator<Item = Expr>) -> Result<[Expr; 2], Error> {
    match (values.next(), values.next()) {
        (Some(workspace), Some(links)) => Ok([workspace, links]),
        _ => Err(Error::bug("links and labels are of a workspace")),
    }
}

/// The elements of a JSON array as rows of one column, `value`.
fn elements(backend: DbBackend, array: Expr) -> FunctionCall {
    Func::cust(if backend == DbBackend::Postgres { "json_array_elements" } else { "json_each" }).arg(array)
}

/// A part of an element that is an array itself, as text of the columns' collation. Both databases have the operator;
/// sea-query knows it for either alone.
fn part(backend: DbBackend, index: u8) -> Expr {
    let collation = if backend == DbBackend::Postgres { r#" COLLATE "C""# } else { "" };
    Expr::cust(format!("(link.value ->> {index}){collation}"))
}

/// The same, answering a row for each that it writes. Where nobody counts them that would be work for nothing.
fn answering(statement: SubQueryStatement) -> SubQueryStatement {
    match statement {
        SubQueryStatement::InsertStatement(mut insert) => insert.returning_col("workspace").take().into(),
        SubQueryStatement::UpdateStatement(mut update) => update.returning_col("workspace").take().into(),
        other => other,
    }
}

fn expression(cell: &Cell, backend: DbBackend, revision: Revision) -> Expr {
    match (cell, revision) {
        (Cell::Value(value), _) => Expr::val(value.clone()),
        (Cell::Json(json), _) => json_value(backend, json.clone()),
        (Cell::Revision, Revision::Known(revision)) => Expr::val(revision),
        (Cell::Revision, Revision::Bumped) => Expr::col(("bump", "revision")),
        (Cell::Answer { digest, message }, Revision::Known(revision)) => {
            Expr::val([digest, &revision.to_be_bytes()[..], message].concat())
        }
        (Cell::Answer { digest, message }, Revision::Bumped) => Expr::val(digest.clone())
            .binary(PgBinOper::Concatenate, Func::cust("int8send").arg(Expr::col(("bump", "revision"))))
            .binary(PgBinOper::Concatenate, Expr::val(message.clone())),
    }
}

fn table(name: String, statement: SubQueryStatement) -> CommonTableExpression {
    CommonTableExpression::new().table_name(name).query(statement).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &'static str, id: usize) -> Row {
        Row {
            workspace: "acme".into(),
            table,
            collection: table,
            id: id.to_string(),
            action: Action::Insert,
            cells: vec![("workspace", "acme".into())],
        }
    }

    #[test]
    fn a_part_has_no_row_twice_and_not_too_many() {
        let sizes = |rows: Vec<Row>| -> Vec<Vec<usize>> {
            parts(rows).iter().map(|part| part.iter().map(Vec::len).collect()).collect()
        };
        let many = (0..TOGETHER * 2 + 3).map(|i| row("products", i)).collect();
        assert_eq!(sizes(many), [[TOGETHER], [TOGETHER], [3]]);
        let twice = [row("products", 1), row("log", 1), row("products", 2), row("products", 1), row("products", 2)];
        assert_eq!(sizes(twice.into()), [vec![2, 1], vec![2]]);
        assert!(sizes(Vec::new()).is_empty());
    }

    #[test]
    fn links_of_many_are_one_row_and_updates_stand_alone() {
        let link = |id: usize| Row {
            action: Action::Link,
            cells: vec![("workspace", "acme".into()), ("rows", Cell::Json(format!("[[\"{id}\"]]")))],
            ..row("links", id)
        };
        let update = |id| Row { action: Action::Replace(1), ..row("products", id) };
        let part = parts(vec![update(1), link(1), update(2), link(2), row("products", 3)]).remove(0);
        assert_eq!(part.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1, 1]);
        assert!(matches!(&part[1][0].cells[1].1, Cell::Json(json) if json == r#"[["1"],["2"]]"#));
    }
}

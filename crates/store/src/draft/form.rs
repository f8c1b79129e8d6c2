//! Statements by their form: what they do, to which tables and columns. The text follows from the form alone, so it is
//! built once and kept; building it anew would cost a create more than its decision does. What differs is bound, in the
//! order in which the text has it.

use std::collections::HashMap;
use std::mem::take;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{SubQueryStatement, Values};
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;
use waymark_domain::WorkspaceId;

use super::sql::{self, Group, Revision};
use super::{Action, Cell, Row};
use crate::Error;

/// The words that say all of a form, and how many rows its groups have.
type Form = (Vec<&'static str>, Vec<usize>);

/// Texts kept at most. There is one for each mix of tables that a write puts; should batches, whose texts are long, make
/// very many mixes, it begins anew.
const KEPT: usize = 256;

static TEXTS: LazyLock<Mutex<HashMap<Form, Arc<str>>>> = LazyLock::new(Mutex::default);

/// The statement of [`sql::bump`].
pub(crate) fn bump(
    backend: DbBackend,
    workspace: &WorkspaceId,
    now: DateTime<Utc>,
    request_id: Option<Uuid>,
) -> Result<Statement, Error> {
    let mut values = bumping(workspace, now);
    if let Some(request_id) = request_id {
        values.extend([workspace.id().into(), request_id.to_string().into()]);
    }
    let what = if request_id.is_some() { "bump and answer" } else { "bump" };
    let build = |_: &[Group]| Ok(backend.build(&sql::bump(backend, workspace, now, request_id)?));
    statement(backend, what, values, &mut [], Revision::Bumped, build)
}

/// The statement of [`sql::blind`]. Takes the values out of the rows.
pub(crate) fn blind(workspace: &WorkspaceId, now: DateTime<Utc>, groups: &mut [Group]) -> Result<Statement, Error> {
    let backend = DbBackend::Postgres;
    let build = |groups: &[Group]| Ok(backend.build(&sql::blind(workspace, now, groups)?));
    statement(backend, "blind", bumping(workspace, now), groups, Revision::Bumped, build)
}

/// The statement of [`sql::together`]. Takes the values out of the rows.
pub(crate) fn together(groups: &mut [Group], revision: i64) -> Result<Statement, Error> {
    let backend = DbBackend::Postgres;
    let build = |groups: &[Group]| Ok(backend.build(&sql::together(groups, revision)?));
    statement(backend, "together", Vec::new(), groups, Revision::Known(revision), build)
}

/// The statement of [`sql::sent`]. Takes the values out of the rows.
pub(crate) fn sent(backend: DbBackend, group: &mut Group, revision: i64) -> Result<Statement, Error> {
    let revision = Revision::Known(revision);
    let build = |groups: &[Group]| match groups.first().map(|g| sql::sent(g, backend, revision)).transpose()? {
        Some(SubQueryStatement::InsertStatement(insert)) => Ok(backend.build(&insert)),
        Some(SubQueryStatement::UpdateStatement(update)) => Ok(backend.build(&update)),
        Some(SubQueryStatement::DeleteStatement(delete)) => Ok(backend.build(&delete)),
        _ => Err(Error::bug("a row is neither inserted, updated nor deleted")),
    };
    statement(backend, "sent", Vec::new(), std::slice::from_mut(group), revision, build)
}

/// The statement that does `what` with the rows, whose values are bound after those given.
fn statement(
    backend: DbBackend,
    what: &'static str,
    mut values: Vec<Value>,
    groups: &mut [Group],
    revision: Revision,
    build: impl FnOnce(&[Group]) -> Result<Statement, Error>,
) -> Result<Statement, Error> {
    let form = form(backend, what, groups);
    let known = texts().get(&form).cloned();
    let (text, built) = if let Some(text) = known {
        (text, None)
    } else {
        let built = build(groups)?;
        let text: Arc<str> = built.sql.into();
        let mut texts = texts();
        if texts.len() >= KEPT {
            texts.clear();
        }
        texts.insert(form, Arc::clone(&text));
        (text, built.values)
    };
    for row in groups.iter_mut().flatten() {
        bind(row, revision, &mut values);
    }
    debug_assert!(
        built.is_none_or(|built| built == Values(values.clone())),
        "values are bound in another order: {text}"
    );
    Ok(Statement::from_sql_and_values(backend, &*text, values))
}

fn texts() -> MutexGuard<'static, HashMap<Form, Arc<str>>> {
    // Nothing panics while it is held.
    TEXTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn form(backend: DbBackend, what: &'static str, groups: &[Group]) -> Form {
    let mut words = vec![if backend == DbBackend::Postgres { "PostgreSQL" } else { "SQLite" }, what];
    for row in groups.iter().filter_map(|group| group.first()) {
        words.extend([verb(row.action), row.table]);
        words.extend(row.cells.iter().map(|(column, _)| *column));
    }
    (words, groups.iter().map(Vec::len).collect())
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Insert => "INSERT",
        Action::Replace(_) => "UPDATE",
        Action::Link => "LINK",
        Action::Unlink => "UNLINK",
        Action::Tally => "TALLY",
        Action::Require => "REQUIRE",
        Action::Look => "LOOK",
    }
}

/// What a bump binds: the row if it is the workspace's first, and by how much its revision grows otherwise.
fn bumping(workspace: &WorkspaceId, now: DateTime<Utc>) -> Vec<Value> {
    vec![workspace.id().into(), 1_i64.into(), now.timestamp_micros().into(), 1_i64.into()]
}

/// What a row binds, as `sql` has it. Its cells are gone then.
fn bind(row: &mut Row, revision: Revision, values: &mut Vec<Value>) {
    for (_, cell) in take(&mut row.cells) {
        match (cell, revision) {
            (Cell::Value(value), _) => values.push(value),
            (Cell::Json(json), _) => values.push(json.into()),
            (Cell::Revision, Revision::Known(revision)) => values.push(revision.into()),
            (Cell::Revision, Revision::Bumped) => {}
            (Cell::Answer { digest, message }, Revision::Known(revision)) => {
                values.push([&digest, &revision.to_be_bytes()[..], &message].concat().into());
            }
            (Cell::Answer { digest, message }, Revision::Bumped) => values.extend([digest.into(), message.into()]),
        }
    }
    if let Action::Replace(replaced) = row.action {
        values.extend([row.workspace.as_str().into(), row.id.as_str().into(), replaced.cast_signed().into()]);
    }
}

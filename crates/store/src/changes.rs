//! What changed between two revisions and why, from the log: at the cost of the events between them.

use std::cmp::{max, min};
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Resource, WorkspaceId};

use crate::history::state;
use crate::list::PAGE_BYTES;
use crate::log::ORDER;
use crate::statement::{columns, json_text, lists, order_by, unseen};
use crate::trail::{is_last, trail};
use crate::view::{VALUES, is_live};
use crate::{Error, Table, View, resource};

/// Events that are looked at for changes at once, at most: of many, few may be of the collection asked for.
const LOOKED_AT: u64 = 5_000;

/// What became of some of the resources that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes<M> {
    /// Of each the state at the earlier and at the later revision; none where it did not exist or was deleted. In the
    /// order of their last events.
    pub items: Vec<(Option<M>, Option<M>)>,
    /// The event that the next part begins behind, by revision and ordinal; none when this is the last. There may be
    /// one though there are no items.
    pub next: Option<(i64, i32)>,
}

/// An event that changed a resource, without the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The revision.
    pub revision: i64,
    /// The event's id.
    pub event_id: String,
    /// Full name of the event's message.
    pub event_type: String,
    /// When it was decided.
    pub time: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// The event that caused it.
    pub causation_id: Option<String>,
    /// The fields that differ from before.
    pub changed_fields: Vec<String>,
}

/// What stands in a row of [`reasons`], in the order of its columns.
type Told = (i64, i32, String, String, i64, String, Option<String>, Option<String>);

impl View {
    /// What became of resources between `revision` and the one that is shown, whichever came first: those with events
    /// behind the one at `after`, `limit` of them at most. Refuses a revision in the future or no longer kept.
    pub async fn changes<T: Table>(
        &self,
        revision: i64,
        after: Option<(i64, i32)>,
        limit: u64,
    ) -> Result<Changes<T::Message>, Error> {
        self.check(revision).await?;
        let (from, to) = (min(revision, self.revision()), max(revision, self.revision()));
        let after = after.unwrap_or((from, i32::MAX));
        let end = match self.rows(&end(self.backend(), self.workspace(), after, to)).await?.pop() {
            Some(row) => Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?)),
            None => None,
        };
        let select = changed::<T>(self.backend(), self.workspace(), from, to, after, end, limit);
        let by_place = ORDER.map(|column| (column.to_owned(), Order::Asc, None));
        // Half for what they were, half for what they are.
        let (rows, more) = self.page(select, limit as usize, ("after", PAGE_BYTES / 2), &by_place).await?;
        let next = match rows.last() {
            Some(last) if more || rows.len() as u64 == limit => {
                Some((last.try_get_by_index(0)?, last.try_get_by_index(1)?))
            }
            _ => end,
        };
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: String = row.try_get_by_index(2)?;
            let state = |index| -> Result<_, Error> {
                let event: String = row.try_get_by_index(index)?;
                Ok(resource::carried::<T, T::Message>(self.workspace().id(), &id, &event)?.filter(is_live))
            };
            let (before, after) = (state(3)?, state(4)?);
            items.push(if revision > self.revision() { (after, before) } else { (before, after) });
        }
        Ok(Changes { items, next })
    }
}

impl View {
    /// The events of resources between two revisions, whichever came first, by id: of each the last ones, `most` at most, the
    /// last first, and whether there are more.
    pub async fn reasons<T: Table>(
        &self,
        ids: &[String],
        (one, other): (i64, i64),
        most: usize,
    ) -> Result<BTreeMap<String, (Vec<Reason>, bool)>, Error> {
        let (from, to) = (min(one, other), max(one, other));
        let mut found = BTreeMap::new();
        for ids in ids.chunks(VALUES) {
            for row in self.rows(&reasons::<T>(self.backend(), self.workspace(), (from, to), ids, most)).await? {
                let (id, told): (String, Option<String>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let mut told: Vec<Told> =
                    told.map_or(Ok(Vec::new()), |told| serde_json::from_str(&told)).map_err(Error::bug)?;
                // An aggregate promises no order.
                told.sort_by_key(|(revision, ordinal, ..)| std::cmp::Reverse((*revision, *ordinal)));
                let more = told.len() > most;
                let events: Result<Vec<_>, Error> = told.into_iter().take(most).map(reason).collect();
                found.insert(id, (events?, more));
            }
        }
        Ok(found)
    }
}

fn reason(told: Told) -> Result<Reason, Error> {
    let (revision, _, event_id, event_type, time, actor, causation_id, changed) = told;
    let time = DateTime::from_timestamp_micros(time).ok_or_else(|| Error::bug(format!("{time} is out of range")))?;
    let changed = changed.map_or(Ok(Vec::new()), |changed| serde_json::from_str(&changed));
    let changed_fields = changed.map_err(Error::bug)?;
    Ok(Reason { revision, event_id, event_type, time, actor, causation_id, changed_fields })
}

/// The place of the last event that is looked at in one go; none when that gets to the last one before `to`.
pub(crate) fn end(backend: DbBackend, workspace: &WorkspaceId, after: (i64, i32), to: i64) -> SelectStatement {
    let mut select = between(backend, workspace, after, to);
    select.columns(ORDER).offset(LOOKED_AT - 1).limit(1).take()
}

/// The last events up to `to` of the resources that have one behind `after` and up to `end`: place, resource, and the
/// states after `from` and `to`.
pub(crate) fn changed<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    from: i64,
    to: i64,
    after: (i64, i32),
    end: Option<(i64, i32)>,
    limit: u64,
) -> SelectStatement {
    let mut select = between(backend, workspace, after, to);
    select.columns(ORDER).column("resource_id");
    select.expr_as(state::<T>(backend, workspace, from, ("log", "resource_id")), "before");
    select.expr_as(json_text("data"), "after");
    if let Some((revision, ordinal)) = end {
        select.and_where(columns(ORDER).lte(Expr::tuple([revision.into(), ordinal.into()])));
    }
    select.and_where(Expr::col("collection").eq(T::Resource::COLLECTION)).and_where(is_last(
        backend,
        workspace.id(),
        "log",
        to,
    ));
    select.limit(limit).take()
}

/// Resources and of each its last events behind `from` and up to `to`, one more than `most`, as a JSON text.
pub(crate) fn reasons<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    (from, to): (i64, i64),
    ids: &[String],
    most: usize,
) -> SelectStatement {
    const COLUMNS: [&str; 7] = ["revision", "ordinal", "event_id", "type", "time", "actor", "causation_id"];
    let resource = [unseen(backend, T::Resource::COLLECTION), Expr::col(("of", "column1"))];
    let mut events = trail(backend, workspace.id(), resource, (from, to));
    events.columns(COLUMNS).expr_as(Expr::cust("(data -> 'change' -> 'changedFields')").cast_as("text"), "changed");
    let [revision, ordinal, event_id, kind, time, actor, causation_id] = COLUMNS;
    let told = lists(backend, [revision, ordinal, event_id, kind, time, actor, causation_id, "changed"]);
    let told = Query::select().expr(told).from_subquery(events.limit(most as u64 + 1).take(), "events").take();
    let mut select = Query::select();
    select.column(("of", "column1")).expr(Expr::SubQuery(None, Box::new(told.into())));
    select.from_values(ids.iter().cloned(), "of").take()
}

/// Events behind `after` up to the end of `to`, in order.
fn between(backend: DbBackend, workspace: &WorkspaceId, (revision, ordinal): (i64, i32), to: i64) -> SelectStatement {
    let mut select = Query::select();
    select.from("log").and_where(Expr::col("workspace").eq(unseen(backend, workspace.id())));
    select.and_where(columns(ORDER).gt(Expr::tuple([revision.into(), ordinal.into()])));
    select.and_where(Expr::col("revision").lte(to));
    order_by(&mut select, ORDER.map(|column| (column.to_owned(), Order::Asc, None)));
    select.take()
}

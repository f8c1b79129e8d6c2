//! The log: what happened in a workspace, in the order of revisions. Rows are written by [`Write`](crate::Write) alone.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait as _, Func, Order, Query, SelectStatement, WindowStatement};
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_domain::name::Path;
use waymark_proto::{Sight, event};
use waymark_request::{Comparison, Filter, FilterError, Operator, PageToken, page};

use crate::filter::Fields;
use crate::list::PAGE_BYTES;
use crate::statement::{Ordering, columns, joined, json_text, order_by, stored_bytes};
use crate::workspaces::workspace_of;
use crate::{ColumnKind, Error, Page, Store, sight};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The revision; all its rows were committed together.
    pub revision: i64,
    /// Position within the revision, from 0.
    pub ordinal: i32,
    /// The event's id, the same on every delivery.
    pub event_id: Uuid,
    /// Full name of the event's message.
    pub event_type: String,
    /// The resource's collection.
    pub collection: String,
    /// The resource's id.
    pub resource_id: String,
    /// When it was decided.
    pub time: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// The caller's request id.
    pub request_id: Option<String>,
    /// The event that caused it.
    pub causation_id: Option<String>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// The event's message as canonical JSON.
    pub data: String,
}

impl LogRow {
    /// The name of the resource that changed.
    pub fn subject(&self) -> String {
        Path { workspace: &self.workspace, collection: &self.collection, id: &self.resource_id }.to_string()
    }
}

/// Which rows of the log to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogFilter<'a> {
    /// The service whose log it is: whose events are meant by names without a package.
    pub service: &'a str,
    /// AIP-160 filter over `type`, `subject`, `collection`, `actor`, `revision`, `time`, `request_id`, `causation_id`.
    pub filter: &'a str,
    /// Rows at most; 0 for the default.
    pub page_size: i32,
    /// Token of the page before.
    pub page_token: &'a str,
    /// What is seen by who asks, where that is not all.
    pub sight: Option<&'a Sight>,
}

/// The order of the log, by which its rows are told apart within a workspace.
pub(crate) const ORDER: [&str; 2] = ["revision", "ordinal"];

const TYPE: &str = "type";

const FIELDS: [(&str, ColumnKind); 8] = [
    (TYPE, ColumnKind::Text),
    ("subject", ColumnKind::Text),
    ("collection", ColumnKind::Text),
    ("actor", ColumnKind::Text),
    ("revision", ColumnKind::Integer),
    ("time", ColumnKind::Time),
    ("request_id", ColumnKind::Text),
    ("causation_id", ColumnKind::Text),
];

/// Bytes of events read at once, about; a single revision may be larger.
const READ_BYTES: i64 = 4 << 20;

impl Store {
    /// Rows after revision `after`, oldest first: whole revisions, about `limit` rows (one revision more than the limit
    /// rather than none). Empty when there are none yet.
    pub async fn read_log(&self, workspace: &str, after: i64, limit: u64) -> Result<Vec<LogRow>, Error> {
        let rows_after = |select: &mut SelectStatement| {
            select.from("log");
            select.and_where(Expr::col("workspace").eq(workspace)).and_where(Expr::col("revision").gt(after));
            order_by(select, ORDER.map(ascending));
        };
        // Up to the revision that reaches the limit or the weight; that one is read to its end.
        let mut part = Query::select();
        part.columns(ORDER).expr_as(stored_bytes(self.backend(), "data"), "bytes").limit(limit);
        rows_after(&mut part);
        let mut ordered = WindowStatement::new();
        order_by(&mut ordered, ORDER.map(ascending));
        let weighed = Query::select()
            .column("revision")
            .expr_window_as(Expr::col("bytes").sum(), ordered, "total")
            .from_subquery(part, "part")
            .take();
        let heavy = Expr::case(Expr::col("total").gte(READ_BYTES), Expr::col("revision"));
        let end = Query::select()
            .expr(Func::coalesce([Func::min(heavy), Func::max(Expr::col("revision"))]))
            .from_subquery(weighed, "weighed")
            .take();
        let mut select = events();
        rows_after(&mut select);
        select.and_where(Expr::col("revision").lte(end));
        self.of(workspace).events(&select).await
    }

    /// One event; `None` when there is none of that id.
    pub async fn find_event(&self, workspace: &WorkspaceId, event_id: Uuid) -> Result<Option<LogRow>, Error> {
        // An id begins with the millisecond in which it was made, the time of the write.
        let Some((seconds, nanos)) = event_id.get_timestamp().map(|made| made.to_unix()) else { return Ok(None) };
        let Some(begin) = DateTime::from_timestamp(seconds.cast_signed(), nanos) else { return Ok(None) };
        let end = begin + TimeDelta::milliseconds(1);
        let (before, last) = (self.last_before(workspace, begin).await?, self.last_before(workspace, end).await?);
        let mut select = events();
        select.from("log").and_where(Expr::col("workspace").eq(workspace.id()));
        select.and_where(Expr::col("revision").gt(before)).and_where(Expr::col("revision").lte(last));
        select.and_where(Expr::col("event_id").eq(event_id.to_string()));
        Ok(self.of(workspace.id()).events(&select).await?.pop())
    }

    /// The last revision whose events are older than `time`; 0 when there is none. Times of a workspace do not run
    /// against its revisions, so it is found by halves, without an index of times, which each write would have to pay
    /// for.
    pub(crate) async fn last_before(&self, workspace: &WorkspaceId, time: DateTime<Utc>) -> Result<i64, Error> {
        // All up to `older` is, all from `newer` on is not.
        let (mut older, mut newer) = (0, self.revision(workspace).await? + 1);
        while newer - older > 1 {
            let middle = older + (newer - older) / 2;
            // Of what was trimmed some events are left, so there need not be one of this revision.
            match self.of(workspace.id()).query_one(&last_until(workspace, middle)).await? {
                Some(row) if row.try_get_by_index::<i64>(1)? >= time.timestamp_micros() => {
                    newer = row.try_get_by_index(0)?;
                }
                Some(_) | None => older = middle,
            }
        }
        Ok(older)
    }

    /// A page of the log, oldest first.
    pub async fn list_log(&self, workspace: &WorkspaceId, query: LogFilter<'_>) -> Result<Page<LogRow>, Error> {
        let size = page::size(query.page_size)?;
        let parts = [workspace.id(), query.filter, query.sight.map_or("", Sight::audience)];
        let parts = if query.sight.is_some() { parts.as_slice() } else { &parts[..2] };
        let mut filter = Filter::parse(query.filter)?;
        for comparison in filter.comparisons_mut().into_iter().filter(|comparison| comparison.field == TYPE) {
            name_type(query.service, comparison)?;
        }
        let slash = || Expr::val("/");
        // Which names workspaces have is said by `Path`, too: that of the installation keeps nothing else.
        let subject = if workspace.is_installation() {
            joined(Expr::col("collection"), [slash(), Expr::col("resource_id")])
        } else {
            let rest = [Expr::col("workspace"), slash(), Expr::col("collection"), slash(), Expr::col("resource_id")];
            joined(Expr::val("workspaces/"), rest)
        };
        let named = Query::select().column(("log", Asterisk)).expr_as(subject, "subject").from("log").take();
        let mut select = events();
        select.from_subquery(named, "log").and_where(Expr::col("workspace").eq(workspace.id()));
        select.and_where(Fields::columns(self.backend(), &FIELDS).condition(&filter)?);
        if let Some(sight) = query.sight {
            select.and_where(sight::of_log(sight, &mut filter)?);
        }
        let mut after = None;
        if let Some(token) = PageToken::decode(query.page_token, parts, 2)? {
            let number =
                |i: usize| token.key[i].as_deref().and_then(|v| v.parse::<i64>().ok()).ok_or(page::PageError::Damaged);
            let last = (number(0)?, number(1)?);
            select.and_where(columns(ORDER).gt(place(last)));
            after = Some(last);
        }
        let end = match filter {
            Filter::All(terms) if terms.is_empty() && query.sight.is_none() => None,
            _ => self.of(workspace.id()).query_one(&stretch(workspace, after, self.looked_at)).await?,
        };
        let end = end.map(|row| Ok::<_, DbErr>((row.try_get_by_index(0)?, row.try_get_by_index::<i32>(1)?.into())));
        let end = end.transpose()?;
        select.and_where_option(end.map(|end| columns(ORDER).lte(place(end))));
        let order = ORDER.map(ascending);
        order_by(&mut select, order.clone());
        select.limit(size as u64 + 1);
        let (rows, more) = self.of(workspace.id()).page(select, size, ("data", PAGE_BYTES), &order).await?;
        let items = decode_all(&rows)?;
        let last = match items.last() {
            Some(last) if more => Some((last.revision, last.ordinal.into())),
            // What was looked at ends here, be it without any that the filter selects.
            _ => end,
        };
        let token = |(revision, ordinal): (i64, i64)| {
            PageToken::after(parts, vec![Some(revision.to_string()), Some(ordinal.to_string())]).encode()
        };
        let next_page_token = last.map(token).unwrap_or_default();
        Ok(Page { items, next_page_token })
    }
}

/// The events in rows of a statement made from [`events`].
pub(crate) fn decode_all(rows: &[QueryResult]) -> Result<Vec<LogRow>, Error> {
    rows.iter().map(decode).collect()
}

/// Where the last of so many events behind a place stands, if there are as many.
pub(crate) fn stretch(workspace: &WorkspaceId, after: Option<(i64, i64)>, rows: u64) -> SelectStatement {
    let mut last = Query::select();
    last.columns(ORDER).from("log").and_where(Expr::col("workspace").eq(workspace.id()));
    last.and_where_option(after.map(|after| columns(ORDER).gt(place(after))));
    order_by(&mut last, ORDER.map(ascending));
    last.limit(1).offset(rows.saturating_sub(1)).take()
}

fn place((revision, ordinal): (i64, i64)) -> Expr {
    Expr::tuple([revision.into(), ordinal.into()])
}

/// Revision and time of the last events up to a revision.
pub(crate) fn last_until(workspace: &WorkspaceId, revision: i64) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["revision", "time"]).from("log").and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("revision").lte(revision)).order_by("revision", Order::Desc).limit(1).take()
}

/// SELECT of a [`LogRow`]'s columns.
pub(crate) fn events() -> SelectStatement {
    of_events(Query::select())
}

/// A statement with a [`LogRow`]'s columns.
pub(crate) fn of_events(mut select: SelectStatement) -> SelectStatement {
    select
        .columns(["workspace", "revision", "ordinal", "event_id", "type", "collection", "resource_id", "time", "actor"])
        .columns(["request_id", "causation_id", "traceparent"])
        .expr_as(json_text("data"), "data");
    select
}

fn ascending(column: &str) -> Ordering {
    (column.to_owned(), Order::Asc, None)
}

fn decode(row: &QueryResult) -> Result<LogRow, Error> {
    let workspace = workspace_of("log", row.try_get_by_index(0)?)?;
    let event_id: String = row.try_get_by_index(3)?;
    let time: i64 = row.try_get_by_index(7)?;
    let damaged = |column, problem| Error::Damaged {
        table: "log",
        column,
        workspace: workspace.id().to_owned(),
        id: event_id.clone(),
        problem,
    };
    Ok(LogRow {
        event_id: Uuid::parse_str(&event_id).map_err(|e| damaged("event_id", e.to_string()))?,
        time: DateTime::from_timestamp_micros(time)
            .ok_or_else(|| damaged("time", format!("{time} is out of range")))?,
        revision: row.try_get_by_index(1)?,
        ordinal: row.try_get_by_index(2)?,
        event_type: row.try_get_by_index(4)?,
        collection: row.try_get_by_index(5)?,
        resource_id: row.try_get_by_index(6)?,
        actor: row.try_get_by_index(8)?,
        request_id: row.try_get_by_index(9)?,
        causation_id: row.try_get_by_index(10)?,
        traceparent: row.try_get_by_index(11)?,
        data: row.try_get_by_index(12)?,
        workspace,
    })
}

/// Has a comparison with a type name it in full. One that no event has, or that is contained in none, is refused.
fn name_type(service: &str, comparison: &mut Comparison) -> Result<(), FilterError> {
    let Comparison { operator, value, .. } = comparison;
    let part = value.to_ascii_lowercase();
    if *operator == Operator::Contains
        && (part == "*" || event::types().any(|name| name.to_ascii_lowercase().contains(&part)))
    {
        return Ok(());
    }
    let named = event::named(service, value);
    let position = comparison.position;
    let named = named.map_err(|unknown| FilterError { problem: unknown.to_string(), position })?;
    comparison.value = named.to_owned();
    Ok(())
}

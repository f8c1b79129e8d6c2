//! Entries of the audit: added, listed newest first, and forgotten when they are older than they are kept. The database
//! itself refuses to change one, or to let go of one that lies behind the floor, which only rises: so whoever may write
//! cannot take out single entries, and where the floor is tells what may be missing.

use chrono::{DateTime, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Order, Query, SelectStatement};
use waymark_domain::WorkspaceId;
use waymark_proto::access::v1::{AuditDecision, AuditEntry};
use waymark_proto::convert::timestamp;
use waymark_request::{Filter, PageToken, page};

use crate::filter::Fields;
use crate::statement::columns;
use crate::workspaces::workspace_of;
use crate::{ColumnKind, Error, Page, Store};

const TABLE: &str = "audit_entries";
const FLOOR: &str = "audit_floor";

/// The order of their lists, backwards.
const ORDER: [&str; 2] = ["time", "id"];

const COLUMNS: [&str; 16] = [
    "workspace",
    "time",
    "id",
    "principal",
    "issuer",
    "token_id",
    "peer",
    "user_agent",
    "action",
    "decision",
    "policies",
    "reason",
    "request_id",
    "trace_id",
    "latency",
    "count",
];

const DECISIONS: &[&str] = &["ALLOWED", "REFUSED", "DONE", "FAILED"];
const PREFIX: &str = "AUDIT_DECISION_";

const FIELDS: [(&str, ColumnKind); 12] = [
    ("time", ColumnKind::Time),
    ("principal", ColumnKind::Text),
    ("issuer", ColumnKind::Text),
    ("token_id", ColumnKind::Text),
    ("peer", ColumnKind::Text),
    ("user_agent", ColumnKind::Text),
    ("action", ColumnKind::Text),
    ("decision", ColumnKind::Choice(DECISIONS)),
    ("reason", ColumnKind::Text),
    ("request_id", ColumnKind::Text),
    ("trace_id", ColumnKind::Text),
    ("count", ColumnKind::Integer),
];

/// Which entries to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter<'a> {
    /// AIP-160 filter over all that an entry says of itself but its workspace, policies and latency.
    pub filter: &'a str,
    /// Entries at most; 0 for the default.
    pub page_size: i32,
    /// Token of the page before.
    pub page_token: &'a str,
}

impl Store {
    /// Adds entries, all or none. One that is there already stays as it is.
    pub async fn add_audit(&self, entries: &[AuditEntry]) -> Result<(), Error> {
        let mut insert = Query::insert();
        insert.into_table(TABLE).columns(COLUMNS);
        for entry in entries {
            insert.values_panic(row(entry)?);
        }
        insert.on_conflict(OnConflict::new().do_nothing().to_owned());
        self.across().execute(&insert).await.map(|_| ())
    }

    /// A page of a workspace's entries, newest first.
    pub async fn list_audit(&self, workspace: &WorkspaceId, query: AuditFilter<'_>) -> Result<Page<AuditEntry>, Error> {
        let size = page::size(query.page_size)?;
        let filter = Filter::parse(query.filter)?;
        let parts = [TABLE, workspace.id(), query.filter];
        let mut select = Query::select();
        select.columns(COLUMNS).from(TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
        select.and_where(Fields::columns(self.backend(), &FIELDS).condition(&filter)?);
        let mut before = None;
        if let Some(token) = PageToken::decode(query.page_token, &parts, ORDER.len())? {
            let [Some(time), Some(id)] = &token.key[..] else { return Err(page::PageError::Damaged.into()) };
            let time: i64 = time.parse().map_err(|_| page::PageError::Damaged)?;
            select.and_where(columns(ORDER).lt(place(time, id)));
            before = Some((time, id.clone()));
        }
        // A filter that selects little must not make a page read all there is.
        let end = match &filter {
            Filter::All(terms) if terms.is_empty() => None,
            _ => self.of(workspace.id()).query_one(&stretch(workspace, before.as_ref(), self.looked_at)).await?,
        };
        let end: Option<(i64, String)> =
            end.map(|row| Ok::<_, Error>((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()?;
        select.and_where_option(end.as_ref().map(|(time, id)| columns(ORDER).gte(place(*time, id))));
        backwards(&mut select).limit(size as u64 + 1);
        let mut rows = self.of(workspace.id()).query_all(&select).await?;
        let more = rows.len() > size;
        rows.truncate(size);
        let last = match rows.last() {
            Some(last) if more => Some((last.try_get_by_index(1)?, last.try_get_by_index(2)?)),
            // What was looked at ends here, be it without any that the filter selects.
            _ => end,
        };
        let token =
            |(time, id): (i64, String)| PageToken::after(&parts, vec![Some(time.to_string()), Some(id)]).encode();
        let next_page_token = last.map(token).unwrap_or_default();
        Ok(Page { items: rows.iter().map(decode).collect::<Result<_, _>>()?, next_page_token })
    }

    /// Forgets entries from before `before`, the oldest `limit` of them at most, and tells how many; then none from before can
    /// be relied on.
    pub async fn forget_audit(&self, before: DateTime<Utc>, limit: u64) -> Result<u64, Error> {
        let before = before.timestamp_micros();
        let mut old = Query::select();
        old.columns(["workspace", "time", "id"]).from(TABLE).and_where(Expr::col("time").lt(before));
        old.order_by("time", Order::Asc);
        if self.across().query_one(old.clone().limit(1)).await?.is_none() {
            return Ok(0);
        }
        let mut rise = Query::update();
        rise.table(FLOOR).value("time", before).and_where(Expr::col("time").lt(before));
        self.across().execute(&rise).await?;
        let mut delete = Query::delete();
        delete.from_table(TABLE).and_where(columns(["workspace", "time", "id"]).in_subquery(old.limit(limit).take()));
        self.across().execute(&delete).await
    }
}

/// Where the last of so many entries before a place stands, if there are as many.
fn stretch(workspace: &WorkspaceId, before: Option<&(i64, String)>, rows: u64) -> SelectStatement {
    let mut last = Query::select();
    last.columns(ORDER).from(TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    last.and_where_option(before.map(|(time, id)| columns(ORDER).lt(place(*time, id))));
    backwards(&mut last).limit(1).offset(rows.saturating_sub(1)).take()
}

fn backwards(select: &mut SelectStatement) -> &mut SelectStatement {
    ORDER.into_iter().fold(select, |select, column| select.order_by(column, Order::Desc))
}

fn place(time: i64, id: &str) -> Expr {
    Expr::tuple([time.into(), id.into()])
}

/// The values of [`COLUMNS`].
fn row(entry: &AuditEntry) -> Result<[Expr; COLUMNS.len()], Error> {
    let workspace: WorkspaceId = entry.workspace.parse().map_err(Error::bug)?;
    let time = entry.time.and_then(|time| DateTime::<Utc>::try_from(time).ok()).unwrap_or_default();
    let decision = entry.decision().as_str_name().trim_start_matches(PREFIX);
    let latency = entry.latency.as_ref().map(|latency| latency.seconds * 1_000_000 + i64::from(latency.nanos / 1_000));
    // PostgreSQL has no NUL in texts.
    let text = |text: &str| Expr::val(text.replace('\0', ""));
    Ok([
        workspace.id().into(),
        time.timestamp_micros().into(),
        text(&entry.id),
        text(&entry.principal),
        text(&entry.issuer),
        text(&entry.token_id),
        text(&entry.peer),
        text(&entry.user_agent),
        text(&entry.action),
        decision.into(),
        serde_json::Value::from(entry.policies.clone()).to_string().into(),
        text(&entry.reason),
        text(&entry.request_id),
        text(&entry.trace_id),
        latency.into(),
        entry.count.into(),
    ])
}

fn decode(row: &QueryResult) -> Result<AuditEntry, Error> {
    let workspace = workspace_of(TABLE, row.try_get_by_index(0)?)?;
    let id: String = row.try_get_by_index(2)?;
    let damaged = |column: &'static str| Error::Damaged {
        table: TABLE,
        column,
        workspace: workspace.id().to_owned(),
        id: id.clone(),
        problem: "is not what was written".into(),
    };
    let time = DateTime::from_timestamp_micros(row.try_get_by_index(1)?).ok_or_else(|| damaged("time"))?;
    let decision: String = row.try_get_by_index(9)?;
    let decision = AuditDecision::from_str_name(&format!("{PREFIX}{decision}")).ok_or_else(|| damaged("decision"))?;
    let policies: String = row.try_get_by_index(10)?;
    let latency: Option<i64> = row.try_get_by_index(14)?;
    Ok(AuditEntry {
        time: Some(timestamp(time)),
        workspace: workspace.to_string(),
        principal: row.try_get_by_index(3)?,
        issuer: row.try_get_by_index(4)?,
        token_id: row.try_get_by_index(5)?,
        peer: row.try_get_by_index(6)?,
        user_agent: row.try_get_by_index(7)?,
        action: row.try_get_by_index(8)?,
        decision: decision.into(),
        policies: serde_json::from_str(&policies).map_err(|_| damaged("policies"))?,
        reason: row.try_get_by_index(11)?,
        request_id: row.try_get_by_index(12)?,
        trace_id: row.try_get_by_index(13)?,
        latency: latency.map(|micros| std::time::Duration::from_micros(micros.unsigned_abs()).into()),
        count: row.try_get_by_index(15)?,
        id,
    })
}

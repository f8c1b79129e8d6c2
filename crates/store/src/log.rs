//! The log: what happened in a workspace, in the order of revisions. Rows are written by [`Write`](crate::Write) alone.

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, QueryResult};
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_request::{Filter, PageToken, page};

use crate::list::{PAGE_BYTES, condition};
use crate::sql::{Sql, found, json_text};
use crate::{ColumnKind, Error, Page, Store};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The workspace's id, without `workspaces/`.
    pub workspace: String,
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
        format!("workspaces/{}/{}/{}", self.workspace, self.collection, self.resource_id)
    }
}

/// Which rows of the log to list.
#[derive(Debug, Clone, Copy)]
pub struct LogFilter<'a> {
    /// AIP-160 filter over `type`, `subject`, `collection`, `actor`, `revision`, `time`, `request_id`, `causation_id`.
    pub filter: &'a str,
    /// Rows at most; 0 for the default.
    pub page_size: i32,
    /// Token of the page before.
    pub page_token: &'a str,
}

const FIELDS: [(&str, ColumnKind); 8] = [
    ("type", ColumnKind::Text),
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
    /// The workspace's revision; 0 when nothing was ever written to it.
    pub async fn revision(&self, workspace: &WorkspaceId) -> Result<i64, Error> {
        Ok(self.bounds(workspace.id()).await?.1)
    }

    /// The earliest revision whose history is whole, and the current one.
    pub async fn bounds(&self, workspace: &str) -> Result<(i64, i64), Error> {
        let mut sql = Sql::new("SELECT earliest_revision, revision FROM workspaces WHERE id = ");
        sql.bind(workspace);
        match self.query_one(sql).await? {
            Some(row) => Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)),
            None => Ok((0, 0)),
        }
    }

    /// Rows after revision `after`, oldest first: whole revisions, about `limit` rows (one revision more than the limit
    /// rather than none). Empty when there are none yet.
    pub async fn read_log(&self, workspace: &str, after: i64, limit: u64) -> Result<Vec<LogRow>, Error> {
        let mut sql = self.select("FROM log WHERE workspace = ");
        sql.bind(workspace).push(" AND revision > ").bind(after);
        // Up to the revision that reaches the limit or the weight; that one is read to its end.
        let weight = if self.backend() == DbBackend::Postgres { "pg_column_size(data)" } else { "length(data)" };
        sql.push(" AND revision <= (SELECT coalesce(min(CASE WHEN total >= ")
            .bind(READ_BYTES)
            .push(" THEN revision END), max(revision)) FROM");
        sql.push(" (SELECT revision, sum(weight) OVER (ORDER BY revision, ordinal) AS total FROM (SELECT revision, ordinal, ").push(weight);
        sql.push(" AS weight FROM log WHERE workspace = ").bind(workspace).push(" AND revision > ").bind(after);
        sql.push(" ORDER BY revision, ordinal LIMIT ")
            .bind(limit.cast_signed())
            .push(") AS part) AS weighed) ORDER BY revision, ordinal");
        self.rows(sql).await
    }

    /// One event; `None` when there is none of that id.
    pub async fn find_event(&self, workspace: &WorkspaceId, event_id: Uuid) -> Result<Option<LogRow>, Error> {
        let mut sql = self.select("FROM log WHERE workspace = ");
        sql.bind(workspace.id()).push(" AND event_id = ").bind(event_id.to_string());
        Ok(self.rows(sql).await?.pop())
    }

    /// A page of the log, oldest first.
    pub async fn list_log(&self, workspace: &WorkspaceId, query: LogFilter<'_>) -> Result<Page<LogRow>, Error> {
        let size = page::size(query.page_size)?;
        let parts = [workspace.id(), query.filter];
        let filter = Filter::parse(query.filter)?;
        let mut sql = self.select("FROM (SELECT log.*, 'workspaces/' || workspace || '/' || collection || '/' || resource_id AS subject FROM log) AS log WHERE workspace = ");
        sql.bind(workspace.id()).push(" AND ");
        condition(self.backend(), &filter, &FIELDS, &mut sql)?;
        if let Some(token) = PageToken::decode(query.page_token, &parts, 2)? {
            let number =
                |i: usize| token.key[i].as_deref().and_then(|v| v.parse::<i64>().ok()).ok_or(page::PageError::Damaged);
            sql.push(" AND (revision, ordinal) > (").bind(number(0)?).push(", ").bind(number(1)?).push(")");
        }
        sql.push(" ORDER BY revision, ordinal LIMIT ").bind(size as i64 + 1);
        let mut rows = self.query_all(sql.within_bytes(PAGE_BYTES, "data", "revision, ordinal")).await?;
        let more = found(&rows)? > rows.len().min(size);
        rows.truncate(size);
        let items = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let next_page_token = match items.last() {
            Some(last) if more => {
                PageToken::after(&parts, vec![Some(last.revision.to_string()), Some(last.ordinal.to_string())]).encode()
            }
            _ => String::new(),
        };
        Ok(Page { items, next_page_token })
    }

    /// Forgets history before `revision`, unless the relay has yet to publish some of it, except the last event of each
    /// resource, so that every later state stays readable.
    pub async fn trim_log(&self, workspace: &WorkspaceId, revision: i64) -> Result<u64, Error> {
        use sea_orm::{ConnectionTrait, TransactionTrait};
        let transaction = self.writer.begin().await?;
        let backend = self.backend();
        let mut sql = Sql::new("UPDATE workspaces SET earliest_revision = ");
        sql.bind(revision).push(" WHERE id = ").bind(workspace.id());
        sql.push(" AND earliest_revision < ").bind(revision).push(" AND revision >= ").bind(revision);
        // What a relay has begun to publish it must be able to finish.
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM relay_cursors c WHERE c.workspace = workspaces.id AND c.revision + 1 < ",
        )
        .bind(revision)
        .push(")");
        if transaction.execute_raw(sql.statement(backend)).await?.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(0);
        }
        let mut sql = Sql::new("DELETE FROM log WHERE workspace = ");
        sql.bind(workspace.id()).push(" AND revision < ").bind(revision);
        sql.push(
            " AND EXISTS (SELECT 1 FROM log AS later WHERE later.workspace = log.workspace AND later.collection = log.collection
              AND later.resource_id = log.resource_id AND (later.revision, later.ordinal) > (log.revision, log.ordinal)
              AND later.revision <= ",
        );
        sql.bind(revision).push(")");
        let deleted = transaction.execute_raw(sql.statement(backend)).await?.rows_affected();
        transaction.commit().await?;
        Ok(deleted)
    }

    /// Forgets answers of requests made before `before`.
    pub async fn purge_requests(&self, before: DateTime<Utc>) -> Result<u64, Error> {
        use sea_orm::ConnectionTrait;
        let mut sql = Sql::new("DELETE FROM requests WHERE time < ");
        sql.bind(before.timestamp_micros());
        Ok(self.writer.execute_raw(sql.statement(self.backend())).await?.rows_affected())
    }

    /// `SELECT` of a [`LogRow`]'s columns, followed by `rest`.
    pub(crate) fn select(&self, rest: &str) -> Sql {
        let data = json_text(self.backend(), "data");
        Sql::new(&format!(
            "SELECT workspace, revision, ordinal, event_id, type, collection, resource_id, time, actor, request_id, causation_id, traceparent, {data} AS data {rest}"
        ))
    }

    pub(crate) async fn rows(&self, sql: Sql) -> Result<Vec<LogRow>, Error> {
        self.query_all(sql).await?.iter().map(decode).collect()
    }
}

fn decode(row: &QueryResult) -> Result<LogRow, Error> {
    let workspace: String = row.try_get_by_index(0)?;
    let event_id: String = row.try_get_by_index(3)?;
    let time: i64 = row.try_get_by_index(7)?;
    let damaged = |column, problem| Error::Damaged {
        table: "log",
        column,
        workspace: workspace.clone(),
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

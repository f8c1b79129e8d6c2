//! Events that could not be handled, kept in the consuming service's own database: they survive the broker, need none,
//! and their redrive uses the same inbox as a first delivery.

use chrono::DateTime;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use serde_json::json;
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_store::{Error, Received, Store};

/// A dead letter as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    pub event: Received,
    pub error: String,
    pub attempts: i32,
    pub time: DateTime<chrono::Utc>,
}

/// Sets an event aside. Doing it twice keeps the later reason.
pub(crate) async fn keep(store: &Store, event: &Received, error: &str, attempts: i32) -> Result<(), Error> {
    let json = json!({
        "source": event.source, "revision": event.revision, "type": event.event_type, "subject": event.subject,
        "time": event.time.timestamp_micros(), "actor": event.actor, "traceparent": event.traceparent, "data": event.data,
    });
    let cast = if store.backend() == DbBackend::Postgres { "CAST($4 AS json)" } else { "$4" };
    let values: [Value; 7] = [
        event.workspace.id().into(),
        event.event_id.to_string().into(),
        event.source.clone().into(),
        json.to_string().into(),
        error.replace('\0', "").into(),
        attempts.into(),
        store.now().timestamp_micros().into(),
    ];
    let sql = format!(
        "INSERT INTO dead_letters (workspace, event_id, source, event, error, attempts, time) VALUES ($1, $2, $3, {cast}, $5, $6, $7)
         ON CONFLICT (workspace, event_id) DO UPDATE SET error = excluded.error, attempts = excluded.attempts"
    );
    store.writer().execute_raw(Statement::from_sql_and_values(store.backend(), sql, values)).await?;
    Ok(())
}

/// Dead letters after the given key (time, event id), oldest first.
pub(crate) async fn list(
    store: &Store,
    workspace: &WorkspaceId,
    after: (i64, String),
    limit: usize,
) -> Result<Vec<DeadLetter>, Error> {
    let values: [Value; 4] = [workspace.id().into(), after.0.into(), after.1.into(), (limit as i64).into()];
    select(store, "workspace = $1 AND (time, event_id) > ($2, $3) ORDER BY time, event_id LIMIT $4", values).await
}

/// One dead letter.
pub(crate) async fn find(store: &Store, workspace: &WorkspaceId, event_id: Uuid) -> Result<Option<DeadLetter>, Error> {
    let values: [Value; 2] = [workspace.id().into(), event_id.to_string().into()];
    Ok(select(store, "workspace = $1 AND event_id = $2", values).await?.pop())
}

/// Forgets a dead letter; false when there is none.
pub(crate) async fn remove(store: &Store, workspace: &WorkspaceId, event_id: Uuid) -> Result<bool, Error> {
    let values: [Value; 2] = [workspace.id().into(), event_id.to_string().into()];
    let sql = "DELETE FROM dead_letters WHERE workspace = $1 AND event_id = $2";
    let result = store.writer().execute_raw(Statement::from_sql_and_values(store.backend(), sql, values)).await?;
    Ok(result.rows_affected() > 0)
}

async fn select<const N: usize>(store: &Store, condition: &str, values: [Value; N]) -> Result<Vec<DeadLetter>, Error> {
    let event = if store.backend() == DbBackend::Postgres { "event::text" } else { "event" };
    let sql = format!("SELECT workspace, event_id, {event}, error, attempts, time FROM dead_letters WHERE {condition}");
    let rows = store.reader().query_all_raw(Statement::from_sql_and_values(store.backend(), sql, values)).await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &QueryResult) -> Result<DeadLetter, Error> {
    let (workspace, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    let damaged = |column: &'static str| Error::Damaged {
        table: "dead_letters",
        column,
        workspace: workspace.clone(),
        id: id.clone(),
        problem: "is not what was written".into(),
    };
    let json: serde_json::Value =
        serde_json::from_str(&row.try_get_by_index::<String>(2)?).map_err(|_| damaged("event"))?;
    let text = |key: &str| json[key].as_str().map(str::to_owned).ok_or_else(|| damaged("event"));
    let number = |key: &str| json[key].as_i64().ok_or_else(|| damaged("event"));
    let time = |micros| DateTime::from_timestamp_micros(micros).ok_or_else(|| damaged("time"));
    Ok(DeadLetter {
        event: Received {
            source: text("source")?,
            workspace: WorkspaceId::from_id(&workspace).map_err(|_| damaged("workspace"))?,
            revision: number("revision")?,
            event_id: Uuid::parse_str(&id).map_err(|_| damaged("event_id"))?,
            event_type: text("type")?,
            subject: text("subject")?,
            time: time(number("time")?)?,
            actor: text("actor")?,
            traceparent: json["traceparent"].as_str().map(str::to_owned),
            data: text("data")?,
        },
        error: row.try_get_by_index(3)?,
        attempts: row.try_get_by_index(4)?,
        time: time(row.try_get_by_index(5)?)?,
    })
}

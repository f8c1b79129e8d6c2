//! Dead letters: events of other services that could not be handled, kept with the consuming service's own state. They
//! survive the broker, need none, and a redrive uses the same inbox as a first delivery.

use chrono::{DateTime, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Order, Query, SelectStatement};
use serde_json::json;
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_request::{PageToken, page};

use crate::statement::{columns, insert, json_text, json_value};
use crate::workspaces::workspace_of;
use crate::{Error, Page, Received, Store, inbox};

/// The order of their lists.
const ORDER: [&str; 2] = ["time", "event_id"];

/// An event that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event.
    pub event: Received,
    /// Why it could not be handled, the last time.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was set aside.
    pub time: DateTime<Utc>,
}

impl Store {
    /// Sets an event aside that `consumer` could not handle. Doing it twice keeps the later reason.
    ///
    /// The dead letter knows whether the event was handled all the same, as may be when it came again: then a redrive
    /// finds that nothing is left to do. Otherwise the redrive runs the handler, whatever was handled since.
    pub async fn set_aside(&self, consumer: &str, event: &Received, error: &str, attempts: i32) -> Result<(), Error> {
        let json = json!({
            "source": event.source, "revision": event.revision, "type": event.event_type, "subject": event.subject,
            "time": event.time.timestamp_micros(), "actor": event.actor, "traceparent": event.traceparent,
            "data": event.data,
        });
        let row = [
            ("workspace", Expr::val(event.workspace.id())),
            ("event_id", event.event_id.to_string().into()),
            ("source", event.source.as_str().into()),
            ("event", json_value(self.backend(), json.to_string())),
            ("error", error.replace('\0', "").into()),
            ("attempts", attempts.into()),
            ("time", self.now().timestamp_micros().into()),
            ("handled", inbox::known(&event.causation(consumer), self.backend())),
        ];
        let mut insert = insert("dead_letters", row);
        insert.on_conflict(
            OnConflict::columns(["workspace", "event_id"]).update_columns(["error", "attempts"]).to_owned(),
        );
        self.of(event.workspace.id()).execute(&insert).await.map(|_| ())
    }

    /// A page of a workspace's dead letters, oldest first.
    pub async fn list_dead_letters(
        &self,
        workspace: &WorkspaceId,
        page_size: i32,
        page_token: &str,
    ) -> Result<Page<DeadLetter>, Error> {
        let size = page::size(page_size)?;
        let parent = workspace.to_string();
        let mut select = letters(workspace);
        if let Some(token) = PageToken::decode(page_token, &[&parent], 2)? {
            let [Some(time), Some(id)] = &token.key[..] else { return Err(page::PageError::Damaged.into()) };
            let time: i64 = time.parse().map_err(|_| page::PageError::Damaged)?;
            select.and_where(columns(ORDER).gt(Expr::tuple([time.into(), id.as_str().into()])));
        }
        for column in ORDER {
            select.order_by(column, Order::Asc);
        }
        select.limit(size as u64 + 1);
        let mut items =
            self.of(workspace.id()).query_all(&select).await?.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        let more = items.len() > size;
        items.truncate(size);
        let next_page_token = match items.last() {
            Some(last) if more => {
                let key = [last.time.timestamp_micros().to_string(), last.event.event_id.to_string()];
                PageToken::after(&[&parent], key.map(Some).to_vec()).encode()
            }
            _ => String::new(),
        };
        Ok(Page { items, next_page_token })
    }

    /// One dead letter; `None` when there is none of that event.
    pub async fn find_dead_letter(&self, workspace: &WorkspaceId, event_id: Uuid) -> Result<Option<DeadLetter>, Error> {
        let mut select = letters(workspace);
        select.and_where(Expr::col("event_id").eq(event_id.to_string()));
        self.of(workspace.id()).query_one(&select).await?.as_ref().map(decode).transpose()
    }

    /// Forgets a dead letter; false when there is none.
    pub async fn forget_dead_letter(&self, workspace: &WorkspaceId, event_id: Uuid) -> Result<bool, Error> {
        let mut delete = Query::delete();
        delete.from_table("dead_letters").and_where(Expr::col("workspace").eq(workspace.id()));
        delete.and_where(Expr::col("event_id").eq(event_id.to_string()));
        Ok(self.of(workspace.id()).execute(&delete).await? > 0)
    }
}

fn letters(workspace: &WorkspaceId) -> SelectStatement {
    Query::select()
        .columns(["workspace", "event_id"])
        .expr(json_text("event"))
        .columns(["error", "attempts", "time"])
        .from("dead_letters")
        .and_where(Expr::col("workspace").eq(workspace.id()))
        .take()
}

fn decode(row: &QueryResult) -> Result<DeadLetter, Error> {
    let workspace = workspace_of("dead_letters", row.try_get_by_index(0)?)?;
    let id: String = row.try_get_by_index(1)?;
    let damaged = |column: &'static str| Error::Damaged {
        table: "dead_letters",
        column,
        workspace: workspace.id().to_owned(),
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
            workspace: workspace.clone(),
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

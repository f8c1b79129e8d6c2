//! The past: resources as they stood after a revision or at a time, read from the log.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, SelectStatement};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::list::PAGE_BYTES;
use crate::log::{events, later};
use crate::statement::{columns, order_by, within_bytes};
use crate::{Error, LogRow, Store, Table};

/// Resources of a snapshot read at once, at most.
const PART: u64 = 100;

/// A position in a workspace's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// After this revision.
    Revision(i64),
    /// After the last revision at or before this time.
    Time(DateTime<Utc>),
}

impl Store {
    /// The revision a position stands for; refuses positions in the future or no longer kept.
    pub async fn resolve(&self, workspace: &WorkspaceId, position: Position) -> Result<i64, Error> {
        let (earliest, current) = self.bounds(workspace.id()).await?;
        if let Position::Time(time) = position
            && time > self.now()
        {
            return Err(Violations::one("as_of.time", "lies in the future").into());
        }
        let asked = match position {
            Position::Revision(revision) => revision,
            Position::Time(time) => self.last_before(workspace, time + TimeDelta::microseconds(1)).await?,
        };
        if asked > current {
            return Err(Error::Future { asked, current });
        }
        if asked < earliest {
            return Err(Error::Expired { asked, earliest });
        }
        Ok(asked)
    }

    /// The live resources of a table as they stood at `position`, in order of id, with the revision that stands for it.
    pub async fn as_of<T: Table>(
        &self,
        workspace: &WorkspaceId,
        position: Position,
    ) -> Result<(i64, Vec<T::Message>), Error> {
        let revision = self.resolve(workspace, position).await?;
        let mut select = latest(workspace.id(), revision);
        select.and_where(Expr::col("collection").eq(T::Message::COLLECTION)).order_by("resource_id", Order::Asc);
        let rows = self.events(&select).await?;
        // Had the log been trimmed beyond meanwhile, resources would be missing.
        self.resolve(workspace, Position::Revision(revision)).await?;
        let messages: Result<Vec<_>, _> = rows.iter().map(resource_of::<T::Message>).collect();
        Ok((revision, messages?.into_iter().filter(|m| m.standard().delete_time.is_none()).collect()))
    }

    /// The last event of every resource at or before `revision`, deleted ones included, in order of collection and id:
    /// those behind the resource of `after`, some of them at least. Empty behind the last.
    pub async fn snapshot(&self, workspace: &str, revision: i64, after: Option<&LogRow>) -> Result<Vec<LogRow>, Error> {
        const ORDER: [&str; 2] = ["collection", "resource_id"];
        let mut select = latest(workspace, revision);
        if let Some(LogRow { collection, resource_id, .. }) = after {
            let last = Expr::tuple([collection.as_str().into(), resource_id.as_str().into()]);
            select.and_where(columns(ORDER).gt(last));
        }
        let order = ORDER.map(|column| (column.to_owned(), Order::Asc, None));
        order_by(&mut select, order.clone());
        select.limit(PART);
        self.events(&within_bytes(select, PAGE_BYTES, "data", &order)).await
    }
}

/// The last event of every resource at or before `revision`.
fn latest(workspace: &str, revision: i64) -> SelectStatement {
    let mut select = events();
    select.from("log").and_where(Expr::col("workspace").eq(workspace)).and_where(Expr::col("revision").lte(revision));
    select.and_where(Expr::not_exists(later(revision)));
    select
}

/// The resource that an event carries.
fn resource_of<M: ResourceMessage>(row: &LogRow) -> Result<M, Error> {
    let damaged = |problem: String| Error::Damaged {
        table: "log",
        column: "data",
        workspace: row.workspace.id().to_owned(),
        id: row.event_id.to_string(),
        problem,
    };
    let mut data: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&row.data).map_err(|e| damaged(e.to_string()))?;
    let resource =
        data.remove(&crate::draft::json_name(M::SINGULAR)).ok_or_else(|| damaged(format!("has no {}", M::SINGULAR)))?;
    serde_json::from_value(resource).map_err(|e| damaged(e.to_string()))
}

//! The past: resources as they stood after a revision or at a time, read from the log.

use chrono::{DateTime, Utc};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::list::PAGE_BYTES;
use crate::sql::Sql;
use crate::{Error, LogRow, Store, Table};

/// Resources of a snapshot read at once, at most.
const PART: i64 = 100;

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
            Position::Time(time) => {
                let mut sql = Sql::new("SELECT coalesce(max(revision), 0) FROM log WHERE workspace = ");
                sql.bind(workspace.id()).push(" AND time <= ").bind(time.timestamp_micros());
                match self.query_one(sql).await? {
                    Some(row) => row.try_get_by_index(0)?,
                    None => 0,
                }
            }
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
        let mut sql = self.latest(workspace.id(), revision);
        sql.push(" AND collection = ").bind(T::Message::COLLECTION).push(" ORDER BY resource_id");
        let rows = self.rows(sql).await?;
        let messages: Result<Vec<_>, _> = rows.iter().map(resource_of::<T::Message>).collect();
        Ok((revision, messages?.into_iter().filter(|m| m.standard().delete_time.is_none()).collect()))
    }

    /// The last event of every resource at or before `revision`, deleted ones included, in order of collection and id:
    /// those behind the resource of `after`, some of them at least. Empty behind the last.
    pub async fn snapshot(&self, workspace: &str, revision: i64, after: Option<&LogRow>) -> Result<Vec<LogRow>, Error> {
        let mut sql = self.latest(workspace, revision);
        if let Some(LogRow { collection, resource_id, .. }) = after {
            sql.push(" AND (collection, resource_id) > (")
                .bind(collection.clone())
                .push(", ")
                .bind(resource_id.clone())
                .push(")");
        }
        sql.push(" ORDER BY collection, resource_id LIMIT ").bind(PART);
        self.rows(sql.within_bytes(PAGE_BYTES, "data", "collection, resource_id")).await
    }

    fn latest(&self, workspace: &str, revision: i64) -> Sql {
        let mut sql = self.select("FROM log WHERE workspace = ");
        sql.bind(workspace).push(" AND revision <= ").bind(revision);
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM log AS later WHERE later.workspace = log.workspace AND later.collection = log.collection
              AND later.resource_id = log.resource_id AND (later.revision, later.ordinal) > (log.revision, log.ordinal)
              AND later.revision <= ",
        );
        sql.bind(revision).push(")");
        sql
    }
}

/// The resource that an event carries.
fn resource_of<M: ResourceMessage>(row: &LogRow) -> Result<M, Error> {
    let damaged = |problem: String| Error::Damaged {
        table: "log",
        column: "data",
        workspace: row.workspace.clone(),
        id: row.event_id.to_string(),
        problem,
    };
    let mut data: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&row.data).map_err(|e| damaged(e.to_string()))?;
    let resource =
        data.remove(&crate::put::json_name(M::SINGULAR)).ok_or_else(|| damaged(format!("has no {}", M::SINGULAR)))?;
    serde_json::from_value(resource).map_err(|e| damaged(e.to_string()))
}

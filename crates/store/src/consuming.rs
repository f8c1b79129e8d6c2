//! How far this service has read the logs of others in the same process. For streams it is `stream_position.rs`.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use waymark_domain::WorkspaceId;

use crate::statement::insert;
use crate::workspaces::workspace_of;
use crate::{Error, Store};

impl Store {
    /// The last revision of each workspace of the service `source` whose events this service has handled.
    pub async fn consumed(&self, source: &str) -> Result<HashMap<WorkspaceId, i64>, Error> {
        let mut select = Query::select();
        select.columns(["workspace", "revision"]).from("bus_cursors").and_where(Expr::col("source").eq(source));
        let rows = self.across().query_all(&select).await?;
        let pairs = rows.iter().map(|row| {
            let workspace = workspace_of("bus_cursors", row.try_get_by_index(0)?)?;
            Ok((workspace, row.try_get_by_index(1)?))
        });
        pairs.collect()
    }

    /// The last revision of one workspace of the service `source` whose events this service has handled; 0 before any.
    pub async fn consumed_of(&self, source: &str, workspace: &WorkspaceId) -> Result<i64, Error> {
        let mut select = Query::select();
        select.column("revision").from("bus_cursors").and_where(Expr::col("source").eq(source));
        select.and_where(Expr::col("workspace").eq(workspace.id()));
        Ok(self.across().query_one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
    }

    /// Remembers that this service has handled the events of `workspace` up to `revision`.
    pub async fn mark_consumed(&self, source: &str, workspace: &WorkspaceId, revision: i64) -> Result<(), Error> {
        let row = [("source", source.into()), ("workspace", workspace.id().into()), ("revision", revision.into())];
        let mut insert = insert("bus_cursors", row);
        insert.on_conflict(OnConflict::columns(["source", "workspace"]).update_column("revision").to_owned());
        self.across().execute(&insert).await.map(|_| ())
    }
}

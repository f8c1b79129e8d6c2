//! The workspaces of a database and their revisions.

use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use waymark_domain::WorkspaceId;

use crate::{Error, Store};

impl Store {
    /// The workspace's revision; 0 when nothing was ever written to it.
    pub async fn revision(&self, workspace: &WorkspaceId) -> Result<i64, Error> {
        Ok(self.bounds(workspace.id()).await?.1)
    }

    /// The earliest revision whose history is whole, and the current one.
    pub async fn bounds(&self, workspace: &str) -> Result<(i64, i64), Error> {
        match self.of(workspace).query_one(&bounds(workspace)).await? {
            Some(row) => Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)),
            None => Ok((0, 0)),
        }
    }

    /// All workspaces that were ever written to, with their revisions.
    pub async fn revisions(&self) -> Result<Vec<(WorkspaceId, i64)>, Error> {
        let rows = self.across().query_all(Query::select().columns(["id", "revision"]).from("workspaces")).await?;
        let pairs = rows.iter().map(|row| {
            let workspace = workspace_of("workspaces", row.try_get_by_index(0)?)?;
            Ok((workspace, row.try_get_by_index(1)?))
        });
        pairs.collect()
    }
}

pub(crate) fn bounds(workspace: &str) -> SelectStatement {
    let mut select = Query::select();
    select.columns(["earliest_revision", "revision"]).from("workspaces").and_where(Expr::col("id").eq(workspace)).take()
}

/// Refuses a revision in the future, or before the earliest one from which history is whole.
pub(crate) fn within((earliest, current): (i64, i64), asked: i64) -> Result<(), Error> {
    if asked > current {
        return Err(Error::Future { asked, current });
    }
    if asked < earliest {
        return Err(Error::Expired { asked, earliest });
    }
    Ok(())
}

/// The workspace that a row of `table` names.
pub(crate) fn workspace_of(table: &'static str, id: String) -> Result<WorkspaceId, Error> {
    WorkspaceId::from_id(&id).map_err(|error| Error::Damaged {
        table,
        column: if table == "workspaces" { "id" } else { "workspace" },
        workspace: id.clone(),
        id,
        problem: error.to_string(),
    })
}

//! How far the relay has published the log of each workspace.

use std::collections::BTreeMap;

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, Func, OnConflict, Order, Query, WindowStatement};
use waymark_domain::WorkspaceId;

use crate::workspaces::workspace_of;
use crate::{Error, Position, Store};

/// A workspace that has events to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The last revision that is published.
    pub published: i64,
    /// The last revision there is.
    pub revision: i64,
}

/// What a relay has published of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The last revision that was published before.
    pub before: i64,
    /// The last revision that is published now.
    pub revision: i64,
}

impl Store {
    /// Workspaces with events to publish, `limit` of them at most, those first that are at the lowest revision; and how
    /// many revisions wait in all workspaces.
    pub async fn unpublished(&self, limit: u64) -> Result<(Vec<Unpublished>, i64), Error> {
        let published = || Expr::from(Func::coalesce([Expr::col(("relay_cursors", "revision")), Expr::val(0_i64)]));
        let revision = || Expr::col(("workspaces", "revision"));
        let behind = Query::select()
            .column(("workspaces", "id"))
            .expr_as(published(), "published")
            .column(("workspaces", "revision"))
            .expr_window_as(revision().sub(published()).sum(), WindowStatement::new(), "waiting")
            .from("workspaces")
            .left_join("relay_cursors", Expr::col(("relay_cursors", "workspace")).equals(("workspaces", "id")))
            .and_where(revision().gt(published()))
            .take();
        let rows = self
            .query_all(
                Query::select()
                    .columns(["id", "published", "revision"])
                    // PostgreSQL adds bigints up to a numeric.
                    .expr(Expr::col("waiting").cast_as("bigint"))
                    .from_subquery(behind, "behind")
                    .order_by("published", Order::Asc)
                    .order_by("id", Order::Asc)
                    .limit(limit),
            )
            .await?;
        let waiting = rows.first().map(|row| row.try_get_by_index(3)).transpose()?.unwrap_or(0);
        let workspaces = rows.iter().map(|row| {
            Ok(Unpublished {
                workspace: workspace_of("workspaces", row.try_get_by_index(0)?)?,
                published: row.try_get_by_index(1)?,
                revision: row.try_get_by_index(2)?,
            })
        });
        Ok((workspaces.collect::<Result<_, Error>>()?, waiting))
    }

    /// Remembers what is published, except where that was set meanwhile, as by [`Store::republish`]; false when it was.
    pub async fn mark_published(&self, published: &BTreeMap<WorkspaceId, Published>) -> Result<bool, Error> {
        if published.is_empty() {
            return Ok(true);
        }
        let mut insert = Query::insert();
        insert.into_table("relay_cursors").columns(["workspace", "revision"]);
        let mut before = CaseStatement::new();
        for (workspace, published) in published {
            insert.values_panic([workspace.id().into(), published.revision.into()]);
            before = before.case(Expr::col(("relay_cursors", "workspace")).eq(workspace.id()), published.before);
        }
        let unmoved = Expr::col(("relay_cursors", "revision")).eq(before);
        insert.on_conflict(
            OnConflict::column("workspace").update_column("revision").action_and_where(unmoved).to_owned(),
        );
        Ok(self.execute(&insert).await? == published.len() as u64)
    }

    /// Whether anything was ever published.
    pub async fn has_published(&self) -> Result<bool, Error> {
        let mut select = Query::select();
        select.column("workspace").from("relay_cursors").and_where(Expr::col("revision").gt(0)).limit(1);
        Ok(self.query_one(&select).await?.is_some())
    }

    /// Has the relay publish a workspace again from revision `from` on; tells how many events those are.
    pub async fn republish(&self, workspace: &WorkspaceId, from: i64) -> Result<i64, Error> {
        self.resolve(workspace, Position::Revision(from)).await?;
        let mut rewind = Query::update();
        rewind.table("relay_cursors").value("revision", from - 1);
        rewind.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("revision").gte(from));
        self.execute(&rewind).await?;
        let mut select = Query::select();
        select.expr(Expr::col("ordinal").count()).from("log");
        select.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("revision").gte(from));
        Ok(self.query_one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
    }
}

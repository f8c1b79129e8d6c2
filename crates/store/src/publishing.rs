//! How far the relay has published the log of each workspace.

use std::collections::BTreeMap;

use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait as _, Func, IntoColumnRef, OnConflict, Order, Query, WindowStatement,
};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use waymark_domain::WorkspaceId;

use crate::checkpoints::{Checkpoint, Checkpoints, advance, remember};
use crate::workspaces::workspace_of;
use crate::{Error, Position, Store};

/// A workspace that has events to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The last revision that is published.
    pub published: i64,
    /// The newest revision that was ever published.
    pub reached: i64,
    /// The last revision there is.
    pub revision: i64,
}

/// What a relay has published of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The last revision that was published before.
    pub before: i64,
    /// The newest revision that was ever published, by now.
    pub reached: i64,
    /// The last revision that is published now.
    pub revision: i64,
}

impl Store {
    /// Workspaces with events to publish, `limit` of them at most, those first that are at the lowest revision; and how
    /// many revisions wait in all workspaces.
    pub async fn unpublished(&self, limit: u64) -> Result<(Vec<Unpublished>, i64), Error> {
        let published = || or_zero(("relay_cursors", "revision"));
        let revision = || Expr::col(("workspaces", "revision"));
        let behind = Query::select()
            .column(("workspaces", "id"))
            .expr_as(published(), "published")
            .expr_as(or_zero(("relay_cursors", "reached")), "reached")
            .column(("workspaces", "revision"))
            .expr_window_as(revision().sub(published()).sum(), WindowStatement::new(), "waiting")
            .from("workspaces")
            .left_join("relay_cursors", Expr::col(("relay_cursors", "workspace")).equals(("workspaces", "id")))
            .and_where(revision().gt(published()))
            .take();
        let rows = self
            .query_all(
                Query::select()
                    .columns(["id", "published", "reached", "revision"])
                    // PostgreSQL adds bigints up to a numeric.
                    .expr(Expr::col("waiting").cast_as("bigint"))
                    .from_subquery(behind, "behind")
                    .order_by("published", Order::Asc)
                    .order_by("id", Order::Asc)
                    .limit(limit),
            )
            .await?;
        let waiting = rows.first().map(|row| row.try_get_by_index(4)).transpose()?.unwrap_or(0);
        let workspaces = rows.iter().map(|row| {
            Ok(Unpublished {
                workspace: workspace_of("workspaces", row.try_get_by_index(0)?)?,
                published: row.try_get_by_index(1)?,
                reached: row.try_get_by_index(2)?,
                revision: row.try_get_by_index(3)?,
            })
        });
        Ok((workspaces.collect::<Result<_, Error>>()?, waiting))
    }

    /// Remembers what is published, and the newest message of it that the stream has taken, if that is new. False when
    /// something is to be read again: cursors that were set meanwhile, as by [`Store::republish`], are left as they are,
    /// and nothing is remembered when another relay has marked or rewound since `known` was read.
    pub async fn mark_published(
        &self,
        known: &mut Checkpoints,
        newest: Option<Checkpoint>,
        published: &BTreeMap<WorkspaceId, Published>,
    ) -> Result<bool, Error> {
        if newest.is_none() && published.is_empty() {
            return Ok(true);
        }
        let transaction = self.writer.begin().await?;
        if !advance(&transaction, known, None).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        if let Some(newest) = newest {
            remember(&transaction, known, newest).await?;
        }
        let mut moved = 0;
        if !published.is_empty() {
            let mut insert = Query::insert();
            insert.into_table("relay_cursors").columns(["workspace", "revision", "sequence", "reached"]);
            let mut before = CaseStatement::new();
            for (workspace, published) in published {
                let sequence = known.newest() as i64;
                insert.values_panic([
                    workspace.id().into(),
                    published.revision.into(),
                    sequence.into(),
                    published.reached.into(),
                ]);
                before = before.case(Expr::col(("relay_cursors", "workspace")).eq(workspace.id()), published.before);
            }
            let unmoved = Expr::col(("relay_cursors", "revision")).eq(before);
            let mut update = OnConflict::column("workspace");
            update.update_columns(["revision", "sequence", "reached"]).value("rewound", false);
            insert.on_conflict(update.action_and_where(unmoved).to_owned());
            moved = transaction.execute(&insert).await?.rows_affected();
        }
        transaction.commit().await?;
        known.advanced();
        Ok(moved == published.len() as u64)
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
        rewind.table("relay_cursors").value("revision", from - 1).value("rewound", true);
        rewind.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("revision").gte(from));
        self.execute(&rewind).await?;
        let mut select = Query::select();
        select.expr(Expr::col("ordinal").count()).from("log");
        select.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("revision").gte(from));
        Ok(self.query_one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
    }
}

/// A column of a row that may not be there.
fn or_zero(column: impl IntoColumnRef) -> Expr {
    Func::coalesce([Expr::col(column), Expr::val(0_i64)]).into()
}

//! How far the relay has published the log of each workspace. Nothing here reads all of them in one statement.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait as _, Func, JoinType, OnConflict, Order, Query, SelectStatement,
};
use waymark_domain::WorkspaceId;

use crate::checkpoints::{Checkpoint, Checkpoints, advance, remember};
use crate::workspaces::{within, workspace_of};
use crate::{Error, Store};

/// How far a workspace is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
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
    /// The cursors of workspaces, all in the order of their ids: those after `after`, `limit` at most.
    pub async fn cursors_after(&self, after: Option<&WorkspaceId>, limit: u64) -> Result<Vec<Cursor>, Error> {
        let mut select = Query::select();
        select.from("workspaces").join(JoinType::LeftJoin, "relay_cursors", of_workspace());
        self.cursors(in_order(&mut select, ("workspaces", "id"), after, limit)).await
    }

    /// The cursors of these workspaces, where there are any.
    pub async fn cursors_of(&self, workspaces: &[WorkspaceId]) -> Result<Vec<Cursor>, Error> {
        let mut select = Query::select();
        select.from("workspaces").join(JoinType::LeftJoin, "relay_cursors", of_workspace());
        select.and_where(Expr::col(("workspaces", "id")).is_in(workspaces.iter().map(WorkspaceId::id)));
        self.cursors(&mut select).await
    }

    /// The cursors that were moved back and not marked since, in the order of their workspaces: those after `after`,
    /// `limit` at most.
    pub async fn cursors_rewound(&self, after: Option<&WorkspaceId>, limit: u64) -> Result<Vec<Cursor>, Error> {
        self.cursors(&mut rewound(after, limit)).await
    }

    /// A cursor that was moved back is where it should be.
    pub async fn settle(&self, cursor: &Cursor) -> Result<(), Error> {
        let mut settle = Query::update();
        settle.table("relay_cursors").value("rewound", false);
        settle.and_where(Expr::col("workspace").eq(cursor.workspace.id()));
        settle.and_where(Expr::col("revision").eq(cursor.published));
        self.across().execute(&settle).await.map(|_| ())
    }

    async fn cursors(&self, select: &mut SelectStatement) -> Result<Vec<Cursor>, Error> {
        let or_zero = |column| Func::coalesce([Expr::col(("relay_cursors", column)), Expr::val(0_i64)]);
        select.column(("workspaces", "id")).expr(or_zero("revision")).expr(or_zero("reached"));
        let rows = self.across().query_all(select.column(("workspaces", "revision"))).await?;
        let cursors = rows.iter().map(|row| {
            Ok(Cursor {
                workspace: workspace_of("workspaces", row.try_get_by_index(0)?)?,
                published: row.try_get_by_index(1)?,
                reached: row.try_get_by_index(2)?,
                revision: row.try_get_by_index(3)?,
            })
        });
        cursors.collect()
    }

    /// Remembers what is published, and the newest message of it that the stream has taken, if that is new. False when
    /// something is to be read again: cursors that were set meanwhile, as by [`Store::republish`], stay as they are, and
    /// nothing is remembered when another relay has marked or rewound since `known` was read.
    pub async fn mark_published(
        &self,
        known: &mut Checkpoints,
        newest: Option<Checkpoint>,
        published: &BTreeMap<WorkspaceId, Published>,
    ) -> Result<bool, Error> {
        if newest.is_none() && published.is_empty() {
            return Ok(true);
        }
        let transaction = self.across().begin().await?;
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
        Ok(self.across().query_one(&select).await?.is_some())
    }

    /// Has the relay publish a workspace again from revision `from` on; tells how many events those are.
    pub async fn republish(&self, workspace: &WorkspaceId, from: i64) -> Result<i64, Error> {
        // Also of a revision that is held some events before and behind it may be gone.
        within(self.bounds(workspace.id()).await?, from)?;
        let mut rewind = Query::update();
        rewind.table("relay_cursors").value("revision", from - 1).value("rewound", true);
        rewind.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("revision").gte(from));
        self.across().execute(&rewind).await?;
        let mut select = Query::select();
        select.expr(Expr::col("ordinal").count()).from("log");
        select.and_where(Expr::col("workspace").eq(workspace.id())).and_where(Expr::col("revision").gte(from));
        Ok(self
            .of(workspace.id())
            .query_one(&select)
            .await?
            .map(|row| row.try_get_by_index(0))
            .transpose()?
            .unwrap_or(0))
    }
}

fn of_workspace() -> Expr {
    Expr::col(("relay_cursors", "workspace")).equals(("workspaces", "id"))
}

/// Finds the workspaces whose cursors were moved back.
pub(crate) fn rewound(after: Option<&WorkspaceId>, limit: u64) -> SelectStatement {
    let mut select = Query::select();
    select.from("relay_cursors").join(JoinType::InnerJoin, "workspaces", of_workspace());
    select.and_where(Expr::col(("relay_cursors", "rewound")));
    // By their own column: in the order of the other table's, both databases walk through all workspaces.
    in_order(&mut select, ("relay_cursors", "workspace"), after, limit).take()
}

/// A page in the order of the workspaces that `column` names.
fn in_order<'a>(
    select: &'a mut SelectStatement,
    column: (&'static str, &'static str),
    after: Option<&WorkspaceId>,
    limit: u64,
) -> &'a mut SelectStatement {
    if let Some(after) = after {
        select.and_where(Expr::col(column).gt(after.id()));
    }
    select.order_by(column, Order::Asc).limit(limit)
}

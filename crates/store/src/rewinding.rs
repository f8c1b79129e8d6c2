//! Cursors that are ahead of the stream, after that has lost messages: which they are, and how they are moved back.

use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Func, OnConflict, Order, Query};
use waymark_domain::WorkspaceId;

use crate::checkpoints::{Checkpoints, advance};
use crate::workspaces::workspace_of;
use crate::{Error, Store};

/// A workspace that may have lost events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The last revision that was published.
    pub published: i64,
    /// The newest revision that was ever published.
    pub reached: i64,
    /// The earliest revision whose events the log still has, all of them.
    pub earliest: i64,
}

impl Store {
    /// How many workspaces may have been published behind the stream's message `base`.
    pub async fn count_ahead(&self, base: u64) -> Result<u64, Error> {
        let mut select = Query::select();
        select.expr(Expr::col("workspace").count()).from("relay_cursors").cond_where(ahead(base));
        let count = self.across().query_one(&select).await?.map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Workspaces that may have been published behind the stream's message `base`, `limit` at most, in the order of
    /// their ids, those after `after`.
    pub async fn ahead(&self, base: u64, after: Option<&WorkspaceId>, limit: u64) -> Result<Vec<Ahead>, Error> {
        let reached = Func::coalesce([Expr::col("reached"), Expr::val(0_i64)]);
        let earliest = Func::coalesce([Expr::col("earliest_revision"), Expr::val(0_i64)]);
        let mut select = Query::select();
        select.column("workspace").column(("relay_cursors", "revision")).expr(reached).expr(earliest);
        select.from("relay_cursors");
        select.left_join("workspaces", Expr::col(("workspaces", "id")).equals(("relay_cursors", "workspace")));
        select.cond_where(ahead(base));
        if let Some(after) = after {
            select.and_where(Expr::col("workspace").gt(after.id()));
        }
        let rows = self.across().query_all(select.order_by("workspace", Order::Asc).limit(limit)).await?;
        let workspaces = rows.iter().map(|row| {
            let published = row.try_get_by_index(1)?;
            Ok(Ahead {
                workspace: workspace_of("relay_cursors", row.try_get_by_index(0)?)?,
                published,
                reached: Ord::max(row.try_get_by_index(2)?, published),
                earliest: row.try_get_by_index(3)?,
            })
        });
        workspaces.collect()
    }

    /// The id of the last event of a revision; `None` when the log has none of it any more.
    pub async fn last_event(&self, workspace: &WorkspaceId, revision: i64) -> Result<Option<String>, Error> {
        let mut select = Query::select();
        select.column("event_id").from("log").and_where(Expr::col("workspace").eq(workspace.id()));
        select.and_where(Expr::col("revision").eq(revision)).order_by("ordinal", Order::Desc).limit(1);
        Ok(self.of(workspace.id()).query_one(&select).await?.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Moves cursors back to the revisions that the stream holds up to its message `base`, each beside what it was;
    /// none moves forward. False when another relay has marked or rewound since `known` was read.
    pub async fn rewind(&self, known: &mut Checkpoints, base: u64, cursors: &[(Ahead, i64)]) -> Result<bool, Error> {
        let transaction = self.across().begin().await?;
        if !advance(&transaction, known, None).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        let mut insert = Query::insert();
        insert.into_table("relay_cursors").columns(["workspace", "revision", "sequence", "reached"]);
        for (ahead, held) in cursors {
            insert.values_panic([
                ahead.workspace.id().into(),
                (*held).into(),
                (base as i64).into(),
                ahead.reached.into(),
            ]);
        }
        let (cursor, held) = (|| Expr::col(("relay_cursors", "revision")), || Expr::col(("excluded", "revision")));
        let rewound = Expr::case(held().lt(cursor()), true).finally(Expr::col(("relay_cursors", "rewound")));
        let mut back = OnConflict::column("workspace");
        back.update_columns(["sequence", "reached"]);
        back.value("revision", Expr::case(held().lt(cursor()), held()).finally(cursor())).value("rewound", rewound);
        insert.on_conflict(back);
        transaction.execute(&insert).await?;
        transaction.commit().await?;
        known.advanced();
        Ok(true)
    }
}

/// Cursors of which the stream up to its message `base` may not hold all that is before them.
fn ahead(base: u64) -> Condition {
    let revision = || Expr::col(("relay_cursors", "revision"));
    Condition::all().add(revision().gt(0)).add(
        Condition::any()
            .add(Expr::col("sequence").is_null())
            .add(Expr::col("sequence").gt(base as i64))
            .add(Expr::col("reached").is_null())
            .add(Expr::col("reached").lt(revision())),
    )
}

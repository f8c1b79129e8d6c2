//! Looks at the log: what other processes have committed, found without reading every workspace.
//!
//! Both databases put the log's rows in an order in which nothing turns up later behind what a look has seen. SQLite
//! has one writer, so its row ids grow in the order of commits. PostgreSQL's transactions commit in any order; there
//! each row has the id of its transaction, and what turned up since a look is what its snapshot did not hold: the
//! transactions that began after it, and those that were under way.
//!
//! Neither order outlives everything (a failover to a copy that lacks commits, VACUUM on SQLite), so each look also
//! reads the heads of a few workspaces, and in time of all.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Order, Query, SelectStatement};
use waymark_domain::WorkspaceId;

use crate::place::{Place, Seen};
use crate::workspaces::workspace_of;
use crate::{Error, Store};

/// Workspaces whose heads a look reads, moved or not.
const WALK: u64 = 64;

impl Store {
    /// Finds what was committed since the last look, so that commits of other processes wake this one's readers; the
    /// first look only says since when. What it reads does not depend on how many workspaces there are.
    pub async fn look(&self) -> Result<(), Error> {
        let Seen { place, walked } = self.looks.seen().clone();
        let now = self.place().await?;
        if let Some(before) = place {
            let mut moved = Query::select();
            moved.column("workspace").expr(Expr::col("revision").max()).from("log");
            moved.and_where(self.between(&before, &now)).group_by_col("workspace");
            self.observe("log", &moved).await?;
        }
        let mut next = Query::select();
        next.columns(["id", "revision"]).from("workspaces").and_where(Expr::col("id").gt(walked));
        next.order_by("id", Order::Asc).limit(WALK);
        // Behind the last the walk begins anew.
        let walked = self.observe("workspaces", &next).await?.map_or(String::new(), |last| last.id().to_owned());
        *self.looks.seen() = Seen { place: Some(now), walked };
        Ok(())
    }

    async fn place(&self) -> Result<Place, Error> {
        let mut select = Query::select();
        if self.backend() == DbBackend::Postgres {
            select.expr(Func::cust("pg_current_snapshot").cast_as("text"));
        } else {
            select.expr(Func::coalesce([Expr::col("rowid").max(), Expr::val(0_i64)])).from("log");
        }
        let row = self.across().query_one(&select).await?.ok_or_else(|| Error::bug("the log has no place"))?;
        if self.backend() == DbBackend::Postgres {
            let snapshot: String = row.try_get_by_index(0)?;
            return Place::of(&snapshot).ok_or_else(|| Error::bug(format!("{snapshot} is no snapshot")));
        }
        Ok(Place { next: row.try_get_by_index::<i64>(0)? + 1, open: Vec::new() })
    }

    /// Whether a row of the log turned up between two places. Those of a dump that was loaded from a server that had
    /// come further lie behind both.
    fn between(&self, before: &Place, now: &Place) -> Expr {
        let of_postgres = self.backend() == DbBackend::Postgres;
        let written = || Expr::col(if of_postgres { "written" } else { "rowid" });
        // As single values, or PostgreSQL's planner would not know that they are few.
        let place = |id: i64| if of_postgres { Expr::val(id.to_string()).cast_as("xid8") } else { Expr::val(id) };
        let since = written().gte(place(before.next)).and(written().lt(place(now.next)));
        before.open.iter().fold(since, |found, id| found.or(written().eq(place(*id))))
    }

    /// Observes the workspaces and revisions that a statement finds in `table`; tells the last.
    async fn observe(&self, table: &'static str, found: &SelectStatement) -> Result<Option<WorkspaceId>, Error> {
        let mut last = None;
        for row in self.across().query_all(found).await? {
            let workspace = workspace_of(table, row.try_get_by_index(0)?)?;
            self.heads().observe(&workspace, row.try_get_by_index(1)?);
            last = Some(workspace);
        }
        Ok(last)
    }
}

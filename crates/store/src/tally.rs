//! Tallies: of a column that is kept in order, how many live resources have a value that begins alike. They are written
//! with the resources, so what lies between two values is counted by adding up a few of them, and by an index only at
//! the ends.

use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Query, SelectStatement};
use waymark_domain::WorkspaceId;

use crate::{Error, Store, Table, Write};

impl Store {
    /// How many resources of `T` have a value of the tallied column `column` from `low` on and before `high`.
    pub async fn count_between<T: Table>(
        &self,
        workspace: &WorkspaceId,
        column: &str,
        low: &str,
        high: &str,
    ) -> Result<u32, Error> {
        let row = self.query_one(&count_between::<T>(workspace, column, low, high)?).await?;
        Ok(row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or(0) as u32)
    }
}

impl Write {
    /// The same, as this write leaves it.
    pub async fn count_between<T: Table>(&mut self, column: &str, low: &str, high: &str) -> Result<u32, Error> {
        let select = count_between::<T>(self.workspace(), column, low, high)?;
        self.flush().await?;
        let row = self.rows(&select).await?.pop();
        Ok(row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or(0) as u32)
    }
}

pub(crate) fn count_between<T: Table>(
    workspace: &WorkspaceId,
    column: &str,
    low: &str,
    high: &str,
) -> Result<SelectStatement, Error> {
    let tallied = T::COLUMNS.iter().find(|c| c.name == column).and_then(|c| Some((c, c.tallied?)));
    let (column, length) = tallied.ok_or_else(|| Error::bug(format!("{}.{column} is not tallied", T::TABLE)))?;
    let counted = |low: &str, high: &str| {
        let mut count = Query::select();
        count.expr(Expr::val(1).count()).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
        count.and_where(Expr::col(column.name).gte(low)).and_where(Expr::col(column.name).lt(high));
        Expr::SubQuery(None, Box::new(count.into()))
    };
    let head = |text: &str| text.get(..length).unwrap_or(text).to_owned();
    let (first, last) = (head(low), head(high));
    if first == last {
        return Ok(Query::select().expr(counted(low, high)).take());
    }
    let mut tallied = Query::select();
    let sum = Func::coalesce([Func::sum(Expr::col("count")).into(), Expr::val(0_i64)]);
    // The sum of big integers is a numeric to PostgreSQL.
    tallied.expr(Func::cast_as(sum, "bigint")).from("tallies").and_where(Expr::col("workspace").eq(workspace.id()));
    tallied
        .and_where(Expr::col("tally").eq(column.tally_name(T::TABLE)))
        .and_where(Expr::col("head").lt(last.as_str()));
    let mut all = Expr::val(0_i64);
    if low.len() > length {
        // All that begin as it does are before this: the texts are ASCII.
        all = all.add(counted(low, &format!("{first}\u{7f}")));
        tallied.and_where(Expr::col("head").gt(first));
    } else {
        tallied.and_where(Expr::col("head").gte(first));
    }
    if high.len() > length {
        all = all.add(counted(&last, high));
    }
    Ok(Query::select().expr(all.add(Expr::SubQuery(None, Box::new(tallied.into())))).take())
}

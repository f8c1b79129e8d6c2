//! Tallies: of a column that is kept in order, how many live resources have a value that begins alike. They are written
//! with the resources, so what lies between two values is counted by adding up a few of them, and by an index only at
//! the ends.

use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Query, SelectStatement};
use waymark_domain::WorkspaceId;

use crate::{Error, Store, Table, Write};

/// Ranges that are counted by one statement.
const RANGES: usize = 64;

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
    /// The same for each of some ranges, as this write leaves it.
    pub async fn counts_between<T: Table>(&mut self, column: &str, ranges: &[(&str, &str)]) -> Result<Vec<u32>, Error> {
        self.flush().await?;
        let mut counts = Vec::with_capacity(ranges.len());
        for part in ranges.chunks(RANGES) {
            let mut select = Query::select();
            for (low, high) in part {
                select.expr(count::<T>(self.workspace(), column, low, high)?);
            }
            for row in self.rows(&select).await? {
                for index in 0..part.len() {
                    counts.push(row.try_get_by_index::<i64>(index)? as u32);
                }
            }
        }
        Ok(counts)
    }
}

pub(crate) fn count_between<T: Table>(
    workspace: &WorkspaceId,
    column: &str,
    low: &str,
    high: &str,
) -> Result<SelectStatement, Error> {
    Ok(Query::select().expr(count::<T>(workspace, column, low, high)?).take())
}

fn count<T: Table>(workspace: &WorkspaceId, column: &str, low: &str, high: &str) -> Result<Expr, Error> {
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
        return Ok(counted(low, high));
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
    Ok(all.add(Expr::SubQuery(None, Box::new(tallied.into()))))
}

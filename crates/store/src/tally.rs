//! Tallies: of a column that is kept in order, how many live resources have a value that begins alike. They are written
//! with the resources, so what lies between two values is counted by adding up a few of them, and by an index only at
//! the ends.

use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Order, Query, SelectStatement};
use waymark_domain::WorkspaceId;

use crate::{Error, Store, Table, Write};

/// Ranges that are counted by one statement.
const RANGES: usize = 64;
/// For more of them the tallies are read once, not added up for each.
const FEW: usize = 8;

impl Store {
    /// How many resources of `T` have a value of the tallied column `column` from `low` on and before `high`.
    pub async fn count_between<T: Table>(
        &self,
        workspace: &WorkspaceId,
        column: &str,
        low: &str,
        high: &str,
    ) -> Result<u32, Error> {
        let row = self.of(workspace.id()).query_one(&count_between::<T>(workspace, column, low, high)?).await?;
        Ok(row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or(0) as u32)
    }
}

impl Write {
    /// The same for each of some ranges, as this write leaves it.
    pub async fn counts_between<T: Table>(&mut self, column: &str, ranges: &[(&str, &str)]) -> Result<Vec<u32>, Error> {
        let workspace = self.workspace().clone();
        let tally = Tally::of::<T>(&workspace, column)?;
        self.flush().await?;
        let sums = if ranges.len() > FEW { Some(Sums::of(&self.rows(&tally.heads()).await?)?) } else { None };
        let mut counts = Vec::with_capacity(ranges.len());
        for part in ranges.chunks(RANGES) {
            let parts: Vec<_> = part.iter().map(|(low, high)| tally.split(low, high)).collect();
            let mut select = Query::select();
            for range in &parts {
                select.expr(if sums.is_some() { tally.at_the_ends(range) } else { tally.count(range) });
            }
            for row in self.rows(&select).await? {
                for (index, range) in parts.iter().enumerate() {
                    let within = sums.as_ref().map_or(0, |sums| sums.within(range));
                    counts.push((row.try_get_by_index::<i64>(index)? + within) as u32);
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
    let tally = Tally::of::<T>(workspace, column)?;
    Ok(Query::select().expr(tally.count(&tally.split(low, high))).take())
}

/// The tally of a column.
struct Tally<'a> {
    workspace: &'a WorkspaceId,
    table: &'static str,
    column: &'static str,
    name: String,
    /// Characters of a head.
    length: usize,
}

/// A range in parts.
struct Parts {
    /// What is counted by the index: ends that lie within a tally.
    ends: Vec<(String, String)>,
    /// The tallies between, if any can be: from the head of the range's begin on, or behind it, and before that of its end.
    between: Option<(String, bool, String)>,
}

/// The heads of a tally in order, each with how many there are of it and of all before.
struct Sums(Vec<(String, i64)>);

impl<'a> Tally<'a> {
    fn of<T: Table>(workspace: &'a WorkspaceId, column: &str) -> Result<Self, Error> {
        let tallied = T::COLUMNS.iter().find(|c| c.name == column).and_then(|c| Some((c, c.tallied?)));
        let (column, length) = tallied.ok_or_else(|| Error::bug(format!("{}.{column} is not tallied", T::TABLE)))?;
        Ok(Self { workspace, table: T::TABLE, column: column.name, name: column.tally_name(T::TABLE), length })
    }

    fn split(&self, low: &str, high: &str) -> Parts {
        let head = |text: &str| text.get(..self.length).unwrap_or(text).to_owned();
        let (first, last) = (head(low), head(high));
        if first == last {
            return Parts { ends: vec![(low.to_owned(), high.to_owned())], between: None };
        }
        let mut ends = Vec::new();
        if low.len() > self.length {
            // All that begin as it does are before this: the texts are ASCII.
            ends.push((low.to_owned(), format!("{first}\u{7f}")));
        }
        if high.len() > self.length {
            ends.push((last.clone(), high.to_owned()));
        }
        Parts { ends, between: Some((first, low.len() <= self.length, last)) }
    }

    /// How many lie in a range.
    fn count(&self, range: &Parts) -> Expr {
        let Some((first, with_it, last)) = &range.between else { return self.at_the_ends(range) };
        let mut tallied = self.tallies();
        let sum = Func::coalesce([Func::sum(Expr::col("count")).into(), Expr::val(0_i64)]);
        // The sum of big integers is a numeric to PostgreSQL.
        tallied.expr(Func::cast_as(sum, "bigint")).and_where(Expr::col("head").lt(last.as_str()));
        let head = Expr::col("head");
        tallied.and_where(if *with_it { head.gte(first.as_str()) } else { head.gt(first.as_str()) });
        self.at_the_ends(range).add(Expr::SubQuery(None, Box::new(tallied.into())))
    }

    /// How many lie at its ends.
    fn at_the_ends(&self, range: &Parts) -> Expr {
        let counted = |(low, high): &(String, String)| {
            let mut count = Query::select();
            count.expr(Expr::val(1).count()).from(self.table);
            count.and_where(Expr::col("workspace").eq(self.workspace.id()));
            count
                .and_where(Expr::col(self.column).gte(low.as_str()))
                .and_where(Expr::col(self.column).lt(high.as_str()));
            Expr::SubQuery(None, Box::new(count.into()))
        };
        range.ends.iter().map(counted).reduce(Expr::add).unwrap_or(Expr::val(0_i64))
    }

    fn tallies(&self) -> SelectStatement {
        let mut tallies = Query::select();
        tallies.from("tallies").and_where(Expr::col("workspace").eq(self.workspace.id()));
        tallies.and_where(Expr::col("tally").eq(self.name.as_str())).take()
    }

    /// All tallies, in order.
    fn heads(&self) -> SelectStatement {
        self.tallies().columns(["head", "count"]).order_by("head", Order::Asc).take()
    }
}

impl Sums {
    fn of(rows: &[QueryResult]) -> Result<Self, Error> {
        let (mut sums, mut sum) = (Vec::with_capacity(rows.len()), 0);
        for row in rows {
            sum += row.try_get_by_index::<i64>(1)?;
            sums.push((row.try_get_by_index(0)?, sum));
        }
        Ok(Self(sums))
    }

    /// How many the tallies between the ends of a range have.
    fn within(&self, range: &Parts) -> i64 {
        let Some((first, with_it, last)) = &range.between else { return 0 };
        let before = |head: &str, itself: bool| {
            let heads = self.0.partition_point(|(known, _)| known.as_str() < head || itself && known == head);
            heads.checked_sub(1).and_then(|place| self.0.get(place)).map_or(0, |(_, sum)| *sum)
        };
        before(last, false) - before(first, !with_it)
    }
}

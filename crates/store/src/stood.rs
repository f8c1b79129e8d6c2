//! The order of a traced column as it stood: from the index of the log that has what resources ever had there, in that order,
//! of which is shown what was the last of its resource at the position.
//!
//! A look at the log is paid for what was had until then, a bounded number for each part. What came later is passed over in the
//! index, some thousand entries a millisecond: where much came later and little was there, that is most of what it costs.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::WorkspaceId;

use crate::history::{collection, traced};
use crate::statement::{apart, columns, first_of, order_by, unseen};
use crate::trail::is_last;
use crate::{Error, Part, Table, View};

/// What the index is in the order of: values, of each the resources, and of these their events.
const ORDER: [&str; 4] = ["traced", "resource_id", "revision", "ordinal"];

/// A value of a text column, and the id of a resource that had it.
pub type Stood = (String, String);

/// Which part of an order is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Stretch<'a> {
    /// A declared text column that is [traced](crate::Column::traced), whose texts the service makes itself.
    pub column: &'static str,
    /// Values and ids behind this one.
    pub after: (&'a str, &'a str),
    /// Only values less than this.
    pub below: &'a str,
    /// Events up to the position that are looked at, about.
    pub events: u64,
}

impl View {
    /// What resources had in a column at the position, with their ids, in that order: some of them, maybe none, and behind what
    /// the next part begins, unless this is the last. Those that were deleted are among them with what they had then.
    pub async fn stood_between<T: Table>(&self, mut stretch: Stretch<'_>) -> Result<Part<Stood, Stood>, Error> {
        loop {
            let rows = standing::<T>(self.backend(), self.workspace(), self.revision(), stretch)?;
            let text = self.one(rows, &["traced", "resource_id", "is_last"]).await?;
            let row = |(value, rest)| (value, first_of(rest));
            let mut rows: Vec<(&str, (&str, &str))> = apart(&text).map(row).collect();
            // One text of many rows promises no order.
            rows.sort_unstable();
            let pair = |(value, (id, _)): &(&str, (&str, &str))| ((*value).to_owned(), (*id).to_owned());
            let mut next = None;
            if rows.len() as u64 == stretch.events {
                // There may be more events of the last, which is left for the next part.
                let whole =
                    rows.last().map_or(0, |last| rows.partition_point(|row| (row.0, row.1.0) < (last.0, last.1.0)));
                rows.truncate(whole);
                next = rows.last().map(pair);
                if next.is_none() {
                    stretch.events *= 4;
                    continue;
                }
            }
            let items = rows.iter().filter(|(_, (_, is_last))| !is_last.is_empty()).map(pair).collect();
            return Ok(Part { items, next });
        }
    }
}

/// Events of a stretch up to a revision, in no order: value, resource, and a text where it is the last of its resource by then,
/// which is empty otherwise.
pub(crate) fn standing<T: Table>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    revision: i64,
    Stretch { column, after: (value, id), below, events }: Stretch<'_>,
) -> Result<SelectStatement, Error> {
    traced::<T>(column)?;
    let mut had = Query::select();
    had.columns(ORDER).column("collection").from("log").and_where(Expr::cust(collection::<T>()));
    had.and_where(Expr::col("workspace").eq(unseen(backend, workspace.id())));
    had.and_where(columns(["traced", "resource_id"]).gt(Expr::tuple([value.into(), id.into()])));
    had.and_where(Expr::col("traced").lt(below)).and_where(Expr::col("revision").lte(revision));
    order_by(&mut had, ORDER.map(|column| (column.to_owned(), Order::Asc, None)));
    let is_last = Expr::case(is_last(backend, workspace.id(), "events", revision), "1").finally("");
    let mut select = Query::select();
    select.columns(["traced", "resource_id"]).expr_as(is_last, "is_last");
    Ok(select.from_subquery(had.limit(events).take(), "events").take())
}

//! What many resources say in one column, without their bodies.

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Violations, WorkspaceId};
use waymark_proto::ResourceMessage as _;
use waymark_request::Filter;

use crate::access::Access;
use crate::filter::Fields;
use crate::list::{by_index, rows_of};
use crate::resource::declared;
use crate::statement::{apart, as_one, columns, order_by};
use crate::{Error, Store, Table};

/// Rows of an index that are read at once.
const PART: usize = 10_000;

impl Store {
    /// Ids of the live resources that a filter selects, with their values of a text column, in no order; one that is empty counts as
    /// none. Refused when more would have to be looked at than a list looks at for a page. The column is one whose texts the service
    /// makes itself: those that callers write may hold what stands between rows that are sent as one text.
    pub async fn values<T: Table>(
        &self,
        workspace: &WorkspaceId,
        filter: &str,
        column: &'static str,
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let filter = Filter::parse(filter)?;
        let way = self.access::<T>(workspace, &filter, &["id", column, "delete_time"], false).await?;
        if matches!(way, Access::Stretch) {
            let (most, many, found) = (self.looked_at, T::Message::COLLECTION, by_index::<T>());
            let problem = format!("more than {most} {many} would have to be looked at; narrow it by {found}");
            return Err(Violations::one("filter", problem).into());
        }
        let mut select = rows_of::<T>(self.backend(), workspace, way);
        select.columns(["id", column]).and_where(Expr::col("delete_time").is_null());
        select.and_where(Fields::of::<T>(self.backend(), Some(workspace)).condition(&filter)?);
        self.all_pairs(workspace, select, column).await
    }

    /// Ids of the resources whose value of an indexed text column is between two texts, with that value, in its order: read
    /// off the index, with no look at a row. `None` when there are more than `most`. The column is as for [`Store::values`].
    pub async fn values_between<T: Table>(
        &self,
        workspace: &WorkspaceId,
        column: &'static str,
        (low, high): (&str, &str),
        most: usize,
    ) -> Result<Option<Vec<(String, String)>>, Error> {
        let column = declared::<T>(column)?;
        let mut found: Vec<(String, String)> = Vec::new();
        loop {
            let after = found.last().map_or((low, ""), |(id, value)| (value.as_str(), id.as_str()));
            let part = self.all_pairs(workspace, between::<T>(workspace, column, after, high), column).await?;
            let last = part.len() < PART;
            let begin = found.len();
            found.extend(part.into_iter().filter_map(|(id, value)| Some((id, value?))));
            // They are in order already, but one text of many rows promises none.
            found[begin..].sort_by(|(id, value), (other, of)| (value, id).cmp(&(of, other)));
            if found.len() > most {
                return Ok(None);
            }
            if last {
                return Ok(Some(found));
            }
        }
    }

    /// The pairs of a statement that makes one text of them: thousands of rows cost the driver more than the database.
    async fn all_pairs(
        &self,
        workspace: &WorkspaceId,
        rows: SelectStatement,
        column: &'static str,
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let row = self.of(workspace.id()).query_one(&as_one(self.backend(), rows, &["id", column])).await?;
        let text = row.map(|row| row.try_get_by_index::<Option<String>>(0)).transpose()?.flatten().unwrap_or_default();
        let pair = |(id, value): (&str, &str)| (id.to_owned(), (!value.is_empty()).then(|| value.to_owned()));
        Ok(apart(&text).map(pair).collect())
    }
}

/// A part of an index.
pub(crate) fn between<T: Table>(
    workspace: &WorkspaceId,
    column: &'static str,
    (value, id): (&str, &str),
    high: &str,
) -> SelectStatement {
    let mut part = Query::select();
    part.columns(["id", column]).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    part.and_where(columns([column, "id"]).gt(Expr::tuple([Expr::val(value), Expr::val(id)])));
    part.and_where(Expr::col(column).lt(high));
    order_by(&mut part, [column, "id"].map(|column| (column.to_owned(), Order::Asc, None)));
    part.limit(PART as u64).take()
}

//! What trees are read by, as they stand or stood alike: their roots, what stands below nodes, level by level, and what
//! refers to nodes from beside. Each level is one look into an index, so a branch costs what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Resource, WorkspaceId};
use waymark_proto::ResourceMessage as _;

use crate::list::PAGE_BYTES;
use crate::statement::apart;
use crate::view::{Part, VALUES, is_live};
use crate::{Error, Read, Table, View, history, links, resource, walk};

/// All that stands below some nodes, at any depth, by a text column that holds the name of the node above; `limit` at most,
/// so one more than the caller takes tells that they are too many. Nodes come before those below them.
pub async fn below<T: Table>(
    read: &mut impl Read,
    column: &'static str,
    nodes: Vec<String>,
    limit: usize,
) -> Result<Vec<T::Message>, Error> {
    let tops: BTreeSet<String> = nodes.iter().cloned().collect();
    let (mut seen, mut level, mut levels) = (tops.clone(), nodes, Vec::new());
    while !level.is_empty() && seen.len() - tops.len() < limit {
        let wanted = limit - (seen.len() - tops.len());
        let next = read.where_in::<T>(column, &level, wanted as u32).await?;
        level = next.names.iter().filter(|name| seen.insert((*name).clone())).cloned().collect();
        levels.push(next);
    }
    let mut found = Vec::with_capacity(seen.len() - tops.len());
    for level in levels {
        // The only ones that even a damaged tree leads to twice are those where it began.
        found.extend(level.all().await?.into_iter().filter(|message| !tops.contains(&message.standard().name)));
    }
    Ok(found)
}

impl View {
    /// Live resources whose [traced](crate::Column::traced) column says nothing, as that of a root does: those behind the
    /// id `after`, in order of id, `limit` at most. Of the past there may be fewer, and yet a next part.
    pub async fn unset<T: Table>(
        &self,
        column: &'static str,
        after: &str,
        limit: usize,
    ) -> Result<Part<T::Message, String>, Error> {
        if self.past_of::<T>().is_some() {
            return self.stood_unset::<T>(column, after, limit).await;
        }
        let select = unset::<T>(self.workspace(), column, after, limit);
        let by_id = [("id".to_owned(), Order::Asc, None)];
        let (rows, more) = self.page(select, limit, ("body", PAGE_BYTES), &by_id).await?;
        let last = rows.last().filter(|_| more).map(|row| row.try_get_by_index(0));
        Ok(Part { items: self.live::<T>(&rows)?, next: last.transpose()? })
    }

    async fn stood_unset<T: Table>(
        &self,
        column: &'static str,
        after: &str,
        limit: usize,
    ) -> Result<Part<T::Message, String>, Error> {
        let once = history::once_unset::<T>(self.backend(), self.workspace(), after, limit);
        let mut ids = self.ids_of(once).await?;
        let next = if ids.len() > limit { ids.pop_last().and_then(|_| ids.last().cloned()) } else { None };
        let is_wanted = |value: Option<&str>| value.is_none();
        let found = self.standing::<T>(column, ids.iter().map(String::as_str), is_wanted).await?;
        Ok(Part { items: found.into_values().collect(), next })
    }

    /// Live resources whose traced column had one of these values at the position, which is past: `limit` at most.
    pub(crate) async fn stood<T: Table>(
        &self,
        column: &'static str,
        values: &[String],
        limit: usize,
    ) -> Result<Vec<T::Message>, Error> {
        let mut ids = BTreeSet::new();
        for values in values.chunks(VALUES) {
            ids.extend(self.ids_of(history::once::<T>(self.backend(), self.workspace(), column, values)?).await?);
        }
        let values: Arc<BTreeSet<String>> = Arc::new(values.iter().cloned().collect());
        let is_wanted = move |value: Option<&str>| value.is_some_and(|value| values.contains(value));
        let found = self.standing::<T>(column, ids.iter().map(String::as_str), is_wanted).await?;
        Ok(found.into_values().take(limit).collect())
    }

    /// Those of these ids that were live, and whose text field was as wanted, at the position, which is past.
    async fn standing<T: Table>(
        &self,
        field: &'static str,
        ids: impl IntoIterator<Item = &str>,
        is_wanted: impl Fn(Option<&str>) -> bool + Clone + Send + 'static,
    ) -> Result<BTreeMap<String, T::Message>, Error> {
        let read = move |workspace: &str, id: &str, event: &str| {
            let value = resource::text_carried::<T>(workspace, id, event, field)?;
            let message = if is_wanted(value.as_deref()) {
                resource::carried::<T, T::Message>(workspace, id, event)?
            } else {
                None
            };
            Ok(message.filter(is_live))
        };
        self.each::<T, T::Message>(ids, read).await
    }

    /// The ids of all rows.
    pub(crate) async fn ids_of(&self, rows: SelectStatement) -> Result<BTreeSet<String>, Error> {
        Ok(apart(&self.one(rows, &["id"]).await?).map(|(id, _)| id.to_owned()).collect())
    }

    /// Which of `T` refer by a field to which `R` of these ids, as ids of both: now, whatever position is shown. In order
    /// within each target, `limit` at most.
    pub async fn referrers<T: Table, R: Resource>(
        &self,
        field: &str,
        ids: &[String],
        limit: usize,
    ) -> Result<Vec<(String, String)>, Error> {
        let (of_target, of_referrer) = (format!("{}/", R::COLLECTION), links::prefix::<T>());
        let mut found = Vec::new();
        for ids in ids.chunks(self.at_once()) {
            let targets: Vec<String> = ids.iter().map(|id| format!("{of_target}{id}")).collect();
            let wanted = limit - found.len();
            let select = walk::referring(self.backend(), self.workspace(), &targets, field, None, wanted);
            for (target, referrer) in apart(&self.one(select, &["target", "referrer"]).await?) {
                let pair = target.strip_prefix(&of_target).zip(referrer.strip_prefix(&of_referrer));
                found.extend(pair.map(|(target, referrer)| (target.to_owned(), referrer.to_owned())));
            }
        }
        // One text of many rows promises no order.
        found.sort_unstable();
        Ok(found)
    }

    /// Those of these values that an indexed text column of a live resource has, as it stands.
    pub async fn occurring<T: Table>(
        &self,
        column: &'static str,
        values: impl IntoIterator<Item = String>,
    ) -> Result<BTreeSet<String>, Error> {
        let values: Vec<String> = values.into_iter().collect();
        let mut found = BTreeSet::new();
        for values in values.chunks(VALUES) {
            for row in self.rows(&occurring::<T>(self.workspace(), resource::declared::<T>(column)?, values)).await? {
                found.insert(row.try_get_by_index(0)?);
            }
        }
        Ok(found)
    }
}

pub(crate) fn unset<T: Table>(
    workspace: &WorkspaceId,
    column: &'static str,
    after: &str,
    limit: usize,
) -> SelectStatement {
    let mut select = resource::bodies::<T>(workspace.id());
    select.and_where(Expr::col(column).is_null()).and_where(Expr::col("id").gt(after));
    select.and_where(Expr::col("delete_time").is_null());
    select.order_by("id", Order::Asc).limit(limit as u64 + 1).take()
}

pub(crate) fn occurring<T: Table>(workspace: &WorkspaceId, column: &'static str, values: &[String]) -> SelectStatement {
    let mut rows = Query::select();
    rows.expr(Expr::val(1)).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    rows.and_where(Expr::col(column).equals(("of", "column1"))).and_where(Expr::col("delete_time").is_null());
    let mut select = Query::select();
    select.column(("of", "column1")).from_values(values.iter().cloned(), "of").and_where(Expr::exists(rows)).take()
}

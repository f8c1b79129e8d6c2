//! What resources have in common by one thing that an index knows of each: a value, a label, a reference. Those of one are
//! read in order of ids, at the cost of those that are looked at, and which values there are by a look into the index for
//! each, however many resources have it.

use std::cmp::min;
use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Resource as _, WorkspaceId};

use crate::statement::keyed;
use crate::view::{Part, states};
use crate::{Error, Table, View, labels, links, resource, walk};

/// Resources that are looked at for a page, at most.
const LOOKED_AT: usize = 1_000;

/// What resources have in common.
#[derive(Debug, Clone, Copy)]
pub enum Common<'a> {
    /// A value of a declared text column with an index; that there is none, when it is `None`.
    Value(&'static str, Option<&'a str>),
    /// A label, by key and value.
    Label(&'a str, &'a str),
    /// A reference, by the field, to one of these resources of the same service, as collections and ids.
    Reference(&'static str, &'a [String]),
}

/// Which live resources to read in order of ids.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a> {
    /// What they have in common.
    pub common: Common<'a>,
    /// Another column, which must have this value.
    pub only: Option<(&'static str, &'a str)>,
    /// Another column, which must have another value than this one.
    pub unless: (&'static str, &'a str),
    /// Those behind this id.
    pub after: &'a str,
    /// Resources at most.
    pub size: usize,
    /// Bytes of JSON at most, about.
    pub bytes: i64,
}

impl View {
    /// Live resources that have something in common, in order of ids, as it stands. There may be fewer than there is room
    /// for, and yet a next part: where many of those that are looked at are not wanted.
    pub async fn members<T: Table>(&self, members: Members<'_>) -> Result<Part<T::Message, String>, Error> {
        if self.past_of::<T>().is_some() {
            return Err(Error::bug("what had something in common in the past is in no index"));
        }
        let Members { size, mut bytes, .. } = members;
        let by_id = [("id".to_owned(), Order::Asc, None)];
        let (mut items, mut after, mut looked_at) = (Vec::new(), members.after.to_owned(), 0);
        // One more than there is room for, to tell whether there are more.
        let mut wanted = size + 1;
        loop {
            wanted = min(wanted, LOOKED_AT - looked_at);
            let ids = self.ids::<T>(members.common, &after, wanted).await?;
            let Some(last) = ids.last() else { return Ok(Part { items, next: None }) };
            let select = chosen::<T>(self, members, &ids);
            let (rows, more) = self.page(select, size - items.len(), ("state", bytes), &by_id).await?;
            items.extend(self.live::<T>(&rows)?);
            if more {
                let last = rows.last().map(|row| row.try_get_by_index(0)).transpose()?;
                // Where there was no room the part ends before the first of them.
                return Ok(Part { items, next: Some(last.unwrap_or(after)) });
            }
            if ids.len() < wanted {
                return Ok(Part { items, next: None });
            }
            for row in &rows {
                bytes -= row.try_get_by_index::<String>(1)?.len() as i64;
            }
            after.clone_from(last);
            looked_at += ids.len();
            if items.len() == size || bytes <= 0 || looked_at >= LOOKED_AT {
                return Ok(Part { items, next: Some(after) });
            }
            // Where few are wanted, more at once.
            wanted *= 4;
        }
    }

    /// The first value behind another one of an indexed text column, or the first one; none behind the last. Resources that
    /// are deleted have theirs, too.
    pub async fn next_value<T: Table>(
        &self,
        column: &'static str,
        after: Option<&str>,
    ) -> Result<Option<String>, Error> {
        self.first(&next_value::<T>(self.workspace(), resource::declared::<T>(column)?, after)).await
    }

    /// The same of the values of labels of a key.
    pub async fn next_label<T: Table>(&self, key: &str, after: Option<&str>) -> Result<Option<String>, Error> {
        self.first(&next_label::<T>(self.workspace(), key, after)).await
    }

    async fn first(&self, select: &SelectStatement) -> Result<Option<String>, Error> {
        Ok(self.rows(select).await?.first().map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Ids, in order, of resources that may have something in common: all of them as far as the last of these, or as many as
    /// are wanted.
    async fn ids<T: Table>(&self, common: Common<'_>, after: &str, wanted: usize) -> Result<Vec<String>, Error> {
        let read = async |select: &SelectStatement, column: usize| {
            let rows = self.rows(select).await?;
            Ok::<_, Error>(rows.iter().map(|row| row.try_get_by_index(column)).collect::<Result<Vec<String>, _>>()?)
        };
        let targets = match common {
            Common::Value(column, value) => {
                let column = resource::declared::<T>(column)?;
                return read(&valued::<T>(self.workspace(), column, value, after, wanted), 0).await;
            }
            Common::Label(key, value) => {
                return read(&labelled::<T>(self.workspace(), (key, value), after, wanted), 0).await;
            }
            Common::Reference(field, targets) => targets.iter().map(move |target| (field, target)),
        };
        let prefix = links::prefix::<T>();
        let behind = format!("{prefix}{after}");
        let mut ids = BTreeSet::new();
        for (field, target) in targets {
            let target = std::slice::from_ref(target);
            let place = Some((field, behind.as_str()));
            let referring = walk::referring(self.backend(), self.workspace(), target, field, place, wanted);
            let referrers = read(&referring, 2).await?;
            ids.extend(referrers.iter().filter_map(|referrer| Some(referrer.strip_prefix(&prefix)?.to_owned())));
        }
        // The first of all targets are among the first of each.
        Ok(ids.into_iter().take(wanted).collect())
    }
}

/// Ids and states of those of these resources that are wanted.
fn chosen<T: Table>(view: &View, Members { only, unless, .. }: Members<'_>, ids: &[String]) -> SelectStatement {
    let mut select = states::<T>(view.workspace(), None);
    select.and_where(keyed(view.backend(), view.workspace().id(), ids.iter().map(String::as_str)));
    select.and_where(Expr::col("delete_time").is_null()).and_where(Expr::col(unless.0).ne(unless.1));
    select.and_where_option(only.map(|(column, value)| Expr::col(column).eq(value)));
    select.order_by("id", Order::Asc).take()
}

/// Ids of resources behind one that have a value of a column, or none, and are not deleted.
pub(crate) fn valued<T: Table>(
    workspace: &WorkspaceId,
    column: &'static str,
    value: Option<&str>,
    after: &str,
    wanted: usize,
) -> SelectStatement {
    let of = Expr::col(column);
    let mut select = Query::select();
    select.column("id").from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(value.map_or_else(|| of.clone().is_null(), |value| of.clone().eq(value)));
    select.and_where(Expr::col("id").gt(after)).and_where(Expr::col("delete_time").is_null());
    // By both, as PostgreSQL does not take those without a value for the same.
    select.order_by(column, Order::Asc).order_by("id", Order::Asc).limit(wanted as u64).take()
}

/// Ids of resources behind one that have a label.
pub(crate) fn labelled<T: Table>(
    workspace: &WorkspaceId,
    (key, value): (&str, &str),
    after: &str,
    wanted: usize,
) -> SelectStatement {
    let mut select = labels::labelled::<T>(workspace, key);
    select.and_where(Expr::col("value").eq(value)).and_where(Expr::col("id").gt(after));
    select.order_by("id", Order::Asc).limit(wanted as u64).take()
}

pub(crate) fn next_value<T: Table>(
    workspace: &WorkspaceId,
    column: &'static str,
    after: Option<&str>,
) -> SelectStatement {
    let mut select = Query::select();
    select.column(column).from(T::TABLE).and_where(Expr::col("workspace").eq(workspace.id()));
    let of = Expr::col(column);
    select.and_where(after.map_or_else(|| of.clone().is_not_null(), |after| of.clone().gt(after)));
    select.order_by(column, Order::Asc).limit(1).take()
}

pub(crate) fn next_label<T: Table>(workspace: &WorkspaceId, key: &str, after: Option<&str>) -> SelectStatement {
    let mut select = Query::select();
    select.column("value").from("labels").and_where(Expr::col("workspace").eq(workspace.id()));
    select.and_where(Expr::col("collection").eq(T::Resource::COLLECTION)).and_where(Expr::col("key").eq(key));
    select.and_where_option(after.map(|after| Expr::col("value").gt(after)));
    select.order_by("value", Order::Asc).limit(1).take()
}

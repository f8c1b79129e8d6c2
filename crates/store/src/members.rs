//! What resources have in common by one thing that an index knows of each: a value, a label, a reference. Those of one are
//! read in order of ids, at the cost of those that are looked at, and which values there are by a look into the index for
//! each, however many resources have it.

use std::cmp::min;
use std::collections::BTreeSet;

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};
use waymark_domain::{Resource as _, WorkspaceId};
use waymark_proto::Sight;
use waymark_proto::sight::AUDIENCES;

use crate::list::PAGE_BYTES;
use crate::statement::{apart, as_one, keyed};
use crate::view::{Part, VALUES, states};
use crate::{Coming, Error, Table, View, labels, links, resource, sight};

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
    /// for, and yet a next part: where many of those that are looked at are not wanted. Gives what the next part begins behind,
    /// too; none when this is the last.
    pub async fn members<T: Table>(&self, members: Members<'_>) -> Result<(Coming<T::Message>, Option<String>), Error> {
        let (bodies, next) = self.bodies::<T>(members).await?;
        Ok((self.coming_from::<T>(bodies), next))
    }

    /// Ids and bodies of what [`View::members`] gives.
    async fn bodies<T: Table>(&self, members: Members<'_>) -> Result<(Vec<(String, String)>, Option<String>), Error> {
        if self.past_of::<T>().is_some() {
            return Err(Error::bug("what had something in common in the past is in no index"));
        }
        let Members { size, mut bytes, .. } = members;
        let by_id = [("id".to_owned(), Order::Asc, None)];
        let (mut bodies, mut after, mut looked_at) = (Vec::new(), members.after.to_owned(), 0);
        // One more than there is room for, to tell whether there are more.
        let mut wanted = size + 1;
        loop {
            wanted = min(wanted, LOOKED_AT - looked_at);
            let ids = self.ids::<T>(members.common, &after, wanted).await?;
            let Some(last) = ids.last() else { return Ok((bodies, None)) };
            let select = chosen::<T>(self, members, &ids);
            let (rows, more) = self.page(select, size - bodies.len(), ("state", bytes), &by_id).await?;
            let found = bodies.len();
            for row in &rows {
                let (id, body): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                bytes -= body.len() as i64;
                bodies.push((id, body));
            }
            if more {
                // Where there was no room the part ends before the first of them.
                let last = bodies[found..].last().map(|(id, _)| id.clone());
                return Ok((bodies, Some(last.unwrap_or(after))));
            }
            if ids.len() < wanted {
                return Ok((bodies, None));
            }
            after.clone_from(last);
            looked_at += ids.len();
            if bodies.len() == size || bytes <= 0 || looked_at >= LOOKED_AT {
                return Ok((bodies, Some(after)));
            }
            // Where few are wanted, more at once.
            wanted *= 4;
        }
    }

    /// What an audience sees of the resources that it is shown now and was shown at the view's position, in order of ids, as far as
    /// the next `limit` of the first lead.
    pub async fn seen<T: Table>(
        &self,
        sight: &Sight,
        after: &str,
        limit: usize,
    ) -> Result<Part<T::Message, String>, Error> {
        if self.workspace() != sight.workspace() {
            return Ok(Part { items: Vec::new(), next: None });
        }
        let ids = self.ids::<T>(Common::Reference(AUDIENCES, &[sight::target(sight)]), after, limit).await?;
        let Some(last) = ids.last() else { return Ok(Part { items: Vec::new(), next: None }) };
        let mut select = states::<T>(self.backend(), self.workspace(), self.past_of::<T>());
        select.and_where(keyed(self.backend(), self.workspace().id(), ids.iter().map(String::as_str)));
        select.order_by("id", Order::Asc);
        let by_id = [("id".to_owned(), Order::Asc, None)];
        let (rows, more) = self.page(select, ids.len(), ("state", PAGE_BYTES), &by_id).await?;
        let next = match rows.last() {
            Some(row) if more => Some(row.try_get_by_index(0)?),
            _ => (ids.len() == limit).then(|| last.clone()),
        };
        Ok(Part { items: self.live::<T>(&rows)?.iter().filter_map(|resource| sight.of(resource)).collect(), next })
    }

    /// Those of resources, by name, that an audience is shown as things stand.
    pub async fn shown(&self, sight: &Sight, names: BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        let mut shown = BTreeSet::new();
        for select in sight::statements(sight, &names) {
            shown.extend(sight::named(sight, &self.rows(&select).await?)?);
        }
        Ok(shown)
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
        let read = async |select: &SelectStatement| {
            let rows = self.rows(select).await?;
            Ok::<_, Error>(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<String>, _>>()?)
        };
        let (field, targets) = match common {
            Common::Value(column, value) => {
                let column = resource::declared::<T>(column)?;
                return read(&valued::<T>(self.workspace(), column, value, after, wanted)).await;
            }
            Common::Label(key, value) => {
                return read(&labelled::<T>(self.workspace(), (key, value), after, wanted)).await;
            }
            Common::Reference(field, targets) => (field, targets),
        };
        let prefix = links::prefix::<T>();
        let behind = format!("{prefix}{after}");
        let mut ids = BTreeSet::new();
        for targets in targets.chunks(VALUES) {
            let select = referrers(self.backend(), self.workspace(), field, targets, &behind, wanted);
            for row in self.rows(&select).await? {
                let found: Option<String> = row.try_get_by_index(0)?;
                let found = found.unwrap_or_default();
                ids.extend(apart(&found).filter_map(|(referrer, _)| Some(referrer.strip_prefix(&prefix)?.to_owned())));
            }
        }
        // The first of all targets are among the first of each.
        Ok(ids.into_iter().take(wanted).collect())
    }
}

/// Of each of these targets, which are of one kind, the first that refer to it by a field behind one of them, as one text.
pub(crate) fn referrers(
    backend: DbBackend,
    workspace: &WorkspaceId,
    field: &str,
    targets: &[String],
    behind: &str,
    wanted: usize,
) -> SelectStatement {
    let mut first = Query::select();
    first.column("referrer").from("links").and_where(Expr::col("workspace").eq(workspace.id()));
    first.and_where(Expr::col("target").equals(("of", "column1"))).and_where(Expr::col("field").eq(field));
    first.and_where(Expr::col("referrer").gt(behind));
    for column in ["target", "field", "referrer"] {
        first.order_by(column, Order::Asc);
    }
    let first = as_one(backend, first.limit(wanted as u64).take(), &["referrer"]);
    let mut select = Query::select();
    select.expr(Expr::SubQuery(None, Box::new(first.into()))).from_values(targets.iter().cloned(), "of").take()
}

/// Ids and states of those of these resources that are wanted.
fn chosen<T: Table>(view: &View, Members { only, unless, .. }: Members<'_>, ids: &[String]) -> SelectStatement {
    let mut select = states::<T>(view.backend(), view.workspace(), None);
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

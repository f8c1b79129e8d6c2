//! What follows from links, for every resource alike: that what is referred to exists, that nothing is deleted which
//! others need, and who refers to a resource (that no chain of references leads back is in `cycles`). What a write does
//! is looked at once, at its end: so resources of one write may refer to one another, whichever comes first.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Order, Query, SelectStatement, UnionType};
use waymark_domain::{AnyName, FullName, Resource, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::links::{Dangling, Integrity, Target, key, of, prefix};
use crate::rules::Step;
use crate::statement::keyed;
use crate::{Error, Table, Write, resource};

impl Write {
    /// Live resources of `T` that refer to `target` by a field at one of the `paths`, in order of id.
    pub async fn referrers<T: Table>(
        &mut self,
        target: &FullName,
        paths: &[&'static str],
    ) -> Result<Vec<T::Resource>, Error> {
        debug_assert!(paths.iter().all(|path| T::Message::LINKS.iter().any(|link| link.path == *path)), "{paths:?}");
        if target.name.workspace != *self.workspace() {
            return Ok(Vec::new());
        }
        let target = key(T::KEEPER, target);
        let referring = referring(self.workspace(), &prefix::<T>(), &target, paths);
        let mut select = resource::bodies::<T>(self.workspace().id());
        select.and_where(Expr::col("delete_time").is_null()).and_where(Expr::col("id").in_subquery(referring));
        select.order_by("id", Order::Asc);
        self.resources::<T>(select).await
    }

    /// Looks at what the write did, once its rows are sent. Tells what it refers to of which nothing is known.
    pub(crate) async fn keep_integrity(&mut self, integrity: Integrity) -> Result<BTreeSet<String>, Error> {
        let Integrity { referred, deleted, chained, mut unverified } = integrity;
        self.must_exist(&referred, &mut unverified).await?;
        self.must_not_be_needed(&deleted).await?;
        // Nothing leads back to what is new, unless this write made it refer there.
        let targets: BTreeSet<&String> = chained.iter().map(|(_, _, to)| to).collect();
        let mut may: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (field, from, to) in &chained {
            if !self.creates(from) || targets.contains(from) {
                may.entry(field).or_default().push((from, to));
            }
        }
        for (field, links) in may {
            self.must_not_lead_back(field, &links).await?;
        }
        Ok(unverified)
    }

    /// Refuses, of resources that are to be created or updated, those that come to refer to what does not exist. They
    /// may refer to one another.
    pub(crate) async fn refuse_dangling<T: Table>(
        &mut self,
        steps: &mut [Result<Step<T::Resource>, Error>],
    ) -> Result<(), Error> {
        let mut referred = Vec::with_capacity(steps.len());
        for one in steps.iter_mut() {
            let mut integrity = Integrity::default();
            let links = |resource: &T::Resource| of::<T>(&T::Message::from(resource));
            if let Ok(step @ (Step::Created(_) | Step::Updated { .. })) = one {
                let mut new = links(step.state())?;
                if let Step::Updated { old, .. } = step {
                    let known = links(old)?;
                    new.retain(|link, _| !known.contains_key(link));
                }
                let name = step.state().meta().name.any();
                let mirrors = self.mirrors();
                let mut refers = |link| integrity.refers(T::Resource::SERVICE, &name, link, mirrors.as_deref());
                let wrong = new.values().try_for_each(&mut refers);
                if let Err(error) = wrong {
                    *one = Err(error);
                }
            }
            referred.push(integrity.referred);
        }
        let found = self.look_up(referred.iter().flat_map(BTreeMap::keys)).await?;
        // What was refused is not there for the others.
        loop {
            let own = steps.iter().flatten().map(|step| step.state().meta().name.id().to_string());
            let own: BTreeSet<Target> = own.map(|id| (T::TABLE.to_owned(), id)).collect();
            let mut refused = false;
            for (one, referred) in steps.iter_mut().zip(&referred).filter(|(one, _)| one.is_ok()) {
                let stands = |target, dangling: &Dangling| dangling.stands(found.get(target).copied());
                if let Some((_, dangling)) = referred.iter().find(|(t, d)| !stands(*t, d) && !own.contains(*t)) {
                    *one = Err(dangling.clone().into());
                    refused = true;
                }
            }
            if !refused {
                return Ok(());
            }
        }
    }

    /// Refuses, of resources that are to be deleted, those that are needed by what stays.
    pub(crate) async fn refuse_needed<T: Table>(
        &mut self,
        steps: &mut [Result<Step<T::Resource>, Error>],
    ) -> Result<(), Error> {
        // What was refused stays.
        loop {
            let mut gone = BTreeMap::new();
            for (index, step) in steps.iter().enumerate() {
                if let Ok(Step::Deleted(resource)) = step {
                    gone.insert(format!("{}/{}", T::Resource::COLLECTION, resource.meta().name.id()), index);
                }
            }
            let needed = self.needed(gone.keys().cloned().collect(), true).await?;
            if needed.is_empty() {
                return Ok(());
            }
            for (resource, referrer) in needed {
                if let Some(index) = gone.get(&resource) {
                    steps[*index] = Err(self.in_use(&resource, &referrer));
                }
            }
        }
    }

    async fn must_exist(
        &mut self,
        referred: &BTreeMap<Target, Dangling>,
        unverified: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let found = self.look_up(referred.keys()).await?;
        for (target, dangling) in referred {
            let live = found.get(target).copied();
            if !dangling.stands(live) {
                return Err(dangling.clone().into());
            }
            unverified.extend(dangling.unverified(live));
        }
        Ok(())
    }

    /// Those of the targets that there are, and whether they are live or deleted.
    async fn look_up<'a>(
        &mut self,
        targets: impl Iterator<Item = &'a Target>,
    ) -> Result<BTreeMap<Target, bool>, Error> {
        let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (table, id) in targets {
            tables.entry(table).or_default().push(id);
        }
        let mut select: Option<SelectStatement> = None;
        for (table, ids) in tables {
            let mut those = Query::select();
            those.expr(Expr::val(table).cast_as("text")).columns(["id", "delete_time"]).from(table.to_owned());
            those.and_where(keyed(self.backend(), self.workspace().id(), ids));
            select = Some(match select {
                Some(mut all) => all.union(UnionType::All, those).take(),
                None => those,
            });
        }
        let Some(select) = select else { return Ok(BTreeMap::new()) };
        let mut found = BTreeMap::new();
        for row in self.rows(&select).await? {
            let live = row.try_get_by_index::<Option<i64>>(2)?.is_none();
            found.insert((row.try_get_by_index(0)?, row.try_get_by_index(1)?), live);
        }
        Ok(found)
    }

    async fn must_not_be_needed(&mut self, deleted: &[AnyName]) -> Result<(), Error> {
        let deleted = deleted.iter().map(|name| format!("{}/{}", name.collection, name.id)).collect();
        match self.needed(deleted, false).await?.into_iter().next() {
            Some((resource, referrer)) => Err(self.in_use(&resource, &referrer)),
            None => Ok(()),
        }
    }

    /// Those of the resources that are needed, each with one that needs it: one beyond them, if `beyond`.
    async fn needed(&mut self, resources: Vec<String>, beyond: bool) -> Result<BTreeMap<String, String>, Error> {
        if resources.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = self.rows(&needed(self.workspace(), &resources, beyond)).await?;
        let mut needed = BTreeMap::new();
        for row in rows {
            if let Some(referrer) = row.try_get_by_index::<Option<String>>(1)? {
                needed.insert(row.try_get_by_index(0)?, referrer);
            }
        }
        Ok(needed)
    }

    fn in_use(&self, resource: &str, referrer: &str) -> Error {
        let full = |local: &str| format!("{}/{local}", self.workspace());
        Error::InUse { resource: full(resource), referrer: full(referrer) }
    }
}

/// Ids behind a prefix that ends in a slash, of those that refer to a target by a field at one of the paths.
pub(crate) fn referring(
    workspace: &WorkspaceId,
    prefix: &str,
    target: &str,
    paths: &[&'static str],
) -> SelectStatement {
    // PostgreSQL has the function for this type of integers alone; a collection has a short name.
    let id = Func::cust("substr").arg(Expr::col("referrer")).arg(prefix.len() as i32 + 1);
    let mut referring = links(workspace);
    referring.expr(id).and_where(Expr::col("target").eq(target));
    // `/` is followed by `0`: all that begins with the prefix.
    referring.and_where(Expr::col("referrer").gte(prefix));
    referring.and_where(Expr::col("referrer").lt(format!("{}0", prefix.trim_end_matches('/'))));
    referring.and_where(Expr::col("field").is_in(paths.iter().copied())).take()
}

/// Each of the targets with one that needs it, if there is one: one that is not a target itself, if `beyond`. In no
/// order: asked for one, SQLite would read all links in that order until it finds it.
pub(crate) fn needed(workspace: &WorkspaceId, targets: &[String], beyond: bool) -> SelectStatement {
    let mut referrer = links(workspace);
    referrer.column("referrer").and_where(Expr::col("target").equals(("gone", "column1")));
    referrer.and_where(Expr::col("holds"));
    if beyond {
        referrer.and_where(Expr::col("referrer").is_not_in(targets.iter().map(String::as_str)));
    }
    referrer.limit(1);
    let mut select = Query::select();
    select.column(("gone", "column1")).expr(Expr::SubQuery(None, Box::new(referrer.into())));
    select.from_values(targets.iter().cloned(), "gone").take()
}

pub(crate) fn links(workspace: &WorkspaceId) -> SelectStatement {
    Query::select().from("links").and_where(Expr::col("workspace").eq(workspace.id())).take()
}

//! What follows from links, for every resource alike: that what is referred to exists, that nothing is deleted which
//! others need, that no chain of references leads back to its beginning, and who refers to a resource. What a write does
//! is looked at once, at its end: so resources of one write may refer to one another, whichever comes first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait as _, Func, Order, Query, SelectStatement, UnionType, WithClause, WithQuery,
};
use waymark_domain::{AnyName, FullName, Resource, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::links::{Dangling, Integrity, Target, back, key, of, prefix};
use crate::rules::Step;
use crate::{Error, Store, Table, Write, resource};

impl Store {
    /// The ids of all that refers to others of `T`, or is referred to, by an acyclic field.
    pub async fn chained<T: Table>(&self, workspace: &WorkspaceId, field: &str) -> Result<BTreeSet<String>, Error> {
        let rows = self.query_all(&chains(workspace, T::Resource::COLLECTION, field)).await?;
        let mut ids = BTreeSet::new();
        for row in rows {
            for end in [0, 1] {
                let name: String = row.try_get_by_index(end)?;
                ids.extend(name.split_once('/').map(|(_, id)| id.to_owned()));
            }
        }
        Ok(ids)
    }
}

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
        for (field, from, to) in &chained {
            if !self.creates(from) || targets.contains(from) {
                self.must_not_lead_back(field, from, to).await?;
            }
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
        let found = self.found(referred.iter().flat_map(BTreeMap::keys)).await?;
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
        let found = self.found(referred.keys()).await?;
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
    async fn found<'a>(&mut self, targets: impl Iterator<Item = &'a Target>) -> Result<BTreeMap<Target, bool>, Error> {
        let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (table, id) in targets {
            tables.entry(table).or_default().push(id);
        }
        let mut select: Option<SelectStatement> = None;
        for (table, ids) in tables {
            let mut those = Query::select();
            those.expr(Expr::val(table).cast_as("text")).columns(["id", "delete_time"]).from(table.to_owned());
            those.and_where(Expr::col("workspace").eq(self.workspace().id())).and_where(Expr::col("id").is_in(ids));
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

    /// Refuses a reference from one to another that leads back by the same field.
    async fn must_not_lead_back(&mut self, field: &str, from: &str, to: &str) -> Result<(), Error> {
        if self.rows(&leads_back(self.workspace(), field, from, to)).await?.is_empty() {
            return Ok(());
        }
        let reached = reached(self.workspace(), field, from, to);
        let mut edges = links(self.workspace());
        let within = Query::select().column("name").from("reach").take();
        edges.columns(["target", "referrer"]).and_where(Expr::col("field").eq(back(field)));
        edges.and_where(Expr::col("target").in_subquery(within));
        edges.order_by("target", Order::Asc).order_by("referrer", Order::Asc);
        let mut next: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.rows(&edges.with(reached)).await? {
            next.entry(row.try_get_by_index(0)?).or_default().push(row.try_get_by_index(1)?);
        }
        let full = |local: &str| format!("{}/{local}", self.workspace());
        Err(Error::Cycle(shortest(&next, from, to).into_iter().map(full).collect()))
    }
}

/// `from`, `to` and the fewest steps that lead back.
fn shortest<'a>(next: &'a BTreeMap<String, Vec<String>>, from: &'a str, to: &'a str) -> Vec<&'a str> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([to]);
    while let Some(node) = queue.pop_front().filter(|node| *node != from) {
        for step in next.get(node).into_iter().flatten() {
            if step != to && !before.contains_key(step.as_str()) {
                before.insert(step, node);
                queue.push_back(step);
            }
        }
    }
    let (mut path, mut at) = (vec![from], from);
    while let Some(node) = before.get(at) {
        path.push(node);
        at = node;
    }
    path.push(from);
    path.reverse();
    path
}

/// Both ends of each link by an acyclic field of a collection, as ids.
pub(crate) fn chains(workspace: &WorkspaceId, collection: &str, field: &str) -> SelectStatement {
    let mut select = links(workspace);
    select.columns(["target", "referrer"]).and_where(Expr::col("field").eq(back(field)));
    // Kept the other way round, they stand at their referrers, hence apart from all that refers to other collections.
    select.and_where(Expr::col("target").gte(format!("{collection}/")));
    select.and_where(Expr::col("target").lt(format!("{collection}0"))).take()
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

/// A row if the link between the two leads back by its field.
pub(crate) fn leads_back(workspace: &WorkspaceId, field: &str, from: &str, to: &str) -> WithQuery {
    let back = Query::select().column("name").from("reach").and_where(Expr::col("name").eq(from)).take();
    back.with(reached(workspace, field, from, to))
}

/// `reach`: what the link between the two leads to by `field`, its target included.
fn reached(workspace: &WorkspaceId, field: &str, from: &str, to: &str) -> WithClause {
    // From its row, so that it has the collation of the others.
    let mut begin = links(workspace);
    begin.column("referrer").and_where(Expr::col("field").eq(back(field)));
    begin.and_where(Expr::col("target").eq(from)).and_where(Expr::col("referrer").eq(to));
    let mut further = Query::select();
    // Step by step: from what was reached to its links, never the other way round.
    further.column(("links", "referrer")).from("reach").cross_join("links");
    further.and_where(Expr::col(("links", "workspace")).eq(workspace.id()));
    further.and_where(Expr::col(("links", "field")).eq(back(field)));
    further.and_where(Expr::col(("links", "target")).equals(("reach", "name")));
    begin.union(UnionType::Distinct, further);
    let table = CommonTableExpression::new().table_name("reach").column("name").query(begin).to_owned();
    WithClause::new().recursive(true).cte(table).to_owned()
}

fn links(workspace: &WorkspaceId) -> SelectStatement {
    Query::select().from("links").and_where(Expr::col("workspace").eq(workspace.id())).take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_told_by_its_shortest_way() {
        let step = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|&to| to.to_owned()).collect());
        let next = BTreeMap::from([step("b", &["c", "a"]), step("c", &["a", "d"]), step("d", &["c"])]);
        assert_eq!(shortest(&next, "a", "b"), ["a", "b", "a"]);
        assert_eq!(shortest(&next, "a", "d"), ["a", "d", "c", "a"]);
        assert_eq!(shortest(&next, "a", "a"), ["a", "a"]);
    }
}

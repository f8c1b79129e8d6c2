//! Chains of references: fields that are declared acyclic must not lead back to where a chain begins. Their links are
//! kept the other way round, too, so that they are followed from their referrers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sea_orm::DbBackend;
use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait as _, Order, Query, SelectStatement, UnionType, WithClause, WithQuery,
};
use waymark_domain::{Resource, WorkspaceId};
use waymark_proto::ResourceMessage;

use crate::integrity::links;
use crate::links::{back, of};
use crate::rules::Step;
use crate::statement::{one_of, unseen};
use crate::{Error, Store, Table, Write};

impl Store {
    /// The ids of all that refers to others of `T`, or is referred to, by an acyclic field.
    pub async fn chained<T: Table>(&self, workspace: &WorkspaceId, field: &str) -> Result<BTreeSet<String>, Error> {
        let rows = self.of(workspace.id()).query_all(&chains(workspace, T::Resource::COLLECTION, field)).await?;
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
    /// Refuses, of resources that are to be created or updated, those that would lead back to themselves, given those
    /// that are not refused: of a cycle that rows close together the last.
    pub(crate) async fn refuse_cycles<T: Table>(
        &mut self,
        steps: &mut [Result<Step<T::Resource>, Error>],
    ) -> Result<(), Error> {
        for field in T::Message::LINKS.iter().filter(|field| field.acyclic).map(|field| field.path) {
            let targets = |resource: &T::Resource| -> Result<Vec<String>, Error> {
                let links = of::<T>(&T::Message::from(resource))?.into_keys();
                Ok(links.filter(|(path, _)| *path == field).map(|(_, target)| target).collect())
            };
            let mut turned = Vec::new();
            for (index, step) in steps.iter().enumerate() {
                let Ok(step @ (Step::Created(_) | Step::Updated { .. })) = step else { continue };
                let to = targets(step.state())?;
                if !matches!(step, Step::Updated { old, .. } if targets(old)? == to) {
                    let name = step.state().meta().name.any();
                    turned.push((index, format!("{}/{}", name.collection, name.id), to));
                }
            }
            let to: BTreeSet<&str> = turned.iter().flat_map(|(.., to)| to).map(String::as_str).collect();
            if to.is_empty() {
                continue;
            }
            let known = self.edges(field, from_any(self.backend(), self.workspace(), field, to)).await?;
            // What was refused stays as it was, so the others are looked at again.
            while let Some((at, cycle)) = closed(&known, &turned) {
                let cycle = self.cycle(&cycle);
                let (index, ..) = turned.remove(at);
                steps[index] = Err(cycle);
            }
        }
        Ok(())
    }

    /// Refuses references from one to another that lead back by the same field.
    pub(crate) async fn must_not_lead_back(&mut self, field: &str, links: &[(&str, &str)]) -> Result<(), Error> {
        let known = if let [(from, to)] = links {
            if self.rows(&leads_back(self.workspace(), field, from, to)).await?.is_empty() {
                return Ok(());
            }
            self.edges(field, from_link(self.workspace(), field, from, to)).await?
        } else {
            // Those of one chain reach the same: it is read once, not from each.
            let from = links.iter().map(|(from, _)| *from).collect::<BTreeSet<_>>();
            self.edges(field, from_any(self.backend(), self.workspace(), field, from)).await?
        };
        let known = views(&known);
        let cycle = links.iter().find_map(|(from, to)| way_back(&known, from, to));
        cycle.map_or(Ok(()), |cycle| Err(self.cycle(&cycle)))
    }

    /// What each resource refers to by an acyclic field, of all that are reached from those that `begin` finds.
    async fn edges(&mut self, field: &str, begin: SelectStatement) -> Result<Edges, Error> {
        let mut next = Edges::new();
        for row in self.rows(&edges(self.workspace(), field, begin)).await? {
            next.entry(row.try_get_by_index(0)?).or_default().push(row.try_get_by_index(1)?);
        }
        Ok(next)
    }

    fn cycle(&self, names: &[&str]) -> Error {
        Error::Cycle(names.iter().map(|local| format!("{}/{local}", self.workspace())).collect())
    }
}

/// What each resource refers to by one field.
type Edges = BTreeMap<String, Vec<String>>;

fn views(edges: &Edges) -> BTreeMap<&str, &[String]> {
    edges.iter().map(|(from, to)| (from.as_str(), to.as_slice())).collect()
}

/// The first of the resources that refers, once it and those before it refer anew, to what leads back to it, and the
/// cycle. None refers any more to what it did before.
fn closed<'a>(known: &'a Edges, turned: &'a [(usize, String, Vec<String>)]) -> Option<(usize, Vec<&'a str>)> {
    let mut next = views(known);
    for (_, from, _) in turned {
        next.remove(from.as_str());
    }
    for (at, (_, from, targets)) in turned.iter().enumerate() {
        next.insert(from, targets);
        let cycle = targets.iter().find_map(|to| way_back(&next, from, to));
        if cycle.is_some() {
            return cycle.map(|cycle| (at, cycle));
        }
    }
    None
}

/// `from`, `to` and the fewest steps that lead back, if any do.
fn way_back<'a>(next: &BTreeMap<&'a str, &'a [String]>, from: &'a str, to: &'a str) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([to]);
    while let Some(node) = queue.pop_front().filter(|node| *node != from) {
        for step in next.get(node).into_iter().copied().flatten() {
            if step != to && !before.contains_key(step.as_str()) {
                before.insert(step, node);
                queue.push_back(step);
            }
        }
    }
    if from != to && !before.contains_key(from) {
        return None;
    }
    let (mut path, mut at) = (vec![from], from);
    while let Some(node) = before.get(at) {
        path.push(node);
        at = node;
    }
    path.push(from);
    path.reverse();
    Some(path)
}

/// Both ends of each link by an acyclic field of a collection, as ids.
pub(crate) fn chains(workspace: &WorkspaceId, collection: &str, field: &str) -> SelectStatement {
    let mut select = links(workspace);
    select.columns(["target", "referrer"]).and_where(Expr::col("field").eq(back(field)));
    // Kept the other way round, they stand at their referrers, hence apart from all that refers to other collections.
    select.and_where(Expr::col("target").gte(format!("{collection}/")));
    select.and_where(Expr::col("target").lt(format!("{collection}0"))).take()
}

/// A row if the link between the two leads back by its field.
pub(crate) fn leads_back(workspace: &WorkspaceId, field: &str, from: &str, to: &str) -> WithQuery {
    let back = Query::select().column("name").from("reach").and_where(Expr::col("name").eq(from)).take();
    back.with(reached(workspace, field, from_link(workspace, field, from, to)))
}

/// The link between the two, as its target: its row, so that it has the collation of the others.
fn from_link(workspace: &WorkspaceId, field: &str, from: &str, to: &str) -> SelectStatement {
    let mut begin = links(workspace);
    begin.column("referrer").and_where(Expr::col("field").eq(back(field)));
    begin.and_where(Expr::col("target").eq(from)).and_where(Expr::col("referrer").eq(to)).take()
}

/// Those of the resources that refer to any by the field.
pub(crate) fn from_any<'a>(
    backend: DbBackend,
    workspace: &WorkspaceId,
    field: &str,
    resources: impl IntoIterator<Item = &'a str>,
) -> SelectStatement {
    let mut begin = Query::select();
    begin.column("target").from("links").and_where(Expr::col("workspace").eq(unseen(backend, workspace.id())));
    begin.and_where(Expr::col("field").eq(back(field))).and_where(one_of(backend, "target", resources)).take()
}

/// The links by the field of all that is reached from what `begin` finds, from one to another, in order.
pub(crate) fn edges(workspace: &WorkspaceId, field: &str, begin: SelectStatement) -> WithQuery {
    let within = Query::select().column("name").from("reach").take();
    let mut edges = links(workspace);
    edges.columns(["target", "referrer"]).and_where(Expr::col("field").eq(back(field)));
    edges.and_where(Expr::col("target").in_subquery(within));
    edges.order_by("target", Order::Asc).order_by("referrer", Order::Asc);
    edges.take().with(reached(workspace, field, begin))
}

/// `reach`: what `begin` finds, and all that it leads to by `field`.
fn reached(workspace: &WorkspaceId, field: &str, mut begin: SelectStatement) -> WithClause {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_told_by_its_shortest_way() {
        let step = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|&to| to.to_owned()).collect());
        let edges = Edges::from([step("b", &["c", "a"]), step("c", &["a", "d"]), step("d", &["c"])]);
        let way = |from, to| way_back(&views(&edges), from, to).map(|way| way.concat());
        assert_eq!(way("a", "b").as_deref(), Some("aba"));
        assert_eq!(way("a", "d").as_deref(), Some("adca"));
        assert_eq!(way("a", "a").as_deref(), Some("aa"));
        assert_eq!(way("b", "c"), None);
    }

    #[test]
    fn of_resources_that_close_a_cycle_together_the_last_is_told() {
        let edges = |all: &[&str]| -> Edges {
            all.iter().map(|edge| (edge[..1].to_owned(), vec![edge[1..].to_owned()])).collect()
        };
        let told = |known: &[&str], turned: &[&str]| {
            let turned: Vec<_> = turned
                .iter()
                .enumerate()
                .map(|(index, edge)| (index, edge[..1].to_owned(), edge[1..].chars().map(String::from).collect()))
                .collect();
            closed(&edges(known), &turned).map(|(at, cycle)| (at, cycle.concat()))
        };
        assert_eq!(told(&[], &["12", "21"]), Some((1, "212".into())));
        assert_eq!(told(&["12"], &["21", "1"]), None, "what was below is above at the end");
        assert_eq!(told(&["12", "43"], &["24", "31"]), Some((1, "31243".into())));
        assert_eq!(told(&["12", "43"], &["24", "35"]), None);
    }
}

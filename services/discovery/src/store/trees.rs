//! Branches of trees: read level by level, from a write or a view alike; and changed node by node.

use std::collections::BTreeMap;

use waymark_domain::discovery::{NodeChange, NodeName, Tree, TreeError};
use waymark_domain::{Change, Name, Resource};
use waymark_store::{Error, Own, Read, Table, Write, below, resource};

use super::{AssumptionTests, Opportunities, Outcomes, Solutions};

/// A node and all that stands below it. Empty when there is no such node; refused when it is too large to be read at
/// once.
pub async fn branch(read: &mut impl Read, root: &NodeName) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    match root {
        NodeName::Outcome(name) => tree.outcomes.extend(keyed(read.find::<Outcomes>(name).await?)),
        NodeName::Opportunity(name) => tree.opportunities.extend(keyed(read.find::<Opportunities>(name).await?)),
        NodeName::Solution(name) => tree.solutions.extend(keyed(read.find::<Solutions>(name).await?)),
        NodeName::AssumptionTest(name) => tree.tests.extend(keyed(read.find::<AssumptionTests>(name).await?)),
    }
    let roots = names(&tree.outcomes).chain(names(&tree.opportunities)).collect();
    let room = Tree::NODES + 1 - tree.len();
    let opportunities = below::<Opportunities>(read, "parent_node", roots, room).await?;
    for opportunity in opportunities {
        tree.opportunities.extend(keyed([resource::<Opportunities>(opportunity)?]));
    }
    refuse_too_large(&tree, root)?;
    let opportunities: Vec<String> = names(&tree.opportunities).collect();
    let solutions = read_below::<Solutions>(read, "opportunity", &opportunities, &tree).await?;
    tree.solutions.extend(keyed(solutions));
    refuse_too_large(&tree, root)?;
    let solutions: Vec<String> = names(&tree.solutions).collect();
    let tests = read_below::<AssumptionTests>(read, "solution", &solutions, &tree).await?;
    tree.tests.extend(keyed(tests));
    refuse_too_large(&tree, root)?;
    Ok(tree)
}

/// The nodes below those of a level, or enough of them to tell that they are too many.
async fn read_below<T: Table>(
    read: &mut impl Read,
    column: &'static str,
    level: &[String],
    tree: &Tree,
) -> Result<Vec<T::Resource>, Error> {
    read.all_where_in::<T>(column, level, (Tree::NODES + 1 - tree.len()) as u32).await
}

fn refuse_too_large(tree: &Tree, root: &NodeName) -> Result<(), Error> {
    if tree.len() > Tree::NODES { Err(Error::rule(TreeError::too_large(root))) } else { Ok(()) }
}

fn names<R: Resource>(nodes: &BTreeMap<Name<R>, R>) -> impl Iterator<Item = String> {
    nodes.keys().map(ToString::to_string)
}

fn keyed<R: Resource>(nodes: impl IntoIterator<Item = R>) -> impl Iterator<Item = (Name<R>, R)> {
    nodes.into_iter().map(|node| (node.meta().name.clone(), node))
}

/// Saves the change of a node of any kind, in the tree too: it need not be read again to be shown.
pub fn put_node(write: &mut Write, tree: &mut Tree, change: NodeChange) -> Result<(), Error> {
    match change {
        NodeChange::Opportunity(change) => put::<Opportunities>(write, &mut tree.opportunities, change),
        NodeChange::Solution(change) => put::<Solutions>(write, &mut tree.solutions, change),
        NodeChange::AssumptionTest(change) => put::<AssumptionTests>(write, &mut tree.tests, change),
    }
}

fn put<T: Own>(
    write: &mut Write,
    nodes: &mut BTreeMap<Name<T::Resource>, T::Resource>,
    change: Change<T::Resource>,
) -> Result<(), Error> {
    let node = resource::<T>(write.put::<T>(change)?)?;
    nodes.insert(node.meta().name.clone(), node);
    Ok(())
}

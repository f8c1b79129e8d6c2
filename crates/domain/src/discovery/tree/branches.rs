//! What stands below what: found in one pass over a tree, so that a walk costs as much as there are nodes and not their
//! square.

use std::collections::BTreeMap;

use super::{NodeName, Tree};

/// The nodes directly below each node of a tree, as the tree was when they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches(BTreeMap<NodeName, Vec<NodeName>>);

impl Branches {
    pub(super) fn of(tree: &Tree) -> Self {
        let opportunities = tree.opportunities.values();
        let opportunities =
            opportunities.map(|o| (NodeName::from(&o.parent_node), NodeName::Opportunity(o.meta.name.clone())));
        let solutions = tree.solutions.values();
        let solutions =
            solutions.map(|s| (NodeName::Opportunity(s.opportunity.clone()), NodeName::Solution(s.meta.name.clone())));
        let tests = tree.tests.values();
        let tests =
            tests.map(|t| (NodeName::Solution(t.solution.clone()), NodeName::AssumptionTest(t.meta.name.clone())));
        let mut branches: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (above, node) in opportunities.chain(solutions).chain(tests) {
            branches.entry(above).or_default().push(node);
        }
        Self(branches)
    }

    /// What stands directly below a node: opportunities, then solutions, then tests, each in order of name.
    pub fn below(&self, node: &NodeName) -> &[NodeName] {
        self.0.get(node).map_or(&[], Vec::as_slice)
    }

    /// The node and all below it, a node before what is below it.
    pub fn subtree(&self, root: &NodeName) -> Vec<NodeName> {
        let mut found = Vec::new();
        let mut next = vec![root];
        while let Some(node) = next.pop() {
            // A node names one node above it, so the only one that even a damaged tree leads to twice is where the walk
            // began.
            next.extend(self.below(node).iter().rev().filter(|child| *child != root));
            found.push(node.clone());
        }
        found
    }
}

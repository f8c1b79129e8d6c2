//! What stands below what: found in one pass over a tree, so that a walk costs as much as there are nodes and not their
//! square.

use std::collections::BTreeMap;

use super::node::NodeName;

/// The nodes directly below each node of a tree, as the tree was when they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches(BTreeMap<NodeName, Vec<NodeName>>);

/// From pairs of the node above and the node; those below one node stay in the order given.
impl FromIterator<(NodeName, NodeName)> for Branches {
    fn from_iter<I: IntoIterator<Item = (NodeName, NodeName)>>(pairs: I) -> Self {
        let mut branches: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (above, node) in pairs {
            branches.entry(above).or_default().push(node);
        }
        Self(branches)
    }
}

impl Branches {
    /// What stands directly below a node: opportunities, then solutions, then tests, each in order of name.
    pub fn below(&self, node: &NodeName) -> &[NodeName] {
        self.0.get(node).map_or(&[], Vec::as_slice)
    }

    /// Takes away the nodes, with all below them, that are not to be kept.
    pub fn retain(&mut self, keep: impl Fn(&NodeName) -> bool) {
        for below in self.0.values_mut() {
            below.retain(&keep);
        }
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

//! Trees and the advice on them.

use std::collections::{BTreeMap, VecDeque};

use prost::Message as _;
use waymark_domain::discovery::tree::Branches;
use waymark_domain::discovery::{Finding, NodeName, Tree};

use crate::Choice as _;
use crate::discovery::v1 as pb;
use pb::tree_node::Node;

/// Bytes of the nodes of a message, about: clients of gRPC take 4 MiB unless told otherwise.
const BYTES: usize = 2 << 20;

/// The node of a tree with what stands below it, level by level as far as there is room; `None` when the tree has no
/// such node. Pruned nodes are left out unless asked for.
pub fn tree_node(tree: &Tree, root: &NodeName, show_pruned: bool) -> Option<pb::TreeNode> {
    let mut branches = tree.branches();
    branches.retain(|node| show_pruned || tree.pruning(node).is_none());
    let mut shown = BTreeMap::new();
    let (mut next, mut bytes) = (VecDeque::from([root]), 0);
    while let Some(name) = next.pop_front() {
        let message = pb::TreeNode { node: Some(node(tree, name)?), ..Default::default() };
        bytes += message.encoded_len();
        if bytes > BYTES && !shown.is_empty() {
            break;
        }
        // The only one that even a damaged tree leads to twice is where the walk began.
        next.extend(branches.below(name).iter().filter(|child| *child != root));
        shown.insert(name, message);
    }
    collected(&branches, &mut shown, root)
}

fn node(tree: &Tree, name: &NodeName) -> Option<Node> {
    Some(match name {
        NodeName::Outcome(name) => Node::Outcome(tree.outcomes.get(name)?.into()),
        NodeName::Opportunity(name) => Node::Opportunity(tree.opportunities.get(name)?.into()),
        NodeName::Solution(name) => Node::Solution(tree.solutions.get(name)?.into()),
        NodeName::AssumptionTest(name) => Node::AssumptionTest(tree.tests.get(name)?.into()),
    })
}

/// The message of a node with those below it that are shown.
fn collected(
    branches: &Branches,
    shown: &mut BTreeMap<&NodeName, pb::TreeNode>,
    name: &NodeName,
) -> Option<pb::TreeNode> {
    let mut node = shown.remove(name)?;
    let below = branches.below(name);
    node.children = below.iter().filter_map(|child| collected(branches, shown, child)).collect();
    node.truncated = node.children.len() < below.len();
    Some(node)
}

impl From<&Finding> for pb::LintFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            node: finding.node.to_string(),
            rule: pb::LintRule::of(finding.rule),
            message: finding.message.clone(),
            related: finding.related.iter().map(ToString::to_string).collect(),
        }
    }
}

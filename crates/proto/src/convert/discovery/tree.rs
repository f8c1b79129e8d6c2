//! Trees and the advice on them.

use waymark_domain::discovery::tree::Branches;
use waymark_domain::discovery::{Finding, NodeName, Tree};

use crate::Choice as _;
use crate::discovery::v1 as pb;
use pb::tree_node::Node;

/// The node of a tree with all that stands below it; `None` when the tree has no such node. Pruned nodes are left out
/// unless asked for.
pub fn tree_node(tree: &Tree, name: &NodeName, show_pruned: bool) -> Option<pb::TreeNode> {
    node_below(tree, &tree.branches(), name, show_pruned)
}

fn node_below(tree: &Tree, branches: &Branches, name: &NodeName, show_pruned: bool) -> Option<pb::TreeNode> {
    let node = match name {
        NodeName::Outcome(name) => Node::Outcome(tree.outcomes.get(name)?.into()),
        NodeName::Opportunity(name) => Node::Opportunity(tree.opportunities.get(name)?.into()),
        NodeName::Solution(name) => Node::Solution(tree.solutions.get(name)?.into()),
        NodeName::AssumptionTest(name) => Node::AssumptionTest(tree.tests.get(name)?.into()),
    };
    let below = branches.below(name).iter().filter(|child| show_pruned || tree.pruning(child).is_none());
    // Ends, and soon, because a tree has no cycles and few levels: every way into it is checked by
    // `Tree::place_opportunity`.
    let children = below.filter_map(|child| node_below(tree, branches, child, show_pruned)).collect();
    Some(pb::TreeNode { node: Some(node), children })
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

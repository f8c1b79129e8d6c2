//! Advice on a tree: what is not compared, not supported, not looked at, or said twice. Advice changes nothing and
//! refuses nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::likeness::alike;
use super::opportunity::Opportunity;
use super::outcome::Outcome;
use super::tree::{Branches, NodeName, Tree};
use crate::Name;

/// Solutions that make a comparison (Torres, 2021: compare and contrast three).
const COMPARED: usize = 3;

/// One advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The node.
    pub node: NodeName,
    /// The rule that spoke.
    pub rule: LintRule,
    /// What is the matter and what to do.
    pub message: String,
    /// The other nodes concerned.
    pub related: Vec<NodeName>,
}

/// What a tree is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum LintRule {
    /// One or two solutions: nothing to compare.
    FewSolutions,
    /// An opportunity without evidence.
    NoEvidence,
    /// Nothing changed for long.
    Stale,
    /// Two siblings whose names read much alike.
    SiblingOverlap,
}

/// Advice on the tree below `root`, in the order of the tree; pruned nodes are left out. A node is stale when neither
/// it nor anything below it changed for `stale_after`.
pub fn lint(tree: &Tree, root: &Name<Outcome>, now: DateTime<Utc>, stale_after: TimeDelta) -> Vec<Finding> {
    let branches = tree.branches();
    let nodes = branches.subtree(&NodeName::Outcome(root.clone()));
    let changes = last_changes(tree, &branches, &nodes);
    let overlaps = overlaps(tree, &branches, &nodes);
    let mut findings = Vec::new();
    for node in &nodes {
        let Some(opportunity) = standing(tree, node) else { continue };
        let mut add =
            |rule, message: String, related| findings.push(Finding { node: node.clone(), rule, message, related });
        let solutions = branches
            .below(node)
            .iter()
            .filter(|n| matches!(n, NodeName::Solution(_)) && tree.pruning(n).is_none())
            .count();
        if (1..COMPARED).contains(&solutions) {
            let plural = if solutions == 1 { "solution" } else { "solutions" };
            let message = format!("has {solutions} {plural}; compare at least {COMPARED} before you choose");
            add(LintRule::FewSolutions, message, Vec::new());
        }
        if opportunity.evidence.is_empty() {
            add(
                LintRule::NoEvidence,
                "has no evidence; link the insights that show it, or find out".to_owned(),
                Vec::new(),
            );
        }
        let age = changes.get(node).map(|changed| now - *changed);
        if let Some(days) = age.filter(|age| *age > stale_after).map(|age| age.num_days()) {
            add(
                LintRule::Stale,
                format!("did not change for {days} days; learn something about it or prune it"),
                Vec::new(),
            );
        }
        for sibling in overlaps.get(node).into_iter().flatten() {
            let message = format!(
                "reads much like its sibling {:?}; merge them or say how they differ",
                sibling.meta.display_name
            );
            add(LintRule::SiblingOverlap, message, vec![NodeName::Opportunity(sibling.meta.name.clone())]);
        }
    }
    findings
}

/// The opportunity of this name, unless it was given up.
fn standing<'a>(tree: &'a Tree, node: &NodeName) -> Option<&'a Opportunity> {
    let NodeName::Opportunity(name) = node else { return None };
    tree.opportunities.get(name).filter(|o| o.pruning.is_none())
}

/// When each of the nodes, or anything below it, last changed. `nodes` are in the order of the tree.
fn last_changes<'a>(tree: &Tree, branches: &Branches, nodes: &'a [NodeName]) -> BTreeMap<&'a NodeName, DateTime<Utc>> {
    let mut changes = BTreeMap::new();
    // From below: what stands below a node is known before the node.
    for node in nodes.iter().rev() {
        let below = branches.below(node).iter().filter_map(|child| changes.get(child).copied());
        if let Some(changed) = below.chain(update_time(tree, node)).max() {
            changes.insert(node, changed);
        }
    }
    changes
}

fn update_time(tree: &Tree, node: &NodeName) -> Option<DateTime<Utc>> {
    match node {
        NodeName::Outcome(name) => tree.outcomes.get(name).map(|n| n.meta.update_time),
        NodeName::Opportunity(name) => tree.opportunities.get(name).map(|n| n.meta.update_time),
        NodeName::Solution(name) => tree.solutions.get(name).map(|n| n.meta.update_time),
        NodeName::AssumptionTest(name) => tree.tests.get(name).map(|n| n.meta.update_time),
    }
}

/// The siblings behind each node that read much like it, so that each pair is told once.
fn overlaps<'a>(
    tree: &'a Tree,
    branches: &'a Branches,
    nodes: &[NodeName],
) -> BTreeMap<&'a NodeName, Vec<&'a Opportunity>> {
    let mut overlaps = BTreeMap::new();
    for parent in nodes {
        let siblings: Vec<_> =
            branches.below(parent).iter().filter_map(|node| Some((node, standing(tree, node)?))).collect();
        let names: Vec<&str> = siblings.iter().map(|(_, opportunity)| opportunity.meta.display_name.as_str()).collect();
        for ((node, _), alike) in siblings.iter().zip(alike(&names)) {
            overlaps.insert(*node, alike.into_iter().map(|place| siblings[place].1).collect());
        }
    }
    overlaps
}

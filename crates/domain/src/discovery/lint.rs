//! Advice on a tree: what is not compared, not supported, not looked at, or said twice. Advice changes nothing and refuses nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::opportunity::Opportunity;
use super::outcome::Outcome;
use super::tree::{NodeName, Tree};
use crate::Name;

/// Solutions that make a comparison (Torres, 2021: compare and contrast three).
const COMPARED: usize = 3;
/// Share of words in common from which two siblings are held for the same.
const OVERLAP: f64 = 0.5;
/// Characters from which a word carries meaning.
const WORD: usize = 4;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LintRule {
    /// One or two solutions: nothing to compare.
    FewSolutions,
    /// An opportunity without evidence.
    NoEvidence,
    /// Nothing changed for long.
    Stale,
    /// Two siblings with much the same name.
    SiblingOverlap,
}

/// Advice on the tree below `root`, in the order of the tree; pruned nodes are left out. A node is stale when neither it nor anything
/// below it changed for `stale_after`.
pub fn lint(tree: &Tree, root: &Name<Outcome>, now: DateTime<Utc>, stale_after: TimeDelta) -> Vec<Finding> {
    let mut findings = Vec::new();
    for node in tree.subtree(&NodeName::Outcome(root.clone())) {
        let NodeName::Opportunity(name) = &node else { continue };
        let Some(opportunity) = tree.opportunities.get(name).filter(|o| o.pruning.is_none()) else { continue };
        let mut add = |rule, message: String, related| findings.push(Finding { node: node.clone(), rule, message, related });
        let solutions = tree.solutions.values().filter(|s| s.opportunity == *name && s.pruning.is_none()).count();
        if (1..COMPARED).contains(&solutions) {
            let plural = if solutions == 1 { "solution" } else { "solutions" };
            let message = format!("has {solutions} {plural}; compare at least {COMPARED} before you choose");
            add(LintRule::FewSolutions, message, Vec::new());
        }
        if opportunity.evidence.is_empty() {
            add(LintRule::NoEvidence, "has no evidence; link the insights that show it, or find out".to_owned(), Vec::new());
        }
        let changed = tree.subtree(&node).iter().filter_map(|n| update_time(tree, n)).max();
        if let Some(days) = changed.map(|t| now - t).filter(|age| *age > stale_after).map(|age| age.num_days()) {
            add(LintRule::Stale, format!("did not change for {days} days; learn something about it or prune it"), Vec::new());
        }
        for sibling in later_siblings(tree, opportunity).filter(|s| overlap(opportunity, s) >= OVERLAP) {
            let message = format!("reads much like its sibling {:?}; merge them or say how they differ", sibling.meta.display_name);
            add(LintRule::SiblingOverlap, message, vec![NodeName::Opportunity(sibling.meta.name.clone())]);
        }
    }
    findings
}

fn update_time(tree: &Tree, node: &NodeName) -> Option<DateTime<Utc>> {
    match node {
        NodeName::Outcome(name) => tree.outcomes.get(name).map(|n| n.meta.update_time),
        NodeName::Opportunity(name) => tree.opportunities.get(name).map(|n| n.meta.update_time),
        NodeName::Solution(name) => tree.solutions.get(name).map(|n| n.meta.update_time),
        NodeName::AssumptionTest(name) => tree.tests.get(name).map(|n| n.meta.update_time),
    }
}

/// Siblings with a greater name, so that each pair is looked at once.
fn later_siblings<'a>(tree: &'a Tree, one: &'a Opportunity) -> impl Iterator<Item = &'a Opportunity> {
    let siblings = tree.opportunities.values().filter(|o| o.parent_node == one.parent_node && o.pruning.is_none());
    siblings.filter(|o| o.meta.name > one.meta.name)
}

/// Words in common as a share of all words of both names (Jaccard, 1901).
fn overlap(a: &Opportunity, b: &Opportunity) -> f64 {
    let words = |o: &Opportunity| -> BTreeSet<String> {
        let lower = o.meta.display_name.to_lowercase();
        lower.split(|c: char| !c.is_alphanumeric()).filter(|w| w.chars().count() >= WORD).map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    let all = a.union(&b).count();
    if all == 0 { 0.0 } else { a.intersection(&b).count() as f64 / all as f64 }
}

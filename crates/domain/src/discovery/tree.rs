//! The opportunity solution tree: what may stand below what, moves and prunings.
//!
//! Each outcome is the root of one tree. Because every other node names exactly one node above it, a tree cannot have
//! two roots and a node cannot be in two places; what is left to check is that the node above exists, is of the right
//! kind and is not below itself.

mod branches;
mod node;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::assumption_test::{AssumptionTest, AssumptionTestEvent};
use super::opportunity::{Opportunity, OpportunityEvent, ParentNode};
use super::outcome::Outcome;
use super::pruning::Pruning;
use super::solution::{Solution, SolutionEvent};
use crate::{Change, Failure, FailureKind, Name, Reason, Resource, Violation};

pub use branches::Branches;
pub use node::{NodeChange, NodeName};

/// Levels of opportunities below an outcome, at most. It also bounds how deep a tree nests as a message: decoders of
/// protobuf refuse one of more than 100 levels, and a tree has three more than its opportunities.
pub const LEVELS: usize = 20;

/// Nodes by name: a branch, or as much of the trees of a workspace as a decision needs. Deleted nodes are not among them,
/// pruned ones are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    /// The roots.
    pub outcomes: BTreeMap<Name<Outcome>, Outcome>,
    /// Needs, pains and desires.
    pub opportunities: BTreeMap<Name<Opportunity>, Opportunity>,
    /// What might serve them.
    pub solutions: BTreeMap<Name<Solution>, Solution>,
    /// What was tested about that.
    pub tests: BTreeMap<Name<AssumptionTest>, AssumptionTest>,
}

/// Why a node cannot stand, move or go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The node above does not exist.
    #[error("{field} refers to {resource}, which does not exist or is deleted; create it first or name another")]
    Missing {
        /// The field that refers.
        field: &'static str,
        /// What it refers to.
        resource: String,
    },
    /// A node would be below itself.
    #[error("the node would stand below itself: {}; move it elsewhere", .cycle.join(" -> "))]
    Cycle {
        /// From the node over those above it back to the node.
        cycle: Vec<String>,
    },
    /// The tree has no such place.
    #[error("{explanation}")]
    Rule {
        /// The rule's name.
        rule: &'static str,
        /// The node it refuses.
        node: String,
        /// What the rule says and what to do.
        explanation: String,
    },
    /// The node was given up.
    #[error("{resource} is PRUNED: cannot {action}; create another or use one that is not pruned")]
    Pruned {
        /// The node.
        resource: String,
        /// What was asked.
        action: &'static str,
    },
}

impl Failure for TreeError {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::ReferenceNotFound,
            Self::Cycle { .. } => Reason::Cycle,
            Self::Rule { .. } => Reason::RuleViolated,
            Self::Pruned { .. } => Reason::StateConflict,
        }
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Missing { field, resource } => vec![("field", (*field).to_owned()), ("resource", resource.clone())],
            Self::Cycle { cycle } => vec![("cycle", cycle.join(" -> "))],
            Self::Rule { rule, node, .. } => vec![("rule", (*rule).to_owned()), ("resource", node.clone())],
            Self::Pruned { resource, action } => {
                vec![("resource", resource.clone()), ("state", "PRUNED".to_owned()), ("action", (*action).to_owned())]
            }
        }
    }
    fn violations(&self) -> Vec<Violation> {
        let field = match self {
            Self::Missing { field, .. } => (*field).to_owned(),
            Self::Cycle { .. } => "cycle".to_owned(),
            Self::Rule { rule, .. } => (*rule).to_owned(),
            Self::Pruned { resource, .. } => resource.clone(),
        };
        vec![Violation { field, description: self.to_string() }]
    }
}

fn by_name<T: Resource>(nodes: impl IntoIterator<Item = T>) -> BTreeMap<Name<T>, T> {
    nodes.into_iter().map(|node| (node.meta().name.clone(), node)).collect()
}

impl TreeError {
    /// That more stands below a node than is read at once.
    pub fn too_large(node: &NodeName) -> Self {
        let most = Tree::NODES;
        let explanation = format!(
            "more than {most} nodes stand at and below {node}; name a node further down, or list those with it as their parent"
        );
        Self::Rule { rule: "size", node: node.to_string(), explanation }
    }
}

impl Tree {
    /// Nodes that are read at once, at most.
    pub const NODES: usize = 10_000;

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.outcomes.len() + self.opportunities.len() + self.solutions.len() + self.tests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nodes given.
    pub fn new(
        outcomes: impl IntoIterator<Item = Outcome>,
        opportunities: impl IntoIterator<Item = Opportunity>,
        solutions: impl IntoIterator<Item = Solution>,
        tests: impl IntoIterator<Item = AssumptionTest>,
    ) -> Self {
        Self {
            outcomes: by_name(outcomes),
            opportunities: by_name(opportunities),
            solutions: by_name(solutions),
            tests: by_name(tests),
        }
    }

    /// What stands below what.
    pub fn branches(&self) -> Branches {
        let opportunities = self.opportunities.values();
        let opportunities =
            opportunities.map(|o| (NodeName::from(&o.parent_node), NodeName::Opportunity(o.meta.name.clone())));
        let solutions = self.solutions.values();
        let solutions =
            solutions.map(|s| (NodeName::Opportunity(s.opportunity.clone()), NodeName::Solution(s.meta.name.clone())));
        let tests = self.tests.values();
        let tests =
            tests.map(|t| (NodeName::Solution(t.solution.clone()), NodeName::AssumptionTest(t.meta.name.clone())));
        opportunities.chain(solutions).chain(tests).collect()
    }

    /// Why a node was given up; `None` when it was not, or does not exist.
    pub fn pruning(&self, node: &NodeName) -> Option<&Pruning> {
        match node {
            NodeName::Outcome(_) => None,
            NodeName::Opportunity(name) => self.opportunities.get(name)?.pruning.as_ref(),
            NodeName::Solution(name) => self.solutions.get(name)?.pruning.as_ref(),
            NodeName::AssumptionTest(name) => self.tests.get(name)?.pruning.as_ref(),
        }
    }

    /// Checks that an opportunity may stand where it says.
    pub fn place_opportunity(&self, opportunity: &Opportunity) -> Result<(), TreeError> {
        let mut path = vec![opportunity.meta.name.to_string()];
        let mut above = &opportunity.parent_node;
        loop {
            path.push(above.to_string());
            let missing = || TreeError::Missing { field: "parent_node", resource: above.to_string() };
            match above {
                ParentNode::Outcome(name) => {
                    self.outcomes.get(name).ok_or_else(missing)?;
                    break;
                }
                ParentNode::Opportunity(name) if *name == opportunity.meta.name => {
                    return Err(TreeError::Cycle { cycle: path });
                }
                ParentNode::Opportunity(name) => {
                    let wider = self.opportunities.get(name).ok_or_else(missing)?;
                    if wider.pruning.is_some() {
                        return Err(TreeError::Pruned { resource: name.to_string(), action: "hold further nodes" });
                    }
                    above = &wider.parent_node;
                }
            }
        }
        // The path holds the outcome too.
        let levels = path.len() - 1 + self.levels_below(&opportunity.meta.name);
        if levels > LEVELS {
            let node = opportunity.meta.name.to_string();
            let explanation = format!(
                "{node} would make {levels} levels of opportunities, at most {LEVELS} are allowed; move it further up"
            );
            return Err(TreeError::Rule { rule: "depth", node, explanation });
        }
        Ok(())
    }

    /// Checks that a solution traces to an opportunity.
    pub fn place_solution(&self, solution: &Solution) -> Result<(), TreeError> {
        match self.opportunities.get(&solution.opportunity) {
            None => Err(TreeError::Missing { field: "opportunity", resource: solution.opportunity.to_string() }),
            Some(o) if o.pruning.is_some() => {
                Err(TreeError::Pruned { resource: o.meta.name.to_string(), action: "hold further nodes" })
            }
            Some(_) => Ok(()),
        }
    }

    /// Checks that a test belongs to a solution.
    pub fn place_test(&self, test: &AssumptionTest) -> Result<(), TreeError> {
        match self.solutions.get(&test.solution) {
            None => Err(TreeError::Missing { field: "solution", resource: test.solution.to_string() }),
            Some(s) if s.pruning.is_some() => {
                Err(TreeError::Pruned { resource: s.meta.name.to_string(), action: "hold further nodes" })
            }
            Some(_) => Ok(()),
        }
    }

    /// Levels of opportunities below one, itself not counted.
    fn levels_below(&self, name: &Name<Opportunity>) -> usize {
        let branches = self.branches();
        let start = NodeName::Opportunity(name.clone());
        let mut row = vec![&start];
        let mut levels = 0;
        loop {
            let below = row.iter().flat_map(|node| branches.below(node));
            // As in `Branches::subtree`: ends even on a damaged tree.
            row = below.filter(|node| matches!(node, NodeName::Opportunity(_)) && **node != start).collect();
            if row.is_empty() {
                return levels;
            }
            levels += 1;
        }
    }

    /// Moves a node of this tree below another, with all that stands below it.
    pub fn relocate(&self, node: &NodeName, destination: &NodeName) -> Result<NodeChange, TreeError> {
        if self.pruning(node).is_some() {
            return Err(TreeError::Pruned { resource: node.to_string(), action: "move" });
        }
        let rule = |rule, explanation: String| TreeError::Rule { rule, node: node.to_string(), explanation };
        let unknown = || TreeError::Missing { field: "name", resource: node.to_string() };
        match node {
            NodeName::Outcome(name) => Err(rule(
                "one_root",
                format!("{name} is the root of its tree and does not move; move the opportunities below it"),
            )),
            NodeName::Opportunity(name) => {
                let parent_node = match destination {
                    NodeName::Outcome(outcome) => ParentNode::Outcome(outcome.clone()),
                    NodeName::Opportunity(wider) => ParentNode::Opportunity(wider.clone()),
                    NodeName::Solution(_) | NodeName::AssumptionTest(_) => {
                        let text = format!(
                            "an opportunity stands below an outcome or an opportunity, never below {destination}"
                        );
                        return Err(rule("opportunity_below_opportunity", text));
                    }
                };
                let moved = Opportunity { parent_node, ..self.opportunities.get(name).ok_or_else(unknown)?.clone() };
                self.place_opportunity(&moved)?;
                Ok(NodeChange::Opportunity(Change::new(moved, OpportunityEvent::Moved)))
            }
            NodeName::Solution(name) => {
                let NodeName::Opportunity(opportunity) = destination else {
                    return Err(rule(
                        "solution_below_opportunity",
                        format!("a solution stands below an opportunity, never below {destination}"),
                    ));
                };
                let moved = Solution {
                    opportunity: opportunity.clone(),
                    ..self.solutions.get(name).ok_or_else(unknown)?.clone()
                };
                self.place_solution(&moved)?;
                Ok(NodeChange::Solution(Change::new(moved, SolutionEvent::Moved)))
            }
            NodeName::AssumptionTest(name) => {
                let NodeName::Solution(solution) = destination else {
                    return Err(rule(
                        "test_below_solution",
                        format!("an assumption test stands below a solution, never below {destination}"),
                    ));
                };
                let moved =
                    AssumptionTest { solution: solution.clone(), ..self.tests.get(name).ok_or_else(unknown)?.clone() };
                self.place_test(&moved)?;
                Ok(NodeChange::AssumptionTest(Change::new(moved, AssumptionTestEvent::Moved)))
            }
        }
    }

    /// Gives up a node and all below it that was not given up before. The node itself comes first.
    pub fn prune(&self, node: &NodeName, reason: &str, now: DateTime<Utc>) -> Result<Vec<NodeChange>, TreeError> {
        if let NodeName::Outcome(name) = node {
            let explanation = format!(
                "{name} is the root of its tree and is not pruned; prune the opportunities below it or delete it"
            );
            return Err(TreeError::Rule { rule: "one_root", node: name.to_string(), explanation });
        }
        if self.pruning(node).is_some() {
            return Err(TreeError::Pruned { resource: node.to_string(), action: "prune" });
        }
        let pruning = Some(Pruning { reason: reason.to_owned(), node: node.any(), time: now });
        let pruned = |name: NodeName| -> Option<NodeChange> {
            let pruning = pruning.clone();
            match name {
                NodeName::Outcome(_) => None,
                NodeName::Opportunity(name) => {
                    let state = Opportunity { pruning, ..self.opportunities.get(&name)?.clone() };
                    Some(NodeChange::Opportunity(Change::new(state, OpportunityEvent::Pruned)))
                }
                NodeName::Solution(name) => {
                    let state = Solution { pruning, ..self.solutions.get(&name)?.clone() };
                    Some(NodeChange::Solution(Change::new(state, SolutionEvent::Pruned)))
                }
                NodeName::AssumptionTest(name) => {
                    let state = AssumptionTest { pruning, ..self.tests.get(&name)?.clone() };
                    Some(NodeChange::AssumptionTest(Change::new(state, AssumptionTestEvent::Pruned)))
                }
            }
        };
        Ok(self
            .branches()
            .subtree(node)
            .into_iter()
            .filter(|name| self.pruning(name).is_none())
            .filter_map(pruned)
            .collect())
    }
}

#[cfg(test)]
mod tests;

//! Which initiative waits for which: the longest way through.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Initiative;
use crate::Name;
use crate::number::rounded;

type Node = Name<Initiative>;

/// The dependencies of a workspace: from an initiative to those that must ship before it.
#[derive(Debug, Clone, Default)]
pub struct Dependencies(BTreeMap<Node, BTreeSet<Node>>);

/// The chain of dependencies that takes the most effort.
#[derive(Debug, Clone, PartialEq)]
pub struct CriticalPath {
    /// What to do first comes first.
    pub steps: Vec<Node>,
    /// Sum of the known efforts in person-months: what it takes at least, where one is missing.
    pub effort: f64,
    /// Those of unknown effort on any chain that could be this one, by name: what the end waits for, directly or not, and
    /// the end itself, or all where no end was asked for.
    pub missing: BTreeSet<Node>,
}

impl<'a> FromIterator<&'a Initiative> for Dependencies {
    fn from_iter<I: IntoIterator<Item = &'a Initiative>>(initiatives: I) -> Self {
        Self(initiatives.into_iter().map(|i| (i.meta.name.clone(), i.dependencies.clone())).collect())
    }
}

impl Dependencies {
    /// The chain that takes the most effort, as far as that is known, and ends in `end`, or anywhere when there is none;
    /// of equal ones the one with more that is unknown. `effort` tells the person-months of what is still to do and
    /// `None` where nobody knows; initiatives that are not in the graph are done. `None` when there is nothing to do.
    pub fn critical_path(&self, end: Option<&Node>, effort: impl Fn(&Node) -> Option<f64>) -> Option<CriticalPath> {
        let mut longest: BTreeMap<&Node, (Length, Option<&Node>)> = BTreeMap::new();
        for node in self.topological() {
            let before = self.0[node].iter().filter_map(|d| longest.get(d).map(|(length, _)| (*length, d)));
            let (length, via) = before.reduce(longer).map_or((Length::default(), None), |(l, via)| (l, Some(via)));
            longest.insert(node, (length.and(effort(node)), via));
        }
        let (length, last) = match end {
            Some(end) => longest.get_key_value(end).map(|(node, (length, _))| (*length, *node))?,
            None => longest.iter().map(|(node, (length, _))| (*length, *node)).reduce(longer)?,
        };
        let mut steps = vec![last.clone()];
        let mut at = last;
        while let Some((_, Some(via))) = longest.get(at) {
            steps.push((*via).clone());
            at = via;
        }
        steps.reverse();
        // Whatever nobody knows may take the most.
        let considered = if end.is_some() { self.all_before(last) } else { self.0.keys().collect() };
        let missing = considered.into_iter().filter(|node| effort(node).is_none()).cloned().collect();
        Some(CriticalPath { steps, effort: length.known, missing })
    }

    /// By how much each of what the end of a path waits for, or of all where no end was asked for, may take longer before
    /// `longest` does: the total float of the critical path method (Kelley and Walker, 1959). What nobody knows takes
    /// nothing.
    pub fn slack(
        &self,
        end: Option<&Node>,
        longest: f64,
        effort: impl Fn(&Node) -> Option<f64>,
    ) -> BTreeMap<&Node, f64> {
        let considered = match end {
            Some(end) => match self.0.get_key_value(end) {
                Some((end, _)) => self.all_before(end),
                None => return BTreeMap::new(),
            },
            None => self.0.keys().collect(),
        };
        let order: Vec<&Node> = self.topological().into_iter().filter(|node| considered.contains(node)).collect();
        let takes = |node: &Node| effort(node).unwrap_or_default();
        // The earliest each can be done, and the latest it must be.
        let mut done: BTreeMap<&Node, f64> = BTreeMap::new();
        for node in &order {
            let before = self.0[*node].iter().filter_map(|d| done.get(d)).copied().fold(0.0, f64::max);
            done.insert(node, rounded(before + takes(node)));
        }
        let mut due: BTreeMap<&Node, f64> = BTreeMap::new();
        for node in order.iter().rev() {
            let latest = due.get(*node).copied().unwrap_or(longest);
            due.insert(node, latest);
            for before in self.0[*node].iter().filter_map(|d| considered.get(d)) {
                let must = rounded(latest - takes(node));
                due.entry(before).and_modify(|due| *due = due.min(must)).or_insert(must);
            }
        }
        let slack = |node: &Node| Some(rounded(due.get(node)? - done.get(node)?).max(0.0));
        considered.into_iter().filter_map(|node| Some((node, slack(node)?))).collect()
    }

    /// `end` and everything it waits for, as far as it is in the graph.
    fn all_before<'a>(&'a self, end: &'a Node) -> BTreeSet<&'a Node> {
        let mut seen = BTreeSet::from([end]);
        let mut stack = vec![end];
        while let Some(node) = stack.pop() {
            for next in self.0.get(node).into_iter().flatten() {
                if self.0.contains_key(next) && seen.insert(next) {
                    stack.push(next);
                }
            }
        }
        seen
    }

    /// Every node after all it depends on (Kahn, 1962). There is no cycle: the field is declared to have none.
    fn topological(&self) -> Vec<&Node> {
        let mut waiting: BTreeMap<&Node, usize> =
            self.0.iter().map(|(node, d)| (node, d.iter().filter(|d| self.0.contains_key(d)).count())).collect();
        let mut dependents: BTreeMap<&Node, Vec<&Node>> = BTreeMap::new();
        for (node, dependencies) in &self.0 {
            for dependency in dependencies {
                dependents.entry(dependency).or_default().push(node);
            }
        }
        let mut ready: VecDeque<&Node> = waiting.iter().filter(|(_, n)| **n == 0).map(|(node, _)| *node).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(node) = ready.pop_front() {
            order.push(node);
            for dependent in dependents.get(node).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(*dependent) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(dependent);
                    }
                }
            }
        }
        order
    }
}

/// How much a chain takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
struct Length {
    /// The sum of the known efforts, as it is shown.
    known: f64,
    /// How many others there are.
    unknown: u32,
}

impl Length {
    fn and(self, effort: Option<f64>) -> Self {
        match effort {
            Some(effort) => Self { known: rounded(self.known + effort), ..self },
            None => Self { unknown: self.unknown + 1, ..self },
        }
    }
}

/// The longer one; the first of equals, so that the answer is the same every time.
fn longer<'a>(a: (Length, &'a Node), b: (Length, &'a Node)) -> (Length, &'a Node) {
    if b.0 > a.0 { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(id: impl std::fmt::Display) -> Node {
        format!("workspaces/w/initiatives/i{id}").parse().unwrap()
    }

    fn graph(edges: &[(u8, u8)]) -> Dependencies {
        let mut graph = Dependencies::default();
        for (from, to) in edges {
            graph.0.entry(node(to)).or_default();
            graph.0.entry(node(from)).or_default().insert(node(to));
        }
        graph
    }

    #[test]
    fn critical_path_takes_the_heavier_branch_and_lists_what_is_unknown() {
        // 1 waits for 2 and 3; 3 waits for 4.
        let graph = graph(&[(1, 2), (1, 3), (3, 4)]);
        let known = BTreeMap::from([(node(1), 1.0), (node(2), 5.0), (node(3), 2.0)]);
        let path = graph.critical_path(Some(&node(1)), |n| known.get(n).copied()).unwrap();
        assert_eq!((path.steps, path.effort), (vec![node(2), node(1)], 6.0));
        assert_eq!(path.missing, BTreeSet::from([node(4)]));
        let anywhere = graph.critical_path(None, |_| Some(1.0)).unwrap();
        assert_eq!(anywhere.steps, vec![node(4), node(3), node(1)]);
        assert!(anywhere.missing.is_empty());
        assert_eq!(graph.critical_path(Some(&node(9)), |_| None), None);
        assert_eq!(Dependencies::default().critical_path(None, |_| None), None);
    }

    #[test]
    fn what_nobody_knows_is_no_zero() {
        // 3 waits for 2, which waits for 1; 5 waits for what is done.
        let mut graph = graph(&[(3, 2), (2, 1)]);
        graph.0.insert(node(5), BTreeSet::from([node(6)]));
        let path = graph.critical_path(None, |n| (*n == node(5)).then_some(0.5)).unwrap();
        assert_eq!((path.steps, path.effort), (vec![node(5)], 0.5));
        assert_eq!(path.missing, BTreeSet::from([node(1), node(2), node(3)]), "each of them may take longer");
        let nothing = graph.critical_path(None, |_| None).unwrap();
        assert_eq!(nothing.steps, vec![node(1), node(2), node(3)]);
        let end = graph.critical_path(Some(&node(2)), |_| None).unwrap();
        assert_eq!(end.missing, BTreeSet::from([node(1), node(2)]));
        let some = graph.critical_path(None, |n| (*n != node(2)).then_some(0.5)).unwrap();
        assert_eq!((some.steps.len(), some.effort, some.missing), (3, 1.0, BTreeSet::from([node(2)])));
    }

    #[test]
    fn slack_is_how_much_longer_it_may_take() {
        // 1 waits for 2 and 3, 3 for 4; 5 waits for 2, and nobody for 5.
        let graph = graph(&[(1, 2), (1, 3), (3, 4), (5, 2)]);
        let known = BTreeMap::from([(node(1), 1.0), (node(2), 5.0), (node(3), 2.0), (node(4), 0.5), (node(5), 0.25)]);
        let effort = |n: &Node| known.get(n).copied();
        let slack = |end: Option<&Node>, longest| -> Vec<(Node, f64)> {
            graph.slack(end, longest, effort).into_iter().map(|(node, slack)| (node.clone(), slack)).collect()
        };
        let to_one = vec![(node(1), 0.0), (node(2), 0.0), (node(3), 2.5), (node(4), 2.5)];
        assert_eq!(slack(Some(&node(1)), 6.0), to_one);
        assert_eq!(slack(None, 6.0), [to_one, vec![(node(5), 0.75)]].concat());
        assert_eq!(slack(Some(&node(9)), 6.0), []);
    }

    proptest! {
        /// What takes longer by its slack does not lengthen the path, and by any more does.
        #[test]
        fn slack_is_all_there_is(
            efforts in prop::collection::vec(1_u32..100, 8),
            edges in prop::collection::btree_set((0_u8..8, 0_u8..8), 1..16),
        ) {
            let edges: Vec<_> = edges.into_iter().filter(|(from, to)| from > to).collect();
            let graph = graph(&edges);
            let number = |node: &Node| -> usize { node.id().as_str()[1..].parse().unwrap() };
            let effort = |node: &Node| Some(f64::from(efforts[number(node)]));
            let Some(path) = graph.critical_path(None, effort) else { return Ok(()) };
            for (of, slack) in graph.slack(None, path.effort, effort) {
                let longer = |by: f64| {
                    let effort = |node: &Node| effort(node).map(|effort| if node == of { effort + by } else { effort });
                    graph.critical_path(None, effort).unwrap().effort
                };
                prop_assert!((longer(slack) - path.effort).abs() < 1e-9);
                prop_assert!((longer(slack + 1.0) - path.effort - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn equal_sums_of_decimals_are_equal() {
        // 1 waits for 2 and 3, 3 for 4: 0.3 against 0.1 + 0.2.
        let graph = graph(&[(1, 2), (1, 3), (3, 4)]);
        let known = BTreeMap::from([(node(1), 1.0), (node(2), 0.3), (node(3), 0.1), (node(4), 0.2)]);
        let path = graph.critical_path(None, |n| known.get(n).copied()).unwrap();
        assert_eq!((path.steps, path.effort), (vec![node(2), node(1)], 1.3));
    }
}

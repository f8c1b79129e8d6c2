//! The rules of the tree, by example and for all trees.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::discovery::lint::{LintRule, lint};
use crate::discovery::outcome::Binding;
use crate::discovery::{
    AssumptionTestError, Comparison, Learning, Observation, OpportunityKind, PassThreshold, RiskEvidence, RiskVerdict,
    SolutionError, SolutionState, TestVerdict, risks,
};
use crate::{Evidence, Meta, Risk, Verdict, WorkspaceId};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn name<T: Resource>(id: &str) -> Name<T> {
    Name::new(WorkspaceId::from_id("acme").unwrap(), id.parse().unwrap())
}

fn meta<T: Resource>(id: &str) -> Meta<T> {
    Meta {
        name: name(id),
        uid: Uuid::nil(),
        display_name: id.into(),
        labels: BTreeMap::new(),
        version: 1,
        create_time: now(),
        update_time: now(),
        delete_time: None,
    }
}

fn outcome(id: &str) -> Outcome {
    Outcome { meta: meta(id), binding: Binding::new(None, "m".into()).unwrap(), description: String::new() }
}

fn opportunity(id: &str, above: ParentNode) -> Opportunity {
    Opportunity {
        meta: meta(id),
        kind: OpportunityKind::Need,
        parent_node: above,
        description: String::new(),
        evidence: vec![],
        learnings: vec![],
        pruning: None,
    }
}

fn below(id: &str) -> ParentNode {
    ParentNode::Opportunity(name(id))
}

fn root() -> ParentNode {
    ParentNode::Outcome(name("root"))
}

fn solution(id: &str, opportunity: &str) -> Solution {
    Solution {
        meta: meta(id),
        opportunity: name(opportunity),
        description: String::new(),
        risk_evidence: vec![],
        state: SolutionState::Proposed,
        pruning: None,
    }
}

fn test(id: &str, solution: &str, risk: Risk) -> AssumptionTest {
    AssumptionTest {
        meta: meta(id),
        solution: name(solution),
        assumption: String::new(),
        risk,
        method: String::new(),
        threshold: PassThreshold { measure: "share".into(), comparison: Comparison::AtLeast, value: 0.8 },
        result: None,
        pruning: None,
    }
}

/// root > a > (b > c, s > t)
fn tree() -> Tree {
    let opportunities = [opportunity("a", root()), opportunity("b", below("a")), opportunity("c", below("b"))];
    Tree::new([outcome("root")], opportunities, [solution("s", "a")], [test("t", "s", Risk::Value)])
}

fn node(text: &str) -> NodeName {
    format!("workspaces/acme/{text}").parse().unwrap()
}

fn reason<T: std::fmt::Debug>(result: Result<T, TreeError>) -> &'static str {
    result.unwrap_err().reason().name()
}

#[test]
fn a_subtree_is_listed_top_down() {
    let names: Vec<String> =
        tree().branches().subtree(&node("outcomes/root")).iter().map(|n| n.any().id.to_string()).collect();
    assert_eq!(names, ["root", "a", "b", "c", "s", "t"]);
}

/// A walk that looked at every node for each of them would take minutes here; one that recursed would overflow the
/// stack.
#[test]
fn a_walk_is_as_long_as_the_tree() {
    let wide = (0..50_000).map(|i| opportunity(&format!("o{i}"), root()));
    assert_eq!(Tree::new([outcome("root")], wide, [], []).branches().subtree(&node("outcomes/root")).len(), 50_001);
    let deep = (1..50_000).map(|i| opportunity(&format!("o{i}"), below(&format!("o{}", i - 1))));
    let deep = Tree::new([outcome("root")], deep.chain([opportunity("o0", root())]), [], []);
    assert_eq!(lint(&deep, &name("root"), now(), TimeDelta::days(1)).len(), 50_000);
    assert_eq!(deep.prune(&node("opportunities/o0"), "too deep", now()).unwrap().len(), 50_000);
    assert_eq!(reason(deep.place_opportunity(&opportunity("o0", root()))), "RULE_VIOLATED");
}

#[test]
fn a_walk_ends_on_a_damaged_tree() {
    let tree = Tree::new(
        [],
        [opportunity("a", below("b")), opportunity("b", below("a")), opportunity("c", below("a"))],
        [],
        [],
    );
    let names: Vec<String> =
        tree.branches().subtree(&node("opportunities/a")).iter().map(|n| n.any().id.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn nodes_go_only_where_the_tree_has_a_place() {
    let tree = tree();
    for (moved, destination, expected) in [
        ("outcomes/root", "opportunities/a", "RULE_VIOLATED"),
        ("opportunities/b", "solutions/s", "RULE_VIOLATED"),
        ("opportunities/b", "assumptionTests/t", "RULE_VIOLATED"),
        ("solutions/s", "outcomes/root", "RULE_VIOLATED"),
        ("assumptionTests/t", "opportunities/a", "RULE_VIOLATED"),
        ("opportunities/a", "opportunities/c", "CYCLE"),
        ("opportunities/a", "opportunities/a", "CYCLE"),
        ("opportunities/a", "opportunities/nowhere", "REFERENCE_NOT_FOUND"),
        ("solutions/s", "opportunities/nowhere", "REFERENCE_NOT_FOUND"),
    ] {
        assert_eq!(reason(tree.relocate(&node(moved), &node(destination))), expected, "{moved} below {destination}");
    }
    let cycle = tree.relocate(&node("opportunities/a"), &node("opportunities/c")).unwrap_err();
    let names = ["a", "c", "b", "a"].map(|id| format!("workspaces/acme/opportunities/{id}"));
    assert_eq!(cycle.metadata(), [("cycle", names.join(" -> "))]);
    let moved = tree.relocate(&node("opportunities/c"), &node("outcomes/root")).unwrap();
    assert!(matches!(moved, NodeChange::Opportunity(change) if change.state().parent_node == root()));
}

#[test]
fn a_tree_has_a_greatest_depth() {
    let mut opportunities = vec![opportunity("o1", root())];
    opportunities.extend((2..=LEVELS).map(|i| opportunity(&format!("o{i}"), below(&format!("o{}", i - 1)))));
    let tree = Tree::new([outcome("root")], opportunities.clone(), [], []);
    assert_eq!(tree.place_opportunity(&opportunities[LEVELS - 1]), Ok(()));
    assert_eq!(reason(tree.place_opportunity(&opportunity("deep", below(&format!("o{LEVELS}"))))), "RULE_VIOLATED");
    // What hangs below a node counts when the node moves.
    opportunities.push(opportunity("x", root()));
    opportunities.push(opportunity("y", below("x")));
    let tree = Tree::new([outcome("root")], opportunities, [], []);
    assert_eq!(
        reason(tree.relocate(&node("opportunities/x"), &node(&format!("opportunities/o{}", LEVELS - 1)))),
        "RULE_VIOLATED"
    );
    assert!(tree.relocate(&node("opportunities/x"), &node(&format!("opportunities/o{}", LEVELS - 2))).is_ok());
}

#[test]
fn pruning_takes_all_below_along_once() {
    let tree = tree();
    let pruned = tree.prune(&node("opportunities/a"), "not worth it", now()).unwrap();
    assert_eq!(pruned.len(), 5);
    assert!(
        matches!(&pruned[0], NodeChange::Opportunity(c) if c.state().pruning.as_ref().unwrap().reason == "not worth it")
    );
    let Tree { mut opportunities, outcomes, solutions, tests } = tree;
    for change in pruned {
        if let NodeChange::Opportunity(change) = change {
            let state = change.state().clone();
            opportunities.insert(state.meta.name.clone(), state);
        }
    }
    let tree = Tree { outcomes, opportunities, solutions, tests };
    assert_eq!(reason(tree.prune(&node("opportunities/b"), "again", now())), "STATE_CONFLICT");
    assert_eq!(reason(tree.relocate(&node("opportunities/b"), &node("outcomes/root"))), "STATE_CONFLICT");
    assert_eq!(reason(tree.place_solution(&solution("new", "a"))), "STATE_CONFLICT");
    assert_eq!(reason(tree.prune(&node("outcomes/root"), "all of it", now())), "RULE_VIOLATED");
}

#[test]
fn a_threshold_decides_and_then_stands() {
    let observation = |value| Observation { value, sample_size: 8, note: String::new() };
    let conclude = |value| test("t", "s", Risk::Value).conclude(observation(value), now()).unwrap().into_parts().0;
    assert_eq!(conclude(0.8).verdict(), TestVerdict::Passed);
    assert_eq!(conclude(0.79).verdict(), TestVerdict::Failed);
    let failed = conclude(0.5);
    let lower = PassThreshold { value: 0.4, ..failed.threshold.clone() };
    let moved_goal_posts = failed.revise(AssumptionTest { threshold: lower, ..failed.clone() });
    assert!(matches!(moved_goal_posts, Err(AssumptionTestError::Fixed { .. })));
    assert!(
        failed
            .revise(AssumptionTest {
                meta: Meta { display_name: "new".into(), ..failed.meta.clone() },
                ..failed.clone()
            })
            .is_ok()
    );
    assert!(
        matches!(failed.clone().conclude(observation(1.0), now()), Err(AssumptionTestError::State { state, .. }) if state == "FAILED")
    );
    let at_most = PassThreshold { comparison: Comparison::AtMost, ..failed.threshold };
    assert!(at_most.passes(0.8) && !at_most.passes(0.81));
}

fn evidence_for(risks: &[Risk]) -> Vec<RiskEvidence> {
    let target = "//discovery.waymark.dev/workspaces/acme/insights/i".parse().unwrap();
    risks
        .iter()
        .map(|&risk| RiskEvidence {
            risk,
            evidence: vec![Evidence { target: Clone::clone(&target), note: String::new() }],
        })
        .collect()
}

fn concluded(id: &str, risk: Risk, value: f64) -> AssumptionTest {
    test(id, "s", risk)
        .conclude(Observation { value, sample_size: 0, note: String::new() }, now())
        .unwrap()
        .into_parts()
        .0
}

#[test]
fn a_solution_is_validated_when_each_risk_is_supported() {
    let backed = Solution { risk_evidence: evidence_for(&Risk::ALL[1..]), ..solution("s", "a") };
    let failure = backed.clone().validate(&[concluded("t", Risk::Value, 0.1)], now()).unwrap_err();
    assert_eq!(
        failure,
        SolutionError::RisksOpen { resource: "workspaces/acme/solutions/s".into(), risks: vec![Risk::Value] }
    );
    let elsewhere = AssumptionTest { solution: name("other"), ..concluded("t", Risk::Value, 0.9) };
    assert!(backed.clone().validate(&[elsewhere], now()).is_err());
    let validated = backed.clone().validate(&[concluded("t", Risk::Value, 0.9)], now()).unwrap().into_parts().0;
    assert_eq!(validated.state, SolutionState::Validated { validate_time: now() });
    assert!(matches!(validated.validate(&[], now()), Err(SolutionError::State { state, .. }) if state == "VALIDATED"));
    let tests =
        [concluded("t1", Risk::Value, 0.9), concluded("t2", Risk::Value, 0.1), concluded("t3", Risk::Usability, 0.1)];
    let verdicts: Vec<_> =
        risks::assess(&solution("s", "a"), &tests).iter().map(risks::RiskStanding::verdict).collect();
    assert_eq!(verdicts, [RiskVerdict::Contested, RiskVerdict::Refuted, RiskVerdict::Open, RiskVerdict::Open]);
}

#[test]
fn lint_speaks_of_what_is_wrong_and_only_of_that() {
    let mut one = opportunity("invite-teammates-faster", root());
    one.evidence = evidence_for(&[Risk::Value]).remove(0).evidence;
    let mut two = opportunity("invite-teammates", root());
    two.meta.update_time = now() - TimeDelta::days(91);
    let fresh_below =
        Solution { meta: Meta { update_time: now(), ..meta("new") }, ..solution("new", "invite-teammates-faster") };
    let tree = Tree::new([outcome("root")], [one, two], [fresh_below], []);
    let findings = lint(&tree, &name("root"), now(), TimeDelta::days(90));
    let said: Vec<_> = findings.iter().map(|f| (f.node.any().id.to_string(), f.rule)).collect();
    assert_eq!(
        said,
        [
            ("invite-teammates".into(), LintRule::NoEvidence),
            ("invite-teammates".into(), LintRule::Stale),
            ("invite-teammates".into(), LintRule::SiblingOverlap),
            ("invite-teammates-faster".to_owned(), LintRule::FewSolutions),
        ]
    );
    assert_eq!(lint(&tree, &name("root"), now(), TimeDelta::days(100)).len(), 3);
}

#[test]
fn siblings_of_one_name_overlap_and_cousins_do_not() {
    let called = |id: &str, above, name: &str| {
        let mut opportunity = opportunity(id, above);
        opportunity.meta.display_name = name.into();
        opportunity
    };
    let names = [("a", "Pay by app"), ("b", "Pay by app"), ("c", "Men\u{fc}"), ("d", "Menu\u{308}"), ("e", "\u{652f}")];
    let mut opportunities: Vec<_> = names.iter().map(|(id, name)| called(id, root(), name)).collect();
    opportunities.extend([called("f", root(), "\u{652f}"), called("g", below("a"), "Pay by app")]);
    let findings =
        lint(&Tree::new([outcome("root")], opportunities, [], []), &name("root"), now(), TimeDelta::days(90));
    let overlaps = findings.iter().filter(|f| f.rule == LintRule::SiblingOverlap);
    let ids: Vec<_> =
        overlaps.map(|f| [&f.node, &f.related[0]].map(|node| node.any().id.to_string()).join(" ")).collect();
    assert_eq!(ids, ["a b", "c d", "e f"]);
}

/// root > (a > s > t, b > c): what is old is stale unless something below it, however far, is not.
#[test]
fn news_far_below_keeps_all_above_from_being_stale() {
    let old = |id: &str, above| {
        let old = opportunity(id, above);
        Opportunity { meta: Meta { update_time: now() - TimeDelta::days(91), ..old.meta }, ..old }
    };
    let old_solution =
        Solution { meta: Meta { update_time: now() - TimeDelta::days(91), ..meta("s") }, ..solution("s", "a") };
    let opportunities = [old("a", root()), old("b", root()), old("c", below("b"))];
    let tree = Tree::new([outcome("root")], opportunities, [old_solution], [test("t", "s", Risk::Value)]);
    let findings = lint(&tree, &name("root"), now(), TimeDelta::days(90));
    let stale: Vec<_> =
        findings.iter().filter(|f| f.rule == LintRule::Stale).map(|f| f.node.any().id.to_string()).collect();
    assert_eq!(stale, ["b", "c"]);
}

#[test]
fn learnings_are_kept_once_per_outcome() {
    let learning = |id: &str, summary: &str| Learning {
        outcome: format!("//metrics.waymark.dev/workspaces/acme/outcomes/{id}").parse().unwrap(),
        initiative: None,
        verdict: Verdict::Missed,
        summary: summary.into(),
        measured: None,
        time: now(),
    };
    let learned = opportunity("a", root()).learn(learning("x", "first")).unwrap().into_parts().0;
    assert_eq!(learned.clone().learn(learning("x", "first")), None);
    let again = learned.learn(learning("x", "second")).unwrap().into_parts().0;
    assert_eq!(again.learnings, [learning("x", "second")]);
    let full = (0..300).fold(again, |o, i| o.learn(learning(&format!("o{i}"), "s")).unwrap().into_parts().0);
    assert_eq!((full.learnings.len(), &full.learnings[199]), (200, &learning("o299", "s")));
}

proptest! {
    /// Whatever is moved wherever, in any order: what the rules allow leaves every node below the root exactly once.
    #[test]
    fn moves_keep_a_tree_a_tree(moves in proptest::collection::vec((0usize..12, 0usize..13), 1..60)) {
        let id = |i: usize| format!("o{i}");
        let mut tree = Tree::new([outcome("root")], (0..12).map(|i| opportunity(&id(i), root())), [], []);
        for (moved, destination) in moves {
            let destination = if destination == 12 { node("outcomes/root") } else { node(&format!("opportunities/{}", id(destination))) };
            if let Ok(NodeChange::Opportunity(change)) = tree.relocate(&node(&format!("opportunities/{}", id(moved))), &destination) {
                let (state, _) = change.into_parts();
                tree.opportunities.insert(state.meta.name.clone(), state);
            }
        }
        prop_assert_eq!(tree.branches().subtree(&node("outcomes/root")).len(), 13);
        for opportunity in tree.opportunities.values() {
            prop_assert_eq!(tree.place_opportunity(opportunity), Ok(()));
        }
    }
}

//! The laws of merges, on initiatives, and what the contract says of their fields.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::common::v1::{Evidence, Risk};
use crate::convert::timestamp;
use crate::roadmap::v1::{Horizon, Initiative, InitiativeState, RiskAssessment, TargetInterval, Waiver};

fn time(second: i64) -> crate::Timestamp {
    timestamp(chrono::DateTime::from_timestamp(1_772_400_000 + second, 0).unwrap())
}

fn evidence(ids: Vec<&str>) -> Vec<Evidence> {
    ids.into_iter().map(|id| Evidence { target: id.into(), note: String::new() }).collect()
}

prop_compose! {
    /// Initiatives that are alike often enough.
    fn some()(
        problem in select(vec!["", "slow", "dear"]),
        horizon in 1..=3_i32,
        target in select(vec!["", "2026-Q3", "2026-Q4"]),
        dependencies in subsequence(vec!["a", "b", "c"], 0..=3),
        labels in prop::collection::btree_map("[xy]", "[12]", 0..=2),
        found in subsequence(vec!["i1", "i2"], 0..=2),
        signed in subsequence(vec![Risk::Value, Risk::Usability], 0..=2),
        committed in prop::option::of(0..2_i64),
        deleted in prop::bool::weighted(0.2),
    ) -> Initiative {
        let waiver = |risk: Risk| Waiver { reason: "small".into(), time: Some(time(risk as i64)), ..Waiver::default() };
        let risk = |risk: Risk| RiskAssessment { risk: risk.into(), evidence: Vec::new(), waiver: Some(waiver(risk)) };
        let state = if committed.is_some() { InitiativeState::Committed } else { InitiativeState::Proposed };
        Initiative {
            name: "workspaces/w/initiatives/x".into(),
            display_name: "X".into(),
            problem: problem.into(),
            horizon,
            target: (!target.is_empty()).then(|| TargetInterval { start: target.into(), end: target.into() }),
            dependencies: dependencies.into_iter().map(str::to_owned).collect(),
            labels,
            evidence: evidence(found),
            risks: signed.into_iter().map(risk).collect(),
            state: state.into(),
            commit_time: committed.map(time),
            delete_time: deleted.then(|| time(99)),
            ..Initiative::default()
        }
    }
}

fn differences(base: &Initiative, branch: &Initiative, trunk: &Initiative) -> Vec<Difference> {
    Fields::read().differences(Some(base), branch, Some(trunk), |_| false)
}

/// What comes of three by itself; `None` where there is a conflict.
fn merged(base: &Initiative, branch: &Initiative, trunk: &Initiative) -> Option<Initiative> {
    let found = differences(base, branch, trunk);
    if found.iter().any(|one| one.outcome == Outcome::Conflict) {
        return None;
    }
    Some(Fields::read().merged(branch, Some(trunk), found.iter().map(|one| (one, None))).unwrap())
}

/// In an order that does not depend on which side is which.
fn sorted(mut initiative: Initiative) -> Initiative {
    initiative.dependencies.sort();
    initiative.evidence.sort_by(|a, b| a.target.cmp(&b.target));
    initiative.risks.sort_by_key(|risk| risk.risk);
    initiative
}

proptest! {
    #[test]
    fn a_branch_that_changed_nothing_changes_nothing(base in some(), trunk in some()) {
        prop_assert_eq!(differences(&base, &base, &trunk), Vec::new());
        prop_assert_eq!(merged(&base, &base, &trunk), Some(trunk));
    }

    #[test]
    fn the_difference_of_two_applied_to_the_one_is_the_other(one in some(), other in some()) {
        // Of what is deleted nothing but that is told.
        let other = if other.delete_time.is_some() && one.delete_time.is_none() {
            Initiative { delete_time: other.delete_time, ..one.clone() }
        } else {
            Initiative { delete_time: one.delete_time.and(other.delete_time).and(one.delete_time), ..other }
        };
        prop_assert_eq!(merged(&one, &other, &one), Some(other));
    }

    #[test]
    fn without_conflicts_it_does_not_matter_which_side_is_which(base in some(), one in some(), other in some()) {
        let live = |initiative| Initiative { delete_time: None, ..initiative };
        let [base, one, other] = [base, one, other].map(live);
        prop_assert_eq!(merged(&base, &one, &other).map(sorted), merged(&base, &other, &one).map(sorted));
    }

    #[test]
    fn the_sides_that_are_taken_are_in_the_result(base in some(), branch in some(), trunk in some()) {
        let live = |initiative| Initiative { delete_time: None, ..initiative };
        let [base, branch, trunk] = [base, branch, trunk].map(live);
        let found = differences(&base, &branch, &trunk);
        let take = |side| Fields::read().merged(&branch, Some(&trunk), found.iter().map(|one| (one, Some(side)))).unwrap();
        prop_assert_eq!(take(Side::Trunk), trunk.clone());
        let taken = take(Side::Branch);
        prop_assert_eq!(differences(&base, &branch, &taken).iter().filter(|one| one.outcome != Outcome::Alike).count(), 0);
    }
}

fn outcomes(base: &Initiative, branch: &Initiative, trunk: &Initiative) -> Vec<(String, Outcome)> {
    differences(base, branch, trunk).into_iter().map(|one| (one.field, one.outcome)).collect()
}

#[test]
fn a_state_is_one_with_what_belongs_to_it() {
    let base = Initiative { state: InitiativeState::Proposed.into(), ..Initiative::default() };
    let committed = |second| Initiative {
        state: InitiativeState::Committed.into(),
        commit_time: Some(time(second)),
        ..Initiative::default()
    };
    assert_eq!(outcomes(&base, &committed(1), &base), [("state".into(), Outcome::Taken)]);
    assert_eq!(outcomes(&base, &committed(1), &committed(2)), [("state".into(), Outcome::Conflict)]);
    let found = differences(&base, &committed(1), &base);
    assert_eq!(found[0].branch["commitTime"], "2026-03-01T21:20:01Z");
    let alike = Fields::read().differences(Some(&base), &committed(1), Some(&committed(2)), |field| field == "state");
    assert_eq!(alike[0].outcome, Outcome::Alike);
}

#[test]
fn entries_are_looked_at_one_by_one() {
    let with = |dependencies: &[&str]| Initiative {
        dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        ..Initiative::default()
    };
    let together = merged(&with(&["a", "b"]), &with(&["b", "c"]), &with(&["a", "b", "d"])).unwrap();
    assert_eq!(together.dependencies, ["b", "d", "c"]);
    let noted = |note: &str| Initiative {
        evidence: vec![Evidence { target: "i".into(), note: note.into() }],
        ..Initiative::default()
    };
    let conflict = outcomes(&noted("a"), &noted("b"), &noted("c"));
    assert_eq!(conflict, [("evidence".into(), Outcome::Conflict)]);
}

#[test]
fn what_one_side_deleted_and_the_other_changed_is_in_conflict() {
    let base = Initiative { horizon: Horizon::Later.into(), ..Initiative::default() };
    let moved = Initiative { horizon: Horizon::Now.into(), ..base.clone() };
    let gone = Initiative { delete_time: Some(time(9)), ..base.clone() };
    let deleted = |outcome| vec![(DELETE_TIME.to_owned(), outcome)];
    assert_eq!(outcomes(&base, &gone, &moved), deleted(Outcome::Conflict));
    assert_eq!(outcomes(&base, &gone, &base), deleted(Outcome::Taken));
    assert_eq!(outcomes(&base, &gone, &gone), deleted(Outcome::Alike));
    assert_eq!(outcomes(&base, &moved, &gone)[1..], deleted(Outcome::Conflict));
    assert_eq!(outcomes(&base, &base, &gone), []);
}

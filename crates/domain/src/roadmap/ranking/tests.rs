//! Estimates and the order they make.

use std::collections::BTreeMap;

use chrono::{TimeDelta, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::roadmap::initiative::tests::initiative;
use crate::roadmap::{Amount, Basis, Factor, FactorSource, ReachPeriod};
use crate::{Meta, Name};

fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn factor(value: f64) -> Factor {
    let source = FactorSource { basis: Basis::Guess("gut".into()), by: String::new(), time: None };
    Factor { amount: Amount::Point(value), word: None, source }
}

/// What RICE takes.
fn estimate(of: &str, id: &str, minutes: i64, values: [f64; 4]) -> Estimate {
    let meta = Meta {
        name: format!("workspaces/w/estimates/{id}").parse().unwrap(),
        uid: uuid::Uuid::nil(),
        display_name: id.to_owned(),
        labels: BTreeMap::new(),
        version: 1,
        create_time: at(0),
        update_time: at(minutes),
        delete_time: None,
    };
    Estimate {
        meta,
        initiative: format!("workspaces/w/initiatives/{of}").parse().unwrap(),
        reach_period: ReachPeriod::Quarter,
        factors: Framework::Rice.inputs().iter().map(|input| input.key.to_owned()).zip(values.map(factor)).collect(),
        worded: BTreeMap::new(),
        currency: String::new(),
        need: None,
    }
}

/// The same with other factors, too.
fn with(mut estimate: Estimate, factors: &[(&str, f64)]) -> Estimate {
    estimate.factors.extend(factors.iter().map(|(key, value)| ((*key).to_owned(), factor(*value))));
    estimate
}

fn prioritized(of: &str, estimates: &[Estimate]) -> Initiative {
    let name: Name<Initiative> = format!("workspaces/w/initiatives/{of}").parse().unwrap();
    let of_it: Vec<Estimate> = estimates.iter().filter(|estimate| estimate.initiative == name).cloned().collect();
    let before = initiative(of);
    let change = before.clone().prioritize(current(&of_it).map(Priority::of), None);
    change.map_or(before, |change| change.state().clone())
}

/// Ids in the order of ranks, a stroke between those with a score and those without.
fn order<'a>(ids: impl IntoIterator<Item = &'a str>, estimates: &[Estimate]) -> String {
    let mut rows: Vec<(Rank, &str)> = ids.into_iter().map(|id| (prioritized(id, estimates).rank(), id)).collect();
    rows.sort();
    let unscored = rows.iter().position(|(rank, _)| !rank.is_scored()).unwrap_or(rows.len());
    let text = |rows: &[(Rank, &str)]| rows.iter().map(|(_, id)| *id).collect::<Vec<_>>().join(" ");
    format!("{}|{}", text(&rows[..unscored]), text(&rows[unscored..]))
}

#[test]
fn ranks_by_score_and_tells_what_is_missing() {
    let mut gap = estimate("c", "c", 0, [1.0, 1.0, 1.0, 1.0]);
    gap.factors.retain(|key, _| !["effort", "reach"].contains(&key.as_str()));
    let estimates =
        [estimate("a", "a", 0, [8000.0, 0.5, 1.0, 3.0]), estimate("b", "b", 0, [5000.0, 2.0, 0.8, 2.0]), gap];
    assert_eq!(order(["a", "b", "c", "d"], &estimates), "b a|c d");
    let score = |of| prioritized(of, &estimates).priority.unwrap().likely();
    assert!((score("b").unwrap() - 4000.0).abs() < 1e-9);
    assert!((score("a").unwrap() - 4000.0 / 3.0).abs() < 1e-8, "to twelve digits");
    let gap = prioritized("c", &estimates).priority.unwrap();
    assert_eq!((gap.score, gap.missing), (None, vec!["reach", "effort"]));
}

#[test]
fn of_equal_scores_the_surer_then_the_cheaper_is_first() {
    let estimates = [
        estimate("a", "a", 0, [100.0, 1.0, 0.5, 1.0]),
        estimate("b", "b", 0, [50.0, 1.0, 1.0, 1.0]),
        estimate("c", "c", 0, [100.0, 1.0, 1.0, 2.0]),
        // Equal by the formula; by the order of its steps they differ in the last digit.
        estimate("d", "d", 0, [0.1, 3.0, 1.0, 1.0]),
        estimate("e", "e", 0, [0.3, 1.0, 1.0, 1.0]),
    ];
    assert_eq!(order(["a", "b", "c", "d", "e"], &estimates), "b c a d e|");
    let ranks = ["a", "b", "c", "d", "e"].map(|id| prioritized(id, &estimates).rank());
    assert!(ranks[..3].iter().all(|rank| rank.by_score() == ranks[0].by_score()));
    assert_eq!(ranks[3].by_score(), ranks[4].by_score());
    let behind = ranks[0].behind_score();
    assert!(ranks[..3].iter().all(|rank| rank.to_string() < behind) && behind <= ranks[3].to_string());
}

#[test]
fn each_framework_has_an_order_of_what_it_scores() {
    let ice = |ease| [("ice.impact", 8.0), ("ice.confidence", 5.0), ("ice.ease", ease)];
    let estimates = [
        with(estimate("a", "a", 0, [1.0; 4]), &ice(4.0)),
        with(estimate("b", "b", 0, [1.0; 4]), &ice(5.0)),
        with(estimate("c", "c", 0, [1.0; 4]), &[("ice.impact", 9.0), ("moscow", 4.0)]),
    ];
    let [a, b, c] = ["a", "b", "c"].map(|id| prioritized(id, &estimates));
    let rank = |of: &Initiative, framework| of.rank_by(framework);
    for framework in [Framework::Ice, Framework::IceMean] {
        assert!(rank(&b, framework) < rank(&a, framework));
        assert!(rank(&a, framework).is_some_and(|rank| rank.is_scored()) && rank(&c, framework).is_none());
    }
    assert_eq!(estimates[2].missing(Framework::Ice), ["ice.confidence", "ice.ease"]);
    let scores = a.priority.as_ref().map(|priority| priority.scores.keys().copied().collect::<Vec<_>>());
    assert_eq!(scores, Some(vec![Framework::Ice, Framework::IceMean]));
    let needed = with(estimate("c", "c", 0, [1.0; 4]), &[("ice.impact", 9.0), ("moscow", 3.0)]);
    assert_eq!(needed.differences(&estimates[2]), ["moscow must -> should"]);
    let gone = Initiative { meta: Meta { delete_time: Some(at(9)), ..c.meta.clone() }, ..c.clone() };
    assert!(rank(&c, Framework::Moscow).is_some() && rank(&gone, Framework::Moscow).is_none());
}

#[test]
fn what_is_closed_comes_behind_what_is_open() {
    let estimates = [estimate("a", "a", 0, [1.0; 4]), estimate("b", "b", 0, [9.0; 4])];
    let [open, mut closed] = ["a", "b"].map(|id| prioritized(id, &estimates));
    assert!(closed.rank() < open.rank());
    closed.state = crate::roadmap::InitiativeState::Declined(crate::roadmap::Decline {
        reason: "no".into(),
        evidence: Vec::new(),
        what_would_change_our_mind: "money".into(),
        review_date: None,
        decision: None,
        left: None,
        by: "users/ada".into(),
        time: at(1),
    });
    assert!(open.rank() < closed.rank() && initiative("c").rank() < closed.rank());
    assert!(closed.rank().order() < open.rank().order(), "among those of a filter only the score counts");
    let shipped = closed.rank();
    closed.meta.delete_time = Some(at(9));
    assert!(shipped < closed.rank());
}

#[test]
fn a_tie_of_many_names_three() {
    let by = Framework::Rice.tie_break(Some(0.5), Some(1.0));
    let tie = |others: &[&str], count| explain_tie(others.iter().copied(), Sharing::All(count), &by);
    let why = "; shown by confidence (0.5), then effort (1 person-months), then name";
    assert_eq!(tie(&["b", "c", "d", "e"], 6), format!("same score as b, c, d and 2 more{why}"));
    assert_eq!(tie(&["b"], 2), format!("same score as b{why}"));
    assert_eq!(tie(&[], 3), format!("same score as 2 more{why}"));
    let open = |others: &[&str]| explain_tie(others.iter().copied(), Sharing::AtLeast(2), "");
    assert_eq!(
        [open(&["b"]), open(&[])],
        ["same score as b and more; shown by name", "same score as others; shown by name"]
    );
    let by_name = explain_tie(["b"].into_iter(), Sharing::All(2), &Framework::Wsjf.tie_break(Some(0.5), None));
    assert_eq!(by_name, "same score as b; shown by name");
}

#[test]
fn the_estimate_created_last_counts_and_reach_is_per_quarter() {
    let mut old = estimate("a", "z", 3, [1.0, 1.0, 1.0, 1.0]);
    old.meta.create_time = at(-1);
    let new = Estimate { reach_period: ReachPeriod::Month, ..estimate("a", "a", 2, [100.0, 1.0, 1.0, 1.0]) };
    let priority = prioritized("a", &[new, old]).priority.unwrap();
    assert!((priority.likely().unwrap() - 300.0).abs() < 1e-9);
    assert_eq!(priority.estimate.id.as_str(), "a", "the other one was updated later");
}

#[test]
fn a_move_says_from_where_to_where_and_why() {
    let b = estimate("b", "b", 0, [50.0, 1.0, 1.0, 1.0]);
    let better = estimate("b", "b", 1, [500.0, 1.0, 1.0, 1.0]);
    let why = better.differences(&b).join(", ");
    assert_eq!(why, "reach 50 -> 500");
    let place = |position, score| Some(Place { position, score });
    let by = |framework, from, to| RankMove { framework, from, to, ranked_count: 2 };
    let rice = by(Framework::Rice, place(2, 50.0), place(1, 500.0));
    let change = moved(vec![rice], &better, &why, at(1)).unwrap();
    assert_eq!((change.moves.as_slice(), change.time), ([rice].as_slice(), at(1)));
    assert_eq!(change.explanation, "rank 2 (RICE 50) -> rank 1 (RICE 500) of 2: reach 50 -> 500");
    let stays = by(Framework::Cd3, place(2, 50.0), place(2, 60.0));
    assert_eq!(moved(vec![stays], &better, "", at(1)), None);
    let out = by(Framework::Wsjf, place(1, 3.0), None);
    let change = moved(vec![stays, rice, out], &better, &why, at(1)).unwrap();
    assert_eq!(change.moves, [rice, out], "of the others nothing is told");
    let expected = "rank 2 (RICE 50) -> rank 1 (RICE 500) of 2; rank 1 (WSJF 3) -> no rank of 2: reach 50 -> 500";
    assert_eq!(change.explanation, expected);
}

#[test]
fn what_says_the_same_changes_nothing() {
    let priority = Some(Priority::of(&estimate("a", "a", 0, [1.0; 4])));
    let first = initiative("a").prioritize(priority.clone(), None).unwrap();
    assert_eq!(first.events(), [crate::roadmap::InitiativeEvent::Prioritized]);
    let (initiative, _) = first.into_parts();
    assert_eq!(initiative.clone().prioritize(priority, None), None);
    assert!(initiative.prioritize(None, None).is_some());
}

#[test]
fn signing_fills_only_what_is_empty() {
    let mut estimate = estimate("a", "a", 0, [1.0, 1.0, 1.0, 1.0]);
    estimate.factors.get_mut("reach").unwrap().source.by = "users/bob".into();
    let signed = estimate.signed(None, "users/ada", at(5));
    assert_eq!(signed.factors["reach"].source.by, "users/bob");
    assert_eq!(signed.factors["impact"].source.by, "users/ada");
    assert_eq!(signed.factors["reach"].source.time, Some(at(5)));
}

#[test]
fn what_is_said_again_stays_signed_as_it_was() {
    let old = estimate("a", "a", 0, [1.0, 1.0, 1.0, 1.0]).signed(None, "users/ada", at(5));
    let again = estimate("a", "a", 0, [1.0, 1.0, 1.0, 1.0]).signed(Some(&old), "users/bob", at(9));
    assert_eq!(again, old);
    let mut other = estimate("a", "a", 0, [2.0, 1.0, 1.0, 1.0]);
    other.factors.get_mut("impact").unwrap().source.by = "users/cy".into();
    other.factors.get_mut("confidence").unwrap().source.basis = Basis::Guess("a hunch".into());
    let other = other.signed(Some(&old), "users/bob", at(9));
    let sources = ["reach", "impact", "confidence", "effort"].map(|key| {
        let source = &other.factors[key].source;
        (source.by.as_str(), source.time)
    });
    let now = Some(at(9));
    assert_eq!(sources, [("users/bob", now), ("users/cy", now), ("users/bob", now), ("users/ada", Some(at(5)))]);
}

proptest! {
    /// Ranks are in the order of scores, then confidence, then effort.
    #[test]
    fn ranks_are_the_order(rows in proptest::collection::vec((0.0f64..1e6, 0usize..5, 0.01f64..1.0, 0.1f64..50.0), 2..12)) {
        let estimates: Vec<Estimate> = rows.into_iter().map(|(reach, impact, confidence, effort)| {
            estimate("a", "a", 0, [reach, [3.0, 2.0, 1.0, 0.5, 0.25][impact], confidence, effort])
        }).collect();
        let mut rows: Vec<(Rank, Priority)> = estimates.iter().map(|estimate| {
            let initiative = prioritized("a", std::slice::from_ref(estimate));
            (initiative.rank(), initiative.priority.unwrap())
        }).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in rows.windows(2) {
            let [before, after] = [&pair[0], &pair[1]];
            prop_assert!(before.1.likely() >= after.1.likely());
            prop_assert_eq!(before.0.by_score() == after.0.by_score(), before.1.likely() == after.1.likely());
            if before.1.likely() == after.1.likely() {
                prop_assert!(before.1.confidence.unwrap() as f32 >= after.1.confidence.unwrap() as f32);
            }
        }
    }
}

//! Estimates and the order they make.

use chrono::{TimeDelta, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::roadmap::initiative::tests::initiative;
use crate::roadmap::{Amount, Basis, Factor, FactorSource, ReachPeriod};
use crate::{Meta, Range};

fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap() + TimeDelta::minutes(minutes)
}

#[expect(clippy::unnecessary_wraps, reason = "as the fields of an estimate are")]
fn factor(value: f64) -> Option<Factor> {
    let source = FactorSource { basis: Basis::Guess("gut".into()), by: String::new(), time: None };
    Some(Factor { amount: Amount::Point(value), source })
}

fn estimate(of: &str, id: &str, minutes: i64, [reach, impact, confidence, effort]: [f64; 4]) -> Estimate {
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
        reach: factor(reach),
        reach_period: ReachPeriod::Quarter,
        impact: factor(impact),
        confidence: factor(confidence),
        effort: factor(effort),
    }
}

fn order(ranking: &Ranking) -> Vec<(u32, &str)> {
    ranking.ranked.iter().map(|r| (r.position, r.initiative.id().as_str())).collect()
}

#[test]
fn ranks_by_score_and_lists_what_is_missing() {
    let initiatives = ["a", "b", "c", "d"].map(initiative);
    let mut gap = estimate("c", "c", 0, [1.0, 1.0, 1.0, 1.0]);
    (gap.effort, gap.reach) = (None, None);
    let estimates =
        [estimate("a", "a", 0, [8000.0, 0.5, 1.0, 3.0]), estimate("b", "b", 0, [5000.0, 2.0, 0.8, 2.0]), gap];
    let ranking = Ranking::new(&initiatives, &estimates);
    assert_eq!(order(&ranking), [(1, "b"), (2, "a")]);
    assert!((ranking.ranked[0].score.likely() - 4000.0).abs() < 1e-9);
    assert!((ranking.ranked[1].score.likely() - 4000.0 / 3.0).abs() < 1e-9);
    let missing: Vec<_> = ranking.unranked.iter().map(|u| (u.initiative.id().as_str(), u.missing.clone())).collect();
    assert_eq!(missing, [("c", vec![FactorKind::Reach, FactorKind::Effort]), ("d", FactorKind::ALL.to_vec())]);
}

#[test]
fn a_tie_of_many_names_three() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    let initiatives = ids.map(initiative);
    let estimates = ids.map(|id| estimate(id, id, 0, [100.0, 1.0, 0.5, 1.0]));
    let ranking = Ranking::new(&initiatives, &estimates);
    let tie = ranking.ranked[0].tie.as_ref().unwrap();
    assert!(tie.starts_with("same score as b, c, d and 2 more;"), "{tie}");
}

#[test]
fn equal_scores_share_a_position_and_say_so() {
    let initiatives = ["a", "b", "c"].map(initiative);
    let estimates = [
        estimate("a", "a", 0, [100.0, 1.0, 0.5, 1.0]),
        estimate("b", "b", 0, [50.0, 1.0, 1.0, 1.0]),
        estimate("c", "c", 0, [10.0, 1.0, 1.0, 1.0]),
    ];
    let ranking = Ranking::new(&initiatives, &estimates);
    assert_eq!(order(&ranking), [(1, "b"), (1, "a"), (3, "c")], "the surer one is shown first");
    assert!(ranking.ranked[0].tie.as_ref().unwrap().starts_with("same score as a;"));
    assert_eq!(ranking.ranked[2].tie, None);
}

#[test]
fn the_estimate_updated_last_counts_and_reach_is_per_quarter() {
    let initiatives = [initiative("a")];
    let old = estimate("a", "z", 1, [1.0, 1.0, 1.0, 1.0]);
    let new = Estimate { reach_period: ReachPeriod::Month, ..estimate("a", "a", 2, [100.0, 1.0, 1.0, 1.0]) };
    let ranking = Ranking::new(&initiatives, &[new, old]);
    assert!((ranking.ranked[0].score.likely() - 300.0).abs() < 1e-9);
    assert_eq!(ranking.ranked[0].estimate.id().as_str(), "a");
}

#[test]
fn a_move_says_from_where_to_where_and_why() {
    let initiatives = ["a", "b"].map(initiative);
    let (a, b) = (estimate("a", "a", 0, [100.0, 1.0, 1.0, 1.0]), estimate("b", "b", 0, [50.0, 1.0, 1.0, 1.0]));
    let before = Ranking::new(&initiatives, &[a.clone(), b.clone()]);
    let better = estimate("b", "b", 1, [500.0, 1.0, 1.0, 1.0]);
    let why = better.differences(&b).join(", ");
    assert_eq!(why, "reach 50 -> 500");
    let after = Ranking::new(&initiatives, &[a.clone(), better.clone()]);
    let change = after.moved_since(&before, &better, &why, at(1)).unwrap();
    assert_eq!((change.from_position, change.to_position, change.ranked_count), (Some(2), Some(1), 2));
    assert_eq!(change.explanation, "rank 2 (RICE 50) -> rank 1 (RICE 500) of 2: reach 50 -> 500");
    let slightly = estimate("b", "b", 1, [60.0, 1.0, 1.0, 1.0]);
    assert_eq!(Ranking::new(&initiatives, &[a, slightly.clone()]).moved_since(&before, &slightly, "", at(1)), None);
}

#[test]
fn signing_fills_only_what_is_empty() {
    let mut estimate = estimate("a", "a", 0, [1.0, 1.0, 1.0, 1.0]);
    estimate.reach.as_mut().unwrap().source.by = "users/bob".into();
    let signed = estimate.signed("users/ada", at(5));
    assert_eq!(signed.reach.as_ref().unwrap().source.by, "users/bob");
    assert_eq!(signed.impact.as_ref().unwrap().source.by, "users/ada");
    assert_eq!(signed.reach.unwrap().source.time, Some(at(5)));
}

proptest! {
    /// Whatever the estimates, every initiative is either ranked or listed with what is missing, scores do not rise
    /// down the list, and each range holds its likely score.
    #[test]
    fn nothing_is_lost_and_the_order_is_an_order(rows in proptest::collection::vec((0usize..6, 0.0f64..1e6, 0usize..5, 0.01f64..1.0, 0.1f64..50.0, 0u8..3), 0..12)) {
        let ids = ["a", "b", "c", "d", "e", "f"];
        let initiatives = ids.map(initiative);
        let estimates: Vec<Estimate> = rows.into_iter().enumerate().map(|(i, (of, reach, impact, confidence, effort, gap))| {
            let impact = [3.0, 2.0, 1.0, 0.5, 0.25][impact];
            let mut estimate = estimate(ids[of], &format!("e{i}"), i as i64, [reach, impact, confidence, effort]);
            estimate.reach.as_mut().unwrap().amount = Amount::Range(Range::new(reach / 2.0, reach, reach * 2.0).unwrap());
            if gap == 0 {
                estimate.confidence = None;
            }
            estimate
        }).collect();
        let ranking = Ranking::new(&initiatives, &estimates);
        prop_assert_eq!(ranking.ranked.len() + ranking.unranked.len(), initiatives.len());
        prop_assert!(ranking.unranked.iter().all(|u| !u.missing.is_empty()));
        for pair in ranking.ranked.windows(2) {
            prop_assert!(pair[0].score.likely() >= pair[1].score.likely());
            prop_assert_eq!(pair[0].position == pair[1].position, pair[0].score.likely().to_bits() == pair[1].score.likely().to_bits());
        }
        prop_assert!(ranking.ranked.iter().all(|r| r.score.low() <= r.score.likely() && r.score.likely() <= r.score.high()));
    }
}

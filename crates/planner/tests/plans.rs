//! Plans as they are by hand, and beside all plans there are: the best is found, and no rule is broken.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot go on fails; sums of whole numbers are exact"
)]

use std::time::Duration;

use proptest::prelude::*;
use waymark_planner::{Effort, Ended, Item, Periods, Plan, PlanError, Pool, Question, Why, Wish, one_more, plan};

/// An effort that small questions are solved within, however slow the machine.
const EFFORT: Effort = Effort { nodes: 100_000, time: Duration::from_mins(10) };

fn solve(question: &Question) -> Result<Plan, PlanError> {
    let plan = plan(question, EFFORT)?;
    keeps_the_rules(question, &plan);
    Ok(plan)
}

/// One pool, and items by value and work.
fn question<const P: usize, const I: usize>(capacity: [f64; P], items: [(f64, f64); I]) -> Question {
    let items = items.map(|(value, work)| Item::of(P, Some(value), [(0, work)])).into();
    Question { periods: P, pools: vec![Pool::of(capacity)], items }
}

#[expect(clippy::unnecessary_wraps, reason = "as a plan has it")]
fn in_period(period: usize) -> Option<Periods> {
    Some(Periods { first: period, last: period })
}

fn keeps_the_rules(question: &Question, plan: &Plan) {
    let mut load = vec![vec![0.0; question.periods]; question.pools.len()];
    for (index, item) in question.items.iter().enumerate() {
        let Some(done) = plan.done[index] else {
            assert_ne!(item.wish, Wish::Must);
            assert!(plan.why[index].is_some(), "what is left out has a reason");
            continue;
        };
        assert_ne!(item.wish, Wish::MustNot);
        assert_eq!(plan.why[index], None);
        assert!(item.within.contains(&done.first) && item.within.contains(&done.last) && done.first <= done.last);
        assert!(item.lasts.contains(&done.count()));
        item.after.iter().for_each(|other| assert!(plan.done[*other].unwrap().last <= done.first));
        for (pool, amount) in &item.work {
            load[*pool][done.first..=done.last].iter_mut().for_each(|load| *load += amount / done.count() as f64);
        }
    }
    for (pool, loads) in load.iter().enumerate() {
        let over = loads.iter().zip(&question.pools[pool].capacity).map(|(load, has)| (load - has).max(0.0));
        assert!(over.sum::<f64>() <= question.pools[pool].anytime + 1e-5, "{loads:?}");
        loads.iter().zip(&plan.load[pool]).for_each(|(load, told)| assert!((load - told).abs() < 1e-9));
    }
    let value: f64 = question
        .items
        .iter()
        .zip(&plan.done)
        .filter(|(_, done)| done.is_some())
        .filter_map(|(item, _)| item.value)
        .sum();
    assert!((value - plan.value).abs() <= 1e-9 * value.abs() && plan.bound >= plan.value);
}

/// The value of the best plan, found by looking at all; `None` where not all that must be done can be.
fn best_of_all(question: &Question) -> Option<f64> {
    fn from(question: &Question, index: usize, done: &mut Vec<Option<Periods>>) -> Option<f64> {
        let Some(item) = question.items.get(index) else { return is_plan(question, done) };
        let mut best = None;
        let mut look = |way, done: &mut Vec<Option<Periods>>| {
            done.push(way);
            let found = from(question, index + 1, done);
            done.pop();
            best = best.max_by_value(found);
        };
        if item.wish != Wish::Must {
            look(None, done);
        }
        if item.wish != Wish::MustNot {
            for first in item.within.clone() {
                for length in item.lasts.clone().filter(|length| first + length - 1 <= *item.within.end()) {
                    look(Some(Periods { first, last: first + length - 1 }), done);
                }
            }
        }
        best
    }
    from(question, 0, &mut Vec::new())
}

trait Best {
    fn max_by_value(self, other: Self) -> Self;
}

impl Best for Option<f64> {
    fn max_by_value(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (one, other) => one.or(other),
        }
    }
}

fn is_plan(question: &Question, done: &[Option<Periods>]) -> Option<f64> {
    let mut left: Vec<Vec<f64>> = question.pools.iter().map(|pool| pool.capacity.clone()).collect();
    let mut value = 0.0;
    for (item, way) in question.items.iter().zip(done) {
        let Some(way) = way else { continue };
        if item.after.iter().any(|other| done[*other].is_none_or(|other| other.last > way.first)) {
            return None;
        }
        for (pool, amount) in &item.work {
            left[*pool][way.first..=way.last].iter_mut().for_each(|left| *left -= amount / way.count() as f64);
        }
        value += item.value.unwrap_or(0.0);
    }
    let is_within =
        |(pool, left): (&Pool, &Vec<f64>)| left.iter().map(|left| (-left).max(0.0)).sum::<f64>() <= pool.anytime + 1e-9;
    question.pools.iter().zip(&left).all(is_within).then_some(value)
}

#[test]
fn the_best_is_not_the_worthiest_for_its_work() {
    // 10 for 6 leaves no room for both others, which are worth 12 together.
    let plan = solve(&question([10.0], [(10.0, 6.0), (6.0, 5.0), (6.0, 5.0)])).unwrap();
    assert_eq!((plan.value, plan.bound, plan.ended), (12.0, 12.0, Ended::Optimal));
    assert_eq!(plan.done, [None, in_period(0), in_period(0)]);
    assert_eq!(plan.why[0], Some(Why::Outdone { pools: vec![0], instead_of: None }));
    assert_eq!(plan.binding, [(0, 0)]);
    assert_eq!(plan.load, [[10.0]]);
}

#[test]
fn what_is_in_the_place_of_what_is_left_out_is_told() {
    let plan = solve(&question([2.0], [(5.0, 2.0), (4.0, 2.0)])).unwrap();
    assert_eq!(plan.why[1], Some(Why::Outdone { pools: vec![0], instead_of: Some(0) }));
}

#[test]
fn more_than_a_period_has_is_spread_evenly_over_some() {
    let mut long = question([4.0, 4.0, 4.0], [(10.0, 9.0), (1.0, 1.0)]);
    long.items[0].lasts = 1..=2;
    let short = solve(&long).unwrap();
    assert_eq!((short.done[0], short.why[0].clone()), (None, Some(Why::TooLarge(0))));
    long.items[0].lasts = 1..=3;
    let plan = solve(&long).unwrap();
    assert_eq!(plan.done[0], Some(Periods { first: 0, last: 2 }));
    assert_eq!((plan.load[0].clone(), plan.value), (vec![4.0, 3.0, 3.0], 11.0));
}

#[test]
fn what_waits_is_done_in_the_same_period_or_later() {
    let mut chain = question([3.0, 3.0], [(9.0, 2.0), (1.0, 1.0), (1.0, 3.0)]);
    chain.items[0].after = vec![1];
    let plan = solve(&chain).unwrap();
    assert_eq!(plan.done, [in_period(0), in_period(0), in_period(1)], "2 waits for 1, and both fit in one period");
    chain.items[1].within = 1..=1;
    let plan = solve(&chain).unwrap();
    assert_eq!(plan.done, [in_period(1), in_period(1), in_period(0)]);
    chain.items[0].within = 0..=0;
    let plan = solve(&chain).unwrap();
    assert_eq!(plan.why[0], Some(Why::Dates(Some(1))));
    chain.items[1].wish = Wish::MustNot;
    let plan = solve(&chain).unwrap();
    assert_eq!(plan.why[..2], [Some(Why::Waits(1)), Some(Why::MustNot)]);
}

#[test]
fn what_nobody_knows_the_value_of_is_done_for_others_only() {
    let mut unknown = question([4.0], [(5.0, 2.0), (0.0, 2.0), (0.0, 1.0)]);
    unknown.items[1].value = None;
    let plan = solve(&unknown).unwrap();
    assert_eq!(plan.why, [None, Some(Why::Unknown), Some(Why::Worthless)]);
    unknown.items[0].after = vec![1];
    let plan = solve(&unknown).unwrap();
    assert_eq!((plan.done[1], plan.value), (in_period(0), 5.0));
}

#[test]
fn equal_plans_are_early_and_the_worthiest_first() {
    let plan = solve(&question([2.0, 2.0, 2.0], [(1.0, 2.0), (3.0, 2.0), (2.0, 2.0)])).unwrap();
    assert_eq!(plan.done, [in_period(2), in_period(0), in_period(1)]);
    // One after the other by value, 9 and 8 would leave no room for both 7 and 6.
    let plan = solve(&question([4.0, 4.0], [(6.0, 3.0), (7.0, 3.0), (8.0, 1.0), (9.0, 1.0)])).unwrap();
    assert_eq!(plan.done, [in_period(1), in_period(0), in_period(1), in_period(0)]);
}

#[test]
fn what_one_more_buys_is_solved_again() {
    let mut two = question([2.0, 2.0], [(5.0, 2.0), (4.0, 2.0), (3.0, 3.0), (2.0, 9.0)]);
    two.pools.push(Pool::of([1.0, 1.0]));
    two.items[0].work.push((1, 1.0));
    let plan = solve(&two).unwrap();
    let more = one_more(&two, &plan, EFFORT);
    let worth = |pool: usize| more[pool].worth.clone().unwrap();
    assert_eq!((worth(0).gain, worth(0).most), (0.0, 0.0), "5 and 4 are done; 3 takes one more than there is");
    assert_eq!((worth(1).gain, worth(1).most), (0.0, 0.0));
    two.items[2].work = vec![(0, 1.0)];
    let plan = solve(&two).unwrap();
    let worth = one_more(&two, &plan, EFFORT).swap_remove(0).worth.unwrap();
    assert_eq!((worth.gain, worth.most, worth.added, worth.dropped), (3.0, 3.0, vec![2], vec![]));
    let nothing = one_more(&two, &plan, Effort { time: Duration::ZERO, ..EFFORT });
    assert!(nothing.iter().all(|more| more.worth.is_none()), "what was not solved is not told");
}

#[test]
fn what_cannot_be_is_named() {
    let refused = |question: &Question| plan(question, EFFORT).unwrap_err();
    let mut cycle = question([9.0], [(1.0, 1.0); 4]);
    (cycle.items[1].after, cycle.items[2].after, cycle.items[3].after) = (vec![3], vec![1], vec![2]);
    assert_eq!(refused(&cycle), PlanError::Cycle(vec![1, 3, 2, 1]));

    let mut must = question([4.0, 4.0], [(1.0, 5.0), (1.0, 3.0), (1.0, 3.0), (1.0, 3.0)]);
    must.items[0].wish = Wish::Must;
    assert_eq!(refused(&must), PlanError::TooLarge { item: 0, pool: 0 });
    must.items[0].work = vec![(0, 1.0)];
    must.items[0].after = vec![1];
    must.items[1].wish = Wish::MustNot;
    assert_eq!(refused(&must), PlanError::NeedsMustNot { item: 0, other: 1 });
    must.items[1].wish = Wish::May;
    must.items[1].within = 1..=1;
    must.items[0].within = 0..=0;
    assert_eq!(refused(&must), PlanError::Dates { item: 0, other: Some(1) });
    must.items[0].within = 0..=1;
    must.items[0].work = vec![(0, 2.0)];
    let (periods, items) = (Periods { first: 1, last: 1 }, vec![0, 1]);
    assert_eq!(refused(&must), PlanError::Capacity { pool: 0, periods, needs: 5.0, has: 4.0, items });
    // In sum there is enough: 9 of 8 is too much, 3 times 2.5 of 4 and 4 is not, but two do not fit into one period.
    let mut lumps = question([4.0, 4.0], [(1.0, 2.5), (1.0, 2.5), (1.0, 2.5), (1.0, 0.1)]);
    lumps.items.iter_mut().for_each(|item| item.wish = Wish::Must);
    assert_eq!(refused(&lumps), PlanError::Together { items: vec![0, 1, 2], pool: Some(0) });
    let late = plan(&lumps, Effort { time: Duration::ZERO, ..EFFORT });
    assert_eq!(late.unwrap_err(), PlanError::Undecided);
    for wrong in [question([-1.0], [(1.0, 1.0)]), question([1.0], [(f64::NAN, 1.0)]), question([1.0], [(1.0, -1.0)])] {
        assert!(matches!(refused(&wrong), PlanError::Malformed(_)));
    }
}

#[test]
fn without_time_the_best_found_is_told_with_its_bound() {
    let mut large = question([7.0; 6], [(1.0, 1.0); 60]);
    for (index, item) in large.items.iter_mut().enumerate() {
        item.work[0].1 = 1.0 + (index * 7 % 11) as f64 / 3.0;
        item.value = Some(1.0 + (index * 5 % 13) as f64);
    }
    let late = plan(&large, Effort { time: Duration::ZERO, nodes: 1_000 }).unwrap();
    keeps_the_rules(&large, &late);
    assert_eq!(late.ended, Ended::Time);
    assert!(late.value > 0.0 && late.bound >= late.value && late.gap() > 0.0);
    let few = Effort { nodes: 3, ..EFFORT };
    let (first, second) = (plan(&large, few).unwrap(), plan(&large, few).unwrap());
    assert_eq!(first, second, "the same question has the same answer");
    assert!(first.value >= late.value);
}

/// An item as it is drawn: value, work, how long it lasts and the ends of its dates, what it waits for and its wish.
type Drawn = (Option<i32>, Vec<(usize, f64)>, (usize, usize, usize), (Vec<usize>, u8));

/// Questions so small that all plans can be looked at.
fn questions() -> impl Strategy<Value = Question> {
    let quarters = |most: u32| (0..=most * 4).prop_map(|quarters| f64::from(quarters) / 4.0);
    let item = (
        prop::option::weighted(0.9, -2_i32..12),
        prop::collection::vec((0_usize..2, quarters(4)), 1..3),
        (1_usize..3, 0_usize..3, 0_usize..3),
        (prop::collection::vec(0_usize..6, 0..2), 0_u8..12),
    );
    let pools = prop::collection::vec((prop::collection::vec(quarters(4), 3), 0_u8..4), 2);
    (pools, prop::collection::vec(item, 1..6)).prop_map(|(pools, items)| {
        let pool = |(capacity, anytime): (Vec<f64>, u8)| Pool { capacity, anytime: f64::from(anytime / 3) };
        let item = |(index, (value, work, (longest, a, b), (after, wish))): (usize, Drawn)| Item {
            value: value.map(f64::from),
            work,
            lasts: 1..=longest,
            within: a.min(b)..=a.max(b),
            wish: match wish {
                0 => Wish::Must,
                1 => Wish::MustNot,
                _ => Wish::May,
            },
            after: after.into_iter().filter(|other| *other < index).collect(),
        };
        let items = items.into_iter().enumerate().map(item).collect();
        Question { periods: 3, pools: pools.into_iter().map(pool).collect(), items }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_plan_is_worth_more(question in questions()) {
        match (best_of_all(&question), solve(&question)) {
            (Some(best), Ok(plan)) => {
                prop_assert_eq!(plan.ended, Ended::Optimal);
                prop_assert!((plan.value - best).abs() < 1e-6, "{} instead of {best}", plan.value);
            }
            (None, Err(error)) => {
                prop_assert!(!matches!(error, PlanError::Undecided | PlanError::Malformed(_) | PlanError::Cycle(_)));
            }
            (best, found) => prop_assert!(false, "{best:?}, but {found:?}"),
        }
    }

    #[test]
    fn more_capacity_is_worth_no_less_and_values_scale(question in questions(), pool in 0_usize..2, period in 0_usize..3) {
        if let Ok(plan) = solve(&question) {
            let mut more = question.clone();
            more.pools[pool].capacity[period] += 0.75;
            prop_assert!(solve(&more).unwrap().value >= plan.value - 1e-6);
            for of in one_more(&question, &plan, EFFORT) {
                let mut more = question.clone();
                more.pools[of.pool].anytime += 1.0;
                let (worth, best) = (of.worth.unwrap(), best_of_all(&more).unwrap());
                prop_assert!((worth.gain - (best - plan.value)).abs() < 1e-6 && worth.most <= worth.gain + 1e-6);
            }
            let mut times = question.clone();
            times.items.iter_mut().for_each(|item| item.value = item.value.map(|value| value * 1e9));
            let scaled = solve(&times).unwrap().value;
            prop_assert!((scaled - plan.value * 1e9).abs() <= 1e-3, "{scaled} of {}", plan.value);
        }
    }
}

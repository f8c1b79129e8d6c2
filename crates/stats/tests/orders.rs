//! How alike orders are and how sure one is: against other programs, closed forms and definitions.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::float_cmp, reason = "they are equal to the bit")]

use std::num::NonZeroUsize;

use proptest::prelude::*;
use waymark_stats::*;

fn near(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual - expected).abs() <= tolerance, "{actual} is not within {tolerance} of {expected}");
}

/// Two rankings, scipy's tau and its rho.
type Ranked = (&'static [i32], &'static [i32], f64, f64);

/// scipy 1.17.1, numpy 2.4.6:
///
/// ```python
/// rng = np.random.default_rng(10)
/// for n, levels, noise in [(5, 3, 1), (12, 4, 2), (12, 100, 40), (30, 6, 3)]:
///     a = rng.integers(0, levels, n)
///     b = a * rng.choice([-1, 1]) + rng.integers(0, noise + 1, n)
///     kendalltau(a, b).statistic, spearmanr(a, b).statistic
/// ```
#[rustfmt::skip]
const RANKED: [Ranked; 4] = [
    (&[2, 2, 0, 0, 2], &[3, 2, 1, 1, 2], 0.866_025_403_784_439, 0.912_870_929_175_277),
    (
        &[0, 1, 2, 1, 3, 0, 1, 2, 3, 0, 3, 0],
        &[2, 0, 0, 1, -1, 2, -1, 0, -1, 0, -1, 2],
        -0.750_138_721_91, -0.811_000_309_927_053,
    ),
    (
        &[31, 13, 38, 90, 78, 22, 49, 85, 64, 30, 11, 96],
        &[-10, 15, -25, -69, -67, 12, -25, -78, -51, -2, 16, -84],
        -0.961_860_086_070_123, -0.991_244_952_698_76,
    ),
    (
        &[0, 0, 1, 4, 5, 2, 3, 2, 1, 3, 0, 2, 0, 1, 1, 0, 2, 4, 3, 4, 5, 0, 4, 0, 2, 0, 0, 2, 2, 2],
        &[1, 2, 1, -3, -2, 0, -2, -2, 2, -3, 1, 1, 3, 2, 2, 3, 0, -1, -1, -1, -5, 1, -1, 2, -1, 2, 1, -1, -2, -1],
        -0.712_596_258_220_633, -0.841_033_990_777_325,
    ),
];

#[test]
fn correlations_of_random_rankings_with_ties_are_those_of_scipy() {
    let doubles = |ranks: &[i32]| ranks.iter().copied().map(f64::from).collect::<Vec<_>>();
    for (a, b, tau, rho) in RANKED {
        near(kendall_tau_b(&doubles(a), &doubles(b)).unwrap(), tau, 1e-14);
        near(spearman_rho(&doubles(a), &doubles(b)).unwrap(), rho, 1e-14);
    }
    // A thousand, made from i = 0 .. 999: a = i * 7919 % 1009 % 97, b = (i * i * 31 + 5 * a) % 53,
    // c = a // 10 + i % 4.
    let a: Vec<i32> = (0..1000).map(|i| i * 7919 % 1009 % 97).collect();
    let b: Vec<i32> = a.iter().zip(0..).map(|(a, i)| (i * i * 31 + 5 * a) % 53).collect();
    let c: Vec<i32> = a.iter().zip(0..).map(|(a, i)| a / 10 + i % 4).collect();
    for (x, y, tau, rho) in [
        (&a, &b, 0.013_221_808_542_649_4, 0.019_511_881_461_670_1),
        (&a, &c, 0.786_785_707_909_642, 0.930_025_793_796_848),
    ] {
        near(kendall_tau_b(&doubles(x), &doubles(y)).unwrap(), tau, 1e-14);
        near(spearman_rho(&doubles(x), &doubles(y)).unwrap(), rho, 1e-14);
    }
}

#[test]
fn what_is_no_order_is_refused() {
    for correlation in [kendall_tau_b, spearman_rho] {
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), Err(StatsError::NoOrder));
        assert_eq!(correlation(&[0.0, -0.0], &[1.0, 2.0]), Err(StatsError::NoOrder));
        assert_eq!(correlation(&[1.0], &[1.0, 2.0]), Err(StatsError::Unpaired { left: 1, right: 2 }));
        assert!(matches!(correlation(&[1.0], &[1.0]), Err(StatsError::TooFew { got: 1, .. })));
        assert!(matches!(correlation(&[1.0, f64::NAN], &[1.0, 2.0]), Err(StatsError::OutOfRange { .. })));
    }
}

#[test]
fn items_are_told_that_orders_disagree_on() {
    let (rice, wsjf, ice) = ([9.0, 5.0, 5.0, 1.0], [1.0, 7.0, 6.0, 2.0], [9.0, 8.0, 7.0, 6.0]);
    let found = disagreements(&[&rice, &wsjf, &ice], 2).unwrap();
    assert_eq!(found[0], Disagreement { item: 0, ranks: vec![1.0, 4.0, 1.0], spread: 3.0 });
    assert_eq!(found[1], Disagreement { item: 1, ranks: vec![2.5, 1.0, 2.0], spread: 1.5 });
    assert_eq!(disagreements(&[&rice, &rice], 9).unwrap(), []);
    assert!(disagreements(&[&rice, &[1.0]], 9).is_err() && disagreements(&[], 9).unwrap().is_empty());
}

fn first(_: usize, inputs: &[&[f64]], scores: &mut [f64]) {
    scores.copy_from_slice(inputs[0]);
}

fn trial(seed: u64, draws: u32, top: usize, threads: usize) -> Trial {
    Trial { seed, draws, top, threads: NonZeroUsize::new(threads).unwrap() }
}

fn normals<const N: usize>(parameters: [(f64, f64); N]) -> Vec<Vec<Spread>> {
    parameters.map(|(mean, deviation)| vec![Spread::normal(mean, deviation).unwrap()]).to_vec()
}

/// The standard normal density and distribution, the latter by Abramowitz and Stegun (1964), 7.1.26.
fn normal(z: f64) -> (f64, f64) {
    let t = 1.0 / (1.0 + 0.327_591_1 * z.abs() / 2.0_f64.sqrt());
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let upper = 0.5 * terms.iter().fold(0.0, |sum, term| (sum + term) * t) * (-z * z / 2.0).exp();
    ((-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt(), if z < 0.0 { upper } else { 1.0 - upper })
}

/// The mean of what a normal number of this deviation is above a bound: the unit normal loss integral (Raiffa and
/// Schlaifer, 1961).
fn loss(distance: f64, deviation: f64) -> f64 {
    let (density, below) = normal(distance / deviation);
    deviation * density - distance * (1.0 - below)
}

#[test]
fn two_normal_items_are_as_the_closed_forms_say() {
    // The difference is normal with mean 1 and deviation 5.
    let items = normals([(11.0, 3.0), (10.0, 4.0)]);
    let sureness = try_order(&items, first, &trial(7, 200_000, 1, 2)).unwrap();
    let (_, better) = normal(0.2);
    near(sureness.items[0].in_top, better, 4.0 * (0.25_f64 / 2e5).sqrt());
    near(sureness.items[1].expected_rank, 1.0 + better, 4.0 * (0.25_f64 / 2e5).sqrt());
    near(sureness.items[1].mean_score.unwrap(), 10.0, 4.0 * 4.0 / 2e5_f64.sqrt());
    assert!(sureness.regret_error < 0.01);
    near(sureness.regret, loss(1.0, 5.0), 4.0 * sureness.regret_error);

    let worth = worth_finding_out(&items, &[Dependence::Linear], first, 1, 7).unwrap();
    let found: Vec<usize> = worth.iter().map(|worth| worth.item).collect();
    assert_eq!(found, [1, 0], "the one that is less known is worth more");
    near(worth[0].worth, loss(1.0, 4.0), 2e-4);
    near(worth[1].worth, loss(1.0, 3.0), 2e-4);
    // The same by draws, as of scores that are no straight lines.
    let drawn = worth_finding_out(&items, &[Dependence::Other], first, 1, 7).unwrap();
    near(drawn[0].worth, loss(1.0, 4.0), 0.05);
    near(drawn[1].worth, loss(1.0, 3.0), 0.05);
}

#[test]
fn of_a_product_each_input_is_worth_what_two_loops_of_draws_say() {
    let range = |low, likely, high| Spread::range(low, likely, high, Shape::Pert, Ends::Bounds).unwrap();
    let items = vec![
        vec![range(100.0, 150.0, 260.0), range(0.5, 1.0, 2.0), range(1.0, 2.0, 4.0)],
        vec![range(90.0, 110.0, 150.0), range(0.5, 1.0, 1.5), range(1.0, 1.5, 2.0)],
        vec![Spread::point(40.0).unwrap(), Spread::point(1.0).unwrap(), Spread::point(1.0).unwrap()],
    ];
    let rice = |_: usize, inputs: &[&[f64]], scores: &mut [f64]| {
        for (draw, score) in scores.iter_mut().enumerate() {
            *score = inputs[0][draw] * inputs[1][draw] / inputs[2][draw];
        }
    };
    let lines = [Dependence::Linear, Dependence::Linear, Dependence::Inverse];
    let closed = worth_finding_out(&items, &lines, rice, 1, 1).unwrap();
    let drawn = worth_finding_out(&items, &[Dependence::Other; 3], rice, 1, 1).unwrap();
    assert_eq!(closed.len(), 6);
    for worth in &closed {
        let other = drawn.iter().find(|other| (other.item, other.input) == (worth.item, worth.input)).unwrap();
        near(other.worth, worth.worth, 0.12 * closed[0].worth);
    }
    assert_eq!(worth_finding_out(&items, &lines, rice, 3, 1).unwrap(), [], "all are chosen in any case");
    assert!(worth_finding_out(&items, &lines[..2], rice, 1, 1).is_err());
}

#[test]
fn scores_that_are_none_are_last_and_counted() {
    let range = Spread::range(-1.0, 0.5, 1.0, Shape::Triangular, Ends::Bounds).unwrap();
    let items = vec![vec![range], vec![Spread::point(-50.0).unwrap()]];
    let root = |_: usize, inputs: &[&[f64]], scores: &mut [f64]| {
        for (score, input) in scores.iter_mut().zip(inputs[0]) {
            *score = if *input == -50.0 { -50.0 } else { input.sqrt() };
        }
    };
    let sureness = try_order(&items, root, &trial(1, 10_000, 1, 1)).unwrap();
    // A triangle from -1 with its peak at 0.5 is negative to a third.
    let undefined = f64::from(sureness.items[0].undefined) / 10_000.0;
    near(undefined, 1.0 / 3.0, 0.02);
    near(sureness.items[1].in_top, undefined, 0.0);
    assert_eq!(sureness.items[1].undefined, 0);
}

#[test]
fn what_is_known_has_one_order() {
    let known = [3.0, 2.0, 2.0, 1.0].map(|score| vec![Spread::point(score).unwrap()]);
    let sureness = try_order(&known, first, &trial(3, 300, 2, 1)).unwrap();
    let ranks: Vec<f64> = sureness.items.iter().map(|standing| standing.expected_rank).collect();
    assert_eq!(ranks, [1.0, 2.0, 3.0, 4.0], "of equal ones the one given first is before");
    assert_eq!((sureness.regret, sureness.regret_error), (0.0, 0.0));
    assert_eq!(sureness.items[2].ranks, Interval { low: 3.0, high: 3.0 });
    assert!(try_order(&[], first, &trial(3, 300, 2, 1)).unwrap().items.is_empty());
    assert!(try_order(&known, first, &trial(3, 0, 2, 1)).is_err());
}

#[test]
fn the_nearest_change_is_found() {
    let scores = [9.0, 7.0, 7.0, 4.0];
    let bounds = Interval { low: 0.0, high: 100.0 };
    let double = |value: f64| 2.0 * value;
    // The second of two that count: past the first it is, behind the third it is at once.
    let second = Neighbours::of(1, &scores, 2);
    assert_eq!(second, Neighbours { above: Some(9.0), below: Some(7.0) });
    near(second.nearest(3.5, bounds, double).unwrap(), 3.5, 1e-12);
    // The last: above the second, at half of that.
    near(Neighbours::of(3, &scores, 2).nearest(2.0, bounds, double).unwrap(), 3.5, 1e-12);
    assert_eq!(Neighbours::of(3, &scores, 2).nearest(2.0, Interval { low: 0.0, high: 3.0 }, double), None);
    assert!(!second.passed(9.0) && second.passed(9.1) && second.passed(6.9));
    // What it is divided by falls to the same end.
    near(Neighbours::of(3, &scores, 2).nearest(2.0, bounds, |effort| 8.0 / effort).unwrap(), 8.0 / 7.0, 1e-12);
    assert_eq!(Neighbours::of(0, &scores, 4).above, None);
    assert_eq!(Neighbours::of(3, &scores, 0), Neighbours { above: None, below: None });
}

fn small() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let number = || (-3..4).prop_map(f64::from);
    prop::collection::vec((number(), number()), 2..40)
}

proptest! {
    #[test]
    fn tau_is_what_its_definition_says(pairs in small()) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let sign = |x: f64, y: f64| if x == y { 0.0 } else { (x - y).signum() };
        let all = || (0..a.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let sum = |x: &[f64], y: &[f64]| all().map(|(i, j)| sign(x[i], x[j]) * sign(y[i], y[j])).sum::<f64>();
        let untied = sum(&a, &a) * sum(&b, &b);
        match kendall_tau_b(&a, &b) {
            Ok(tau) => prop_assert!((tau - sum(&a, &b) / untied.sqrt()).abs() < 1e-12),
            Err(error) => prop_assert_eq!((untied, error), (0.0, StatsError::NoOrder)),
        }
    }

    #[test]
    fn correlations_know_only_the_order(pairs in small()) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for correlation in [kendall_tau_b, spearman_rho] {
            let Ok(one) = correlation(&a, &b) else { continue };
            let risen: Vec<f64> = a.iter().map(|value| value.exp()).collect();
            let turned: Vec<f64> = b.iter().map(|value| -value).collect();
            prop_assert!((correlation(&risen, &b).unwrap() - one).abs() < 1e-12);
            prop_assert!((correlation(&b, &a).unwrap() - one).abs() < 1e-12);
            prop_assert!((correlation(&a, &turned).unwrap() + one).abs() < 1e-12);
            prop_assert!((correlation(&a, &a).unwrap() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn an_answer_depends_on_the_seed_and_not_on_threads(
        seed: u64, draws in 1..1500_u32, top in 0..8_usize, ends in prop::collection::vec((0.0..9.0, 0.0..9.0, 0.0..9.0), 1..12)
    ) {
        let items: Vec<Vec<Spread>> = ends
            .into_iter()
            .map(|(low, more, yet_more)| {
                let range = Spread::range(low, low + more, low + more + yet_more, Shape::Pert, Ends::Tenths).unwrap();
                vec![range, range.within(0.0, 5.0)]
            })
            .collect();
        let product = |_: usize, inputs: &[&[f64]], scores: &mut [f64]| {
            for (draw, score) in scores.iter_mut().enumerate() {
                *score = inputs[0][draw] * inputs[1][draw];
            }
        };
        let run = |seed, threads| try_order(&items, product, &trial(seed, draws, top, threads)).unwrap();
        let one = run(seed, 1);
        prop_assert_eq!(&one, &run(seed, 3));
        prop_assert!(one.regret >= 0.0);
        let chosen: f64 = one.items.iter().map(|standing| standing.in_top).sum();
        let ranks: f64 = one.items.iter().map(|standing| standing.expected_rank).sum();
        let count = items.len();
        prop_assert!((chosen - top.min(count) as f64).abs() < 1e-9);
        prop_assert!((ranks - (count * (count + 1) / 2) as f64).abs() < 1e-6);
        for standing in &one.items {
            prop_assert!(standing.ranks.low <= standing.ranks.high && standing.undefined == 0);
        }
    }

    #[test]
    fn beyond_the_nearest_change_the_order_is_another(
        value in 0.1..10.0f64, factor in 0.1..10.0f64, scores in prop::collection::vec(0.0..100.0f64, 2..9), top in 1..5_usize
    ) {
        let mut scores = scores;
        scores.push(value * factor);
        scores.sort_by(|a, b| b.total_cmp(a));
        let place = scores.iter().position(|score| *score == value * factor).unwrap();
        let neighbours = Neighbours::of(place, &scores, top);
        let bounds = Interval { low: 0.0, high: 200.0 };
        let order = |at: f64| {
            let mut changed: Vec<(f64, usize)> = scores.iter().copied().zip(0..).collect();
            changed[place].0 = at * factor;
            changed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            changed.into_iter().take(top).map(|(_, item)| item).collect::<Vec<_>>()
        };
        if let Some(at) = neighbours.nearest(value, bounds, |at| at * factor) {
            prop_assert_ne!(order(at), order(value));
            prop_assert_eq!(order(value + (at - value) * 0.999_999), order(value));
        } else {
            prop_assert_eq!((order(bounds.low), order(bounds.high)), (order(value), order(value)));
        }
    }
}

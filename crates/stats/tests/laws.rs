//! Laws that hold for any numbers, checked on random ones.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;
use waymark_stats::*;

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(1.0..1000.0f64, 2..60)
}

proptest! {
    #[test]
    fn swapping_the_samples_turns_the_sign(a in values(), b in values()) {
        let (a, b) = (Sample::from_values(&a).unwrap(), Sample::from_values(&b).unwrap());
        let forth = difference(&a, &b, Level::P95).unwrap();
        let back = difference(&b, &a, Level::P95).unwrap();
        prop_assert!((forth.estimate + back.estimate).abs() < 1e-9);
        prop_assert!((forth.p_value - back.p_value).abs() < 1e-9);
        prop_assert!((forth.interval.low + back.interval.high).abs() < 1e-9);
    }

    #[test]
    fn p_below_the_level_exactly_when_the_interval_excludes_zero(a in values(), b in values()) {
        let effect = difference(&Sample::from_values(&a).unwrap(), &Sample::from_values(&b).unwrap(), Level::P95).unwrap();
        prop_assume!((effect.p_value - 0.05).abs() > 1e-6);
        prop_assert_eq!(effect.p_value < 0.05, !effect.interval.contains(0.0));
    }

    #[test]
    fn a_relative_effect_does_not_depend_on_the_unit(a in values(), b in values(), unit in 0.01..100.0f64) {
        let scaled = |values: &[f64]| Sample::from_values(&values.iter().map(|v| v * unit).collect::<Vec<_>>()).unwrap();
        let plain = |values: &[f64]| Sample::from_values(values).unwrap();
        let one = relative_difference(&plain(&a), &plain(&b), Level::new(0.9).unwrap()).unwrap();
        let other = relative_difference(&scaled(&a), &scaled(&b), Level::new(0.9).unwrap()).unwrap();
        prop_assert!((one.estimate - other.estimate).abs() < 1e-7 * one.estimate.abs().max(1.0));
        prop_assert!((one.interval.width() - other.interval.width()).abs() < 1e-6 * one.interval.width().max(1.0));
    }

    #[test]
    fn a_higher_level_gives_a_wider_interval(a in values(), b in values()) {
        let (a, b) = (Sample::from_values(&a).unwrap(), Sample::from_values(&b).unwrap());
        let narrow = difference(&a, &b, Level::new(0.8).unwrap()).unwrap().interval;
        let wide = difference(&a, &b, Level::new(0.99).unwrap()).unwrap().interval;
        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
    }

    #[test]
    fn score_intervals_contain_what_was_observed_and_mirror(a in (1u64..500, 0.0..=1.0f64), b in (1u64..500, 0.0..=1.0f64)) {
        let observed = |(size, share): (u64, f64)| ((size as f64 * share).round() as u64, size);
        let (a, b) = (observed(a), observed(b));
        let share = |(successes, size): (u64, u64)| successes as f64 / size as f64;
        let one = wilson(a.0, a.1, Level::P95).unwrap();
        prop_assert!(0.0 <= one.low && one.low <= share(a) && share(a) <= one.high && one.high <= 1.0 && one.low < one.high);
        let forth = proportion_difference(a, b, Level::P95).unwrap();
        let back = proportion_difference(b, a, Level::P95).unwrap();
        prop_assert!(forth.low <= share(b) - share(a) && share(b) - share(a) <= forth.high);
        prop_assert!(-1.0 - 1e-9 <= forth.low && forth.high <= 1.0 + 1e-9);
        prop_assert!((forth.low + back.high).abs() < 1e-9);
    }

    #[test]
    fn exact_tests_add_up_all_tables_that_are_further(a in (1u64..30, 0.0..=1.0f64), b in (1u64..30, 0.0..=1.0f64)) {
        let observed = |(size, share): (u64, f64)| ((size as f64 * share).round() as u64, size);
        let (a, b) = (observed(a), observed(b));
        let choose = |size: u64, some: u64| (0..some).fold(1.0, |ways, i| ways * (size - i) as f64 / (i + 1) as f64);
        let all = a.0 + b.0;
        let tables = all.saturating_sub(a.1)..=all.min(b.1);
        let chance = |successes: u64| choose(b.1, successes) * choose(a.1, all - successes) / choose(a.1 + b.1, all);
        let less: f64 = tables.clone().filter(|successes| *successes <= b.0).map(chance).sum();
        let more: f64 = tables.filter(|successes| *successes >= b.0).map(chance).sum();
        let p = fisher_exact(a, b).unwrap();
        prop_assert!((p - (2.0 * less.min(more)).min(1.0)).abs() < 1e-9, "{} instead of {} or {}", p, less, more);
        prop_assert!((p - fisher_exact(b, a).unwrap()).abs() < 1e-9);
    }

    #[test]
    fn adjusted_p_values_find_what_stepping_up_finds(
        p_values in prop::collection::vec(prop_oneof![0.0..=1.0f64, 0.0..0.01f64, Just(0.004)], 0..40),
        rate in 0.001..0.5f64,
    ) {
        let adjusted = benjamini_hochberg(&p_values).unwrap();
        // The procedure as published: the largest k such that the k-th smallest is at most k · rate / m; it and all
        // smaller are found.
        let mut sorted = p_values.clone();
        sorted.sort_by(f64::total_cmp);
        let bound = |below: usize| (below + 1) as f64 * rate / sorted.len() as f64;
        let last = sorted.iter().enumerate().rev().find(|(below, p)| **p <= bound(*below)).map(|(_, p)| *p);
        for (p, q) in p_values.iter().zip(&adjusted) {
            prop_assert_eq!(*q <= rate, last.is_some_and(|last| *p <= last));
            prop_assert!(p <= q && *q <= 1.0);
            prop_assert!(p_values.iter().zip(&adjusted).all(|(other_p, other_q)| other_p > p || other_q <= q), "the order changed");
        }
    }

    #[test]
    fn pre_post_is_never_surer_than_independent_days(pre in values(), post in values()) {
        let change = pre_post(&pre, &post, Level::P95).unwrap();
        let free = difference(&Sample::from_values(&pre).unwrap(), &Sample::from_values(&post).unwrap(), Level::P95).unwrap();
        prop_assert!(change.absolute.standard_error >= free.standard_error * (1.0 - 1e-9));
        prop_assert!(change.pre_effective_size <= pre.len() as f64 && change.pre_effective_size >= 2.0);
    }
}

//! Worked examples with published or independently computed answers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use waymark_stats::*;

fn near(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual - expected).abs() <= tolerance, "{actual} is not within {tolerance} of {expected}");
}

/// An odd number of values with this sum and this sum of squares: the mean, and the others as far below as above it.
fn sample(size: usize, sum: f64, sum_of_squares: f64) -> Sample {
    let mean = sum / size as f64;
    let away = ((sum_of_squares - sum * mean) / (size - 1) as f64).sqrt();
    let values: Vec<f64> =
        (0..size).map(|i| if i == 0 { mean } else { mean + away * (-1.0_f64).powi(i as i32) }).collect();
    Sample::from_values(&values).unwrap()
}

#[test]
fn relative_effect_of_revenue_per_user() {
    let control = sample(3407, 1396.87, 52377.9767);
    let treatment = sample(3461, 2422.7, 134_698.29);
    let effect = relative_difference(&control, &treatment, Level::P95).unwrap();
    near(effect.estimate, 0.70732, 5e-6);
    near(effect.interval.low, -0.03526, 5e-6);
    near(effect.interval.high, 1.44989, 5e-6);
    near(effect.p_value, 0.06191, 5e-6);
}

#[test]
fn welch_on_two_small_samples() {
    // R: t.test(c(3,4,1,2.1), c(490.2,340,433.9)) gives t = -9.5590, df = 2.0004, p = 0.01075.
    let a = Sample::from_values(&[3.0, 4.0, 1.0, 2.1]).unwrap();
    let b = Sample::from_values(&[490.2, 340.0, 433.9]).unwrap();
    let effect = difference(&b, &a, Level::P95).unwrap();
    near(effect.estimate / effect.standard_error, -9.559, 5e-4);
    near(effect.degrees_of_freedom, 2.0004, 1e-3);
    near(effect.p_value, 0.01075, 5e-6);
}

#[test]
fn quantiles_of_tables() {
    near(normal_quantile(Level::P95), 1.959_964, 1e-6);
    near(t_quantile(Level::P95, 10.0).unwrap(), 2.228_139, 1e-6);
    near(t_quantile(Level::new(0.99).unwrap(), 5.0).unwrap(), 4.032_143, 1e-6);
}

#[test]
fn score_intervals_of_single_proportions() {
    // Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3.
    for (successes, size, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let interval = wilson(successes, size, Level::P95).unwrap();
        near(interval.low, low, 5e-5);
        near(interval.high, high, 5e-5);
    }
    assert!(wilson(0, 0, Level::P95).is_err() && wilson(2, 1, Level::P95).is_err());
}

#[test]
fn hybrid_score_intervals_of_differences() {
    // Newcombe (1998), Interval estimation for the difference between independent proportions, table II, method 10.
    for (treatment, control, low, high) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ] {
        let interval = proportion_difference(control, treatment, Level::P95).unwrap();
        near(interval.low, low, 5e-5);
        near(interval.high, high, 5e-5);
    }
    assert!(proportion_difference((0, 0), (1, 2), Level::P95).is_err());
}

#[test]
fn exact_tests_of_two_proportions() {
    // Fisher (1935), convicts among criminals' dizygotic and monozygotic twins: one tail is 619 / 1330665. And his lady
    // tasting tea: 17 / 70.
    near(fisher_exact((10, 13), (2, 17)).unwrap(), 2.0 * 619.0 / 1_330_665.0, 1e-12);
    near(fisher_exact((1, 4), (3, 4)).unwrap(), 2.0 * 17.0 / 70.0, 1e-12);
    near(fisher_exact((5, 10), (5, 10)).unwrap(), 1.0, 0.0);
    // Millions of users are no matter: the odds are those of the normal curve, 2 Q(2) with a correction for steps of
    // one.
    near(fisher_exact((2_500_000, 5_000_000), (2_503_162, 5_000_000)).unwrap(), 0.0455, 1e-3);
    assert!(fisher_exact((0, 0), (1, 2)).is_err() && fisher_exact((1, 2), (3, 2)).is_err());
}

/// Benjamini and Hochberg (1995), section 4.1: the comparisons of two treatments of infarction, by Neuhaus et al.
/// (1992).
const INFARCTION: [f64; 15] = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
];

#[test]
fn four_of_fifteen_comparisons_are_findings() {
    let adjusted = benjamini_hochberg(&INFARCTION).unwrap();
    // The published answer: the first four, where Bonferroni's bound leaves three and none would leave nine.
    assert_eq!(adjusted.iter().filter(|q| **q <= 0.05).count(), 4);
    // The values of R's p.adjust(…, "BH"). The sixth alone would be 0.0695, more than the seventh.
    let expected = [0.0015, 0.003, 0.0095, 0.035_625, 0.0603, 0.063_857, 0.063_857, 0.0645, 0.0765, 0.486, 0.581_182];
    for (adjusted, expected) in adjusted.iter().zip(expected) {
        near(*adjusted, expected, 1e-6);
    }
    assert!(benjamini_hochberg(&[]).unwrap().is_empty());
    assert!(benjamini_hochberg(&[0.5, f64::NAN]).is_err() && benjamini_hochberg(&[1.1]).is_err());
}

#[test]
fn intervals_of_the_selected_are_wider() {
    // The level at which the four findings above have intervals: 1 - 4 · 0.05 / 15.
    near(selected_level(Level::P95, 4, 15).unwrap().get(), 0.986_667, 1e-6);
    near(selected_level(Level::new(0.9).unwrap(), 7, 7).unwrap().get(), 0.9, 1e-12);
    assert!(selected_level(Level::P95, 0, 5).is_err() && selected_level(Level::P95, 6, 5).is_err());
}

#[test]
fn pre_post_sees_a_planted_lift() {
    let weekly = |level: f64, days: usize| -> Vec<f64> {
        (0..days).map(|day| level + [0.0, 3.0, -2.0, 1.0, -1.0, 2.0, -3.0][day % 7]).collect()
    };
    let change = pre_post(&weekly(100.0, 28), &weekly(120.0, 28), Level::P95).unwrap();
    let relative = change.relative.unwrap();
    near(change.absolute.estimate, 20.0, 1e-9);
    near(relative.estimate, 0.2, 1e-9);
    assert!(relative.interval.low > 0.15 && relative.interval.high < 0.25, "{relative:?}");
    assert!(change.absolute.p_value < 1e-6);
}

#[test]
fn pre_post_widens_for_sticky_days() {
    let alternating: Vec<f64> = (0..40).map(|day| if day % 2 == 0 { 90.0 } else { 110.0 }).collect();
    let sticky: Vec<f64> = (0..40).map(|day| if (day / 10) % 2 == 0 { 90.0 } else { 110.0 }).collect();
    let free = pre_post(&alternating, &alternating, Level::P95).unwrap();
    let bound = pre_post(&sticky, &sticky, Level::P95).unwrap();
    near(free.autocorrelation, 0.0, 0.0);
    assert!(bound.autocorrelation > 0.7, "{bound:?}");
    assert!(bound.absolute.interval.width() > 2.0 * free.absolute.interval.width());
}

#[test]
fn pre_post_without_a_baseline_has_no_relative_change() {
    let change = pre_post(&[0.0; 7], &[1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 2.0], Level::P95).unwrap();
    assert_eq!(change.relative, None);
    near(change.absolute.estimate, 2.0, 1e-12);
}

#[test]
fn refusals_name_the_reason() {
    assert!(matches!(Sample::from_values(&[1.0]), Err(StatsError::TooFew { needed: 2, got: 1, .. })));
    assert!(matches!(Sample::from_values(&[1.0, f64::NAN]), Err(StatsError::OutOfRange { .. })));
    assert!(matches!(Level::new(95.0), Err(StatsError::OutOfRange { .. })));
    assert!(matches!(
        pre_post(&[1.0], &[1.0, 2.0], Level::P95),
        Err(StatsError::TooFew { what: "the days before", .. })
    ));
    assert!(matches!(t_interval(1.0, -1.0, 5.0, Level::P95), Err(StatsError::OutOfRange { .. })));
}

//! Exact sums against integers of any size.

#![expect(clippy::float_cmp, reason = "they are equal to the bit")]

use num_bigint::BigInt;
use proptest::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;
use waymark_stats::{ExactSum, mean};

/// A finite double as a multiple of the smallest one.
fn units(number: f64) -> BigInt {
    let bits = number.abs().to_bits();
    let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
    let size = if exponent == 0 { BigInt::from(fraction) } else { BigInt::from(fraction | 1 << 52) << (exponent - 1) };
    if number < 0.0 { -size } else { size }
}

/// Whether no double is nearer to `sum`, and of two as near this one is even.
fn is_nearest(number: f64, sum: &BigInt) -> bool {
    // The largest double is followed by what would be the next one if there were more exponents.
    let beyond = units(f64::MAX) + (units(f64::MAX) - units(f64::MAX.next_down()));
    let exact = |number: f64| match number {
        f64::INFINITY => beyond.clone(),
        f64::NEG_INFINITY => -beyond.clone(),
        finite => units(finite),
    };
    let distance = |number: f64| {
        let difference = exact(number) - sum;
        if difference < BigInt::from(0) { -difference } else { difference }
    };
    let even = number.to_bits().is_multiple_of(2);
    [number.next_up(), number.next_down()].into_iter().filter(|other| *other != number && !other.is_nan()).all(
        |other| {
            let (here, there) = (distance(number), distance(other));
            here < there || (here == there && even) || number.is_infinite()
        },
    ) && (number.is_finite() || sum * exact(number) >= exact(number) * exact(f64::MAX.copysign(number)))
}

fn sum(numbers: &[f64]) -> f64 {
    numbers.iter().copied().collect::<ExactSum>().value()
}

/// Doubles of all sizes, and of sizes that are near each other.
fn doubles() -> impl Strategy<Value = Vec<f64>> {
    let any = NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE;
    let near = (-1e3..1e3_f64).prop_map(|number| (number * 100.0).round() / 100.0);
    let large = (-1.0..1.0_f64).prop_map(|share| share * f64::MAX);
    prop_oneof![
        prop::collection::vec(any, 0..40),
        prop::collection::vec(near, 0..2_000),
        prop::collection::vec(large, 0..40),
    ]
}

proptest! {
    #[test]
    fn a_sum_is_rounded_once(numbers in doubles()) {
        let exact: BigInt = numbers.iter().map(|number| units(*number)).sum();
        let sum = sum(&numbers);
        prop_assert!(is_nearest(sum, &exact), "{} of {:?}", sum, numbers);
    }

    #[test]
    fn order_and_parts_do_not_matter(
        (numbers, shuffled) in doubles().prop_flat_map(|numbers| (Just(numbers.clone()), Just(numbers).prop_shuffle())),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(numbers.len() + 1)).collect();
        cuts.extend([0, numbers.len()]);
        cuts.sort_unstable();
        let mut merged = ExactSum::default();
        for ends in cuts.windows(2) {
            merged.merge(shuffled[ends[0]..ends[1]].iter().copied().collect());
        }
        prop_assert_eq!(merged.value().to_bits(), sum(&numbers).to_bits());
    }

    #[test]
    fn what_is_not_finite_stays(mut numbers in doubles(), infinite in prop::collection::vec(INFINITE | POSITIVE | NEGATIVE, 1..4)) {
        numbers.extend(&infinite);
        let plain: f64 = infinite.iter().sum();
        let expected = if plain.is_nan() { f64::NAN } else { plain };
        prop_assert_eq!(sum(&numbers).to_bits(), expected.to_bits());
    }

    #[test]
    fn the_mean_of_equal_numbers_is_that_number(number in -1e12..1e12_f64, count in 1..500_usize) {
        prop_assert_eq!(mean(&vec![number; count]), number);
    }
}

#[test]
fn worked_examples() {
    assert_eq!(sum(&[0.1; 10]), 1.0);
    assert_eq!(sum(&[]).to_bits(), 0.0_f64.to_bits());
    assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308);
    assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
    assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
    assert_eq!(sum(&[5e-324; 3]), 1.5e-323);
    // Half of the last bit rounds to even, a trace more does not.
    assert_eq!(sum(&[1.0, f64::EPSILON / 2.0]), 1.0);
    assert_eq!(sum(&[1.0, f64::EPSILON / 2.0, 5e-324]), 1.0 + f64::EPSILON);
    assert!(sum(&[f64::NAN, 1.0]).is_nan() && mean(&[]).is_nan());
}

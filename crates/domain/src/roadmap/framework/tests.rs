//! Published scores, and what holds for all frameworks.

use proptest::prelude::*;

use super::*;

fn near(framework: Framework, values: &[f64], expected: f64) {
    let score = framework.score(values).unwrap();
    assert!((score - expected).abs() < 0.005, "{framework:?} of {values:?} is {score}, not {expected}");
}

#[test]
fn published_scores() {
    near(Framework::Rice, &[5000.0, 2.0, 0.8, 2.0], 4000.0);
    near(Framework::Rice, &[8000.0, 0.5, 1.0, 3.0], 1333.33);
    near(Framework::Ice, &[8.0, 5.0, 4.0], 160.0);
    near(Framework::IceMean, &[8.0, 5.0, 4.0], 5.67);
    near(Framework::Wsjf, &[8.0, 4.0, 3.0, 5.0], 3.0);
    near(Framework::Cd3, &[10.0, 2.0], 5.0);
    near(Framework::Cd3, &[30.0, 4.0], 7.5);
    near(Framework::ValueEffort, &[6.0, 4.0], 1.5);
    // Ulwick, "Turn Customer Input into Innovation" (2002): to keep a blockage from coming back.
    near(Framework::Opportunity, &[9.5, 3.2], 15.8);
    near(Framework::Opportunity, &[6.0, 9.0], 6.0);
}

#[test]
fn categories_are_in_their_order() {
    let of = |framework: Framework, words: &[&str]| -> Vec<f64> {
        let scale = framework.inputs()[0].scale();
        words.iter().map(|word| framework.score(&[scale.value(word).unwrap()]).unwrap()).collect()
    };
    let falls = |scores: Vec<f64>| scores.is_sorted_by(|a, b| a > b);
    assert!(falls(of(Framework::Moscow, &["must", "should", "could", "won't"])));
    assert!(falls(of(Framework::Kano, &["must-be", "one-dimensional", "attractive", "indifferent", "reverse"])));
    assert_eq!(Framework::Kano.inputs()[0].scale().value("questionable"), None);
}

#[test]
fn scores_have_twelve_digits() {
    // Equal by the formula; by the order of its steps they differ in the last digit.
    for (framework, one, other) in [
        (Framework::Rice, [100.0, 0.5, 0.7, 0.5].as_slice(), [700.0, 0.5, 0.7, 3.5].as_slice()),
        (Framework::IceMean, &[1.1, 2.2, 3.3], &[3.3, 2.2, 1.1]),
        (Framework::Wsjf, &[0.1, 0.2, 0.3, 0.3], &[0.3, 0.2, 0.1, 0.3]),
    ] {
        assert_eq!(framework.score(one), framework.score(other));
    }
    assert_eq!((Framework::Rice.score(&[1.0]), Framework::Kano.score(&[1.0, 2.0])), (None, None));
}

#[test]
fn every_input_has_its_scale_and_key() {
    let inputs = || Framework::ALL.iter().flat_map(|framework| framework.inputs());
    for input in inputs() {
        let (least, most) = input.scale().bounds();
        assert!(least < most, "{}", input.key);
        let alike: Vec<&Input> = inputs().filter(|other| other.key == input.key).collect();
        assert!(alike.iter().all(|other| other.scale() == input.scale()), "{} has one scale", input.key);
        assert_eq!(Input::all().filter(|other| other.key == input.key).count(), 1, "{}", input.key);
        assert!(Input::of(input.key).is_some_and(|found| found.raises == input.raises));
    }
}

/// A framework, and two numbers on its scale for each input.
fn scored() -> impl Strategy<Value = (Framework, Vec<f64>, Vec<f64>)> {
    scored_by(Framework::ALL)
}

fn scored_by(frameworks: &'static [Framework]) -> impl Strategy<Value = (Framework, Vec<f64>, Vec<f64>)> {
    prop::sample::select(frameworks).prop_flat_map(|framework| {
        let value = |input: &Input| {
            let (least, most) = input.scale().bounds();
            (1e-6..1.0f64).prop_map(move |share| least + share * (most.min(1e4) - least)).boxed()
        };
        let values: Vec<_> = framework.inputs().iter().map(value).collect();
        (Just(framework), values.clone(), values)
    })
}

proptest! {
    #[test]
    fn each_input_goes_its_way((framework, values, others) in scored()) {
        let score = framework.score(&values).unwrap();
        for (index, input) in framework.inputs().iter().enumerate() {
            let mut changed = values.clone();
            changed[index] = others[index];
            let other = framework.score(&changed).unwrap();
            let (more, up) = (changed[index] >= values[index], other >= score);
            prop_assert!([score].contains(&other) || (more == up) == input.raises, "{} {values:?} {changed:?}", input.key);
        }
    }

    #[test]
    fn ends_are_the_least_and_the_most((framework, values, others) in scored(), choice in any::<u8>()) {
        let ranges: Vec<Range> = values.iter().zip(&others)
            .map(|(a, b)| Range::new(a.min(*b), *a, a.max(*b)).unwrap())
            .collect();
        let range = framework.score_of_ranges(&ranges).unwrap();
        let any: Vec<f64> = values.iter().zip(&others).enumerate()
            .map(|(index, (a, b))| if choice >> index & 1 == 0 { *a } else { *b })
            .collect();
        let score = framework.score(&any).unwrap();
        prop_assert!(range.low() <= score && score <= range.high());
        prop_assert_eq!(Some(range.likely()), framework.score(&values));
    }

    #[test]
    fn straight_inputs_are_straight((framework, values, others) in scored()) {
        for (index, input) in framework.inputs().iter().enumerate().filter(|(_, input)| input.straight) {
            let way = |value: f64| if input.raises { value } else { 1.0 / value };
            let middle = way(f64::midpoint(way(values[index]), way(others[index])));
            let at = |value: f64| {
                let mut changed = values.clone();
                changed[index] = value;
                framework.score(&changed).unwrap()
            };
            let (score, mean) = (at(middle), f64::midpoint(at(values[index]), at(others[index])));
            prop_assert!((score - mean).abs() <= 1e-9 * mean.abs().max(1e-9), "{}: {score} {mean}", input.key);
        }
    }

    #[test]
    fn columns_say_what_single_scores_do((framework, values, others) in scored()) {
        let columns: Vec<[f64; 2]> = values.iter().zip(&others).map(|(a, b)| [*a, *b]).collect();
        let columns: Vec<&[f64]> = columns.iter().map(<[f64; 2]>::as_slice).collect();
        let mut scores = [0.0; 2];
        framework.score_columns(&columns, &mut scores);
        prop_assert_eq!(scores.map(|score| Some(rounded(score))), [framework.score(&values), framework.score(&others)]);
    }

    #[test]
    fn units_do_not_change_the_order_of_products(
        (framework, values, others) in scored_by(&[Framework::Rice, Framework::Cd3, Framework::ValueEffort]),
        unit in 0.1..10.0f64,
    ) {
        // In another unit of the first input, all scores are as many times as high.
        let turned = |values: &[f64]| {
            let mut turned = values.to_vec();
            turned[0] *= unit;
            framework.score(&turned).unwrap()
        };
        let (one, other) = (framework.score(&values).unwrap(), framework.score(&others).unwrap());
        prop_assume!((one - other).abs() > 1e-9 * one.abs());
        prop_assert_eq!(one < other, turned(&values) < turned(&others));
    }
}

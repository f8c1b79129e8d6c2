//! What a team's own scores come to, and which ways to score are refused.

use proptest::prelude::*;

use super::*;

fn criterion(key: &str, weight: f64, normalisation: Normalisation) -> Criterion {
    let (key, scale) = (key.to_owned(), Scale::from_to(-1e9, 1e9));
    Criterion { key, question: String::new(), factor: None, scale, weight, normalisation }
}

fn plain(key: &str, weight: f64) -> Criterion {
    criterion(key, weight, Normalisation::None)
}

fn all<const N: usize>(values: [f64; N]) -> [Option<f64>; N] {
    values.map(Some)
}

fn scores(scoring: &Scoring, items: &[Vec<Option<f64>>]) -> Vec<Result<f64, ScoringError>> {
    let extents = scoring.extents(items.iter().map(Vec::as_slice));
    items.iter().map(|item| scoring.score(item, &extents)).collect()
}

fn refusal(result: Result<Scoring, Violations>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn weights_add_up_and_may_be_negative() {
    let criteria = vec![plain("value", 3.0), plain("risk", -1.0)];
    let sum = Scoring::weighted(criteria.clone(), Weighing::Sum).unwrap();
    assert_eq!(sum.score(&all([4.0, 2.0]), &[]), Ok(10.0));
    let mean = Scoring::weighted(criteria, Weighing::Mean).unwrap();
    assert_eq!(mean.score(&all([4.0, 2.0]), &[]), Ok(5.0));
}

#[test]
fn a_mean_needs_weights_that_do_not_cancel() {
    let of = |first, second, weighing| Scoring::weighted(vec![plain("a", first), plain("b", second)], weighing);
    assert_eq!(
        refusal(of(1.0, -1.0, Weighing::Mean)),
        "criteria: must have weights whose sum is above 0, as a mean divides by it; their sum is 0"
    );
    assert!(of(1.0, -2.0, Weighing::Mean).is_err(), "by a sum below zero the best would be last");
    assert!(of(1.0, -1.0, Weighing::Sum).is_ok());
    assert!(of(f64::NAN, 1.0, Weighing::Sum).is_err());
}

#[test]
fn numbers_are_made_comparable() {
    let of = |normalisation, values: &[f64]| {
        let scoring = Scoring::weighted(vec![criterion("a", 1.0, normalisation)], Weighing::Sum).unwrap();
        let items: Vec<Vec<Option<f64>>> = values.iter().map(|value| vec![Some(*value)]).collect();
        scores(&scoring, &items).into_iter().map(Result::unwrap).collect::<Vec<f64>>()
    };
    assert_eq!(of(Normalisation::MinMax, &[10.0, 30.0, 20.0]), [0.0, 1.0, 0.5]);
    assert_eq!(of(Normalisation::MinMax, &[7.0, 7.0]), [0.5, 0.5]);
    assert_eq!(of(Normalisation::ShareOfMost, &[10.0, 40.0, -4.0]), [0.25, 1.0, -0.1]);
    assert_eq!(of(Normalisation::Lookup(vec![1.0, 3.0, 8.0]), &[1.0, 3.0, 2.5, 9.0, 0.0]), [1.0, 8.0, 5.5, 8.0, 1.0]);
    assert_eq!(of(Normalisation::Money(200.0), &[50.0, 500.0, -5.0]), [0.25, 1.0, 0.0]);
}

#[test]
fn what_is_wrong_with_one_item_is_its_own() {
    let scoring = Scoring::by_formula(vec![plain("value", 0.0), plain("effort", 0.0)], "value / effort").unwrap();
    let items = [vec![Some(6.0), Some(2.0)], vec![Some(6.0), Some(0.0)], vec![None, None], vec![Some(1.0), Some(1.0)]];
    let [right, zero, missing, other] = scores(&scoring, &items).try_into().unwrap();
    assert_eq!((right, other), (Ok(3.0), Ok(1.0)));
    assert_eq!(zero.unwrap_err().to_string(), "at character 7: division by zero");
    assert_eq!(missing.unwrap_err().to_string(), "lacks value, effort");

    let share = Scoring::weighted(vec![criterion("a", 1.0, Normalisation::ShareOfMost)], Weighing::Sum).unwrap();
    let [nothing] = scores(&share, &[vec![Some(0.0)]]).try_into().unwrap();
    assert_eq!(nothing.unwrap_err().to_string(), "a has no share of the most, as the most is not above 0");
    let huge = Scoring::weighted(vec![plain("a", 1e308), plain("b", 1e308)], Weighing::Sum).unwrap();
    assert_eq!(huge.score(&all([10.0, 10.0]), &[]), Err(ScoringError::NotFinite));
}

#[test]
fn a_way_to_score_is_checked_as_a_whole() {
    let criteria = vec![plain("a", 1.0), plain("a", 1.0), plain("max", 1.0), plain("b c", f64::INFINITY)];
    let wrong = refusal(Scoring::by_formula(criteria, "a + d"));
    for part in [
        "criteria[1].key: must not be another criterion's: a",
        "criteria[2].key: must be a letter or _",
        "criteria[3].key: must be a letter or _",
        "criteria[3].weight: must be a finite number",
        "formula: at character 5: \"d\" is no criterion: expected one of a, a, max, b c",
    ] {
        assert!(wrong.contains(part), "{wrong}");
    }
    assert_eq!(refusal(Scoring::weighted(Vec::new(), Weighing::Sum)), "criteria: must have at least one");
    for normalisation in [
        Normalisation::Lookup(vec![1.0]),
        Normalisation::Lookup(vec![1.0, f64::NAN]),
        Normalisation::Money(0.0),
        Normalisation::Money(f64::INFINITY),
    ] {
        assert!(Scoring::weighted(vec![criterion("a", 1.0, normalisation)], Weighing::Sum).is_err());
    }
}

fn ways() -> impl Strategy<Value = Scoring> {
    let normalisation = prop_oneof![
        Just(Normalisation::None),
        Just(Normalisation::MinMax),
        Just(Normalisation::ShareOfMost),
        Just(Normalisation::Lookup(vec![1.0, 2.0, 4.0, 8.0])),
        Just(Normalisation::Money(5.0)),
    ];
    let weighing = prop_oneof![Just(Weighing::Sum), Just(Weighing::Mean)];
    (prop::array::uniform3((0.1..9.0f64, normalisation)), weighing).prop_map(|(criteria, weighing)| {
        let keys = ["a", "b", "c"].into_iter();
        let criteria = keys.zip(criteria).map(|(key, (weight, normalisation))| criterion(key, weight, normalisation));
        Scoring::weighted(criteria.collect(), weighing).unwrap()
    })
}

fn items() -> impl Strategy<Value = Vec<Vec<Option<f64>>>> {
    prop::collection::vec(prop::collection::vec((0.1..9.0f64).prop_map(Some), 3), 1..8)
}

proptest! {
    #[test]
    fn a_score_does_not_depend_on_the_order_of_items(scoring in ways(), items in items()) {
        let mut turned = items.clone();
        turned.reverse();
        let mut again = scores(&scoring, &turned);
        again.reverse();
        prop_assert_eq!(scores(&scoring, &items), again);
    }

    #[test]
    fn more_of_a_good_thing_is_no_worse(scoring in ways(), items in items(), index in 0..3_usize, more in 0.0..5.0f64) {
        // Among the same others: what is compared with stays the same.
        let extents = scoring.extents(items.iter().map(Vec::as_slice));
        let mut better = items[0].clone();
        better[index] = better[index].map(|value| value + more);
        prop_assert!(scoring.score(&better, &extents).unwrap() >= scoring.score(&items[0], &extents).unwrap());
    }

    #[test]
    fn units_do_not_matter_to_what_is_relative(items in items(), unit in 0.01..100.0f64, share: bool) {
        let normalisation = if share { Normalisation::ShareOfMost } else { Normalisation::MinMax };
        let criteria = ["a", "b", "c"].map(|key| criterion(key, 1.0, normalisation.clone())).to_vec();
        let scoring = Scoring::weighted(criteria, Weighing::Mean).unwrap();
        let scaled: Vec<Vec<Option<f64>>> =
            items.iter().map(|item| vec![item[0].map(|value| value * unit), item[1], item[2]]).collect();
        for (one, other) in scores(&scoring, &items).into_iter().zip(scores(&scoring, &scaled)) {
            prop_assert!((one.unwrap() - other.unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn columns_say_what_single_scores_do(scoring in ways(), items in items()) {
        let extents = scoring.extents(items.iter().map(Vec::as_slice));
        let columns: Vec<Vec<f64>> = (0..3).map(|index| items.iter().map(|item| item[index].unwrap()).collect()).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut results = vec![0.0; items.len()];
        scoring.score_columns(&columns, &extents, &mut results);
        for (item, result) in items.iter().zip(results) {
            prop_assert_eq!(scoring.score(item, &extents), Ok(rounded(result)));
        }
    }
}

#[test]
fn a_number_that_is_not_on_the_scale_has_no_score() {
    let fit = Criterion { scale: Scale::from_to(0.0, 10.0), ..plain("fit", 1.0) };
    let scoring = Scoring::weighted(vec![fit], Weighing::Sum).unwrap();
    let off = scoring.score(&all([12.0]), &[]).unwrap_err();
    assert_eq!(off.to_string(), "fit must be from 0 to 10, got 12");
}

#[test]
fn ends_of_a_score_are_where_each_criterion_goes_against_it_or_for_it() {
    let ranges = [Range::new(1.0, 2.0, 4.0).unwrap(), Range::new(1.0, 3.0, 5.0).unwrap()];
    let of = |scoring: &Scoring| {
        scoring.score_of_ranges(&ranges, &[]).map(|score| (score.low(), score.likely(), score.high()))
    };
    let weighted = Scoring::weighted(vec![plain("value", 2.0), plain("risk", -1.0)], Weighing::Sum).unwrap();
    assert_eq!(of(&weighted), Ok((-3.0, 1.0, 7.0)));
    let criteria = || vec![plain("value", 1.0), plain("effort", 1.0)];
    let ratio = Scoring::by_formula(criteria(), "value / effort").unwrap();
    assert_eq!(of(&ratio), Ok((0.2, 0.666_666_666_667, 4.0)));
    let bent = Scoring::by_formula(criteria(), "1 / (effort - 1) + value").unwrap();
    assert_eq!(of(&bent), Ok((1.25, 2.5, 4.5)), "where an end has no score the likely one stands for it");
}

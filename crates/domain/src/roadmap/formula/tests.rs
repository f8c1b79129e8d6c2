//! What formulas say, and what is wrong with those that say nothing.

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 4] = ["nY1", "nY2", "nX1", "nX2"];

fn value(text: &str) -> f64 {
    Formula::parse(text, &[]).unwrap().evaluate(&[]).unwrap()
}

fn near(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
}

fn refusal(text: &str) -> String {
    Formula::parse(text, &["value", "effort"]).unwrap_err().to_string()
}

#[test]
fn airfocus_example() {
    // airfocus, Help center, "Custom prioritization formula": value (Y) against cost (X), normalised.
    let text = "Score=(nY1*.7+nY2*.3)*.6+(1-(nX1*.8+nX2*.2))*.4";
    let formula = Formula::parse(text, &KEYS).unwrap();
    near(formula.evaluate(&[0.5, 1.0, 0.5, 0.0]).unwrap(), 0.63);
    assert_eq!(formula.to_string(), "(nY1 * 0.7 + nY2 * 0.3) * 0.6 + (1 - (nX1 * 0.8 + nX2 * 0.2)) * 0.4");
}

#[test]
fn what_binds_stronger_is_done_first() {
    for (text, expected) in [
        ("2 + 3 * 4", 14.0),
        ("10 - 4 - 3", 3.0),
        ("16 / 4 / 2", 2.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("2 ^ -1 * 4", 2.0),
        ("2 * -3", -6.0),
        ("--3", 3.0),
        ("6 ÷ 2 × 3 − 1 · 2", 7.0),
        ("min(3, 1, 2) + max(1, 5)", 6.0),
        ("sqrt(16) + abs(-2) + log(1)", 6.0),
        ("1e3 + 2.5E-1 + .5", 1000.75),
    ] {
        near(value(text), expected);
    }
    near(value("log(10)"), std::f64::consts::LN_10);
}

#[test]
fn an_error_says_where_and_what_belongs_there() {
    for (text, expected) in [
        ("", "at character 1: expected a number, a criterion, a function or \"(\", got the end"),
        ("value * ", "at character 9: expected a number, a criterion, a function or \"(\", got the end"),
        ("value effort", "at character 7: expected an operator (+ - * / ^) or the end, got \"effort\""),
        ("(value", "at character 7: expected an operator (+ - * / ^) or \")\", got the end"),
        ("value)", "at character 6: expected an operator (+ - * / ^) or the end, got \")\""),
        ("value % 2", "at character 7: expected an operator (+ - * / ^) or the end, got \"%\""),
        ("2 * worth", "at character 5: \"worth\" is no criterion: expected one of value, effort"),
        ("é * 2", "at character 1: expected a number, a criterion, a function or \"(\", got \"é\""),
        ("× × ln(2)", "at character 1: expected a number, a criterion, a function or \"(\", got \"*\""),
        ("2 × ln(2)", "at character 5: \"ln\" is no function: expected min, max, sqrt, log (natural) or abs"),
        ("sqrt(2, 3)", "at character 1: sqrt takes one number, got 2"),
        ("max(2)", "at character 1: max takes two numbers or more, got 1"),
        ("max + 2", "at character 5: expected \"(\" after the name of a function, got \"+\""),
        ("1.2.3", "at character 1: expected a number such as 0.5, got \"1.2.3\""),
        ("1e999", "at character 1: expected a number such as 0.5, got \"1e999\""),
        ("2e", "at character 2: expected an operator (+ - * / ^) or the end, got \"e\""),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn nothing_is_nested_a_thousand_deep() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    near(value(&nested(DEPTH_MOST - 1)), 1.0);
    for text in [nested(DEPTH_MOST), nested(999), "-".repeat(1000) + "1", "2^".repeat(900) + "1", "abs(".repeat(400)] {
        assert!(refusal(&text).contains("is nested more than 64 deep"), "{text}");
    }
    assert_eq!(refusal(&"1".repeat(2001)), "must be at most 2000 characters long, got 2001");
    // A long one is not a deep one.
    near(value(&("1+".repeat(900) + "1")), 901.0);
}

#[test]
fn what_has_no_value_says_why() {
    let formula = |text| Formula::parse(text, &["value", "effort"]).unwrap();
    let why = |text, values: &[f64]| formula(text).evaluate(values).unwrap_err().to_string();
    assert_eq!(why("value / effort", &[1.0, 0.0]), "at character 7: division by zero");
    assert_eq!(why("2 * log(value)", &[-1.0, 0.0]), "at character 5: the logarithm of -1, which must be above 0");
    assert_eq!(why("sqrt(value - 1)", &[0.0, 0.0]), "at character 1: the root of -1, which must be 0 or more");
    assert_eq!(why("value ^ 0.5", &[-4.0, 0.0]), "at character 7: -4 to the power of 0.5 is no finite number");
    assert_eq!(why("value * value", &[1e200, 0.0]), "at character 7: the result is no finite number");
    assert_eq!(why("value", &[f64::NAN]), "at character 1: value has no value");
    assert_eq!(why("max(1, 1 / effort)", &[1.0, 0.0]), "at character 10: division by zero", "which max does not hide");
}

#[test]
fn keys_are_words_that_formulas_can_say() {
    assert!(["value", "nY1", "_x", "e"].into_iter().all(Formula::is_key));
    assert!(["", "1a", "a-b", "ä", "max", "log", "a b"].into_iter().all(|key| !Formula::is_key(key)));
}

/// Formulas that are right, by rules of their own.
fn formulas() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(&KEYS[..]).prop_map(str::to_owned),
        (0.0..1000.0f64).prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| if number.is_finite() { format!("{:e}", number.abs()) } else { "0".to_owned() }),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "[-+*/^]", inner.clone()).prop_map(|(a, operator, b)| format!("{a}{operator}{b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            ("min|max", inner.clone(), inner.clone()).prop_map(|(name, a, b)| format!("{name}({a},{b})")),
            ("sqrt|log|abs", inner).prop_map(|(name, a)| format!("{name}({a})")),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_does_any_harm(text in "\\PC{0,60}") {
        drop(Formula::parse(&text, &KEYS));
    }

    #[test]
    fn no_text_of_its_own_signs_does_any_harm(text in "(nY1|nX2|max|log|1|\\.|e|E|[-+*/^(),= ]){0,40}") {
        if let Ok(formula) = Formula::parse(&text, &KEYS) {
            prop_assert_eq!(&Formula::parse(&formula.to_string(), &KEYS).unwrap(), &formula);
        }
    }

    #[test]
    fn what_is_printed_reads_the_same(text in formulas(), values in prop::array::uniform4(-9.0..9.0f64)) {
        let formula = Formula::parse(&text, &KEYS).unwrap();
        let printed = formula.to_string();
        let again = Formula::parse(&printed, &KEYS).unwrap();
        prop_assert_eq!(&again, &formula, "{}", printed);
        prop_assert_eq!(again.evaluate(&values).ok(), formula.evaluate(&values).ok());
    }

    #[test]
    fn columns_say_what_single_values_do(text in formulas(), rows in prop::collection::vec(prop::array::uniform4(-3.0..3.0f64), 1..6)) {
        let formula = Formula::parse(&text, &KEYS).unwrap();
        let columns: Vec<Vec<f64>> = (0..4).map(|index| rows.iter().map(|row| row[index]).collect()).collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut results = vec![0.0; rows.len()];
        formula.evaluate_columns(&columns, &mut results);
        for (row, result) in rows.iter().zip(results) {
            match formula.evaluate(row) {
                Ok(value) => prop_assert_eq!(value.to_bits(), result.to_bits()),
                Err(_) => prop_assert!(result.is_nan()),
            }
        }
    }
}

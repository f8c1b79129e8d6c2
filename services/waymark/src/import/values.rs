//! How what stands in a file becomes a label or the value of a property, and as what it was read.

use std::borrow::Cow;

use chrono::SecondsFormat;
use clap::ValueEnum;
use pbjson_types::Value;
use pbjson_types::value::Kind;
use waymark_domain::metrics::Scalar;

use super::notation::{Guess, Notation};
use super::record::Given;
use super::time::TimeReader;
use crate::exact::Exact;

/// What a property is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Type {
    Text,
    Number,
    Boolean,
    Time,
}

/// As what something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Text,
    Number,
    Boolean,
    Time,
    /// A list or an object.
    Nested,
    /// A text, as no double holds the number.
    Digits,
    /// A text, though it is a number in another notation.
    Doubtful,
    /// A label that a tool had made a floating number.
    Whole,
    Empty,
}

impl Reading {
    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Nested => "list or object",
            Self::Digits => "text, as a double does not hold the number",
            Self::Doubtful => "text, though it looks like a number",
            Self::Whole => "text, without the .0",
            Self::Empty => "empty",
        }
    }
}

/// The label that something stands for: never a number, whatever a tool had made of it. Nothing when it is empty.
pub fn label(given: Given<'_>) -> Result<Option<(Cow<'_, str>, Reading)>, String> {
    let text = match given {
        Given::Text(text) => match without_decimals(text) {
            Some(whole) => return Ok(Some((Cow::Borrowed(whole), Reading::Whole))),
            None => Cow::Borrowed(text),
        },
        Given::Json(Exact::Text(text)) => Cow::Borrowed(text.trim()),
        Given::Json(Exact::Number(digits)) => return number_label(digits).map(Some),
        Given::Json(Exact::Object(_)) => return Err("is an object: name a field in it, such as user.id".to_owned()),
        Given::Json(Exact::List(_)) => return Err("is a list, not one value".to_owned()),
        Given::Json(Exact::Null | Exact::Boolean(_)) => given.text(),
    };
    Ok((!text.is_empty()).then_some((text, Reading::Text)))
}

/// The integer of a text that is one with `.0` after it, as columns look that a tool made floating for their gaps.
fn without_decimals(text: &str) -> Option<&str> {
    let whole = text.strip_suffix(".0")?;
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let written = digits == "0" || !digits.starts_with('0');
    // Of more than that many digits a double has lost some, so they are no longer those of the integer.
    let plain = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (written && plain).then_some(whole)
}

fn number_label(digits: &str) -> Result<(Cow<'_, str>, Reading), String> {
    match Scalar::literal(digits) {
        Some(Scalar::Number(number)) if digits.contains(['.', 'e', 'E']) && number.fract() == 0.0 => {
            // Adding 0 makes 0 of -0.
            let whole = format!("{:.0}", number + 0.0);
            match Scalar::literal(&whole) {
                Some(Scalar::Number(_)) => Ok((Cow::Owned(whole), Reading::Whole)),
                _ => Err(format!(
                    "{digits} is a floating number that has lost digits of the id it was: write the column as text or \
                     integers"
                )),
            }
        }
        _ => Ok((Cow::Borrowed(digits), Reading::Text)),
    }
}

/// How properties are read.
#[derive(Debug)]
pub struct Values {
    pub notation: Notation,
    /// For properties that are times.
    pub times: TimeReader,
}

impl Values {
    /// The value of a property that is said to be of a type, or whose type shows.
    pub fn property(&self, given: Given<'_>, said: Option<Type>) -> Result<(Value, Reading), String> {
        match (said, given) {
            (None, Given::Text(text)) => Ok(self.guess(text)),
            (None, Given::Json(value)) => Ok(plain(value)),
            (Some(Type::Text), _) => Ok((given.text().into_owned().into(), Reading::Text)),
            (Some(Type::Number), _) => {
                let text = given.text();
                let number = match given {
                    Given::Json(Exact::Number(digits)) => Scalar::literal(digits),
                    _ => self.notation.number(text.trim()),
                };
                match number {
                    Some(Scalar::Number(number)) => Ok((number.into(), Reading::Number)),
                    Some(_) => Err(format!("{text} is a number that no double holds: read it as text")),
                    None => Err(format!("{text:?} is not a number")),
                }
            }
            (Some(Type::Boolean), _) => {
                let text = given.text();
                let flag = boolean(text.trim()).ok_or_else(|| format!("{text:?} is neither true nor false"))?;
                Ok((flag.into(), Reading::Boolean))
            }
            (Some(Type::Time), _) => {
                let time = self.times.read_alone(&given.text())?;
                Ok((time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(), Reading::Time))
            }
        }
    }

    /// A text as a number or a truth value when it is one.
    fn guess(&self, text: &str) -> (Value, Reading) {
        match text {
            "true" | "TRUE" | "True" => return (true.into(), Reading::Boolean),
            "false" | "FALSE" | "False" => return (false.into(), Reading::Boolean),
            _ => {}
        }
        let as_text = |reading| (text.to_owned().into(), reading);
        match self.notation.guess(text) {
            Guess::Number(Scalar::Number(number)) => (number.into(), Reading::Number),
            Guess::Number(_) => as_text(Reading::Digits),
            Guess::Doubtful => as_text(Reading::Doubtful),
            Guess::Text => as_text(Reading::Text),
        }
    }
}

/// A truth value as people and tools write them.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

/// A JSON value as it is, but for numbers that no double holds: these are texts.
fn plain(value: &Exact) -> (Value, Reading) {
    match value {
        Exact::Null => (Kind::NullValue(0).into(), Reading::Empty),
        Exact::Boolean(flag) => ((*flag).into(), Reading::Boolean),
        Exact::Text(text) => (text.clone().into(), Reading::Text),
        Exact::Number(digits) => match Scalar::literal(digits) {
            Some(Scalar::Number(number)) => (number.into(), Reading::Number),
            _ => (digits.clone().into(), Reading::Digits),
        },
        Exact::List(items) => {
            let (values, reading) = nested(items.iter());
            (values.into(), reading)
        }
        Exact::Object(members) => {
            let (values, reading) = nested(members.values());
            let fields = members.keys().cloned().zip(values).collect();
            (Kind::StructValue(pbjson_types::Struct { fields }).into(), reading)
        }
    }
}

/// The values within one, which is told as digits when any of them is.
fn nested<'a>(values: impl Iterator<Item = &'a Exact>) -> (Vec<Value>, Reading) {
    let mut all = Reading::Nested;
    let value = |value: &Exact| {
        let (value, reading) = plain(value);
        if reading == Reading::Digits {
            all = reading;
        }
        value
    };
    (values.map(value).collect(), all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        let times = TimeReader::new("auto", chrono_tz::Tz::Europe__Berlin).unwrap();
        Values { notation: Notation::new('.', None).unwrap(), times }
    }

    fn read(given: Given<'_>, said: Option<Type>) -> Result<(serde_json::Value, Reading), String> {
        values().property(given, said).map(|(value, reading)| (serde_json::to_value(value).unwrap(), reading))
    }

    fn number(digits: &str) -> Exact {
        Exact::Number(digits.to_owned())
    }

    fn of(given: Given<'_>) -> Result<Option<(String, Reading)>, String> {
        label(given).map(|read| read.map(|(text, reading)| (text.into_owned(), reading)))
    }

    #[test]
    fn labels_are_never_numbers() {
        let text = |text: &str, reading| Ok(Some((text.to_owned(), reading)));
        for same in
            ["12", "18446744073709551616", "18446744073709551617", "12.50", "007.0", "1e5", "12e4", "1.0.0", ".0"]
        {
            assert_eq!(of(Given::Text(same)), text(same, Reading::Text));
        }
        assert_eq!(of(Given::Text("12.0")), text("12", Reading::Whole));
        assert_eq!(of(Given::Json(&number("12.0"))), text("12", Reading::Whole));
        assert_eq!(of(Given::Json(&number("1.2e1"))), text("12", Reading::Whole));
        for same in ["12", "18446744073709551616", "18446744073709551617", "12.5"] {
            assert_eq!(of(Given::Json(&number(same))), text(same, Reading::Text));
        }
        assert!(of(Given::Json(&number("1.8446744073709552e19"))).unwrap_err().contains("lost digits"));
        assert_eq!(of(Given::Json(&Exact::Text(" 12.0 ".to_owned()))), text("12.0", Reading::Text));
        assert_eq!(of(Given::Json(&Exact::Text(" ".to_owned()))), Ok(None));
        assert!(of(Given::Json(&Exact::Object([].into()))).unwrap_err().contains("name a field"));
    }

    #[test]
    fn the_type_that_is_said_is_kept_to() {
        let ok = |text, said| read(Given::Text(text), Some(said)).unwrap().0;
        assert_eq!(ok("12e4", Type::Number), json!(120_000.0));
        assert_eq!(ok("12.50", Type::Text), json!("12.50"));
        assert_eq!((ok("Yes", Type::Boolean), ok("0", Type::Boolean)), (json!(true), json!(false)));
        assert_eq!(ok("2026-07-01 12:00", Type::Time), json!("2026-07-01T10:00:00Z"));
        let refused = |text, said| read(Given::Text(text), Some(said)).unwrap_err();
        assert!(refused("49,90", Type::Number).contains("\"49,90\" is not a number"));
        assert!(refused("9007199254740993", Type::Number).contains("read it as text"));
        assert!(refused("maybe", Type::Boolean).contains("neither"));
        assert!(refused("soon", Type::Time).contains("not a time"));
        assert_eq!(read(Given::Json(&number("12.50")), Some(Type::Text)).unwrap().0, json!("12.50"));
        assert_eq!(read(Given::Json(&Exact::Text("7".into())), Some(Type::Number)).unwrap().0, json!(7.0));
    }

    #[test]
    fn numbers_that_no_double_holds_are_texts() {
        let exact = |text: &str| crate::exact::object(text).unwrap()["n"].clone();
        let plain = |text: &str| read(Given::Json(&exact(text)), None).unwrap();
        assert_eq!(plain("{\"n\": 9007199254740993}"), (json!("9007199254740993"), Reading::Digits));
        assert_eq!(plain("{\"n\": 9007199254740992}"), (json!(9_007_199_254_740_992.0), Reading::Number));
        assert_eq!(
            plain("{\"n\": [1, {\"a\": -9007199254740993}]}"),
            (json!([1.0, {"a": "-9007199254740993"}]), Reading::Digits)
        );
        assert_eq!(plain("{\"n\": [1, \"7\"]}"), (json!([1.0, "7"]), Reading::Nested));
        assert_eq!(read(Given::Text("9007199254740993"), None).unwrap(), (json!("9007199254740993"), Reading::Digits));
    }
}

//! Event properties: reading the few that a question needs out of an event's JSON. Never touches other columns.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Number, Value};
use waymark_domain::metrics::Scalar;

/// A property's value. Lists and objects are seen as their JSON text; null is seen as absent.
fn scalar(value: Value) -> Option<Scalar> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(Scalar::Boolean(value)),
        Value::Number(number) => Some(number_scalar(&number)),
        Value::String(text) => Some(Scalar::Text(text)),
        other @ (Value::Array(_) | Value::Object(_)) => Some(Scalar::Text(other.to_string())),
    }
}

fn number_scalar(number: &Number) -> Scalar {
    let scalar = match number.as_i64() {
        Some(integer) => Scalar::integer(integer),
        None => number.as_f64().filter(|_| number.is_f64()).map(Scalar::Number),
    };
    scalar.unwrap_or_else(|| Scalar::Text(number.to_string()))
}

/// The number that a property's value is, if it is one.
pub(crate) fn number(value: &Value) -> Option<f64> {
    value.as_number().and_then(|number| number_scalar(number).as_number())
}

/// Reads the properties named `keys` from an event's JSON, skipping all others without building them.
pub(crate) fn extract(json: Option<&str>, keys: &[String], values: &mut Vec<Option<Scalar>>) {
    values.clear();
    values.resize(keys.len(), None);
    if let Some(json) = json {
        // Rows are written by this crate as JSON objects; a foreign row that is none has no properties.
        let _ = Wanted { keys, values }.deserialize(&mut serde_json::Deserializer::from_str(json));
    }
}

struct Wanted<'a> {
    keys: &'a [String],
    values: &'a mut [Option<Scalar>],
}

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of properties")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.keys.iter().any(|wanted| *wanted == key) {
                let value = scalar(map.next_value()?);
                for (wanted, slot) in self.keys.iter().zip(self.values.iter_mut()) {
                    if *wanted == key {
                        slot.clone_from(&value);
                    }
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extracts_only_what_is_asked_for() {
        let json = r#"{"plan":"pro","seats":3,"trial":false,"gone":null,"tags":["a",1],"qu\"ote":1}"#;
        let keys: Vec<String> =
            ["seats", "plan", "missing", "gone", "tags", "trial", "plan", "qu\"ote"].map(str::to_owned).into();
        let mut values = Vec::new();
        extract(Some(json), &keys, &mut values);
        let text = |text: &str| Some(Scalar::Text(text.to_owned()));
        let number = |number| Some(Scalar::Number(number));
        let no = Some(Scalar::Boolean(false));
        assert_eq!(values, [number(3.0), text("pro"), None, None, text(r#"["a",1]"#), no, text("pro"), number(1.0)]);
        extract(None, &keys, &mut values);
        assert_eq!(values, vec![None; 8]);
    }

    #[test]
    fn a_stored_number_is_the_one_that_was_written() {
        let json = concat!(
            r#"{"a":1,"b":1.0,"c":9007199254740993,"d":18446744073709551615,"#,
            r#""e":9007199254740992.0,"f":-9007199254740992}"#
        );
        let keys: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into();
        let mut values = Vec::new();
        extract(Some(json), &keys, &mut values);
        let text = |text: &str| Some(Scalar::Text(text.to_owned()));
        let number = |number| Some(Scalar::Number(number));
        let (one, most) = (number(1.0), 9_007_199_254_740_992.0);
        let long = [text("9007199254740993"), text("18446744073709551615")];
        assert_eq!(values, [one.clone(), one, long[0].clone(), long[1].clone(), number(most), number(-most)]);
    }
}

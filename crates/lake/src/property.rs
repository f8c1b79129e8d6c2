//! Event properties: reading the few a query needs out of an event's JSON, and testing them. Never touches other
//! columns.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The value of a property. Lists and objects are seen as their JSON text; null is seen as absent.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyValue {
    /// A string.
    Text(String),
    /// Any number.
    Number(f64),
    /// True or false.
    Bool(bool),
}

impl PropertyValue {
    fn from_json(value: Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(value) => Some(Self::Bool(value)),
            // A number that no f64 holds (an integer beyond its range) is kept as text rather than lost.
            Value::Number(number) => Some(number.as_f64().map_or_else(|| Self::Text(number.to_string()), Self::Number)),
            Value::String(text) => Some(Self::Text(text)),
            other @ (Value::Array(_) | Value::Object(_)) => Some(Self::Text(other.to_string())),
        }
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Bool(_) => None,
        }
    }
}

impl fmt::Display for PropertyValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Bool(value) => write!(formatter, "{value}"),
        }
    }
}

/// A condition on one property of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyFilter {
    /// The property's name.
    pub property: String,
    /// What must hold.
    pub test: PropertyTest,
}

/// What a property's value must satisfy. Types are not converted: the number 5 is not the text "5".
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyTest {
    /// Equals one of these.
    In(Vec<PropertyValue>),
    /// Equals none of these; an event without the property passes.
    NotIn(Vec<PropertyValue>),
    /// Is there.
    Present,
    /// Is not there.
    Absent,
    /// Is a number less than this.
    Less(f64),
    /// Is a number at most this.
    AtMost(f64),
    /// Is a number more than this.
    More(f64),
    /// Is a number at least this.
    AtLeast(f64),
    /// Is a text that contains this.
    Contains(String),
}

impl PropertyTest {
    pub(crate) fn holds(&self, value: Option<&PropertyValue>) -> bool {
        let number = |holds: &dyn Fn(f64) -> bool| value.and_then(PropertyValue::as_number).is_some_and(holds);
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Less(bound) => number(&|value| value < *bound),
            Self::AtMost(bound) => number(&|value| value <= *bound),
            Self::More(bound) => number(&|value| value > *bound),
            Self::AtLeast(bound) => number(&|value| value >= *bound),
            Self::Contains(part) => matches!(value, Some(PropertyValue::Text(text)) if text.contains(part.as_str())),
        }
    }
}

/// Reads the properties named `keys` from an event's JSON, skipping all others without building them.
pub(crate) fn extract(json: Option<&str>, keys: &[String], values: &mut Vec<Option<PropertyValue>>) {
    values.clear();
    values.resize(keys.len(), None);
    if let Some(json) = json {
        // Rows are written by this crate as JSON objects; a foreign row that is none has no properties.
        let _ = Wanted { keys, values }.deserialize(&mut serde_json::Deserializer::from_str(json));
    }
}

struct Wanted<'a> {
    keys: &'a [String],
    values: &'a mut [Option<PropertyValue>],
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
                let value = PropertyValue::from_json(map.next_value()?);
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
        let text = |text: &str| Some(PropertyValue::Text(text.to_owned()));
        let number = |number| Some(PropertyValue::Number(number));
        let no = Some(PropertyValue::Bool(false));
        assert_eq!(values, [number(3.0), text("pro"), None, None, text(r#"["a",1]"#), no, text("pro"), number(1.0)]);
        extract(None, &keys, &mut values);
        assert_eq!(values, vec![None; 8]);
    }

    #[test]
    fn tests_do_not_convert_types_and_absence_is_not_a_value() {
        let five = PropertyValue::Number(5.0);
        let text = PropertyValue::Text("5".to_owned());
        assert!(PropertyTest::In(vec![five.clone()]).holds(Some(&five)));
        assert!(!PropertyTest::In(vec![five.clone()]).holds(Some(&text)));
        assert!(PropertyTest::NotIn(vec![five.clone()]).holds(None));
        assert!(PropertyTest::AtMost(5.0).holds(Some(&five)) && !PropertyTest::Less(5.0).holds(Some(&five)));
        assert!(!PropertyTest::AtLeast(0.0).holds(Some(&text)) && !PropertyTest::More(0.0).holds(None));
        assert!(PropertyTest::Contains("5".to_owned()).holds(Some(&text)));
        assert!(PropertyTest::Present.holds(Some(&text)) && PropertyTest::Absent.holds(None));
    }
}

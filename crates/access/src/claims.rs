//! What a token claims, as JSON in which no name stands twice.
//!
//! Of a name that stands twice, one parser takes the first value and another the last, so what was checked by one is
//! not what the other believes (RFC 7519, section 4).

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The last second of the year 9999: what claims to be later is no time.
const LAST_SECOND: i64 = 253_402_300_799;

/// The claims of a token.
#[derive(Debug)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Reads an object. Nested deeper than 128 levels is refused by the parser.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let Unique(value) = serde_json::from_slice(json).ok()?;
        match value {
            Value::Object(claims) => Some(Self(claims)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        }
    }

    /// What stands at `path`: a name, and names within.
    pub(crate) fn at(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let top = self.0.get(first)?;
        rest.iter().try_fold(top, |value, name| value.get(name))
    }

    /// A text that must be there and must not be empty.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str, Refusal> {
        let value = self.0.get(name).ok_or(Refusal::NoClaim(name))?;
        value.as_str().filter(|text| !text.is_empty()).ok_or(Refusal::Claim(name))
    }

    /// A time, in seconds since 1970.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, Refusal> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        // Whole seconds, or fractions of them, which are cut off.
        let seconds = value.as_i64().or_else(|| value.as_f64().filter(|at| at.is_finite()).map(|at| at.floor() as i64));
        let seconds = seconds.filter(|at| (0..=LAST_SECOND).contains(at));
        seconds.and_then(|at| DateTime::from_timestamp(at, 0)).map(Some).ok_or(Refusal::Claim(name))
    }

    /// A text, or a list of texts.
    pub(crate) fn texts(value: &Value) -> Option<Vec<&str>> {
        match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(values) => values.iter().map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// JSON without a name that stands twice.
pub(crate) struct Unique(pub(crate) Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader.deserialize(deserializer).map(Self)
    }
}

#[derive(Clone, Copy)]
struct Reader;

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if values.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once_at_every_depth() {
        assert!(Claims::parse(br#"{"a": {"b": [1, {"c": null}]}, "b": 1}"#).is_some());
        for twice in [r#"{"sub":"a","sub":"b"}"#, r#"{"x":{"a":1,"a":1}}"#, r#"{"x":[{"a":1,"\u0061":1}]}"#] {
            assert!(Claims::parse(twice.as_bytes()).is_none(), "{twice}");
        }
        for none in ["[]", "null", "\"x\"", "{", "{}{}", "", "\u{feff}{}"] {
            assert!(Claims::parse(none.as_bytes()).is_none(), "{none}");
        }
        assert!(Claims::parse(format!("{{\"x\":{}1{}}}", "[".repeat(8_000), "]".repeat(8_000)).as_bytes()).is_none());
    }

    #[test]
    fn times_are_seconds_of_this_age() {
        let time = |value: &str| Claims::parse(format!("{{\"exp\":{value}}}").as_bytes()).unwrap().time("exp");
        assert_eq!(time("1.9").unwrap().unwrap().timestamp(), 1);
        assert_eq!(time("253402300799").unwrap().unwrap().timestamp(), LAST_SECOND);
        for wrong in ["253402300800", "18446744073709551615", "1e300", "-1", "\"1\"", "null", "[1]", "-1e300"] {
            assert_eq!(time(wrong), Err(Refusal::Claim("exp")), "{wrong}");
        }
        assert_eq!(Claims::parse(b"{}").unwrap().time("exp"), Ok(None));
    }

    #[test]
    fn paths_lead_through_objects() {
        let claims = Claims::parse(br#"{"realm_access":{"roles":["a"]},"https://x.dev/groups":["b"]}"#).unwrap();
        let at = |path: &[&str]| claims.at(&path.iter().map(ToString::to_string).collect::<Vec<_>>()).cloned();
        assert_eq!(at(&["realm_access", "roles"]), Some(serde_json::json!(["a"])));
        assert_eq!(at(&["https://x.dev/groups"]), Some(serde_json::json!(["b"])));
        assert_eq!(at(&["realm_access", "roles", "a"]), None);
        assert_eq!(at(&[]), None);
    }
}

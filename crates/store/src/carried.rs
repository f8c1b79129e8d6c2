//! What an event carries: the resource after it, and single texts of that. The rest of the event is passed over, so the
//! databases need not take it apart, which they would do by writing it anew.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use waymark_proto::ResourceMessage;

/// The resource that the JSON text of an event carries, if it does, or as much of it as is asked for.
pub(crate) fn resource<M: ResourceMessage, V: DeserializeOwned>(event: &str) -> Result<Option<V>, serde_json::Error> {
    at(event, &[&json_name(M::SINGULAR)])
}

/// A text field of that resource, if it is set.
pub(crate) fn text<M: ResourceMessage>(event: &str, field: &str) -> Result<Option<String>, serde_json::Error> {
    at(event, &[&json_name(M::SINGULAR), &json_name(field)])
}

/// The name of a field in canonical JSON: lower camel case.
pub(crate) fn json_name(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut upper = false;
    for c in field.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                name.extend(c.to_uppercase());
                upper = false;
            }
            c => name.push(c),
        }
    }
    name
}

/// What stands on a path in a JSON text.
fn at<T: DeserializeOwned>(json: &str, path: &[&str]) -> Result<Option<T>, serde_json::Error> {
    At { path, value: PhantomData }.deserialize(&mut serde_json::Deserializer::from_str(json))
}

/// What is left of a path to a value.
struct At<'a, T> {
    path: &'a [&'a str],
    value: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for At<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.path.is_empty() { T::deserialize(deserializer).map(Some) } else { deserializer.deserialize_map(self) }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for At<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Some((first, rest)) = self.path.split_first() else { return Ok(None) };
        let mut found = None;
        while let Some(is_on_path) = fields.next_key_seed(Named(first))? {
            if is_on_path {
                found = fields.next_value_seed(At { path: rest, value: PhantomData })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is this one.
struct Named<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_the_path_is_found_wherever_it_stands() {
        let event = r#"{"change":{"name":"x"},"keyResult":{"z":[{"name":1}],"name":"k","of":null},"name":"y"}"#;
        assert_eq!(at::<String>(event, &["keyResult", "name"]).unwrap(), Some("k".to_owned()));
        assert_eq!(at::<String>(event, &["name"]).unwrap(), Some("y".to_owned()));
        assert_eq!(at::<String>(event, &["keyResult", "none"]).unwrap(), None);
        assert_eq!(at::<String>(event, &["none", "name"]).unwrap(), None);
        assert!(at::<String>(event, &["keyResult"]).is_err());
        assert!(at::<String>("[1]", &["a"]).is_err());
        assert!(at::<String>(r#"{"a": "b"#, &["a"]).is_err());
    }
}

//! JSON whose numbers keep their digits: ids are often integers that no double holds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error, Value};
use waymark_domain::metrics::Scalar;

/// Deeper than anything that is stored, and far from the end of the stack.
const LEVELS: usize = 64;

/// A JSON value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    Null,
    Boolean(bool),
    /// Its digits.
    Number(String),
    Text(String),
    List(Vec<Exact>),
    Object(Members),
}

/// The members of an object by name, each name once.
pub type Members = BTreeMap<String, Exact>;

/// The object in a text.
pub fn object(text: &str) -> Result<Members, Error> {
    members(text, LEVELS)
}

/// The value in a text for a message of the contract: integers that no double holds are texts, which fields of 64 bits
/// take as well.
pub fn json(text: &str) -> Result<Value, Error> {
    let raw: &RawValue = serde_json::from_str(text)?;
    read(raw.get(), LEVELS).and_then(plain)
}

/// Canonical JSON: members by name, nothing between.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(flag) => f.write_str(if *flag { "true" } else { "false" }),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => quote(f, text),
            Self::List(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    item.fmt(f)?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    quote(f, name)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?);
    }
    f.write_char('"')?;
    f.write_str(text)?;
    f.write_char('"')
}

/// A value of which `text` is known to be the JSON.
fn read(text: &str, levels: usize) -> Result<Exact, Error> {
    let Some(inner) = levels.checked_sub(1) else {
        return Err(Error::custom(format!("is nested more than {LEVELS} levels deep")));
    };
    Ok(match text.as_bytes().first() {
        Some(b'n') => Exact::Null,
        Some(b't') => Exact::Boolean(true),
        Some(b'f') => Exact::Boolean(false),
        // Without escapes, a text stands between its quotes as it is.
        Some(b'"') => Exact::Text(match text.get(1..text.len() - 1) {
            Some(plain) if !plain.contains('\\') => plain.to_owned(),
            _ => serde_json::from_str(text)?,
        }),
        Some(b'{') => Exact::Object(members(text, inner)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Exact::List(items.into_iter().map(|item| read(item.get(), inner)).collect::<Result<_, _>>()?)
        }
        _ => Exact::Number(text.to_owned()),
    })
}

fn members(text: &str, levels: usize) -> Result<Members, Error> {
    let fields: Fields<'_> = serde_json::from_str(text)?;
    let mut members = Members::new();
    for (name, value) in fields.0 {
        let value = read(value.get(), levels)?;
        match members.entry(name) {
            Entry::Vacant(free) => free.insert(value),
            Entry::Occupied(taken) => return Err(Error::custom(format!("{:?} stands in it twice", taken.key()))),
        };
    }
    Ok(members)
}

fn plain(value: Exact) -> Result<Value, Error> {
    Ok(match value {
        Exact::Null => Value::Null,
        Exact::Boolean(flag) => Value::Bool(flag),
        Exact::Number(digits) => match Scalar::literal(&digits) {
            Some(Scalar::Text(digits)) => Value::String(digits),
            _ => serde_json::from_str(&digits)?,
        },
        Exact::Text(text) => Value::String(text),
        Exact::List(items) => Value::Array(items.into_iter().map(plain).collect::<Result<_, _>>()?),
        Exact::Object(members) => {
            let fields = members.into_iter().map(|(name, value)| Ok((name, plain(value)?)));
            Value::Object(fields.collect::<Result<_, Error>>()?)
        }
    })
}

/// The members of an object as they stand in the text.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_members_an_order() {
        let text = r#" {"z": [1.50, null, {"y": "a\"b"}], "a": 18446744073709551617, "f": true} "#;
        let object = object(text).unwrap();
        assert_eq!(object["a"], Exact::Number("18446744073709551617".into()));
        let canonical = r#"{"a":18446744073709551617,"f":true,"z":[1.50,null,{"y":"a\"b"}]}"#;
        assert_eq!(Exact::Object(object).to_string(), canonical);
    }

    #[test]
    fn what_says_two_things_or_goes_too_deep_is_refused() {
        assert!(object(r#"{"a": 1, "a": 2}"#).unwrap_err().to_string().contains("\"a\" stands in it twice"));
        let deep = |levels| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(object(&deep(LEVELS)).is_ok());
        assert!(object(&deep(LEVELS + 1)).unwrap_err().to_string().contains("levels"));
        assert!(object("[1]").is_err() && object("{\"a\": 1").is_err());
    }

    #[test]
    fn a_message_gets_integers_that_no_double_holds_as_texts() {
        let read = json(r#"{"n": [9007199254740992, 9007199254740993, -18446744073709551617, 1e3]}"#).unwrap();
        let texts = serde_json::json!([9_007_199_254_740_992_i64, "9007199254740993", "-18446744073709551617", 1e3]);
        assert_eq!(read["n"], texts);
    }
}

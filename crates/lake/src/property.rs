//! The values of a property in rows, from its column or from the remainder: whole columns of them for filters and groups,
//! single ones for the rest. Never touches other columns.
//!
//! A remainder is parsed only in rows where the column has no value, and there only if the property's name is in its
//! text; of files whose remainders hold no value of the property they are not even read (`scan.rs`).

use std::fmt;

use arrow::array::{Array, AsArray, BooleanArray, DictionaryArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int32Type};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Number, Value};
use waymark_domain::metrics::{Condition, Scalar};

use crate::schema::{Columns, Kind, column};

/// A value that a JSON value is. Lists and objects are seen as their JSON text; null is seen as absent.
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

/// The text in a row of a dictionary of texts.
pub(crate) fn text_at(array: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
    let texts = array.values().as_string_opt::<i32>()?;
    let key = array.keys().is_valid(row).then(|| array.keys().value(row) as usize)?;
    texts.is_valid(key).then(|| texts.value(key))
}

/// A property that a question asks for.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    name: String,
    /// Its name as it stands in JSON.
    quoted: String,
    column: Option<(String, Kind)>,
}

impl Property {
    /// A property in tables of these columns.
    pub(crate) fn new(name: &str, columns: &Columns) -> Self {
        let column = columns.of(name).map(|promoted| (promoted.column.clone(), promoted.kind));
        Self { name: name.to_owned(), quoted: Value::from(name).to_string(), column }
    }

    /// Its values in rows of a scan that asked for it.
    pub(crate) fn values<'a>(&'a self, batch: &'a RecordBatch) -> Values<'a> {
        let typed = self.column.as_ref().and_then(|(name, kind)| {
            let array = batch.column_by_name(name)?;
            Some(match kind {
                Kind::Text => texts(array.as_dictionary_opt()?)?,
                Kind::Number => Typed::Number(array.as_primitive_opt::<Float64Type>()?),
                Kind::Flag => Typed::Flag(array.as_boolean_opt()?),
            })
        });
        let rest = batch.column_by_name(column::PROPERTIES).and_then(|rest| rest.as_string_opt::<i32>());
        Values { typed, rest: rest.filter(|rest| rest.null_count() < rest.len()).map(|rest| (rest, self)) }
    }
}

fn texts(array: &DictionaryArray<Int32Type>) -> Option<Typed<'_>> {
    Some(Typed::Text(array, array.values().as_string_opt::<i32>()?))
}

/// The values of a property in the rows of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    typed: Option<Typed<'a>>,
    /// The remainders, where they may hold values.
    rest: Option<(&'a StringArray, &'a Property)>,
}

#[derive(Debug, Clone, Copy)]
enum Typed<'a> {
    Text(&'a DictionaryArray<Int32Type>, &'a StringArray),
    Number(&'a Float64Array),
    Flag(&'a BooleanArray),
}

impl<'a> Values<'a> {
    /// Of a column of names, which no remainder holds.
    pub(crate) fn of_names(names: &'a DictionaryArray<Int32Type>) -> Self {
        Self { typed: texts(names), rest: None }
    }

    /// The value in a row.
    pub(crate) fn get(&self, row: usize) -> Option<Scalar> {
        let typed = match self.typed {
            Some(Typed::Text(array, _)) => text_at(array, row).map(|text| Scalar::Text(text.to_owned())),
            Some(Typed::Number(array)) => array.is_valid(row).then(|| Scalar::Number(array.value(row))),
            Some(Typed::Flag(array)) => array.is_valid(row).then(|| Scalar::Boolean(array.value(row))),
            None => None,
        };
        typed.or_else(|| self.left(row))
    }

    /// The number in a row, if it is one.
    pub(crate) fn number(&self, row: usize) -> Option<f64> {
        match self.typed {
            Some(Typed::Number(array)) if array.is_valid(row) => Some(array.value(row)),
            Some(Typed::Text(array, _)) if array.keys().is_valid(row) => None,
            _ => self.left(row)?.as_number(),
        }
    }

    /// The value in the remainder of a row.
    fn left(&self, row: usize) -> Option<Scalar> {
        let (rest, property) = self.rest?;
        if !rest.is_valid(row) {
            return None;
        }
        let json = rest.value(row);
        // Where nothing is escaped, a property that is there is there as it is quoted.
        if !json.contains(&property.quoted) && !json.contains('\\') {
            return None;
        }
        let mut value = None;
        // Rows are written by this crate as JSON objects; a foreign row that is none has no properties.
        let _ = Wanted { name: &property.name, value: &mut value }
            .deserialize(&mut serde_json::Deserializer::from_str(json));
        value
    }
}

/// A condition on the values of a batch, judged once for each of the texts of a dictionary.
pub(crate) struct Verdicts<'a> {
    values: Values<'a>,
    condition: &'a Condition,
    /// Of each text of the dictionary, where it was judged.
    texts: Vec<Option<bool>>,
    absent: bool,
}

impl<'a> Verdicts<'a> {
    pub(crate) fn new(values: Values<'a>, condition: &'a Condition) -> Self {
        let texts = match values.typed {
            Some(Typed::Text(_, texts)) => vec![None; texts.len()],
            _ => Vec::new(),
        };
        Self { values, condition, texts, absent: condition.holds(None) }
    }

    /// Whether it holds in a row.
    pub(crate) fn holds(&mut self, row: usize) -> bool {
        match self.values.typed {
            Some(Typed::Text(array, texts)) if array.keys().is_valid(row) => {
                let key = array.keys().value(row) as usize;
                if texts.is_valid(key) {
                    let judge = || self.condition.holds(Some(&Scalar::Text(texts.value(key).to_owned())));
                    return *self.texts[key].get_or_insert_with(judge);
                }
            }
            Some(Typed::Number(array)) if array.is_valid(row) => {
                return self.condition.holds(Some(&Scalar::Number(array.value(row))));
            }
            Some(Typed::Flag(array)) if array.is_valid(row) => {
                return self.condition.holds(Some(&Scalar::Boolean(array.value(row))));
            }
            _ => {}
        }
        match self.values.rest {
            None => self.absent,
            Some(_) => self.condition.holds(self.values.left(row).as_ref()),
        }
    }

    /// Keeps of these rows those where it holds.
    pub(crate) fn select(&mut self, rows: &mut Vec<u32>) {
        rows.retain(|row| self.holds(*row as usize));
    }
}

/// The groups that the values of a batch belong to, found once for each of the texts of a dictionary.
pub(crate) struct Groups<'a> {
    values: Values<'a>,
    texts: Vec<u32>,
    absent: u32,
    last: Option<(Scalar, u32)>,
}

/// Stands for a group that was not looked for.
const UNKNOWN: u32 = u32::MAX;

impl<'a> Groups<'a> {
    pub(crate) fn new(values: Values<'a>) -> Self {
        let texts = match values.typed {
            Some(Typed::Text(_, texts)) => vec![UNKNOWN; texts.len()],
            _ => Vec::new(),
        };
        Self { values, texts, absent: UNKNOWN, last: None }
    }

    /// The group of a row; `find` tells that of a value.
    pub(crate) fn of<E>(
        &mut self,
        row: usize,
        mut find: impl FnMut(Option<&Scalar>) -> Result<u32, E>,
    ) -> Result<u32, E> {
        if let Some(Typed::Text(array, texts)) = self.values.typed
            && array.keys().is_valid(row)
        {
            let key = array.keys().value(row) as usize;
            if self.texts[key] == UNKNOWN && texts.is_valid(key) {
                self.texts[key] = find(Some(&Scalar::Text(texts.value(key).to_owned())))?;
            }
            if self.texts[key] != UNKNOWN {
                return Ok(self.texts[key]);
            }
        }
        let Some(value) = self.values.get(row) else {
            if self.absent == UNKNOWN {
                self.absent = find(None)?;
            }
            return Ok(self.absent);
        };
        match &self.last {
            Some((last, group)) if *last == value => Ok(*group),
            _ => {
                let group = find(Some(&value))?;
                self.last = Some((value, group));
                Ok(group)
            }
        }
    }
}

/// Reads one property from an event's JSON, skipping all others without building them.
struct Wanted<'a> {
    name: &'a str,
    value: &'a mut Option<Scalar>,
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
            if key == self.name {
                *self.value = scalar(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn read(json: &str, names: &[&str]) -> Vec<Option<Scalar>> {
        let rest = Arc::new(StringArray::from(vec![Some(json), None]));
        let batch = RecordBatch::try_from_iter_with_nullable([(column::PROPERTIES, rest as _, true)]).unwrap();
        let columns = Columns::new([]);
        let read = |name: &&str| {
            let property = Property::new(name, &columns);
            let values = property.values(&batch);
            assert_eq!(values.get(1), None);
            assert_eq!(values.number(0), values.get(0).and_then(|value| value.as_number()));
            values.get(0)
        };
        names.iter().map(read).collect()
    }

    #[test]
    fn a_remainder_is_read_for_what_is_asked_for() {
        let json = r#"{"plan":"pro","seats":3,"trial":false,"gone":null,"tags":["a",1],"qu\"ote":1}"#;
        let names = ["seats", "plan", "missing", "gone", "tags", "trial", "qu\"ote", "pro", "a"];
        let text = |text: &str| Some(Scalar::Text(text.to_owned()));
        let number = |number| Some(Scalar::Number(number));
        let no = Some(Scalar::Boolean(false));
        let expected = [number(3.0), text("pro"), None, None, text(r#"["a",1]"#), no, number(1.0), None, None];
        assert_eq!(read(json, &names), expected);
        assert_eq!(read(r#"{"\u0070lan":"pro"}"#, &["plan"]), [text("pro")], "as others may write it");
        assert_eq!(read("foreign plan", &["plan"]), [None]);
    }

    #[test]
    fn a_stored_number_is_the_one_that_was_written() {
        let json = concat!(
            r#"{"a":1,"b":1.0,"c":9007199254740993,"d":18446744073709551615,"#,
            r#""e":9007199254740992.0,"f":-9007199254740992}"#
        );
        let text = |text: &str| Some(Scalar::Text(text.to_owned()));
        let number = |number| Some(Scalar::Number(number));
        let (one, most) = (number(1.0), 9_007_199_254_740_992.0);
        let long = [text("9007199254740993"), text("18446744073709551615")];
        let values = read(json, &["a", "b", "c", "d", "e", "f"]);
        assert_eq!(values, [one.clone(), one, long[0].clone(), long[1].clone(), number(most), number(-most)]);
    }
}

//! Properties on their way into columns, and back: which value a column takes, what is left of the JSON, and whether two
//! rows say the same whichever way they are stored. Never decides which properties have columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, RecordBatch, StringBuilder, StringDictionaryBuilder,
};
use arrow::datatypes::{Float64Type, Int32Type};
use serde::Serializer as _;
use serde_json::{Map, Value};
use waymark_domain::metrics::Scalar;

use crate::error::{LakeError, Result};
use crate::property::{number, text_at};
use crate::schema::{Columns, Kind, column};

/// The kind of column that takes a value. Lists, objects and null stay in the remainder, as do numbers that no double
/// holds.
pub(crate) fn kind(value: &Value) -> Option<Kind> {
    match value {
        Value::String(_) => Some(Kind::Text),
        Value::Bool(_) => Some(Kind::Flag),
        Value::Number(_) => number(value).map(|_| Kind::Number),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether properties say the same: a number is one number however it is written.
#[expect(clippy::float_cmp, reason = "what was written differs or it does not")]
pub(crate) fn alike(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let same = |one: &Value, other: &Value| match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    };
    a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
}

/// Columns in the making.
pub(crate) struct Shredder<'a> {
    columns: &'a Columns,
    typed: Vec<Typed>,
    rest: StringBuilder,
    /// Of each column whether a value of its property stayed in the remainder.
    misfits: Vec<bool>,
    /// The row's value of each column.
    row: Vec<Option<&'a Value>>,
}

enum Typed {
    Text(StringDictionaryBuilder<Int32Type>),
    Number(Float64Builder),
    Flag(BooleanBuilder),
}

impl<'a> Shredder<'a> {
    pub(crate) fn new(columns: &'a Columns, rows: usize) -> Self {
        let typed = columns.promoted().iter().map(|promoted| match promoted.kind {
            Kind::Text => Typed::Text(StringDictionaryBuilder::new()),
            Kind::Number => Typed::Number(Float64Builder::with_capacity(rows)),
            Kind::Flag => Typed::Flag(BooleanBuilder::with_capacity(rows)),
        });
        let count = columns.promoted().len();
        let typed = typed.collect();
        Self { columns, typed, rest: StringBuilder::new(), misfits: vec![false; count], row: vec![None; count] }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, properties: &'a Map<String, Value>) -> Result<()> {
        self.row.fill(None);
        let mut left = 0;
        for (name, value) in properties {
            match self.columns.place(name) {
                Some(place) if kind(value) == Some(self.columns.promoted()[place].kind) => {
                    self.row[place] = Some(value);
                }
                Some(place) => {
                    self.misfits[place] = true;
                    left += 1;
                }
                None => left += 1,
            }
        }
        let (row, columns) = (&self.row, self.columns);
        let stays = |name: &str| columns.place(name).is_none_or(|place| row[place].is_none());
        if left == 0 {
            self.rest.append_null();
        } else {
            self.rest.append_value(json(properties.iter().filter(|(name, _)| stays(name)))?);
        }
        for (typed, value) in self.typed.iter_mut().zip(&self.row) {
            typed.append(*value)?;
        }
        Ok(())
    }

    /// The remainder, the columns of properties in their order, and of which of them a value stayed in the remainder.
    pub(crate) fn finish(mut self) -> (ArrayRef, Vec<ArrayRef>, Vec<bool>) {
        let typed = self.typed.iter_mut().map(Typed::finish).collect();
        (Arc::new(self.rest.finish()), typed, self.misfits)
    }
}

impl Typed {
    fn append(&mut self, value: Option<&Value>) -> Result<()> {
        match self {
            Self::Text(builder) => match value.and_then(Value::as_str) {
                Some(text) => builder.append(text).map(drop).map_err(LakeError::failed("encode properties"))?,
                None => builder.append_null(),
            },
            Self::Number(builder) => builder.append_option(value.and_then(number)),
            Self::Flag(builder) => builder.append_option(value.and_then(Value::as_bool)),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Flag(builder) => Arc::new(builder.finish()),
        }
    }
}

fn json<'a>(properties: impl Iterator<Item = (&'a String, &'a Value)>) -> Result<String> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    let written = (&mut serializer).collect_map(properties);
    written.map_err(LakeError::failed("encode properties"))?;
    String::from_utf8(text).map_err(LakeError::failed("encode properties"))
}

/// The same rows of all columns with the values of each property where they belong, and of which columns a value stayed
/// in the remainder. Rows beside a remainder that cannot be read stay as they are.
pub(crate) fn refit(batch: &RecordBatch, columns: &Columns) -> Result<(RecordBatch, Vec<bool>)> {
    let failed = || LakeError::failed("move properties into columns");
    let place = batch.schema().index_of(column::PROPERTIES).map_err(failed())?;
    if batch.column(place).null_count() == batch.num_rows() {
        return Ok((batch.clone(), vec![false; columns.promoted().len()]));
    }
    let rows: Option<Vec<_>> = (0..batch.num_rows()).map(|row| properties(batch, columns, row)).collect();
    let Some(rows) = rows else { return Ok((batch.clone(), vec![true; columns.promoted().len()])) };
    let mut shredder = Shredder::new(columns, rows.len());
    for properties in &rows {
        shredder.add(properties)?;
    }
    let (left, typed, misfits) = shredder.finish();
    let mut arrays = batch.columns().to_vec();
    arrays[place] = left;
    for (promoted, array) in columns.promoted().iter().zip(typed) {
        arrays[batch.schema().index_of(&promoted.column).map_err(failed())?] = array;
    }
    Ok((RecordBatch::try_new(batch.schema(), arrays).map_err(failed())?, misfits))
}

/// The properties of a row of all columns; `None` where its remainder is no JSON object, as only others write it.
pub(crate) fn properties(batch: &RecordBatch, columns: &Columns, row: usize) -> Option<Map<String, Value>> {
    let rest = batch.column_by_name(column::PROPERTIES)?.as_string_opt::<i32>()?;
    let mut properties: Map<String, Value> =
        if rest.is_valid(row) { serde_json::from_str(rest.value(row)).ok()? } else { Map::new() };
    for promoted in columns.promoted() {
        let array = batch.column_by_name(&promoted.column)?;
        if array.is_null(row) {
            continue;
        }
        let value = match promoted.kind {
            Kind::Text => text_at(array.as_dictionary_opt()?, row).map(Value::from),
            Kind::Number => Some(whole(array.as_primitive_opt::<Float64Type>()?.value(row))),
            Kind::Flag => Some(array.as_boolean_opt()?.value(row).into()),
        };
        if let Some(value) = value {
            properties.insert(promoted.property.clone(), value);
        }
    }
    Some(properties)
}

/// A number as events most likely said it: whole ones as integers, where these are the same number.
fn whole(number: f64) -> Value {
    let integer = number as i64;
    let is_negative_zero = number == 0.0 && number.is_sign_negative();
    let same = Scalar::integer(integer).and_then(|scalar| scalar.as_number()) == Some(number);
    if same && !is_negative_zero { integer.into() } else { number.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::Promoted;

    fn columns(kinds: &[(&str, Kind)]) -> Columns {
        Columns::new(kinds.iter().map(|(property, kind)| Promoted {
            property: (*property).to_owned(),
            column: format!("p_{property}"),
            kind: *kind,
        }))
    }

    /// Rows with nothing but properties.
    fn batch(columns: &Columns, rows: &[Map<String, Value>]) -> (RecordBatch, Vec<bool>) {
        let mut shredder = Shredder::new(columns, rows.len());
        for row in rows {
            shredder.add(row).unwrap();
        }
        let (rest, typed, misfits) = shredder.finish();
        let named = columns.promoted().iter().map(|promoted| promoted.column.as_str()).zip(typed);
        let named = std::iter::once((column::PROPERTIES, rest)).chain(named);
        (RecordBatch::try_from_iter_with_nullable(named.map(|(name, array)| (name, array, true))).unwrap(), misfits)
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("{value} is no object") };
        map
    }

    #[test]
    fn values_of_another_type_stay_in_the_remainder() {
        let columns = columns(&[("plan", Kind::Text), ("trial", Kind::Flag)]);
        let rows = [
            map(json!({"plan": "pro", "trial": true, "revenue": 2.0, "other": [1]})),
            map(json!({"plan": 1, "trial": "yes", "revenue": 9_007_199_254_740_993_i64})),
            map(json!({"plan": null, "trial": false})),
            map(json!({})),
        ];
        let (batch, misfits) = batch(&columns, &rows);
        assert_eq!(misfits, [true, true, true], "revenue, plan, trial");
        let rest = batch.column(0).as_string::<i32>();
        let rest: Vec<_> = rest.iter().collect();
        let left = r#"{"plan":1,"trial":"yes","revenue":9007199254740993}"#;
        assert_eq!(rest, [Some(r#"{"other":[1]}"#), Some(left), Some(r#"{"plan":null}"#), None]);
        let read: Vec<_> = (0..4).map(|row| properties(&batch, &columns, row).unwrap()).collect();
        assert!(read.iter().zip(&rows).all(|(read, row)| alike(read, row)), "{read:?}");
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-5..5_i32).prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            prop::sample::select(vec![0.0, -0.0, 1.0, 9_007_199_254_740_992.0, 1e17]).prop_map(Value::from),
            ".{0,3}".prop_map(Value::from),
            Just(json!([1, 1.0])),
            Just(json!({"a": 1})),
        ]
    }

    proptest! {
        #[test]
        fn an_event_is_the_same_whichever_way_it_is_stored(
            rows in prop::collection::vec(prop::collection::btree_map("[abc]|revenue", value(), 0..4), 1..6),
            first in prop::collection::btree_map("[abc]", 0..3_usize, 0..3),
            more in prop::collection::btree_map("[abc]", 0..3_usize, 0..3),
        ) {
            let rows: Vec<Map<String, Value>> = rows.into_iter().map(|row| row.into_iter().collect()).collect();
            let kind = |place: usize| [Kind::Text, Kind::Number, Kind::Flag][place];
            let first: Vec<_> = first.iter().map(|(name, place)| (name.as_str(), kind(*place))).collect();
            let both: Vec<_> =
                first.iter().copied().chain(more.iter().map(|(name, place)| (name.as_str(), kind(*place)))).collect();
            let (first, both) = (columns(&first), columns(&both));
            let (written, _) = batch(&first, &rows);
            // As it is read by a table with more columns.
            let length = written.num_rows();
            let named = both.promoted().iter().map(|promoted| {
                let array = written.column_by_name(&promoted.column).cloned();
                let kind = both.arrow().field_with_name(&promoted.column).unwrap().data_type();
                (promoted.column.as_str(), array.unwrap_or_else(|| arrow::array::new_null_array(kind, length)), true)
            });
            let named = std::iter::once((column::PROPERTIES, written.column(0).clone(), true)).chain(named);
            let wider = RecordBatch::try_from_iter_with_nullable(named).unwrap();
            let (refitted, misfits) = refit(&wider, &both).unwrap();
            let (direct, expected) = batch(&both, &rows);
            prop_assert_eq!(misfits, expected);
            for (row, properties_of) in rows.iter().enumerate() {
                for stored in [&wider, &refitted, &direct] {
                    let read = properties(stored, &both, row).unwrap();
                    prop_assert!(alike(&read, properties_of), "{:?} is not {:?}", read, properties_of);
                }
            }
        }
    }
}

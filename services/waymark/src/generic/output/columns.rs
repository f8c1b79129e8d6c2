//! The columns of messages as rows: a field of a message within another is a column by its path, such as
//! `estimate.reach.point`; a list, a map and what contains itself is JSON in one.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};
use serde_json::Value as Json;

use super::super::contract::{is_plain, tells_zero};
use super::super::json;
use super::super::names::short_value;

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The path of its field.
    pub name: String,
    /// What its cells are.
    pub kind: Cells,
    path: Vec<FieldDescriptor>,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    Text,
    Integer,
    Number,
    Boolean,
    /// A moment.
    Time,
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    /// Microseconds since 1970 in UTC.
    Time(i64),
}

impl Column {
    /// The columns of a message, in the order of its fields.
    pub fn of(message: &MessageDescriptor) -> Vec<Self> {
        let mut columns = Vec::new();
        collect(message, &mut Vec::new(), &mut columns);
        columns
    }

    /// What stands in it; nothing where the field is not set, or says nothing.
    pub fn cell(&self, message: &DynamicMessage) -> Option<Cell> {
        let (last, parents) = self.path.split_last()?;
        let Some((first, rest)) = parents.split_first() else { return self.last(last, message) };
        let value = message.has_field(first).then(|| message.get_field(first))?;
        let mut inner = value.as_message()?.clone();
        for field in rest {
            let value = inner.has_field(field).then(|| inner.get_field(field).into_owned())?;
            inner = value.as_message()?.clone();
        }
        self.last(last, &inner)
    }

    fn last(&self, field: &FieldDescriptor, message: &DynamicMessage) -> Option<Cell> {
        if !message.has_field(field) && !tells_zero(field) {
            return None;
        }
        let value = message.get_field(field);
        if field.is_list() || field.is_map() {
            return Some(Cell::Text(json_of(field, message)?.to_string()));
        }
        Some(match (value.as_ref(), field.kind()) {
            (Value::String(text), _) => Cell::Text(text.clone()),
            (Value::Bool(flag), _) => Cell::Boolean(*flag),
            (Value::F64(number), _) => Cell::Number(*number),
            (Value::F32(number), _) => Cell::Number(f64::from(*number)),
            (Value::I32(number), _) => Cell::Integer(i64::from(*number)),
            (Value::U32(number), _) => Cell::Integer(i64::from(*number)),
            (Value::I64(number), _) => Cell::Integer(*number),
            (Value::U64(number), _) => Cell::Integer(i64::try_from(*number).ok()?),
            (Value::EnumNumber(number), Kind::Enum(of)) => match of.get_value(*number) {
                Some(value) => Cell::Text(short_value(&of, value.name()).to_owned()),
                None => Cell::Text(number.to_string()),
            },
            (Value::Message(inner), _) if self.kind == Cells::Time => {
                let part = |name: &str| inner.get_field_by_name(name);
                let seconds = part("seconds").and_then(|seconds| seconds.as_i64()).unwrap_or_default();
                let nanos = part("nanos").and_then(|nanos| nanos.as_i32()).unwrap_or_default();
                Cell::Time(seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1_000))?)
            }
            _ => match json_of(field, message)? {
                Json::String(text) => Cell::Text(text),
                other => Cell::Text(other.to_string()),
            },
        })
    }
}

/// A field as canonical JSON has it.
fn json_of(field: &FieldDescriptor, message: &DynamicMessage) -> Option<Json> {
    let mut alone = DynamicMessage::new(message.descriptor());
    alone.set_field(field, message.get_field(field).into_owned());
    json::of(&alone).ok()?.get_mut(field.json_name()).map(Json::take)
}

fn collect(message: &MessageDescriptor, path: &mut Vec<FieldDescriptor>, columns: &mut Vec<Column>) {
    for field in message.fields() {
        let within = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() && !is_plain(&field.kind()) => Some(inner),
            _ => None,
        };
        let contains_itself =
            |inner: &MessageDescriptor| inner == message || path.iter().any(|above| above.parent_message() == inner);
        let within = within.filter(|inner| !contains_itself(inner));
        path.push(field.clone());
        match within {
            Some(inner) => collect(&inner, path, columns),
            None => columns.push(Column { name: name(path), kind: kind(&field), path: path.clone() }),
        }
        path.pop();
    }
}

fn name(path: &[FieldDescriptor]) -> String {
    path.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

fn kind(field: &FieldDescriptor) -> Cells {
    if field.is_list() || field.is_map() {
        return Cells::Text;
    }
    match field.kind() {
        Kind::Double | Kind::Float => Cells::Number,
        Kind::Bool => Cells::Boolean,
        Kind::Message(of) if of.full_name() == "google.protobuf.Timestamp" => Cells::Time,
        Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Enum(_) => Cells::Text,
        _ => Cells::Integer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use waymark_proto::descriptors;

    #[test]
    fn fields_are_columns_by_their_paths() {
        let of = descriptors().get_message_by_name("waymark.roadmap.v1.Initiative").unwrap();
        let columns = Column::of(&of);
        let message = json!({
            "displayName": "A", "labels": {"a": "1"}, "horizon": "HORIZON_NOW", "createTime": "2026-01-31T12:00:00.5Z",
            "expectedOutcome": {"metric": "//m", "change": {"likely": 0.1}}, "keyResults": ["k"], "risks": [{"risk": "RISK_VALUE"}],
        });
        let message = DynamicMessage::deserialize(of, message).unwrap();
        let cell = |name: &str| {
            columns.iter().find(|column| column.name == name).unwrap_or_else(|| panic!("{name}")).cell(&message)
        };
        let text = |text: &str| Some(Cell::Text(text.to_owned()));
        assert_eq!(
            (cell("display_name"), cell("horizon"), cell("labels")),
            (text("A"), text("NOW"), text("{\"a\":\"1\"}"))
        );
        assert_eq!((cell("key_results"), cell("risks")), (text("[\"k\"]"), text("[{\"risk\":\"RISK_VALUE\"}]")));
        assert_eq!(cell("create_time"), Some(Cell::Time(1_769_860_800_500_000)));
        let low = cell("expected_outcome.change.low");
        assert_eq!((low, cell("expected_outcome.window_days")), (Some(Cell::Number(0.0)), None), "a range from 0");
        assert_eq!((cell("owner"), cell("target.start"), cell("actual.measured.low")), (None, None, None));
    }

    #[test]
    fn every_resource_has_columns_of_different_names() {
        for resource in &crate::generic::contract::contract().resources {
            let columns = Column::of(&resource.message);
            let names: std::collections::BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            assert!(
                names.len() == columns.len() && names.contains("name") && names.len() < 500,
                "{}",
                resource.collection
            );
        }
    }
}

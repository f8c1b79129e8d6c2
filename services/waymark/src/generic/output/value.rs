//! One value as a person would write it, on one line.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use crate::generic::contract::is_plain;
use crate::generic::json;
use crate::generic::names::{short, short_value};
use crate::zone;

/// The value of a field, whole.
pub fn line(field: &FieldDescriptor, value: &Value, zone: Tz) -> String {
    said(field, value, zone).replace('\n', " ")
}

/// The same for a cell: names of the workspace without it. Full names of other services keep theirs.
pub fn cell(field: &FieldDescriptor, value: &Value, zone: Tz) -> String {
    let brief = |text: String| if text.starts_with("workspaces/") { short(&text).to_owned() } else { text };
    match value.as_list() {
        Some(items) => {
            let items = items.iter().map(|item| brief(one(&field.kind(), item, zone).replace('\n', " ")));
            items.collect::<Vec<_>>().join(", ")
        }
        None => brief(line(field, value, zone)),
    }
}

/// The fields of what a field holds, if that is a message of this contract.
pub fn parts(field: &FieldDescriptor) -> Option<impl Iterator<Item = FieldDescriptor> + use<>> {
    let Kind::Message(of) = field.kind() else { return None };
    (!is_plain(&field.kind()) && !field.is_map()).then(|| of.fields().collect::<Vec<_>>().into_iter())
}

fn said(field: &FieldDescriptor, value: &Value, zone: Tz) -> String {
    match (value, field.kind()) {
        (Value::List(items), kind) => items.iter().map(|item| one(&kind, item, zone)).collect::<Vec<_>>().join(", "),
        (Value::Map(entries), Kind::Message(entry)) => {
            let (key, kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            let entry = |(name, value): (&prost_reflect::MapKey, &Value)| {
                format!("{}={}", one(&key, &Value::from(name.clone()), zone), one(&kind, value, zone))
            };
            let mut entries: Vec<String> = entries.iter().map(entry).collect();
            entries.sort();
            entries.join(", ")
        }
        (other, kind) => one(&kind, other, zone),
    }
}

fn one(kind: &Kind, value: &Value, zone: Tz) -> String {
    match (kind, value) {
        (_, Value::String(text)) => text.clone(),
        (_, Value::F64(number)) => number.to_string(),
        (_, Value::F32(number)) => number.to_string(),
        (_, Value::I64(number)) => number.to_string(),
        (_, Value::U32(number)) => number.to_string(),
        (_, Value::U64(number)) => number.to_string(),
        (_, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (Kind::Enum(of), Value::EnumNumber(number)) => match of.get_value(*number) {
            Some(value) if *number != 0 => short_value(of, value.name()).to_owned(),
            Some(_) => String::new(),
            None => number.to_string(),
        },
        (_, Value::Message(message)) => match moment(message) {
            Some(time) => zone::show(zone, time),
            None if is_plain(kind) => plain(message),
            None => phrase(message, zone),
        },
        (_, Value::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        (_, Value::I32(number) | Value::EnumNumber(number)) => number.to_string(),
        (_, Value::List(_) | Value::Map(_)) => String::new(),
    }
}

/// A message that JSON writes as one value.
fn plain(message: &DynamicMessage) -> String {
    match json::of(message) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

/// The moment of a timestamp.
fn moment(message: &DynamicMessage) -> Option<DateTime<Utc>> {
    let of_time = message.descriptor().full_name() == "google.protobuf.Timestamp";
    let seconds = of_time.then(|| message.get_field_by_name("seconds"))??.as_i64()?;
    DateTime::from_timestamp(seconds, 0)
}

/// A message of few fields in a few words: a range as `4000 (3000 to 5000)`, an interval as `2026-01 to 2026-03`, what
/// was measured in one as `12 (2026-01-01 to 2026-01-02)`, any other as what it says field by field.
fn phrase(message: &DynamicMessage, zone: Tz) -> String {
    let text = |name: &str| {
        let field = message.descriptor().get_field_by_name(name);
        field.map(|field| line(&field, &message.get_field(&field), zone)).unwrap_or_default()
    };
    let time = |name: &str| message.get_field_by_name(name)?.as_message().and_then(moment);
    let span = || time("start_time").zip(time("end_time")).map(|(start, end)| zone::span(zone, start, end));
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    let names: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
    match names.as_slice() {
        ["low", "likely", "high"] => match (text("low"), text("likely"), text("high")) {
            (low, likely, high) if low == high => likely,
            (low, likely, high) => format!("{likely} ({low} to {high})"),
        },
        ["start", "end"] => match (text("start"), text("end")) {
            (start, end) if start == end || end.is_empty() => start,
            (start, end) => format!("{start} to {end}"),
        },
        ["start_time", "end_time", "value"] => match span() {
            Some(span) => format!("{} ({span})", text("value")),
            None => text("value"),
        },
        _ => {
            let set = fields.iter().filter(|field| message.has_field(field));
            let said = set.map(|field| format!("{} {}", field.name().replace('_', " "), text(field.name())));
            said.collect::<Vec<_>>().join(", ")
        }
    }
}

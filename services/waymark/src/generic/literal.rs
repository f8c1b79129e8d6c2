//! One value of a field from the text of a flag.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, Value};
use serde_json::Value as Json;

use super::json;
use super::names::{find_value, short_value};
use crate::exact;

/// The value of `kind` that a text stands for; the error says what would be right.
pub fn parse(kind: &Kind, text: &str) -> Result<Value, String> {
    let number = |what: &str| format!("{text:?} is not {what}");
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => text.parse().map(Value::Bool).map_err(|_| number("true or false")),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            text.parse().map(Value::I32).map_err(|_| number("a whole number"))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            text.parse().map(Value::I64).map_err(|_| number("a whole number"))
        }
        Kind::Uint32 | Kind::Fixed32 => text.parse().map(Value::U32).map_err(|_| number("a whole number from 0")),
        Kind::Uint64 | Kind::Fixed64 => text.parse().map(Value::U64).map_err(|_| number("a whole number from 0")),
        Kind::Double => text.parse().map(Value::F64).map_err(|_| number("a number")),
        Kind::Float => text.parse().map(Value::F32).map_err(|_| number("a number")),
        Kind::Bytes => Ok(Value::Bytes(text.as_bytes().to_vec().into())),
        Kind::Enum(of) => find_value(of, text).map(|value| Value::EnumNumber(value.number())).ok_or_else(|| {
            let known: Vec<String> =
                of.values().skip(1).map(|v| short_value(of, v.name()).to_ascii_lowercase()).collect();
            format!("{text:?} is none of {}", known.join(", "))
        }),
        Kind::Message(of) => message(of, text).map(Value::Message),
    }
}

fn message(of: &MessageDescriptor, text: &str) -> Result<DynamicMessage, String> {
    let value = match of.full_name() {
        "google.protobuf.Timestamp" => Json::String(time(text)?.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        "google.protobuf.Duration" if !text.ends_with('s') => {
            return Err(format!("{text:?} is not a duration; write seconds, such as 90s"));
        }
        "google.protobuf.Duration" | "google.protobuf.FieldMask" => Json::String(text.to_owned()),
        // What is not JSON is a text, so that nobody has to quote twice.
        "google.protobuf.Value" => exact::json(text).unwrap_or_else(|_| Json::String(text.to_owned())),
        _ if text.trim_start().starts_with('{') => json::value(text).map_err(|e| e.to_string())?,
        _ if text.contains('=') => pairs(of, text)?,
        _ => json::value(text).map_err(|e| e.to_string())?,
    };
    json::message(of, value).map_err(|e| e.to_string())
}

/// `key=value,key=value`, for messages of plain fields.
fn pairs(of: &MessageDescriptor, text: &str) -> Result<Json, String> {
    let mut fields = serde_json::Map::new();
    for pair in text.split(',') {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is not key=value"))?;
        let key = key.trim().replace('-', "_");
        let field = of.get_field_by_name(&key).ok_or_else(|| {
            let known: Vec<String> = of.fields().map(|f| f.name().to_owned()).collect();
            format!("{key:?} is no field of {}; its fields are {}", of.name(), known.join(", "))
        })?;
        let plain = matches!(field.kind(), Kind::String | Kind::Enum(_) | Kind::Message(_));
        let value =
            if plain { Json::String(value.to_owned()) } else { json::value(value).map_err(|e| e.to_string())? };
        fields.insert(key, value);
    }
    Ok(Json::Object(fields))
}

/// A moment: RFC 3339, or a date or date and time in UTC.
pub fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    let minute = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok();
    let second = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    date.or_else(minute)
        .or_else(second)
        .map(|time| time.and_utc())
        .ok_or_else(|| format!("{text:?} is not a time; write 2026-01-31T12:00:00Z, or 2026-01-31 for midnight UTC"))
}

/// One `key=value` of a map field.
pub fn entry(of: &MessageDescriptor, text: &str) -> Result<(MapKey, Value), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not key=value"))?;
    let key = parse(&of.map_entry_key_field().kind(), key)?.into_map_key().ok_or("this cannot be a key")?;
    Ok((key, parse(&of.map_entry_value_field().kind(), value)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::descriptors;

    fn kind(message: &str) -> Kind {
        Kind::Message(descriptors().get_message_by_name(message).unwrap())
    }

    fn as_json(value: &Value) -> Json {
        json::of(value.as_message().unwrap()).unwrap()
    }

    #[test]
    fn times_and_durations() {
        let timestamp = kind("google.protobuf.Timestamp");
        assert_eq!(as_json(&parse(&timestamp, "2026-01-31").unwrap()), "2026-01-31T00:00:00Z");
        assert_eq!(as_json(&parse(&timestamp, "2026-01-31T12:00:00+01:00").unwrap()), "2026-01-31T11:00:00Z");
        assert_eq!(as_json(&parse(&timestamp, "2026-01-31 12:30").unwrap()), "2026-01-31T12:30:00Z");
        assert!(parse(&timestamp, "tomorrow").unwrap_err().contains("midnight UTC"));
    }

    #[test]
    fn messages_as_json_or_pairs() {
        let evidence = kind("waymark.common.v1.Evidence");
        let json = as_json(&parse(&evidence, r#"{"target": "//a/b", "note": "x, y"}"#).unwrap());
        assert_eq!(json["note"], "x, y");
        assert_eq!(as_json(&parse(&evidence, "target=//a/b,note=seen").unwrap())["note"], "seen");
        assert!(parse(&evidence, "tarket=x").unwrap_err().contains("its fields are target, note"));
        let range = kind("waymark.common.v1.Range");
        assert_eq!(as_json(&parse(&range, "low=0.05,likely=0.1,high=0.2").unwrap())["likely"], 0.1);
    }

    #[test]
    fn enums_say_what_is_known() {
        let lifecycle = Kind::Enum(descriptors().get_enum_by_name("waymark.roadmap.v1.ProductLifecycle").unwrap());
        assert_eq!(parse(&lifecycle, "Sustaining").unwrap(), Value::EnumNumber(3));
        assert!(parse(&lifecycle, "old").unwrap_err().contains("exploring, growing, sustaining, retiring"));
    }
}

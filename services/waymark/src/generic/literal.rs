//! One value of a field from its text, in a flag or a file.

use chrono_tz::Tz;
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MapKey, MessageDescriptor, Value};
use serde_json::Value as Json;

use super::names::{find_value, short_value};
use crate::{exact, zone};

/// The value of `kind` that a text stands for, a time without an offset being of `zone`; the error says what would be
/// right. Of messages only those that JSON writes as a plain value have a text.
pub fn parse(kind: &Kind, text: &str, zone: Tz) -> Result<Value, String> {
    let wrong = |what: &str| format!("{text:?} is not {what}");
    match kind {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => text.parse().map(Value::Bool).map_err(|_| wrong("true or false")),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            text.parse().map(Value::I32).map_err(|_| wrong("a whole number"))
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            text.parse().map(Value::I64).map_err(|_| wrong("a whole number"))
        }
        Kind::Uint32 | Kind::Fixed32 => text.parse().map(Value::U32).map_err(|_| wrong("a whole number from 0")),
        Kind::Uint64 | Kind::Fixed64 => text.parse().map(Value::U64).map_err(|_| wrong("a whole number from 0")),
        Kind::Double => text.parse().map(Value::F64).map_err(|_| wrong("a number")),
        Kind::Float => text.parse().map(Value::F32).map_err(|_| wrong("a number")),
        Kind::Bytes => Ok(Value::Bytes(text.as_bytes().to_vec().into())),
        Kind::Enum(of) => find_value(of, text)
            .map(|value| Value::EnumNumber(value.number()))
            .ok_or_else(|| format!("{text:?} is none of {}", choices(of).join(", "))),
        Kind::Message(of) if of.full_name() == "google.protobuf.Timestamp" => {
            let time = zone::parse(zone, text)?;
            let mut message = DynamicMessage::new(of.clone());
            message.set_field_by_name("seconds", Value::I64(time.timestamp()));
            // Below 2^31.
            message.set_field_by_name("nanos", Value::I32(time.timestamp_subsec_nanos() as i32));
            Ok(Value::Message(message))
        }
        // What is not JSON is a text, so that nobody has to quote twice.
        Kind::Message(of) if is_any_value(of) => {
            well_known(of, exact::json(text).unwrap_or_else(|_| Json::String(text.to_owned())))
        }
        Kind::Message(of) => well_known(of, Json::String(text.to_owned())),
    }
}

/// The names of an enum's values, as flags have them.
fn choices(of: &EnumDescriptor) -> Vec<String> {
    let stated = of.values().filter(|value| value.number() != 0);
    stated.map(|value| short_value(of, value.name()).to_ascii_lowercase().replace('_', "-")).collect()
}

/// Whether a message stands for a JSON value of whatever type, or for an object of such.
pub fn is_any_value(of: &MessageDescriptor) -> bool {
    matches!(of.full_name(), "google.protobuf.Value" | "google.protobuf.Struct" | "google.protobuf.ListValue")
        || of.full_name() == "google.protobuf.Empty"
}

/// A message of those that ProtoJSON writes in a form of their own.
pub fn well_known(of: &MessageDescriptor, json: Json) -> Result<Value, String> {
    let wanted = match of.full_name() {
        "google.protobuf.Duration" => "a duration; write seconds, such as 90s",
        "google.protobuf.FieldMask" => "names of fields; write them with commas between, such as owner,target",
        "google.protobuf.Struct" => "a group of fields",
        "google.protobuf.ListValue" => "a list",
        _ => "a value that is known here",
    };
    let wrong = format!("{json} is not {wanted}");
    DynamicMessage::deserialize(of.clone(), json).map(Value::Message).map_err(|_| wrong)
}

/// One `key=value` of a map field.
pub fn entry(of: &MessageDescriptor, text: &str, zone: Tz) -> Result<(MapKey, Value), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not key=value"))?;
    let key = parse(&of.map_entry_key_field().kind(), key, zone)?.into_map_key().ok_or("this cannot be a key")?;
    Ok((key, parse(&of.map_entry_value_field().kind(), value, zone)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize as _;
    use waymark_proto::descriptors;

    fn read(message: &str, text: &str) -> Result<Json, String> {
        let kind = Kind::Message(descriptors().get_message_by_name(message).unwrap());
        let value = parse(&kind, text, Tz::Europe__Berlin)?;
        Ok(value.as_message().unwrap().serialize(serde_json::value::Serializer).unwrap())
    }

    #[test]
    fn times_and_durations() {
        let time = "google.protobuf.Timestamp";
        assert_eq!(read(time, "2026-01-31").unwrap(), "2026-01-30T23:00:00Z");
        assert_eq!(read(time, "2026-01-31T12:00:00+02:00").unwrap(), "2026-01-31T10:00:00Z");
        assert!(read(time, "tomorrow").unwrap_err().contains("Europe/Berlin"));
        let duration = "google.protobuf.Duration";
        assert_eq!(read(duration, "90s").unwrap(), "90s");
        assert!(read(duration, "90").unwrap_err().contains("such as 90s"));
    }

    #[test]
    fn values_of_any_type_are_json_or_a_text() {
        let value = "google.protobuf.Value";
        assert_eq!(read(value, "49.5").unwrap(), 49.5);
        assert_eq!(read(value, "team").unwrap(), "team");
        assert_eq!(read(value, "\"49.5\"").unwrap(), "49.5");
    }

    #[test]
    fn enums_say_what_is_known() {
        let state = Kind::Enum(descriptors().get_enum_by_name("waymark.roadmap.v1.InitiativeState").unwrap());
        assert_eq!(parse(&state, "In-Progress", Tz::UTC).unwrap(), Value::EnumNumber(3));
        assert!(parse(&state, "old", Tz::UTC).unwrap_err().contains("proposed, committed, in-progress, "));
    }
}

//! Messages from JSON and YAML as people write them: enum values by their short names, field names in either spelling.

use anyhow::{Context as _, Result, anyhow};
use prost_reflect::{DeserializeOptions, DynamicMessage, Kind, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use super::contract::is_plain;
use super::names::find_value;
use crate::exact;

/// The message that a JSON value stands for. Unknown fields are refused: they are spelling mistakes.
pub fn message(of: &MessageDescriptor, mut value: Value) -> Result<DynamicMessage> {
    complete(of, &mut value);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(of.clone(), value, &options)
        .map_err(|e| anyhow!("not a {}: {e}", of.name()))
}

/// The message in a text that is YAML or JSON, which is YAML too.
pub fn parse(of: &MessageDescriptor, text: &str) -> Result<DynamicMessage> {
    message(of, value(text)?)
}

/// The value in a text that is YAML or JSON. Integers that no double holds are texts: fields of 64 bits take these, and
/// what is kept as a property keeps its digits.
pub fn value(text: &str) -> Result<Value> {
    let text = text.trim();
    if text.starts_with(['{', '['])
        && let Ok(value) = exact::json(text)
    {
        return Ok(value);
    }
    serde_saphyr::from_str(text).map(exact::settled).context("neither YAML nor JSON")
}

/// Canonical JSON of a message.
pub fn of(message: &DynamicMessage) -> Result<Value> {
    let options = SerializeOptions::new().stringify_64_bit_integers(true);
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// YAML of a JSON value.
pub fn yaml(value: &Value) -> Result<String> {
    serde_saphyr::to_string(value).context("cannot be written as YAML")
}

/// Replaces short enum values by full ones, all the way down.
fn complete(of: &MessageDescriptor, value: &mut Value) {
    let Value::Object(fields) = value else { return };
    for (key, value) in fields {
        let Some(field) = of.get_field_by_name(key).or_else(|| of.get_field_by_json_name(key)) else { continue };
        let kind = if field.is_map() {
            match field.kind() {
                Kind::Message(entry) => entry.map_entry_value_field().kind(),
                other => other,
            }
        } else {
            field.kind()
        };
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| complete_one(&kind, item)),
            Value::Object(entries) if field.is_map() => {
                entries.values_mut().for_each(|entry| complete_one(&kind, entry));
            }
            other => complete_one(&kind, other),
        }
    }
}

fn complete_one(kind: &Kind, value: &mut Value) {
    match kind {
        Kind::Enum(of) => {
            if let Some(found) = value.as_str().and_then(|text| find_value(of, text)) {
                *value = Value::String(found.name().to_owned());
            }
        }
        Kind::Message(inner) if !is_plain(kind) => complete(inner, value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_proto::descriptors;

    fn product() -> MessageDescriptor {
        descriptors().get_message_by_name("waymark.roadmap.v1.Product").unwrap()
    }

    #[test]
    fn yaml_with_short_values_and_either_spelling() {
        let text = "displayName: App\nlifecycle: growing\ncreate_time: 2026-01-02T03:04:05Z\nlabels:\n  team: core\n";
        let message = parse(&product(), text).unwrap();
        assert_eq!(message.get_field_by_name("lifecycle").unwrap().as_enum_number(), Some(2));
        let json = of(&message).unwrap();
        assert_eq!(json["labels"]["team"], "core");
        assert_eq!(json["createTime"], "2026-01-02T03:04:05Z");
        assert_eq!(parse(&product(), &yaml(&json).unwrap()).unwrap(), message);
    }

    #[test]
    fn doubles_come_back_to_the_bit_from_json_and_yaml() {
        let range = descriptors().get_message_by_name("waymark.common.v1.Range").unwrap();
        for number in waymark_testkit::doubles(7).take(2_000) {
            let mut message = DynamicMessage::new(range.clone());
            message.set_field_by_name("low", prost_reflect::Value::F64(number));
            let json = of(&message).unwrap();
            for text in [json.to_string(), yaml(&json).unwrap()] {
                assert_eq!(parse(&range, &text).unwrap(), message, "{text}");
            }
        }
    }

    #[test]
    fn a_misspelt_field_is_refused_by_name() {
        let error = parse(&product(), "{\"colour\": 1}").unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
    }
}

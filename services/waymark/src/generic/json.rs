//! The JSON and YAML of messages.

use anyhow::{Context as _, Result};
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, SerializeOptions, Value as Field};
use serde_json::{Value, json};

use super::contract::tells_zero;

/// Canonical JSON of a message. A number that is an answer is there when it is 0, too.
pub fn of(message: &DynamicMessage) -> Result<Value> {
    let options = SerializeOptions::new().stringify_64_bit_integers(true);
    let mut value = message.serialize_with_options(serde_json::value::Serializer, &options)?;
    add_zeros(message, &mut value);
    Ok(value)
}

/// YAML of a JSON value.
pub fn yaml(value: &Value) -> Result<String> {
    serde_saphyr::to_string(value).context("cannot be written as YAML")
}

fn add_zeros(message: &DynamicMessage, value: &mut Value) {
    let Value::Object(fields) = value else { return };
    let of = message.descriptor();
    if let Some(inner) = packed(message) {
        return add_zeros(&inner, value);
    }
    if of.package_name() == "google.protobuf" {
        return;
    }
    for field in of.fields() {
        let name = field.json_name();
        if tells_zero(&field) && !fields.contains_key(name) {
            fields.insert(name.to_owned(), zero(&field.kind()));
        }
        let Some(value) = fields.get_mut(name) else { continue };
        match message.get_field(&field).as_ref() {
            Field::Message(inner) => add_zeros(inner, value),
            Field::List(items) => {
                let values = value.as_array_mut().into_iter().flatten();
                for (item, value) in items.iter().zip(values) {
                    item.as_message().into_iter().for_each(|inner| add_zeros(inner, value));
                }
            }
            _ => {}
        }
    }
}

/// The message in an `Any`.
fn packed(message: &DynamicMessage) -> Option<DynamicMessage> {
    if message.descriptor().full_name() != "google.protobuf.Any" {
        return None;
    }
    let (url, bytes) = (message.get_field_by_name("type_url")?, message.get_field_by_name("value")?);
    let of = message.descriptor().parent_pool().get_message_by_name(url.as_str()?.rsplit('/').next()?)?;
    DynamicMessage::decode(of, bytes.as_bytes()?.clone()).ok()
}

/// 0 as JSON has it: integers of 64 bits are texts.
fn zero(kind: &Kind) -> Value {
    match kind {
        Kind::Double | Kind::Float => json!(0.0),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => json!("0"),
        _ => json!(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use waymark_proto::descriptors;

    fn empty(name: &str) -> DynamicMessage {
        DynamicMessage::new(descriptors().get_message_by_name(name).unwrap())
    }

    #[test]
    fn a_zero_that_is_an_answer_is_there() {
        assert_eq!(of(&empty("waymark.roadmap.v1.EvaluateScoreResponse")).unwrap(), json!({"score": 0.0}));
        let mut names = empty("waymark.metrics.v1.ListEventNamesResponse");
        names
            .set_field_by_name("event_names", Field::List(vec![Field::Message(empty("waymark.metrics.v1.EventName"))]));
        let expected = json!({"eventNames": [{"count": "0"}], "total": 0, "users": "0", "count": "0"});
        assert_eq!(of(&names).unwrap(), expected);
        // Zeros of what an event carries, too.
        let mut measured = empty("waymark.metrics.v1.MetricMeasured");
        let mut metric = empty("waymark.metrics.v1.Metric");
        metric.set_field_by_name("latest", Field::Message(empty("waymark.common.v1.Reading")));
        measured.set_field_by_name("metric", Field::Message(metric));
        let mut any = empty("google.protobuf.Any");
        let url = format!("type.googleapis.com/{}", measured.descriptor().full_name());
        any.set_field_by_name("type_url", Field::String(url));
        any.set_field_by_name("value", Field::Bytes(measured.encode_to_vec().into()));
        assert_eq!(of(&any).unwrap()["metric"]["latest"]["value"], 0.0);
    }

    #[test]
    fn what_nobody_set_is_not_there() {
        assert_eq!(of(&empty("waymark.metrics.v1.MetricAlert")).unwrap().get("threshold"), None, "it has presence");
        assert_eq!(of(&empty("waymark.metrics.v1.Prediction")).unwrap(), json!({}), "no window has 0 days");
        assert_eq!(of(&empty("waymark.metrics.v1.Friction")).unwrap()["worstStep"], 0, "the first step is one");
    }
}

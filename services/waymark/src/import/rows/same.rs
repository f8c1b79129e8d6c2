//! Whether a resource already says what a row does.

use prost_reflect::{DynamicMessage, Value};

/// Whether `current`, which may not be set, says all that `wanted` does: of messages the fields that are set there, of maps
/// the entries that are there. Line ends count alike, as files are written on all systems.
pub fn says(current: &Value, wanted: &Value, is_set: bool) -> bool {
    match (current, wanted) {
        (Value::Message(current), Value::Message(wanted)) => is_set && says_all(current, wanted),
        (Value::List(current), Value::List(wanted)) => {
            current.len() == wanted.len()
                && current.iter().zip(wanted).all(|(current, wanted)| says(current, wanted, true))
        }
        (Value::Map(current), Value::Map(wanted)) => {
            wanted.iter().all(|(key, wanted)| current.get(key).is_some_and(|current| says(current, wanted, true)))
        }
        (Value::String(current), Value::String(wanted)) => {
            current == wanted || current.replace("\r\n", "\n") == wanted.replace("\r\n", "\n")
        }
        _ => current == wanted,
    }
}

fn says_all(current: &DynamicMessage, wanted: &DynamicMessage) -> bool {
    wanted.fields().all(|(field, value)| says(&current.get_field(&field), value, current.has_field(&field)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use waymark_proto::descriptors;

    fn same(current: serde_json::Value, wanted: serde_json::Value) -> bool {
        let of = || descriptors().get_message_by_name("waymark.roadmap.v1.Estimate").unwrap();
        let read = |json| Value::Message(DynamicMessage::deserialize(of(), json).unwrap());
        says(&read(current), &read(wanted), true)
    }

    #[test]
    fn what_the_service_adds_makes_no_difference() {
        let source = json!({"guess": "a\r\nb", "by": "users/ada", "time": "2026-01-01T00:00:00Z"});
        let current =
            json!({"displayName": "E", "reach": {"point": 5.0, "source": source}, "labels": {"a": "1", "b": "2"}});
        assert!(same(
            current.clone(),
            json!({"reach": {"point": 5.0, "source": {"guess": "a\nb"}}, "labels": {"a": "1"}})
        ));
        assert!(!same(current.clone(), json!({"reach": {"point": 6.0}})));
        assert!(!same(current.clone(), json!({"labels": {"a": "2"}})));
        assert!(!same(current, json!({"effort": {}})), "what is not set says nothing");
    }
}

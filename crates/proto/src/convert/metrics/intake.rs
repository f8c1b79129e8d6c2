//! Product events on their way in: from the message to the rules, and from a rule's refusal to the report.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pbjson_types::value::Kind;
use pbjson_types::{Struct, Value};
use serde_json::Map;
use waymark_domain::metrics::{Held, IntakePolicy, ProductEvent, Rejection};

use crate::metrics::v1 as pb;

const PROPERTY_BYTES: usize = 32 * 1024;
const PROPERTY_LEVELS: usize = 16;
const REPORTED_ID: usize = 128;

/// The event and its properties, or the first reason it is not taken in.
pub fn product_event(
    policy: &IntakePolicy,
    now: DateTime<Utc>,
    message: pb::ProductEvent,
) -> Result<(ProductEvent, Map<String, serde_json::Value>), Rejection> {
    let pb::ProductEvent { event_id, user, event, time, device, session, properties: bag } = message;
    let time = time.and_then(|t| DateTime::from_timestamp(t.seconds, u32::try_from(t.nanos).ok()?));
    let event = policy.admit(now, time, [event_id, user, event, device, session])?;
    Ok((event, properties(bag)?))
}

/// Properties as JSON, within the limits of the contract. A whole number becomes an integer, as in the JSON it most
/// likely came from.
pub fn properties(bag: Option<Struct>) -> Result<Map<String, serde_json::Value>, Rejection> {
    let mut room = PROPERTY_BYTES;
    object(bag.unwrap_or_default(), PROPERTY_LEVELS, &mut room)
}

fn object(bag: Struct, levels: usize, room: &mut usize) -> Result<Map<String, serde_json::Value>, Rejection> {
    let mut map = Map::with_capacity(bag.fields.len());
    // In order of their names: properties that are the same are the same text, which is kept once where many events have them.
    for (key, value) in bag.fields.into_iter().collect::<BTreeMap<_, _>>() {
        take(room, key.len())?;
        let value = json(value, levels, room)?;
        map.insert(key, value);
    }
    Ok(map)
}

fn json(value: Value, levels: usize, room: &mut usize) -> Result<serde_json::Value, Rejection> {
    let Some(inner) = levels.checked_sub(1) else {
        return Err(Rejection::Properties(format!("are nested more than {PROPERTY_LEVELS} levels deep")));
    };
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(flag)) => flag.into(),
        Some(Kind::NumberValue(number)) => {
            take(room, 8)?;
            number_value(number)?
        }
        Some(Kind::StringValue(text)) => {
            take(room, text.len())?;
            text.into()
        }
        Some(Kind::StructValue(bag)) => object(bag, inner, room)?.into(),
        Some(Kind::ListValue(list)) => {
            take(room, list.values.len())?;
            let values: Result<Vec<_>, _> = list.values.into_iter().map(|value| json(value, inner, room)).collect();
            values?.into()
        }
    })
}

/// What a property holds, for a tracking plan.
pub fn held(value: &serde_json::Value) -> Held<'_> {
    match value {
        serde_json::Value::Null => Held::Null,
        serde_json::Value::Bool(_) => Held::Boolean,
        serde_json::Value::Number(_) => Held::Number,
        serde_json::Value::String(text) => Held::Text(text),
        serde_json::Value::Array(_) => Held::List,
        serde_json::Value::Object(_) => Held::Object,
    }
}

fn number_value(number: f64) -> Result<serde_json::Value, Rejection> {
    // Every integer in this range is exact in a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Ok((number as i64).into());
    }
    serde_json::Number::from_f64(number)
        .map(Into::into)
        .ok_or_else(|| Rejection::Properties("hold a number that is not finite".to_owned()))
}

fn take(room: &mut usize, bytes: usize) -> Result<(), Rejection> {
    let too_large = || Rejection::Properties(format!("are larger than {PROPERTY_BYTES} bytes of names and values"));
    *room = room.checked_sub(bytes).ok_or_else(too_large)?;
    Ok(())
}

/// The report on an event that is not taken in.
pub fn rejected(index: usize, event_id: &str, rejection: &Rejection) -> pb::RejectedEvent {
    let reason = match rejection {
        Rejection::EventId(_) => pb::RejectionReason::EventId,
        Rejection::User(_) => pb::RejectionReason::User,
        Rejection::Event(_) => pb::RejectionReason::Event,
        Rejection::Time => pb::RejectionReason::Time,
        Rejection::TimeInFuture { .. } => pb::RejectionReason::TimeInFuture,
        Rejection::TimeTooOld { .. } => pb::RejectionReason::TimeTooOld,
        Rejection::Device(_) | Rejection::Session(_) => pb::RejectionReason::Context,
        Rejection::Properties(_) => pb::RejectionReason::Properties,
        Rejection::Unexpected { .. } => pb::RejectionReason::TrackingPlan,
        Rejection::Bot { .. } => pb::RejectionReason::Bot,
    };
    pb::RejectedEvent {
        // A batch holds far fewer than 2^31 events.
        index: index as i32,
        event_id: event_id.chars().take(REPORTED_ID).collect(),
        reason: reason.into(),
        field: rejection.field().to_owned(),
        message: rejection.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(value: Value) -> Struct {
        [("p".to_owned(), value)].into_iter().collect()
    }

    #[test]
    fn properties_that_are_the_same_are_the_same_text() {
        let names: Vec<String> = (0..50).map(|n| format!("p{n:02}")).collect();
        let bag = |names: &mut dyn Iterator<Item = &String>| {
            let inner = names.map(|name| (name.clone(), Value { kind: Some(Kind::BoolValue(true)) })).collect();
            let inner = Value { kind: Some(Kind::StructValue(inner)) };
            let outer = [("z".to_owned(), inner.clone()), ("a".to_owned(), inner)];
            properties(Some(outer.into_iter().collect())).unwrap()
        };
        let one = serde_json::to_string(&bag(&mut names.iter())).unwrap();
        assert_eq!(one, serde_json::to_string(&bag(&mut names.iter().rev())).unwrap());
        assert!(one.starts_with(r#"{"a":{"p00":true,"p01":true,"#), "{one}");
    }

    fn read(value: Value) -> Result<Map<String, serde_json::Value>, Rejection> {
        properties(Some(bag(value)))
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let map = read(3.0.into()).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"p":3}"#);
        let map = read(49.5.into()).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"p":49.5}"#);
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert!(read(f64::NAN.into()).is_err());
        assert!(read("x".repeat(PROPERTY_BYTES).into()).is_err());
        assert!(read("x".repeat(PROPERTY_BYTES - 1).into()).is_ok());
        let nest = |levels| (1..levels).fold(Value::from(true), |inner, _| vec![inner].into());
        assert!(read(nest(PROPERTY_LEVELS)).is_ok());
        assert!(read(nest(PROPERTY_LEVELS + 1)).is_err());
    }

    #[test]
    fn every_rejection_names_its_reason_and_field() {
        let now = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        let time = |seconds| Some(crate::Timestamp { seconds, nanos: 0 });
        let good = pb::ProductEvent {
            event_id: "1".into(),
            user: "ada".into(),
            event: "opened".into(),
            time: time(1_770_000_000),
            ..Default::default()
        };
        let reason = |event: pb::ProductEvent| {
            let rejection = product_event(&IntakePolicy::default(), now, event).unwrap_err();
            rejected(7, "1", &rejection).reason()
        };
        assert!(product_event(&IntakePolicy::default(), now, good.clone()).is_ok());
        assert_eq!(reason(pb::ProductEvent { user: String::new(), ..good.clone() }), pb::RejectionReason::User);
        assert_eq!(reason(pb::ProductEvent { time: None, ..good.clone() }), pb::RejectionReason::Time);
        assert_eq!(reason(pb::ProductEvent { time: time(i64::MAX), ..good.clone() }), pb::RejectionReason::Time);
        assert_eq!(
            reason(pb::ProductEvent { time: time(1_770_090_000), ..good.clone() }),
            pb::RejectionReason::TimeInFuture
        );
        assert_eq!(reason(pb::ProductEvent { time: time(0), ..good.clone() }), pb::RejectionReason::TimeTooOld);
        assert_eq!(
            reason(pb::ProductEvent { properties: Some(bag(f64::INFINITY.into())), ..good }),
            pb::RejectionReason::Properties
        );
    }
}

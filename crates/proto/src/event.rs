//! Event messages by name: the log keeps them as JSON, the wire wants protobuf.

use serde::Serialize;
use serde::de::DeserializeOwned;
use strum::VariantNames;
use waymark_domain::Resource;

use crate::ResourceMessage;
use crate::choice::{alike, reads_alike, same};

/// Why an event cannot be transcoded.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// No event message has this name.
    #[error("{0:?} is not an event of the contract")]
    Unknown(String),
    /// The stored JSON is not of the message.
    #[error("the JSON is not a {type_name}")]
    Json {
        /// The event's type.
        type_name: String,
        /// What the decoder said.
        source: serde_json::Error,
    },
    /// The bytes are not of the message.
    #[error("the bytes are not a {type_name}")]
    Bytes {
        /// The event's type.
        type_name: String,
        /// What the decoder said.
        source: prost::DecodeError,
    },
}

/// No event is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an event of the contract; those of {service} are {}", names(.service).join(", "))]
pub struct UnknownEvent {
    /// What was written.
    text: String,
    /// The service that was asked.
    service: String,
}

/// A message as JSON.
type Printed = Result<String, serde_json::Error>;

/// What the contract says of one event type, and how it goes from JSON to bytes and back.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    collection: &'static str,
    verb: &'static str,
    to_bytes: fn(&str) -> Result<Vec<u8>, serde_json::Error>,
    to_json: fn(&[u8]) -> Result<Printed, prost::DecodeError>,
}

pub(crate) fn codec<M, R>(verb: &'static str) -> Codec
where
    M: prost::Message + Default + Serialize + DeserializeOwned,
    R: ResourceMessage,
{
    Codec {
        collection: R::COLLECTION,
        verb,
        to_bytes: |json| serde_json::from_str::<M>(json).map(|m| m.encode_to_vec()),
        to_json: |bytes| M::decode(bytes).map(|m| serde_json::to_string(&m)),
    }
}

fn codec_of(type_name: &str) -> Result<Codec, EventError> {
    crate::derived::event_codec(type_name).ok_or_else(|| EventError::Unknown(type_name.to_owned()))
}

/// Whether the domain and the contract call a resource and what happens to it the same.
pub const fn agree<R: Resource, M: ResourceMessage>() -> bool {
    let verbs = <R::Event as VariantNames>::VARIANTS;
    same(&[R::KIND, R::COLLECTION], &[M::KIND, M::COLLECTION]) && alike(verbs, M::VERBS)
}

/// Whether the contract has an event message of this full name.
pub fn is_event(type_name: &str) -> bool {
    crate::derived::event_codec(type_name).is_some()
}

/// The full names of the contract's events.
pub fn types() -> impl Iterator<Item = &'static str> {
    crate::derived::EVENT_TYPES.iter().copied()
}

/// The full name of the event that is meant by a name as people write it, with its package or without. Of two services
/// that have an event of one name, `service` is meant.
pub fn named(service: &str, text: &str) -> Result<&'static str, UnknownEvent> {
    let whole = types().find(|name| reads_alike(name, text));
    let own = || types().find(|name| of_service(name, service) && reads_alike(short(name), text));
    let any = || types().find(|name| reads_alike(short(name), text));
    whole.or_else(own).or_else(any).ok_or_else(|| UnknownEvent { text: text.to_owned(), service: service.to_owned() })
}

/// The names of a service's events, without their package.
fn names(service: &str) -> Vec<&'static str> {
    types().filter(|name| of_service(name, service)).map(short).collect()
}

/// Whether an event of this full name is of a service.
pub fn of_service(type_name: &str, service: &str) -> bool {
    type_name
        .strip_prefix("waymark.")
        .and_then(|rest| rest.strip_prefix(service))
        .is_some_and(|rest| rest.starts_with('.'))
}

/// An event's name without its package.
pub fn short(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap_or(type_name)
}

/// The collection of the resource an event is about, and what happened to it, such as `("initiatives",
/// "waiver_signed")`; `None` when the contract has no such event.
pub fn subject(type_name: &str) -> Option<(&'static str, &'static str)> {
    crate::derived::event_codec(type_name).map(|codec| (codec.collection, codec.verb))
}

/// The protobuf encoding of an event kept as canonical JSON.
pub fn to_bytes(type_name: &str, json: &str) -> Result<Vec<u8>, EventError> {
    (codec_of(type_name)?.to_bytes)(json).map_err(|source| EventError::Json { type_name: type_name.to_owned(), source })
}

/// The canonical JSON of an event kept as JSON. What was kept long ago has an offset where times now end in `Z`.
pub fn canonical(type_name: &str, json: &str) -> String {
    let written_so = json.contains(r#"+00:00""#);
    let canonical = written_so.then(|| to_json(type_name, &to_bytes(type_name, json).ok()?).ok()).flatten();
    canonical.unwrap_or_else(|| json.to_owned())
}

/// The canonical JSON of an event received as protobuf.
pub fn to_json(type_name: &str, bytes: &[u8]) -> Result<String, EventError> {
    (codec_of(type_name)?.to_json)(bytes)
        .map_err(|source| EventError::Bytes { type_name: type_name.to_owned(), source })?
        .map_err(|source| EventError::Json { type_name: type_name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL};
    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

    use super::*;

    /// A message with each of its doubles set, all the way down; counts them.
    fn filled(
        of: &MessageDescriptor,
        doubles: &mut impl Iterator<Item = f64>,
        levels: usize,
    ) -> (DynamicMessage, usize) {
        let (mut message, mut count) = (DynamicMessage::new(of.clone()), 0);
        // Of a oneof the field that is set last stands.
        for field in of.fields().filter(|field| !field.is_map()) {
            let value = match field.kind() {
                Kind::Double => doubles.next().map(Value::F64),
                Kind::Message(inner) if levels > 0 && !inner.full_name().starts_with("google.") => {
                    let (inner, within) = filled(&inner, doubles, levels - 1);
                    count += within;
                    (within > 0).then_some(Value::Message(inner))
                }
                _ => None,
            };
            let Some(value) = value else { continue };
            count += usize::from(field.kind() == Kind::Double);
            message.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
        }
        (message, count)
    }

    #[test]
    fn times_of_events_end_in_z_also_of_old_ones() {
        let (name, old) =
            ("waymark.roadmap.v1.ProductUpdated", r#"{"product":{"createTime":"2026-03-02T09:00:00+00:00"}}"#);
        let new = r#"{"product":{"createTime":"2026-03-02T09:00:00Z"}}"#;
        assert_eq!((canonical(name, old), canonical(name, new)), (new.to_owned(), new.to_owned()));
        assert_eq!(to_json(name, &to_bytes(name, old).unwrap()).unwrap(), new);
        assert_eq!(canonical("waymark.roadmap.v1.ProductPainted", old), old, "a later version may know it");
    }

    #[test]
    fn events_are_named_as_people_write_them() {
        let shipped = Ok("waymark.roadmap.v1.InitiativeShipped");
        for text in
            ["waymark.roadmap.v1.InitiativeShipped", "InitiativeShipped", "initiative-shipped", "INITIATIVE_SHIPPED"]
        {
            assert_eq!((named("roadmap", text), named("metrics", text)), (shipped.clone(), shipped.clone()), "{text}");
        }
        let of = |service, text| named(service, text).map(|name| name.split('.').nth(1).unwrap());
        assert_eq!(
            (of("discovery", "OutcomeUpdated"), of("roadmap", "OutcomeUpdated")),
            (Ok("discovery"), Ok("discovery"))
        );
        let unknown = named("metrics", "InitiativeShippd").unwrap_err().to_string();
        let expected = "\"InitiativeShippd\" is not an event of the contract; those of metrics are ";
        assert!(unknown.starts_with(expected) && unknown.contains(", MetricBreached, "), "{unknown}");
        assert!(unknown.len() < 1_000 && !unknown.contains("InitiativeShipped"), "{unknown}");
    }

    proptest! {
        /// What is logged and stored is the JSON of messages: each double of every event, hence of every resource that
        /// events hold, comes back to the bit.
        #[test]
        fn doubles_of_events_come_back_to_the_bit(
            numbers in prop::collection::vec(NORMAL | SUBNORMAL | POSITIVE | NEGATIVE, 40)
        ) {
            let mut numbers = numbers.iter().copied().cycle();
            let events: Vec<_> = crate::descriptors().all_messages().filter(|m| is_event(m.full_name())).collect();
            let mut all = 0;
            for event in &events {
                let (message, count) = filled(event, &mut numbers, 8);
                all += count;
                let json = to_json(event.full_name(), &message.encode_to_vec()).unwrap();
                let bytes = to_bytes(event.full_name(), &json).unwrap();
                prop_assert_eq!(DynamicMessage::decode(event.clone(), &*bytes).unwrap(), message, "{}", json);
            }
            prop_assert!(all > events.len(), "{} doubles were tried", all);
        }
    }
}

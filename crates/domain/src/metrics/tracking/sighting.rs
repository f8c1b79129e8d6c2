//! What came that a tracking plan does not expect: what it is, how often, and where it can be seen. Nothing here tells
//! who did it.

use chrono::{DateTime, Utc};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};
use uuid::Uuid;

use crate::metrics::ProductEvent;
use crate::{Change, Meta, Resource};

/// Something that the tracking plan does not expect, and how often it came.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackingViolation {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What it is.
    pub key: ViolationKey,
    /// How often it came.
    pub seen: Sighting,
}

/// What is not expected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ViolationKey {
    /// In which way.
    pub kind: TrackingViolationKind,
    /// Of which event.
    pub event: String,
    /// Of which property of it; empty when it is the event as a whole.
    pub property: String,
}

/// In which way something is not expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum TrackingViolationKind {
    UnknownEvent,
    UnknownProperty,
    MissingProperty,
    WrongType,
    ValueNotAllowed,
}

/// How often something came, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sighting {
    /// In how many events.
    pub count: u64,
    /// How many of them were rejected.
    pub rejected: u64,
    /// When the last of them came.
    pub last_time: Option<DateTime<Utc>>,
    /// What was probably meant; may be empty.
    pub suggestion: String,
    /// The first few of them.
    pub examples: Vec<TrackingExample>,
}

/// An event in which it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackingExample {
    /// The event's id.
    pub event_id: String,
    /// The event's time.
    pub time: DateTime<Utc>,
    /// What the property was, as JSON.
    pub value: String,
}

/// What happens to tracking violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum TrackingViolationEvent {
    Found,
    Deleted,
}

impl Resource for TrackingViolation {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "TrackingViolation";
    const COLLECTION: &'static str = "trackingViolations";
    type Event = TrackingViolationEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl TrackingViolation {
    /// How many a workspace has, about, at most.
    pub const MOST: usize = 1_000;

    /// The violation after it was seen again.
    pub fn seen(mut self, further: Sighting) -> Change<Self> {
        self.seen.add(further);
        Change::new(self, TrackingViolationEvent::Found)
    }

    /// The violation that was forgotten and has come again.
    pub fn anew(self, seen: Sighting) -> Change<Self> {
        Change::new(Self { seen, ..self }, TrackingViolationEvent::Found)
    }
}

impl ViolationKey {
    /// The id of the violation: the same for the same, everywhere.
    pub fn id(&self) -> String {
        let name = format!("{}\0{}\0{}", self.kind, self.event, self.property);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string()
    }

    /// What it is, for people, in `most` characters.
    pub fn title(&self, most: usize) -> String {
        let Self { event, property, .. } = self;
        let title = match self.kind {
            TrackingViolationKind::UnknownEvent => format!("{event} is no event of the plan"),
            TrackingViolationKind::UnknownProperty => format!("{property} is no property of {event}"),
            TrackingViolationKind::MissingProperty => format!("{property} of {event} is missing"),
            TrackingViolationKind::WrongType => format!("{property} of {event} is of another type"),
            TrackingViolationKind::ValueNotAllowed => format!("{property} of {event} has a value that is not allowed"),
        };
        cut(&title, most)
    }
}

impl Sighting {
    /// Examples that are kept.
    pub const EXAMPLES: usize = 3;

    /// Adds what was seen later.
    pub fn add(&mut self, further: Self) {
        self.count = self.count.saturating_add(further.count);
        self.rejected = self.rejected.saturating_add(further.rejected);
        self.last_time = self.last_time.max(further.last_time);
        if !further.suggestion.is_empty() {
            self.suggestion = further.suggestion;
        }
        let room = Self::EXAMPLES.saturating_sub(self.examples.len());
        // The event that is sent again is no other example.
        let new: Vec<_> = further.examples.into_iter().filter(|example| !self.examples.contains(example)).collect();
        self.examples.extend(new.into_iter().take(room));
    }
}

impl TrackingExample {
    const ID: usize = 128;
    const VALUE: usize = 64;

    /// What may be shown of an event, and of the value that is wrong.
    pub fn new(event: &ProductEvent, value: Option<String>) -> Self {
        let shown = |text: &str, most| if is_personal(event, text) { String::new() } else { cut(text, most) };
        Self {
            event_id: shown(&event.event_id, Self::ID),
            time: event.time,
            value: value.map(|value| shown(&value, Self::VALUE)).unwrap_or_default(),
        }
    }
}

/// Whether a text may tell who did it.
fn is_personal(event: &ProductEvent, text: &str) -> bool {
    let who = [Some(&event.user), event.device.as_ref(), event.session.as_ref()];
    text.contains('@') || who.into_iter().flatten().any(|who| text.contains(who.as_str()))
}

/// The first `most` characters.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> ProductEvent {
        ProductEvent {
            event_id: "e-ada-1".into(),
            user: "ada".into(),
            event: "opened".into(),
            time: DateTime::UNIX_EPOCH,
            device: Some("phone-7".into()),
            session: None,
        }
    }

    #[test]
    fn examples_do_not_tell_who_did_it() {
        let shown = |event: &ProductEvent, value: &str| {
            let example = TrackingExample::new(event, Some(value.to_owned()));
            (example.event_id, example.value)
        };
        assert_eq!(shown(&event(), r#""Team""#), (String::new(), r#""Team""#.to_owned()));
        let other = ProductEvent { event_id: "7".into(), ..event() };
        for personal in [r#""ada""#, r#""of ada""#, r#""phone-7""#, r#""someone@example.com""#] {
            assert_eq!(shown(&other, personal), ("7".to_owned(), String::new()));
        }
        assert_eq!(shown(&other, &"x".repeat(100)).1.len(), 64);
    }

    #[test]
    fn what_is_seen_again_is_added_and_examples_are_few() {
        let example =
            |id: &str| TrackingExample { event_id: id.into(), time: DateTime::UNIX_EPOCH, value: String::new() };
        let sighting = |ids: &[&str]| Sighting {
            count: 2,
            rejected: 1,
            examples: ids.iter().map(|id| example(id)).collect(),
            ..Sighting::default()
        };
        let mut seen = sighting(&["1", "2"]);
        seen.add(Sighting { suggestion: "plan".into(), ..sighting(&["2", "3", "4"]) });
        assert_eq!((seen.count, seen.rejected, seen.suggestion.as_str()), (4, 2, "plan"));
        assert_eq!(seen.examples, [example("1"), example("2"), example("3")]);
    }

    #[test]
    fn ids_tell_kinds_events_and_properties_apart() {
        use TrackingViolationKind::{MissingProperty, WrongType};
        let key = |kind, event: &str, property: &str| {
            ViolationKey { kind, event: event.into(), property: property.into() }.id()
        };
        let ids = [
            key(WrongType, "a", "bc"),
            key(WrongType, "ab", "c"),
            key(MissingProperty, "a", "bc"),
            key(WrongType, "a", "bd"),
        ];
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 4);
        assert_eq!(ids[0], key(WrongType, "a", "bc"));
    }
}

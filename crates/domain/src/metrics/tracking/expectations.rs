//! A tracking plan, ready to judge events: what each may and must have is found at once. Judges one event at a time;
//! never counts.

use std::collections::HashMap;

use super::bots::Telltale;
use super::{BotRule, TrackedProperty, TrackedType, TrackingMode, TrackingPlan, TrackingViolationKind};
use crate::text::nearest;

/// What a property holds, as far as a plan looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Held<'a> {
    Null,
    Text(&'a str),
    Number,
    Boolean,
    List,
    Object,
}

/// What is expected of the events of a workspace.
#[derive(Debug)]
pub struct Expectations {
    mode: TrackingMode,
    plan: String,
    events: HashMap<String, Event>,
    shared: Properties,
    bots: Vec<Telltale>,
}

#[derive(Debug)]
struct Event {
    own: Properties,
    allows_others: bool,
    /// Properties of the plan that the event must have and does not say anything about by itself.
    shared: Vec<String>,
}

#[derive(Debug, Default)]
struct Properties {
    known: HashMap<String, TrackedProperty>,
    required: Vec<String>,
}

impl Properties {
    fn new(properties: &[TrackedProperty]) -> Self {
        let required = properties.iter().filter(|property| property.required);
        Self {
            required: required.map(|property| property.property.clone()).collect(),
            known: properties.iter().map(|property| (property.property.clone(), property.clone())).collect(),
        }
    }
}

/// What is not as expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault<'a> {
    /// The event.
    UnknownEvent,
    /// A property that is not stated.
    UnknownProperty(&'a str),
    /// A property that must be there.
    Missing(&'a str),
    /// A property that holds something else than it should.
    WrongType(&'a str, Held<'a>, TrackedType),
    /// A text that is not allowed, and those that are.
    NotAllowed(&'a str, &'a str, &'a [String]),
}

impl Expectations {
    /// What a plan says.
    pub fn new(plan: &TrackingPlan) -> Self {
        let shared = Properties::new(&plan.properties);
        let event = |event: &super::TrackedEvent| {
            let own = Properties::new(&event.properties);
            let further = shared.required.iter().filter(|name| !own.known.contains_key(*name)).cloned().collect();
            (event.event.clone(), Event { own, allows_others: event.allows_others, shared: further })
        };
        Self {
            mode: plan.mode,
            plan: plan.meta.name.to_string(),
            events: plan.events.iter().map(event).collect(),
            bots: plan.bot_rules.iter().map(Telltale::new).collect(),
            shared,
        }
    }

    /// What becomes of events that are not as expected.
    pub fn mode(&self) -> TrackingMode {
        self.mode
    }

    /// The first rule that says that an event with such properties is of a bot.
    pub fn bot<'a>(&self, properties: impl Iterator<Item = (&'a str, Held<'a>)>) -> Option<&BotRule> {
        if self.bots.is_empty() {
            return None;
        }
        let mut found: Option<usize> = None;
        for (name, held) in properties {
            let Held::Text(text) = held else { continue };
            let mut small = None;
            for (index, bot) in self.bots.iter().enumerate().take(found.unwrap_or(self.bots.len())) {
                if bot.looks_at(name) && bot.fits(small.get_or_insert_with(|| text.to_lowercase())) {
                    found = Some(index);
                    break;
                }
            }
        }
        found.and_then(|index| self.bots.get(index)).map(|bot| &bot.rule)
    }

    /// What of an event is not as expected; nothing when nobody looks.
    pub fn faults<'a>(
        &'a self,
        event: &str,
        properties: &(impl Iterator<Item = (&'a str, Held<'a>)> + Clone),
    ) -> Vec<Fault<'a>> {
        let mut faults = Vec::new();
        if self.mode == TrackingMode::Off {
            return faults;
        }
        let Some(Event { own, allows_others, shared }) = self.events.get(event) else {
            return vec![Fault::UnknownEvent];
        };
        let mut needed = own.required.len() + shared.len();
        for (name, held) in properties.clone() {
            let Some(known) = own.known.get(name).or_else(|| self.shared.known.get(name)) else {
                if !allows_others {
                    faults.push(Fault::UnknownProperty(name));
                }
                continue;
            };
            if held != Held::Null {
                needed -= usize::from(known.required);
                faults.extend(fault(known, name, held));
            }
        }
        if needed > 0 {
            let has = |name: &str| properties.clone().any(|(has, held)| has == name && held != Held::Null);
            let missing = own.required.iter().chain(shared).filter(|name| !has(name));
            faults.extend(missing.map(|name| Fault::Missing(name)));
        }
        faults
    }

    /// What was probably meant.
    pub fn suggestion<'a>(&'a self, event: &str, fault: &Fault<'a>) -> Option<&'a str> {
        match fault {
            Fault::UnknownEvent => nearest(event, self.events.keys().map(String::as_str)),
            Fault::UnknownProperty(name) => {
                let own = self.events.get(event).into_iter().flat_map(|event| event.own.known.keys());
                nearest(name, own.chain(self.shared.known.keys()).map(String::as_str))
            }
            Fault::NotAllowed(_, text, allowed) => nearest(text, allowed.iter().map(String::as_str)),
            Fault::Missing(_) | Fault::WrongType(..) => None,
        }
    }

    /// What is wrong with a field of an event and what would be right, for people.
    pub fn explain(&self, event: &str, fault: &Fault<'_>, suggestion: Option<&str>) -> String {
        let meant = suggestion.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
        match fault {
            Fault::UnknownEvent if suggestion.is_some() => format!("is no event of {}{meant}", self.plan),
            Fault::UnknownEvent => format!("is no event of {}, which has to have it before it comes", self.plan),
            Fault::UnknownProperty(_) => format!("is no property of {event} in {}{meant}", self.plan),
            Fault::Missing(_) => format!("is missing: {event} must have it"),
            Fault::WrongType(_, held, kind) => format!("must be a {}, is {}", <&str>::from(kind), held.name()),
            Fault::NotAllowed(_, _, allowed) => match allowed {
                [only] => format!("must be {only:?}{meant}"),
                _ if suggestion.is_some() => format!("is none of the {} allowed values{meant}", allowed.len()),
                _ => format!("must be one of {}", some(allowed)),
            },
        }
    }
}

/// The first few of many.
fn some(values: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<_> = values.iter().take(SHOWN).map(|value| format!("{value:?}")).collect();
    let more = values.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} others", shown.join(", ")) }
}

fn fault<'a>(known: &'a TrackedProperty, name: &'a str, held: Held<'a>) -> Option<Fault<'a>> {
    if !held.is_a(known.kind) {
        return Some(Fault::WrongType(name, held, known.kind));
    }
    let Held::Text(text) = held else { return None };
    let allowed = &known.allowed_values;
    let fits = allowed.is_empty() || allowed.iter().any(|value| value == text);
    (!fits).then_some(Fault::NotAllowed(name, text, allowed))
}

impl Held<'_> {
    fn is_a(self, kind: TrackedType) -> bool {
        match kind {
            TrackedType::Any => true,
            TrackedType::Text => matches!(self, Self::Text(_)),
            TrackedType::Number => self == Self::Number,
            TrackedType::Boolean => self == Self::Boolean,
            TrackedType::List => self == Self::List,
            TrackedType::Object => self == Self::Object,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "a TEXT",
            Self::Number => "a NUMBER",
            Self::Boolean => "a BOOLEAN",
            Self::List => "a LIST",
            Self::Object => "an OBJECT",
        }
    }
}

impl Fault<'_> {
    /// What kind of fault it is.
    pub fn kind(&self) -> TrackingViolationKind {
        match self {
            Self::UnknownEvent => TrackingViolationKind::UnknownEvent,
            Self::UnknownProperty(_) => TrackingViolationKind::UnknownProperty,
            Self::Missing(_) => TrackingViolationKind::MissingProperty,
            Self::WrongType(..) => TrackingViolationKind::WrongType,
            Self::NotAllowed(..) => TrackingViolationKind::ValueNotAllowed,
        }
    }

    /// The property, if it is of one.
    pub fn property(&self) -> Option<&str> {
        match self {
            Self::UnknownEvent => None,
            Self::UnknownProperty(name)
            | Self::Missing(name)
            | Self::WrongType(name, ..)
            | Self::NotAllowed(name, ..) => Some(name),
        }
    }

    /// The field of the event that is to blame.
    pub fn field(&self) -> String {
        self.property().map_or_else(|| "event".to_owned(), |name| format!("properties.{name}"))
    }
}

#[cfg(test)]
mod tests;

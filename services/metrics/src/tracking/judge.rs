//! Judges the events of one call by the tracking plan in force: which are taken, what is said to whose are not, and what
//! is to be counted. Stores nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use waymark_domain::metrics::{
    BotAction, Expectations, Fault, ProductEvent, Rejection, Sighting, TrackingExample, TrackingMode,
    TrackingViolation, TrackingViolationKind, ViolationKey,
};
use waymark_proto::convert::metrics::held;
use waymark_proto::metrics::v1 as pb;

/// What marks events of bots.
const BOT: &str = "$bot";
/// Faults of one event that its rejection tells.
const TOLD: usize = 5;
/// Names and values of one call for which it is looked up what was probably meant: a call of nothing but misspelt ones, each
/// another, costs no more.
const ADVISED: usize = 20;

/// Judges events, one after the other.
pub struct Judge<'a> {
    expectations: Option<&'a Expectations>,
    now: DateTime<Utc>,
    found: Found,
    /// What was probably meant by a name, or by a value of a property.
    meant: HashMap<(ViolationKey, String), Option<String>>,
}

/// What is to be counted.
#[derive(Default)]
pub struct Found {
    /// Events that are not as expected.
    pub sightings: HashMap<ViolationKey, Sighting>,
    /// How many faults there were of which kind.
    pub kinds: HashMap<TrackingViolationKind, u64>,
    /// How many events of bots were marked.
    pub marked: u64,
    /// How many were dropped.
    pub dropped: u64,
}

impl<'a> Judge<'a> {
    /// Judges what comes at a time by what is expected, if anything is.
    pub fn new(expectations: Option<&'a Expectations>, now: DateTime<Utc>) -> Self {
        Self { expectations, now, found: Found::default(), meant: HashMap::new() }
    }

    /// What was found.
    pub fn found(self) -> Found {
        self.found
    }

    /// Whether an event is taken; one of a bot may get a mark.
    pub fn admit(&mut self, event: &ProductEvent, properties: &mut Map<String, Value>) -> Result<(), Rejection> {
        let Some(expectations) = self.expectations else { return Ok(()) };
        let all = || properties.iter().map(|(name, value)| (name.as_str(), held(value)));
        let bot = expectations.bot(all());
        if let Some(rule) = bot.filter(|rule| rule.action == BotAction::Drop) {
            self.found.dropped += 1;
            let property = if rule.property.is_empty() { "the user agent" } else { &rule.property };
            return Err(Rejection::Bot { property: property.to_owned(), pattern: rule.pattern.clone() });
        }
        let faults = expectations.faults(&event.event, &all());
        if !faults.is_empty() {
            let enforced = expectations.mode() == TrackingMode::Enforce;
            for fault in &faults {
                self.count(expectations, event, fault, properties, enforced);
            }
            if enforced {
                return Err(self.rejection(expectations, event, &faults));
            }
        }
        if bot.is_some() {
            self.found.marked += 1;
            properties.insert(BOT.to_owned(), true.into());
            // Properties that are the same are to be the same text.
            properties.sort_keys();
        }
        Ok(())
    }

    fn count(
        &mut self,
        expectations: &Expectations,
        event: &ProductEvent,
        fault: &Fault<'_>,
        properties: &Map<String, Value>,
        enforced: bool,
    ) {
        *self.found.kinds.entry(fault.kind()).or_default() += 1;
        let key = key(event, fault);
        let known = self.found.sightings.len();
        if known >= TrackingViolation::MOST && !self.found.sightings.contains_key(&key) {
            return;
        }
        let sighting = self.found.sightings.entry(key.clone()).or_default();
        sighting.count += 1;
        sighting.rejected += u64::from(enforced);
        sighting.last_time = Some(self.now);
        if sighting.examples.len() < Sighting::EXAMPLES {
            sighting.examples.push(TrackingExample::new(event, value(fault, properties)));
        }
        if sighting.count == 1
            && let Some(meant) = self.meant(expectations, event, fault)
            && let Some(sighting) = self.found.sightings.get_mut(&key)
        {
            sighting.suggestion = meant;
        }
    }

    /// What was probably meant, looked up once, and not for everything.
    fn meant(&mut self, expectations: &Expectations, event: &ProductEvent, fault: &Fault<'_>) -> Option<String> {
        let value = match fault {
            Fault::UnknownEvent | Fault::UnknownProperty(_) => "",
            Fault::NotAllowed(_, text, _) => text,
            Fault::Missing(_) | Fault::WrongType(..) => return None,
        };
        let asked = (key(event, fault), value.to_owned());
        if let Some(known) = self.meant.get(&asked) {
            return known.clone();
        }
        if self.meant.len() >= ADVISED {
            return None;
        }
        let meant = expectations.suggestion(&event.event, fault).map(str::to_owned);
        self.meant.insert(asked, meant.clone());
        meant
    }

    fn rejection(&mut self, expectations: &Expectations, event: &ProductEvent, faults: &[Fault<'_>]) -> Rejection {
        let mut explain = |fault: &Fault<'_>| {
            let meant = self.meant(expectations, event, fault);
            expectations.explain(&event.event, fault, meant.as_deref())
        };
        let (mut field, mut problem) = (String::new(), String::new());
        for (index, fault) in faults.iter().take(TOLD).enumerate() {
            if index == 0 {
                (field, problem) = (fault.field(), explain(fault));
            } else {
                problem.extend(["; ", &fault.field(), " ", &explain(fault)]);
            }
        }
        if let Some(more) = faults.len().checked_sub(TOLD).filter(|more| *more > 0) {
            problem.extend(["; and ", &more.to_string(), " more"]);
        }
        Rejection::Unexpected { field, problem }
    }
}

/// Under what a fault of an event is counted.
fn key(event: &ProductEvent, fault: &Fault<'_>) -> ViolationKey {
    let property = fault.property().unwrap_or_default();
    ViolationKey {
        kind: fault.kind(),
        event: event.event.clone(),
        // The database stores no NUL.
        property: property.chars().take(pb::TrackingViolation::PROPERTY_MOST).map(printable).collect(),
    }
}

fn printable(c: char) -> char {
    if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }
}

/// The value that is wrong, where it is that and is short to tell.
fn value(fault: &Fault<'_>, properties: &Map<String, Value>) -> Option<String> {
    match fault {
        Fault::WrongType(name, ..) | Fault::NotAllowed(name, ..) => {
            properties.get(*name).filter(|value| !value.is_array() && !value.is_object()).map(ToString::to_string)
        }
        Fault::UnknownEvent | Fault::UnknownProperty(_) | Fault::Missing(_) => None,
    }
}

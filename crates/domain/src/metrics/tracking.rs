//! Tracking plans: what a workspace expects of its product events. Here is what one says; events are judged by what is
//! made of it (`expectations.rs`, `bots.rs`), and what came that was not expected is `sighting.rs`.

mod bots;
mod expectations;
mod sighting;

use std::collections::HashSet;

use chrono::TimeDelta;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::IntakePolicy;
use crate::{Meta, Resource, Violations};

pub use bots::{BotAction, BotRule};
pub use expectations::{Expectations, Fault, Held};
pub use sighting::{
    Sighting, TrackingExample, TrackingViolation, TrackingViolationEvent, TrackingViolationKind, ViolationKey,
};

/// What a workspace expects of its product events.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackingPlan {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// What becomes of events that are not as expected.
    pub mode: TrackingMode,
    /// The events that are expected.
    pub events: Vec<TrackedEvent>,
    /// What every event may have.
    pub properties: Vec<TrackedProperty>,
    /// What tells events of bots; the first that fits counts.
    pub bot_rules: Vec<BotRule>,
    /// How far ahead of the service's clock events may be, if that is less than the operator allows.
    pub ahead: Option<TimeDelta>,
    /// How old events may be, if that is less than the operator allows.
    pub behind: Option<TimeDelta>,
}

/// What becomes of events that are not as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum TrackingMode {
    /// They are rejected.
    Enforce,
    /// They are stored and counted.
    Warn,
    /// Nobody looks.
    Off,
}

/// An event that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedEvent {
    /// Its name.
    pub event: String,
    /// What happened when it comes.
    pub description: String,
    /// Its own properties.
    pub properties: Vec<TrackedProperty>,
    /// Whether it may have others.
    pub allows_others: bool,
}

/// A property that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedProperty {
    /// Its name.
    pub property: String,
    /// What it holds.
    pub kind: TrackedType,
    /// Whether an event must have it.
    pub required: bool,
    /// The texts that it may be; any when there are none.
    pub allowed_values: Vec<String>,
    /// What it means.
    pub description: String,
}

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum TrackedType {
    Any,
    Text,
    Number,
    Boolean,
    List,
    Object,
}

/// What happens to tracking plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum TrackingPlanEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for TrackingPlan {
    const SERVICE: &'static str = "metrics";
    const KIND: &'static str = "TrackingPlan";
    const COLLECTION: &'static str = "trackingPlans";
    type Event = TrackingPlanEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl TrackingPlan {
    /// The id of the one plan that a workspace has.
    pub const ID: &'static str = "events";

    /// Which times events may have, within what the operator allows.
    pub fn within(&self, operator: IntakePolicy) -> IntakePolicy {
        IntakePolicy {
            ahead: self.ahead.map_or(operator.ahead, |ahead| ahead.min(operator.ahead)),
            behind: self.behind.map_or(operator.behind, |behind| behind.min(operator.behind)),
        }
    }

    /// What no field says alone: names that are there once, and values of texts only.
    pub fn check(events: &[TrackedEvent], properties: &[TrackedProperty]) -> Violations {
        let mut violations = Violations::new();
        let mut seen = HashSet::new();
        for (index, event) in events.iter().enumerate() {
            if !seen.insert(&event.event) {
                violations
                    .add(format!("events[{index}].event"), format!("is {:?}, which is there before", event.event));
            }
            check_properties(&mut violations, &format!("events[{index}]."), &event.properties);
        }
        check_properties(&mut violations, "", properties);
        violations
    }
}

fn check_properties(violations: &mut Violations, at: &str, properties: &[TrackedProperty]) {
    let mut seen = HashSet::new();
    for (index, TrackedProperty { property, kind, allowed_values, .. }) in properties.iter().enumerate() {
        if !seen.insert(property) {
            let problem = format!("is {property:?}, which is there before");
            violations.add(format!("{at}properties[{index}].property"), problem);
        }
        if !allowed_values.is_empty() && *kind != TrackedType::Text {
            let kind: &str = kind.into();
            let problem = format!("must be empty, as it holds {kind}: values are listed of a TEXT only");
            violations.add(format!("{at}properties[{index}].allowed_values"), problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_twice_or_has_no_values_is_told() {
        let property = |kind, allowed: &[&str]| TrackedProperty {
            property: "plan".into(),
            kind,
            required: false,
            allowed_values: allowed.iter().map(|&text| text.to_owned()).collect(),
            description: String::new(),
        };
        let event = |properties| TrackedEvent {
            event: "opened".into(),
            description: String::new(),
            properties,
            allows_others: false,
        };
        let events = [event(vec![property(TrackedType::Text, &["team"])]), event(Vec::new())];
        let shared = [property(TrackedType::Any, &[]), property(TrackedType::Number, &["1"])];
        let fields: Vec<_> =
            TrackingPlan::check(&events, &shared).into_vec().into_iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["events[1].event", "properties[1].property", "properties[1].allowed_values"]);
    }
}

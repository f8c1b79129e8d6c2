//! Tracking plans and what they did not expect.

use chrono::TimeDelta;
use waymark_domain::metrics::{
    BotRule, Sighting, TrackedEvent, TrackedProperty, TrackingExample, TrackingPlan, TrackingViolation, ViolationKey,
};
use waymark_domain::{Meta, Violations};

use crate::Choice as _;
use crate::convert::{meta, set_meta, time, timestamp, whole};
use crate::metrics::v1 as pb;

impl TryFrom<pb::TrackingPlan> for TrackingPlan {
    type Error = Violations;
    fn try_from(message: pb::TrackingPlan) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta: Option<Meta<Self>> = meta(&mut violations, &message);
        let mode = message.mode().domain();
        let ahead = message.hours_ahead.map(|hours| TimeDelta::hours(hours.into()));
        let behind = message.days_behind.map(|days| TimeDelta::days(days.into()));
        let events = message.events.into_iter().map(event).collect::<Option<Vec<_>>>();
        let properties = properties(message.properties);
        let bot_rules = message.bot_rules.into_iter().map(bot_rule).collect::<Option<Vec<_>>>();
        if let (Some(events), Some(properties)) = (&events, &properties) {
            violations.nested("", Self::check(events, properties).into_result());
        }
        let plan = (|| {
            let (events, properties, bot_rules) = (events?, properties?, bot_rules?);
            Some(Self { meta: meta?, mode: mode?, events, properties, bot_rules, ahead, behind })
        })();
        whole(violations, plan)
    }
}

fn event(message: pb::TrackedEvent) -> Option<TrackedEvent> {
    let pb::TrackedEvent { event, description, properties: own, allows_others } = message;
    Some(TrackedEvent { event, description, properties: properties(own)?, allows_others })
}

fn properties(messages: Vec<pb::TrackedProperty>) -> Option<Vec<TrackedProperty>> {
    let property = |message: pb::TrackedProperty| {
        let kind = message.holds().domain()?;
        let pb::TrackedProperty { property, required, allowed_values, description, .. } = message;
        Some(TrackedProperty { property, kind, required, allowed_values, description })
    };
    messages.into_iter().map(property).collect()
}

fn bot_rule(message: pb::BotRule) -> Option<BotRule> {
    let action = message.action().domain()?;
    let pb::BotRule { property, pattern, .. } = message;
    Some(BotRule { property, pattern, action })
}

impl From<&TrackingPlan> for pb::TrackingPlan {
    fn from(plan: &TrackingPlan) -> Self {
        let TrackingPlan { meta, mode, events, properties, bot_rules, ahead, behind } = plan;
        let event = |event: &TrackedEvent| pb::TrackedEvent {
            event: event.event.clone(),
            description: event.description.clone(),
            properties: event.properties.iter().map(property_message).collect(),
            allows_others: event.allows_others,
        };
        let rule = |rule: &BotRule| pb::BotRule {
            property: rule.property.clone(),
            pattern: rule.pattern.clone(),
            action: pb::BotAction::of(rule.action),
        };
        let mut message = Self {
            mode: pb::TrackingMode::of(*mode),
            events: events.iter().map(event).collect(),
            properties: properties.iter().map(property_message).collect(),
            bot_rules: bot_rules.iter().map(rule).collect(),
            // Both were read from an i32.
            hours_ahead: ahead.map(|ahead| ahead.num_hours() as i32),
            days_behind: behind.map(|behind| behind.num_days() as i32),
            ..Self::default()
        };
        set_meta(&mut message, meta);
        message
    }
}

fn property_message(property: &TrackedProperty) -> pb::TrackedProperty {
    pb::TrackedProperty {
        property: property.property.clone(),
        holds: pb::TrackedType::of(property.kind),
        required: property.required,
        allowed_values: property.allowed_values.clone(),
        description: property.description.clone(),
    }
}

impl TryFrom<pb::TrackingViolation> for TrackingViolation {
    type Error = Violations;
    fn try_from(message: pb::TrackingViolation) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let meta: Option<Meta<Self>> = meta(&mut violations, &message);
        let kind = violations.nested("", message.kind().stated("kind"));
        let last_time = time(&mut violations, "last_time", message.last_time);
        let mut examples = Vec::with_capacity(message.examples.len());
        for (index, pb::TrackingExample { event_id, time: at, value }) in message.examples.into_iter().enumerate() {
            match time(&mut violations, &format!("examples[{index}].time"), at) {
                Some(time) => examples.push(TrackingExample { event_id, time, value }),
                None => violations.add(format!("examples[{index}].time"), "must be set"),
            }
        }
        let seen = Sighting {
            count: message.count.unsigned_abs(),
            rejected: message.rejected.unsigned_abs(),
            last_time,
            suggestion: message.suggestion,
            examples,
        };
        let (event, property) = (message.event, message.property);
        let violation = (|| Some(Self { meta: meta?, key: ViolationKey { kind: kind?, event, property }, seen }))();
        whole(violations, violation)
    }
}

impl From<&TrackingViolation> for pb::TrackingViolation {
    fn from(violation: &TrackingViolation) -> Self {
        let TrackingViolation { meta, key, seen } = violation;
        let example = |example: &TrackingExample| pb::TrackingExample {
            event_id: example.event_id.clone(),
            time: Some(timestamp(example.time)),
            value: example.value.clone(),
        };
        let mut message = Self {
            kind: pb::TrackingViolationKind::of(key.kind),
            event: key.event.clone(),
            property: key.property.clone(),
            count: seen.count.cast_signed(),
            rejected: seen.rejected.cast_signed(),
            suggestion: seen.suggestion.clone(),
            last_time: seen.last_time.map(timestamp),
            examples: seen.examples.iter().map(example).collect(),
            ..Self::default()
        };
        set_meta(&mut message, meta);
        message
    }
}

//! What events are judged to be, by plans of a few lines.

use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::Meta;
use crate::metrics::{BotAction, TrackedEvent};

fn property(property: &str, kind: TrackedType, required: bool, allowed: &[&str]) -> TrackedProperty {
    TrackedProperty {
        property: property.into(),
        kind,
        required,
        allowed_values: allowed.iter().map(|&value| value.to_owned()).collect(),
        description: String::new(),
    }
}

fn event(event: &str, properties: Vec<TrackedProperty>, allows_others: bool) -> TrackedEvent {
    TrackedEvent { event: event.into(), description: String::new(), properties, allows_others }
}

fn plan(mode: TrackingMode) -> TrackingPlan {
    let rule =
        |property: &str, pattern: &str, action| BotRule { property: property.into(), pattern: pattern.into(), action };
    TrackingPlan {
        meta: Meta {
            name: "workspaces/acme/trackingPlans/events".parse().unwrap(),
            uid: Uuid::nil(),
            display_name: "Events".into(),
            labels: std::collections::BTreeMap::new(),
            version: 1,
            create_time: DateTime::UNIX_EPOCH,
            update_time: DateTime::UNIX_EPOCH,
            delete_time: None,
        },
        mode,
        events: vec![
            event(
                "checkout_completed",
                vec![
                    property("amount", TrackedType::Number, true, &[]),
                    property("plan", TrackedType::Text, false, &["free", "team"]),
                    property("lib", TrackedType::Any, false, &[]),
                ],
                false,
            ),
            event("opened", Vec::new(), true),
        ],
        properties: vec![
            property("lib", TrackedType::Text, true, &[]),
            property("items", TrackedType::List, false, &[]),
        ],
        bot_rules: vec![
            rule("", "*googlebot*", BotAction::Mark),
            rule("", "*bot*", BotAction::Drop),
            rule("source", "monitor", BotAction::Drop),
        ],
        ahead: None,
        behind: None,
    }
}

fn told(mode: TrackingMode, event: &str, properties: &[(&str, Held<'_>)]) -> Vec<(String, String)> {
    let expectations = Expectations::new(&plan(mode));
    let told = |fault: &Fault<'_>| {
        let suggestion = expectations.suggestion(event, fault);
        (fault.field(), expectations.explain(event, fault, suggestion))
    };
    expectations.faults(event, &properties.iter().copied()).iter().map(told).collect()
}

#[test]
fn what_is_as_expected_has_no_faults() {
    use Held::{List, Null, Number, Text};
    for (event, properties) in [
        ("checkout_completed", &[("amount", Number), ("plan", Text("team")), ("items", List)][..]),
        ("checkout_completed", &[("amount", Number), ("plan", Null)]),
        ("opened", &[("lib", Text("js")), ("whatever", Number)]),
    ] {
        assert_eq!(told(TrackingMode::Enforce, event, properties), [], "{event} {properties:?}");
    }
}

#[test]
fn each_fault_says_what_would_be_right() {
    use Held::{Boolean, List, Null, Number, Text};
    let faults = |event: &str, properties: &[(&str, Held<'_>)]| told(TrackingMode::Warn, event, properties);
    let one = |event: &str, properties: &[(&str, Held<'_>)]| match &faults(event, properties)[..] {
        [(field, problem)] => format!("{field} {problem}"),
        other => panic!("{other:?}"),
    };
    let of = "workspaces/acme/trackingPlans/events";
    assert_eq!(
        one("CheckoutComplete", &[]),
        format!(r#"event is no event of {of}; did you mean "checkout_completed"?"#)
    );
    assert_eq!(one("zzz", &[]), format!("event is no event of {of}, which has to have it before it comes"));
    assert_eq!(
        one("checkout_completed", &[("amount", Number), ("plann", Number)]),
        format!(r#"properties.plann is no property of checkout_completed in {of}; did you mean "plan"?"#)
    );
    assert_eq!(one("checkout_completed", &[("amount", Text("49"))]), "properties.amount must be a NUMBER, is a TEXT");
    assert_eq!(
        one("checkout_completed", &[("amount", Number), ("plan", Text("Team"))]),
        r#"properties.plan is none of the 2 allowed values; did you mean "team"?"#
    );
    assert_eq!(
        one("checkout_completed", &[("amount", Number), ("plan", Text("zzz"))]),
        r#"properties.plan must be one of "free", "team""#
    );
    assert_eq!(
        faults("checkout_completed", &[("amount", Null), ("items", Boolean)]),
        [
            ("properties.items".to_owned(), "must be a LIST, is a BOOLEAN".to_owned()),
            ("properties.amount".to_owned(), "is missing: checkout_completed must have it".to_owned()),
        ]
    );
    assert_eq!(one("opened", &[("items", List)]), "properties.lib is missing: opened must have it");
}

#[test]
fn nothing_is_looked_at_where_the_plan_is_off() {
    assert_eq!(told(TrackingMode::Off, "zzz", &[("amount", Held::Text("x"))]), []);
}

#[test]
fn the_first_rule_that_fits_counts() {
    let expectations = Expectations::new(&plan(TrackingMode::Off));
    let action = |properties: &[(&'static str, Held<'static>)]| {
        expectations.bot(properties.iter().copied()).map(|rule| (rule.pattern.as_str(), rule.action))
    };
    assert_eq!(action(&[("$user_agent", Held::Text("GoogleBot/2"))]), Some(("*googlebot*", BotAction::Mark)));
    assert_eq!(action(&[("userAgent", Held::Text("bingbot"))]), Some(("*bot*", BotAction::Drop)));
    let both = [("source", Held::Text("monitor")), ("user_agent", Held::Text("googlebot"))];
    assert_eq!(action(&both), Some(("*googlebot*", BotAction::Mark)), "whatever the order of properties");
    assert_eq!(action(&[("source", Held::Text("monitoring"))]), None);
    assert_eq!(action(&[("other", Held::Text("bot"))]), None);
    assert_eq!(action(&[("user_agent", Held::Number)]), None);
}

#[test]
fn names_of_any_length_are_suggested_for_in_little_time() {
    let expectations = Expectations::new(&plan(TrackingMode::Warn));
    assert_eq!(expectations.suggestion(&"checkout_completed".repeat(4), &Fault::UnknownEvent), None);
}

//! Tracking plans: what is expected of events, what becomes of those that are not as expected, and what is told of them.

use chrono::TimeDelta;
use pbjson_types::Value;
use pbjson_types::value::Kind;
use tonic::Code;
use waymark_metrics::keep_sightings;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::RejectionReason::{TimeInFuture, TimeTooOld, TrackingPlan};
use waymark_proto::metrics::v1::TrackingViolationKind::{UnknownEvent, UnknownProperty, WrongType};

use crate::on_both;
use crate::world::{WORKSPACE, World, event, refusal};

fn property(property: &str, holds: pb::TrackedType, required: bool, allowed: &[&str]) -> pb::TrackedProperty {
    pb::TrackedProperty {
        property: property.into(),
        holds: holds.into(),
        required,
        allowed_values: allowed.iter().map(|&value| value.to_owned()).collect(),
        ..Default::default()
    }
}

fn plan(mode: pb::TrackingMode) -> pb::TrackingPlan {
    let rule = |pattern: &str, action: pb::BotAction| pb::BotRule {
        pattern: pattern.into(),
        action: action.into(),
        ..Default::default()
    };
    pb::TrackingPlan {
        display_name: "Events".into(),
        mode: mode.into(),
        events: vec![pb::TrackedEvent {
            event: "ordered".into(),
            properties: vec![
                property("amount", pb::TrackedType::Number, true, &[]),
                property("plan", pb::TrackedType::Text, false, &["free", "team"]),
            ],
            ..Default::default()
        }],
        properties: vec![property("$user_agent", pb::TrackedType::Text, false, &[])],
        bot_rules: vec![rule("curl/*", pb::BotAction::Drop), rule("*bot*", pb::BotAction::Mark)],
        ..Default::default()
    }
}

fn with(event: pb::ProductEvent, properties: &[(&str, Value)]) -> pb::ProductEvent {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    pb::ProductEvent { properties: Some(properties), ..event }
}

impl World {
    async fn create_plan(&self, plan: pb::TrackingPlan) -> pb::TrackingPlan {
        let request =
            pb::CreateTrackingPlanRequest { parent: WORKSPACE.into(), tracking_plan: Some(plan), ..Default::default() };
        self.ingestion().create_tracking_plan(request).await.unwrap().into_inner()
    }

    async fn update_plan(&self, plan: pb::TrackingPlan) {
        let request = pb::UpdateTrackingPlanRequest {
            tracking_plan: Some(plan),
            update_mask: Some(pbjson_types::FieldMask { paths: vec!["*".into()] }),
            ..Default::default()
        };
        self.ingestion().update_tracking_plan(request).await.unwrap();
    }

    async fn keep(&self, all: bool) {
        keep_sightings(self.served.store(), &self.served.service.parts().tracking.sightings, all).await;
    }

    async fn violations(&self) -> Vec<pb::TrackingViolation> {
        let request = pb::ListTrackingViolationsRequest { parent: WORKSPACE.into(), ..Default::default() };
        let mut all =
            self.ingestion().list_tracking_violations(request).await.unwrap().into_inner().tracking_violations;
        all.sort_by(|a, b| (a.kind, &a.event, &a.property).cmp(&(b.kind, &b.event, &b.property)));
        all
    }

    async fn counted(&self, event: &str, filters: Vec<pb::PropertyFilter>) -> f64 {
        let settings = pb::TrendSettings {
            start_time: Some(timestamp(self.now() - TimeDelta::days(30))),
            end_time: Some(timestamp(self.now() + TimeDelta::days(2))),
            ..Default::default()
        };
        let request = pb::QueryTrendRequest {
            parent: WORKSPACE.into(),
            kind: pb::MetricKind::Count.into(),
            events: vec![event.into()],
            filters,
            settings: Some(settings),
            ..Default::default()
        };
        let answer = self.analysis().query_trend(request).await.unwrap().into_inner();
        answer.series.first().map_or(0.0, |series| series.total)
    }
}

fn reports(answer: &pb::IngestEventsResponse) -> Vec<(i32, pb::RejectionReason, &str)> {
    answer.rejected.iter().map(|r| (r.index, r.reason(), r.field.as_str())).collect()
}

#[tokio::test]
async fn a_plan_that_is_enforced_says_what_would_be_right() {
    on_both(async |world| {
        let now = world.now();
        let free = event(1, "ada", "whatever", now);
        assert_eq!(world.ingest(vec![free.clone()]).await.accepted, 1, "without a plan all is taken");
        let created = world.create_plan(plan(pb::TrackingMode::Enforce)).await;
        assert_eq!(created.name, format!("{WORKSPACE}/trackingPlans/events"));

        let right = with(event(2, "ada", "ordered", now), &[("amount", 49.0.into()), ("plan", Value::from("team"))]);
        let answer = world
            .ingest(vec![
                right.clone(),
                free,
                with(event(3, "ada", "Ordered", now), &[("amount", 1.0.into())]),
                with(event(4, "ada", "ordered", now), &[("amount", Value::from("49")), ("Plan", Value::from("x"))]),
                with(event(5, "ada", "ordered", now), &[("plan", Value::from("Team"))]),
            ])
            .await;
        assert_eq!(answer.accepted, 1);
        assert_eq!(
            reports(&answer),
            [
                (1, TrackingPlan, "event"),
                (2, TrackingPlan, "event"),
                (3, TrackingPlan, "properties.Plan"),
                (4, TrackingPlan, "properties.plan"),
            ]
        );
        let messages: Vec<_> = answer.rejected.iter().map(|r| r.message.as_str()).collect();
        let name = &created.name;
        assert_eq!(messages[1], format!(r#"is no event of {name}; did you mean "ordered"?"#));
        assert_eq!(
            messages[2],
            format!(
                r#"is no property of ordered in {name}; did you mean "plan"?; properties.amount must be a NUMBER, is a TEXT"#
            )
        );
        assert_eq!(
            messages[3],
            r#"is none of the 2 allowed values; did you mean "team"?; properties.amount is missing: ordered must have it"#
        );
        assert_eq!(world.counted("ordered", Vec::new()).await, 1.0);

        let request = pb::DeleteTrackingPlanRequest { name: created.name, ..Default::default() };
        world.ingestion().delete_tracking_plan(request).await.unwrap();
        assert_eq!(world.ingest(vec![event(6, "ada", "Ordered", now)]).await.accepted, 1, "a deleted plan expects nothing");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_as_expected_is_counted_and_listed() {
    on_both(async |world| {
        let now = world.now();
        world.create_plan(plan(pb::TrackingMode::Warn)).await;
        let wrong = |id: i32| {
            with(event(id, "ada", "ordered", now), &[("amount", Value::from("ada owes")), ("seat", Value::from("x"))])
        };
        let checked = pb::IngestEventsRequest {
            parent: WORKSPACE.into(),
            events: vec![wrong(1)],
            validate_only: true,
            ..Default::default()
        };
        assert_eq!(world.ingestion().ingest_events(checked).await.unwrap().into_inner().accepted, 1);
        world.keep(true).await;
        assert_eq!(world.violations().await, [], "what is only checked is not counted");

        let answer = world.ingest(vec![wrong(1), wrong(2), event(3, "ada", "order", now)]).await;
        assert_eq!((answer.accepted, answer.rejected.len()), (3, 0));
        world.keep(false).await;
        let all = world.violations().await;
        let told: Vec<_> = all
            .iter()
            .map(|v| (v.kind(), v.event.as_str(), v.property.as_str(), v.count, v.rejected, v.suggestion.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (UnknownEvent, "order", "", 1, 0, "ordered"),
                (UnknownProperty, "ordered", "seat", 2, 0, ""),
                (WrongType, "ordered", "amount", 2, 0, ""),
            ]
        );
        let examples: Vec<_> = all[2].examples.iter().map(|e| (e.event_id.as_str(), e.value.as_str())).collect();
        assert_eq!(examples, [("1", ""), ("2", "")], "nobody is named");
        assert!(!format!("{all:?}").contains("ada"), "{all:?}");

        // More of the same is written when it doubled, or at the end.
        let revision = world.served.store().revision(&WORKSPACE.parse().unwrap()).await.unwrap();
        world.ingest(vec![wrong(4)]).await;
        world.keep(false).await;
        assert_eq!(world.served.store().revision(&WORKSPACE.parse().unwrap()).await.unwrap(), revision);
        world.keep(true).await;
        assert_eq!(world.violations().await[2].count, 3);

        // What was deleted begins anew.
        let request = pb::DeleteTrackingViolationRequest { name: all[2].name.clone(), ..Default::default() };
        world.ingestion().delete_tracking_violation(request).await.unwrap();
        world.ingest(vec![wrong(5)]).await;
        world.keep(true).await;
        assert_eq!(world.violations().await[2].count, 1);
        let announced = world.announced().await;
        assert_eq!(announced.iter().filter(|event| *event == "TrackingViolationDeleted").count(), 1);
        assert_eq!(announced.first().map(String::as_str), Some("TrackingPlanCreated"));
    })
    .await;
}

#[tokio::test]
async fn events_of_bots_are_dropped_or_marked() {
    on_both(async |world| {
        let now = world.now();
        world.create_plan(plan(pb::TrackingMode::Off)).await;
        let by = |id: i32, agent: &str| {
            with(event(id, "ada", "seen", now), &[("$user_agent", Value::from(agent.to_owned()))])
        };
        let answer = world.ingest(vec![by(1, "Curl/8.4"), by(2, "GoogleBot/2.1"), by(3, "Firefox")]).await;
        assert_eq!(answer.accepted, 2);
        assert_eq!(reports(&answer), [(0, pb::RejectionReason::Bot, "properties")]);
        let marked = pb::PropertyFilter {
            property: "$bot".into(),
            operator: pb::PropertyOperator::Equal.into(),
            values: vec![Value { kind: Some(Kind::BoolValue(true)) }],
        };
        assert_eq!(world.counted("seen", vec![marked]).await, 1.0);
        assert_eq!(world.counted("seen", Vec::new()).await, 2.0);
    })
    .await;
}

#[tokio::test]
async fn times_are_as_the_plan_says_within_what_the_operator_allows() {
    on_both(async |world| {
        let now = world.now();
        let times = async |id: i32| {
            let answer = world
                .ingest(vec![
                    event(id, "ada", "seen", now + TimeDelta::hours(2)),
                    event(id, "bob", "seen", now - TimeDelta::days(8)),
                    event(id, "eve", "seen", now),
                    event(id, "mia", "seen", now + TimeDelta::hours(30)),
                ])
                .await;
            answer.rejected.iter().map(|r| (r.index, r.reason())).collect::<Vec<_>>()
        };
        assert_eq!(times(1).await, [(3, TimeInFuture)]);
        let limited = |hours, days| pb::TrackingPlan {
            name: format!("{WORKSPACE}/trackingPlans/events"),
            hours_ahead: hours,
            days_behind: days,
            ..plan(pb::TrackingMode::Off)
        };
        world.create_plan(limited(Some(0), Some(7))).await;
        assert_eq!(times(2).await, [(0, TimeInFuture), (1, TimeTooOld), (3, TimeInFuture)]);
        world.update_plan(limited(Some(40), None)).await;
        assert_eq!(times(3).await, [(3, TimeInFuture)], "the operator has the last word");
    })
    .await;
}

#[tokio::test]
async fn a_workspace_has_one_plan_and_it_is_checked() {
    on_both(async |world| {
        let create = async |id: &str, plan: pb::TrackingPlan| {
            let request = pb::CreateTrackingPlanRequest {
                parent: WORKSPACE.into(),
                tracking_plan_id: id.into(),
                tracking_plan: Some(plan),
                ..Default::default()
            };
            refusal(world.ingestion().create_tracking_plan(request).await)
        };
        let good = plan(pb::TrackingMode::Warn);
        let (code, _, fields) = create("other", good.clone()).await;
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["tracking_plan_id".to_owned()]));
        let events = vec![good.events[0].clone(), good.events[0].clone()];
        let (code, _, fields) = create("", pb::TrackingPlan { events, ..good.clone() }).await;
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["tracking_plan.events[1].event".to_owned()]));
        world.create_plan(good.clone()).await;
        for id in ["", "events"] {
            assert_eq!(create(id, good.clone()).await.0, Code::AlreadyExists);
        }
    })
    .await;
}

#[tokio::test]
async fn a_workspace_has_so_many_violations_and_hostile_names_harm_nothing() {
    on_both(async |world| {
        let now = world.now();
        world.create_plan(plan(pb::TrackingMode::Warn)).await;
        let names = (0..1_500).map(|n| event(n, "ada", &format!("e{n}"), now)).collect();
        assert_eq!(world.ingest(names).await.accepted, 1_500);
        world.keep(true).await;
        let all = async || {
            let request =
                pb::ListTrackingViolationsRequest { parent: WORKSPACE.into(), page_size: 1_000, ..Default::default() };
            world.ingestion().list_tracking_violations(request).await.unwrap().into_inner()
        };
        let first = all().await;
        assert_eq!((first.tracking_violations.len(), first.next_page_token.as_str()), (1_000, ""));
        let name = "p\0".repeat(300);
        let hostile = with(event(1, "ada", "ordered", now), &[("amount", 1.0.into()), (&name, Value::from("x\0"))]);
        world.ingest(vec![hostile.clone()]).await;
        world.keep(true).await;
        assert_eq!(all().await.tracking_violations.len(), 1_000);
        let some = first
            .tracking_violations
            .iter()
            .take(500)
            .map(|v| pb::DeleteTrackingViolationRequest { name: v.name.clone(), ..Default::default() });
        let request = pb::BatchDeleteTrackingViolationsRequest {
            parent: WORKSPACE.into(),
            requests: some.collect(),
            ..Default::default()
        };
        world.ingestion().batch_delete_tracking_violations(request).await.unwrap();
        world.advance(TimeDelta::hours(2));
        world.keep(true).await;
        world.ingest(vec![hostile]).await;
        world.keep(true).await;
        assert_eq!(all().await.tracking_violations.len(), 501, "there is room again");
    })
    .await;
}

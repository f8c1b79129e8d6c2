//! The loop: what was promised on the roadmap is recorded, measured when it is due, and judged.

use chrono::{DateTime, TimeDelta, Utc};
use tonic::Code;
use waymark_metrics::{Answers, measure_due};
use waymark_proto::common::v1::{Evidence, Range, Verdict};
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::roadmap::v1 as roadmap;

use crate::on_both;
use crate::world::{WORKSPACE, World, event, handle, refusal};

const PREDICTION: &str = "workspaces/acme/predictions/sso";
const OUTCOME: &str = "workspaces/acme/outcomes/sso";
const WINDOW: i32 = 14;

/// An initiative that is expected to change orders by a share between `low` and `high`.
fn initiative(world: &World, low: f64, high: f64) -> roadmap::Initiative {
    roadmap::Initiative {
        name: format!("{WORKSPACE}/initiatives/sso"),
        display_name: "Single sign-on".into(),
        commit_time: Some(timestamp(world.now())),
        committed_by: "users/ada@example.com".into(),
        evidence: vec![Evidence {
            target: "//discovery.waymark.dev/workspaces/acme/opportunities/login".into(),
            note: "twelve asked".into(),
        }],
        expected_outcome: Some(roadmap::ExpectedOutcome {
            metric: "//metrics.waymark.dev/workspaces/acme/metrics/orders".into(),
            change: Some(Range { low, likely: f64::midpoint(low, high), high }),
            window_days: WINDOW,
        }),
        ..Default::default()
    }
}

async fn commit(world: &mut World, low: f64, high: f64) {
    let message = roadmap::InitiativeCommitted { initiative: Some(initiative(world, low, high)), change: None };
    world.deliver("Committed", &message).await;
}

async fn ship(world: &mut World) -> DateTime<Utc> {
    let time = world.now();
    let initiative = roadmap::Initiative { ship_time: Some(timestamp(time)), ..initiative(world, 0.0, 0.0) };
    world.deliver("Shipped", &roadmap::InitiativeShipped { initiative: Some(initiative), change: None }).await;
    time
}

/// About `before` orders on each of the days before the day of `ship_time`, and about `after` on those after it.
async fn plant(world: &World, ship_time: DateTime<Utc>, before: i64, after: i64) {
    let noon = ship_time.date_naive().and_hms_opt(12, 0, 0).unwrap().and_utc();
    let mut events = Vec::new();
    for day in (-i64::from(WINDOW)..=i64::from(WINDOW)).filter(|day| *day != 0) {
        let ups_and_downs = [0, 2, -1, 1, -2][day.rem_euclid(5) as usize];
        let orders = if day < 0 { before } else { after };
        for order in 0..(orders + ups_and_downs).max(0) {
            let id = format!("{day}/{order}");
            events.push(event(id.as_str(), &format!("user-{order}"), "ordered", noon + TimeDelta::days(day)));
        }
    }
    let sent = events.len();
    // The service's clock may stand before the last of them: it takes events of the next 24 hours only.
    world.advance(TimeDelta::days(i64::from(WINDOW) + 2));
    let answer = world.ingest(events).await;
    assert_eq!(answer.accepted as usize, sent);
}

async fn prediction(world: &World) -> pb::Prediction {
    world.outcomes().get_prediction(pb::GetPredictionRequest { name: PREDICTION.into() }).await.unwrap().into_inner()
}

async fn outcome(world: &World) -> pb::Outcome {
    world.outcomes().get_outcome(pb::GetOutcomeRequest { name: OUTCOME.into() }).await.unwrap().into_inner()
}

fn measure() -> pb::MeasureOutcomeRequest {
    pb::MeasureOutcomeRequest { name: PREDICTION.into(), ..Default::default() }
}

async fn measured_by_itself(world: &World) -> usize {
    let lake = &world.served.service.parts().lake;
    measure_due(world.served.store(), lake, &mut Answers::new(lake)).await.unwrap()
}

#[tokio::test]
async fn a_kept_promise_is_met() {
    on_both(async |mut world| {
        world.orders(pb::MetricDirection::Increase).await;
        commit(&mut world, 0.1, 0.3).await;
        let recorded = prediction(&world).await;
        assert_eq!(recorded.state(), pb::PredictionState::Recorded);
        assert_eq!((recorded.window_days, recorded.committed_by.as_str()), (WINDOW, "users/ada@example.com"));
        let shipped = ship(&mut world).await;
        plant(&world, shipped, 40, 50).await;
        assert_eq!(measured_by_itself(&world).await, 1);
        assert_eq!(measured_by_itself(&world).await, 0, "once");

        let outcome = outcome(&world).await;
        assert_eq!(outcome.verdict(), Verdict::Met, "{}", outcome.summary);
        let measured = outcome.measured.unwrap();
        assert!(
            (measured.likely - 0.25).abs() < 0.03 && measured.low < measured.likely && measured.likely < measured.high,
            "{measured:?}"
        );
        assert!((outcome.pre_mean - 40.0).abs() < 0.5 && (outcome.post_mean - 50.0).abs() < 0.5);
        assert_eq!((outcome.days, outcome.ship_time), (WINDOW, Some(timestamp(shipped))));
        assert_eq!(outcome.predicted, recorded.change);
        assert_eq!(outcome.evidence, recorded.evidence, "the answer knows the way back to discovery");
        assert_eq!(outcome.initiative, "//roadmap.waymark.dev/workspaces/acme/initiatives/sso");
        let concluded = prediction(&world).await;
        assert_eq!((concluded.state(), concluded.outcome.as_str()), (pb::PredictionState::Measured, OUTCOME));
        assert_eq!(
            world.announced().await,
            ["MetricCreated", "PredictionRecorded", "PredictionStarted", "OutcomeMeasured", "PredictionMeasured"]
        );
        let (code, reason, _) = refusal(world.outcomes().measure_outcome(measure()).await);
        assert_eq!(
            (code, reason.as_str()),
            (Code::FailedPrecondition, "STATE_CONFLICT"),
            "an outcome is not measured anew"
        );
    })
    .await;
}

#[tokio::test]
async fn a_promise_is_missed_or_nobody_can_tell() {
    on_both(async |mut world| {
        world.orders(pb::MetricDirection::Decrease).await;
        // Less is better here: a fall of 30 % or more was promised, and it rose.
        commit(&mut world, -0.5, -0.3).await;
        let shipped = ship(&mut world).await;
        plant(&world, shipped, 40, 44).await;
        measured_by_itself(&world).await;
        let missed = outcome(&world).await;
        assert_eq!(missed.verdict(), Verdict::Missed, "{}", missed.summary);

        let mut quiet = initiative(&world, 0.1, 0.3);
        quiet.name = format!("{WORKSPACE}/initiatives/dark-mode");
        quiet.expected_outcome.as_mut().unwrap().metric =
            "//metrics.waymark.dev/workspaces/acme/metrics/nobody-made-it".into();
        quiet.ship_time = Some(timestamp(world.now()));
        world
            .deliver("Committed", &roadmap::InitiativeCommitted { initiative: Some(quiet.clone()), change: None })
            .await;
        world.deliver("Shipped", &roadmap::InitiativeShipped { initiative: Some(quiet), change: None }).await;
        world.advance(TimeDelta::days(i64::from(WINDOW) + 30));
        let name = "workspaces/acme/predictions/dark-mode".to_owned();
        let outcome = world
            .outcomes()
            .measure_outcome(pb::MeasureOutcomeRequest { name, ..Default::default() })
            .await
            .unwrap()
            .into_inner();
        assert_eq!((outcome.verdict(), outcome.measured), (Verdict::CantTell, None));
        assert!(outcome.summary.contains("the metric does not exist any more"), "{}", outcome.summary);
        let list = pb::ListOutcomesRequest {
            parent: WORKSPACE.into(),
            filter: r#"verdict = "MISSED""#.into(),
            ..Default::default()
        };
        let listed = world.outcomes().list_outcomes(list).await.unwrap().into_inner().outcomes;
        assert_eq!(listed.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(), [OUTCOME]);
    })
    .await;
}

#[tokio::test]
async fn predictions_follow_their_initiatives() {
    on_both(async |mut world| {
        let nothing_expected = roadmap::Initiative { expected_outcome: None, ..initiative(&world, 0.0, 0.0) };
        world
            .deliver("Committed", &roadmap::InitiativeCommitted { initiative: Some(nothing_expected), change: None })
            .await;
        assert_eq!(world.announced().await, Vec::<String>::new(), "nothing expected, nothing recorded");
        ship(&mut world).await;
        commit(&mut world, 0.1, 0.3).await;
        let declined = roadmap::InitiativeDeclined { initiative: Some(initiative(&world, 0.1, 0.3)), change: None };
        world.deliver("Declined", &declined).await;
        assert_eq!(prediction(&world).await.state(), pb::PredictionState::Withdrawn);
        ship(&mut world).await;
        assert_eq!(prediction(&world).await.state(), pb::PredictionState::Withdrawn);
        commit(&mut world, 0.2, 0.4).await;
        let renewed = prediction(&world).await;
        assert_eq!((renewed.state(), renewed.change.unwrap().low), (pb::PredictionState::Recorded, 0.2));
        ship(&mut world).await;
        commit(&mut world, 0.0, 0.1).await;
        assert_eq!(prediction(&world).await.change.unwrap().low, 0.2, "no promise is made after shipping");
        let announced = ["PredictionRecorded", "PredictionWithdrawn", "PredictionRecorded", "PredictionStarted"];
        assert_eq!(world.announced().await, announced);
        let list = pb::ListPredictionsRequest {
            parent: WORKSPACE.into(),
            filter: r#"state = "MEASURING""#.into(),
            ..Default::default()
        };
        assert_eq!(world.outcomes().list_predictions(list).await.unwrap().into_inner().predictions.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn measuring_waits_for_the_window_and_for_the_events() {
    on_both(async |mut world| {
        world.orders(pb::MetricDirection::Increase).await;
        commit(&mut world, 0.1, 0.3).await;
        assert_eq!(refusal(world.outcomes().measure_outcome(measure()).await).1, "STATE_CONFLICT", "not shipped");
        let shipped = ship(&mut world).await;
        let (code, reason, rules) = refusal(world.outcomes().measure_outcome(measure()).await);
        assert_eq!(
            (code, reason.as_str(), rules),
            (Code::FailedPrecondition, "RULE_VIOLATED", vec!["window_over".to_owned()])
        );
        world.advance(TimeDelta::days(i64::from(WINDOW)));
        assert_eq!(measured_by_itself(&world).await, 0, "the window ends with a day, not an hour");
        world.advance(TimeDelta::days(2));
        assert_eq!(measured_by_itself(&world).await, 0, "no event has reached the last day");
        world.advance(TimeDelta::days(7));
        assert_eq!(measured_by_itself(&world).await, 1, "after a week of patience it says what it can");
        let outcome = outcome(&world).await;
        assert_eq!((outcome.verdict(), outcome.latest_event_time), (Verdict::CantTell, None));
        assert_eq!(outcome.ship_time, Some(timestamp(shipped)));
    })
    .await;
}

#[tokio::test]
async fn every_due_prediction_is_measured_however_many_there_are() {
    on_both(async |mut world| {
        // More than are read from the database at a time.
        for number in 0..102 {
            let name = format!("{WORKSPACE}/initiatives/i-{number}");
            let promised =
                roadmap::Initiative { name, ship_time: Some(timestamp(world.now())), ..initiative(&world, 0.1, 0.3) };
            let committed = roadmap::InitiativeCommitted { initiative: Some(promised.clone()), change: None };
            let committed = world.received("Committed", &committed);
            handle(world.served.store(), &committed).await.unwrap();
            let shipped =
                world.received("Shipped", &roadmap::InitiativeShipped { initiative: Some(promised), change: None });
            handle(world.served.store(), &shipped).await.unwrap();
        }
        world.advance(TimeDelta::days(i64::from(WINDOW) + 9));
        assert_eq!(measured_by_itself(&world).await, 102);
        assert_eq!(measured_by_itself(&world).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_late_mark_can_be_corrected() {
    on_both(async |mut world| {
        world.orders(pb::MetricDirection::Increase).await;
        let really = world.now();
        plant(&world, really, 40, 50).await;
        commit(&mut world, 0.1, 0.3).await;
        let marked = ship(&mut world).await;
        let corrected = |time| pb::MeasureOutcomeRequest {
            ship_time: Some(timestamp(time)),
            request_id: "8d2f0a5e-0000-4000-8000-000000000002".into(),
            ..measure()
        };
        let (code, _, fields) =
            refusal(world.outcomes().measure_outcome(corrected(marked + TimeDelta::seconds(1))).await);
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["ship_time".to_owned()]));
        let checked = pb::MeasureOutcomeRequest { validate_only: true, request_id: String::new(), ..corrected(really) };
        world.outcomes().measure_outcome(checked).await.unwrap();
        assert_eq!(prediction(&world).await.state(), pb::PredictionState::Measuring, "a check changes nothing");
        let outcome = world.outcomes().measure_outcome(corrected(really)).await.unwrap().into_inner();
        assert_eq!(outcome.verdict(), Verdict::Met, "{}", outcome.summary);
        assert_eq!(prediction(&world).await.ship_time, Some(timestamp(really)));
        let again = world.outcomes().measure_outcome(corrected(really)).await.unwrap().into_inner();
        assert_eq!(again, outcome, "the same request, the same answer, though the state has moved on");
    })
    .await;
}

#[tokio::test]
async fn a_metric_that_somebody_aims_at_keeps_its_meaning() {
    on_both(async |mut world| {
        let metric = world.orders(pb::MetricDirection::Increase).await;
        commit(&mut world, 0.1, 0.3).await;
        let patch = |metric: pb::Metric, path: &str| pb::UpdateMetricRequest {
            metric: Some(pb::Metric { etag: String::new(), ..metric }),
            update_mask: Some(pbjson_types::FieldMask { paths: vec![path.to_owned()] }),
            ..Default::default()
        };
        let moved = pb::Metric { events: vec!["opened".into()], ..metric.clone() };
        let (code, reason, _) = refusal(world.metrics().update_metric(patch(moved.clone(), "events")).await);
        assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, "RESOURCE_IN_USE"));
        let delete = pb::DeleteMetricRequest { name: metric.name.clone(), ..Default::default() };
        let error = waymark_client::Error::from(world.metrics().delete_metric(delete.clone()).await.unwrap_err());
        assert_eq!((error.reason(), error.metadata("referrer")), ("RESOURCE_IN_USE", Some(PREDICTION)));
        let described = pb::Metric { description: "More words".into(), ..metric };
        world.metrics().update_metric(patch(described, "description")).await.unwrap();

        let declined = roadmap::InitiativeDeclined { initiative: Some(initiative(&world, 0.1, 0.3)), change: None };
        world.deliver("Declined", &declined).await;
        world.metrics().update_metric(patch(moved, "events")).await.unwrap();
        world.metrics().delete_metric(delete).await.unwrap();
    })
    .await;
}

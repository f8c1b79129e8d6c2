//! What was expected, what users did, and whether the one met the other. The truth is planted: exactly a fifth more a
//! day.

use anyhow::Result;
use chrono::{Days, NaiveTime, TimeDelta};
use tonic::Code;
use waymark_proto::common::v1::Verdict;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_proto::metrics::v1::metric_service_client::MetricServiceClient;
use waymark_proto::metrics::v1::outcome_service_client::OutcomeServiceClient;
use waymark_testkit::wait_for;

use super::{SOON, WORKSPACE, full, name, refusal};
use crate::services::Services;

/// What days differ by, for no reason; sums to nothing over a week.
const NOISE: [i32; 7] = [0, 3, -2, 1, -4, 4, -2];
const BEFORE: i32 = 100;
const AFTER: i32 = 120;

pub async fn a_metric_is_defined(services: &Services) -> Result<()> {
    let metric = pb::Metric {
        display_name: "Activation".to_owned(),
        kind: pb::MetricKind::UniqueUsers.into(),
        events: vec!["activate".to_owned()],
        direction: pb::MetricDirection::Increase.into(),
        ..Default::default()
    };
    let create = pb::CreateMetricRequest {
        parent: WORKSPACE.to_owned(),
        metric_id: "activation".to_owned(),
        metric: Some(metric),
        ..Default::default()
    };
    MetricServiceClient::new(services.metrics.clone()).create_metric(create).await?;
    Ok(())
}

/// The prediction once it is in `state`.
async fn once(services: &Services, state: pb::PredictionState) -> pb::Prediction {
    wait_for(state.as_str_name(), SOON, async || {
        let get = pb::GetPredictionRequest { name: name("predictions", "guided-setup") };
        let answer = OutcomeServiceClient::new(services.metrics.clone()).get_prediction(get).await;
        answer.ok().map(tonic::Response::into_inner).filter(|prediction| prediction.state() == state)
    })
    .await
}

pub async fn the_prediction_is_on_record(services: &Services) -> Result<()> {
    let prediction = once(services, pb::PredictionState::Recorded).await;
    assert_eq!(prediction.initiative, full("roadmap", "initiatives", "guided-setup"));
    assert_eq!((prediction.metric, prediction.window_days), (full("metrics", "metrics", "activation"), 14));
    assert_eq!((prediction.committed_by.as_str(), prediction.evidence.len()), ("users/ada@example.com", 2));
    Ok(())
}

pub async fn nobody_can_measure_before_the_window_is_over(services: &Services) -> Result<()> {
    once(services, pb::PredictionState::Measuring).await;
    let measure = pb::MeasureOutcomeRequest { name: name("predictions", "guided-setup"), ..Default::default() };
    let refused = refusal(OutcomeServiceClient::new(services.metrics.clone()).measure_outcome(measure).await);
    assert_eq!((refused.code(), refused.reason()), (Code::FailedPrecondition, "RULE_VIOLATED"), "{refused}");
    Ok(())
}

/// Fourteen days before the day of shipping and fourteen after it, in one batch that is sent twice.
pub async fn product_events_arrive_with_a_planted_lift(services: &Services) -> Result<()> {
    let shipped = services.now().date_naive();
    services.clock.advance(std::time::Duration::from_hours(24 * 15));
    let mut events = Vec::new();
    for day in 0..29_i32 {
        let users = match day {
            0..14 => BEFORE,
            14 => continue,
            _ => AFTER,
        };
        let start = (shipped - Days::new(14) + Days::new(day.unsigned_abs().into())).and_time(NaiveTime::MIN).and_utc();
        for user in 0..users + NOISE[day.rem_euclid(7) as usize] {
            events.push(pb::ProductEvent {
                event_id: format!("{day}-{user}"),
                user: format!("user-{user}"),
                event: "activate".to_owned(),
                time: Some(timestamp(start + TimeDelta::minutes(9 * i64::from(user)))),
                ..Default::default()
            });
        }
    }
    let mut ingestion = IngestionServiceClient::new(services.metrics.clone());
    let count = events.len();
    for _ in 0..2 {
        let ingest =
            pb::IngestEventsRequest { parent: WORKSPACE.to_owned(), events: events.clone(), ..Default::default() };
        let answer = ingestion.ingest_events(ingest).await?.into_inner();
        assert_eq!((answer.accepted as usize, answer.rejected.len()), (count, 0));
    }
    Ok(())
}

pub async fn the_outcome_meets_the_prediction(services: &Services) -> Result<()> {
    let measure = pb::MeasureOutcomeRequest { name: name("predictions", "guided-setup"), ..Default::default() };
    let outcome = OutcomeServiceClient::new(services.metrics.clone()).measure_outcome(measure).await?.into_inner();
    assert_eq!(outcome.verdict(), Verdict::Met, "{}", outcome.summary);
    // Sent twice, counted once: the means are the planted ones.
    assert!((outcome.pre_mean - f64::from(BEFORE)).abs() < 1e-9, "{}", outcome.pre_mean);
    assert!((outcome.post_mean - f64::from(AFTER)).abs() < 1e-9, "{}", outcome.post_mean);
    let measured = outcome.measured.unwrap_or_default();
    assert!(measured.low < 0.2 && 0.2 < measured.high && measured.low > 0.1, "{measured:?}");
    assert_eq!(outcome.evidence.len(), 2);
    once(services, pb::PredictionState::Measured).await;
    Ok(())
}

/// Users are never heard of again: two days later the first of these days counts as silent.
pub async fn activation_is_found_below_its_threshold(services: &Services) -> Result<()> {
    let condition = pb::AlertCondition::Below.into();
    let alert = pb::MetricAlert { threshold: Some(f64::from(BEFORE)), condition, ..Default::default() };
    let metric = pb::Metric { name: name("metrics", "activation"), alert: Some(alert), ..Default::default() };
    let update = pb::UpdateMetricRequest { metric: Some(metric), ..Default::default() };
    MetricServiceClient::new(services.metrics.clone()).update_metric(update).await?;
    services.clock.advance(std::time::Duration::from_hours(24 * 2));
    assert_eq!((services.take_readings().await?, services.take_readings().await?), (1, 0));
    let get = pb::GetMetricRequest { name: name("metrics", "activation") };
    let metric = MetricServiceClient::new(services.metrics.clone()).get_metric(get).await?.into_inner();
    assert_eq!(metric.breach.map(|breach| breach.value), Some(0.0));
    Ok(())
}

/// Forty newcomers sign up, ten of whom activate a day later.
pub async fn users_are_found_to_leave_before_they_activate(services: &Services) -> Result<()> {
    let signed_up = services.now() - TimeDelta::days(9);
    let event = |user: i32, event: &str, time| pb::ProductEvent {
        event_id: event.to_owned(),
        user: format!("newcomer-{user}"),
        event: event.to_owned(),
        time: Some(timestamp(time)),
        ..Default::default()
    };
    let mut events: Vec<_> = (0..40).map(|user| event(user, "sign_up", signed_up)).collect();
    events.extend((0..10).map(|user| event(user, "activate", signed_up + TimeDelta::days(1))));
    let ingest = pb::IngestEventsRequest { parent: WORKSPACE.to_owned(), events, ..Default::default() };
    IngestionServiceClient::new(services.metrics.clone()).ingest_events(ingest).await?;
    let step = |event: &str| pb::FrictionStep { event: event.to_owned(), ..Default::default() };
    let friction = pb::Friction {
        steps: vec![step("sign_up"), step("activate")],
        start_time: Some(timestamp(signed_up)),
        end_time: Some(timestamp(signed_up + TimeDelta::days(1))),
        ..Default::default()
    };
    let find = pb::FindFrictionRequest {
        parent: WORKSPACE.to_owned(),
        friction_id: "activation".to_owned(),
        friction: Some(friction),
        ..Default::default()
    };
    let friction = AnalysisServiceClient::new(services.metrics.clone()).find_friction(find).await?.into_inner();
    assert_eq!(friction.steps.iter().map(|step| step.users).collect::<Vec<_>>(), [40, 10]);
    Ok(())
}

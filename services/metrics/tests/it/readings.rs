//! Readings: a metric has the value of its last complete interval; one that goes beyond the threshold of its alert is
//! announced once, and so is its coming back.

use chrono::{DateTime, TimeDelta, Utc};
use pbjson_types::FieldMask;
use tonic::Code;
use waymark_metrics::{Answers, take_readings};
use waymark_proto::common::v1::Reading;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::world::{WORKSPACE, World, at, event, refusal};

/// Fewer than `threshold` a day, by UTC, is a breach.
pub fn below(threshold: f64) -> pb::MetricAlert {
    pb::MetricAlert { threshold: Some(threshold), condition: pb::AlertCondition::Below.into(), ..Default::default() }
}

/// A metric that counts `ordered`.
pub fn create(parent: &str, id: &str, alert: Option<pb::MetricAlert>) -> pb::CreateMetricRequest {
    let metric = pb::Metric {
        display_name: "Orders".into(),
        kind: pb::MetricKind::Count.into(),
        events: vec!["ordered".into()],
        alert,
        ..Default::default()
    };
    pb::CreateMetricRequest { parent: parent.into(), metric_id: id.into(), metric: Some(metric), ..Default::default() }
}

pub async fn created(world: &World, alert: Option<pb::MetricAlert>) -> pb::Metric {
    world.metrics().create_metric(create(WORKSPACE, "orders", alert)).await.unwrap().into_inner()
}

/// Changes one field of the metric.
pub async fn changed(world: &World, path: &str, to: pb::Metric) -> pb::Metric {
    let metric = pb::Metric { name: format!("{WORKSPACE}/metrics/orders"), ..to };
    let update_mask = Some(FieldMask { paths: vec![path.to_owned()] });
    let request = pb::UpdateMetricRequest { metric: Some(metric), update_mask, ..Default::default() };
    world.metrics().update_metric(request).await.unwrap().into_inner()
}

pub async fn alert(world: &World, alert: Option<pb::MetricAlert>) -> pb::Metric {
    changed(world, "alert", pb::Metric { alert, ..Default::default() }).await
}

pub async fn metric(world: &World) -> pb::Metric {
    let name = format!("{WORKSPACE}/metrics/orders");
    world.metrics().get_metric(pb::GetMetricRequest { name }).await.unwrap().into_inner()
}

async fn listed(world: &World, filter: &str) -> usize {
    let request = pb::ListMetricsRequest { parent: WORKSPACE.into(), filter: filter.into(), ..Default::default() };
    world.metrics().list_metrics(request).await.unwrap().into_inner().metrics.len()
}

/// This many orders, a minute apart.
pub async fn order(world: &World, first: DateTime<Utc>, count: i64) {
    let one = |number| {
        let time = first + TimeDelta::minutes(number);
        event(time.timestamp(), "ada", "ordered", time)
    };
    let answer = world.ingest((0..count).map(one).collect()).await;
    assert_eq!((i64::from(answer.accepted), answer.rejected.len()), (count, 0));
}

/// Something else, which shows that events have come this far.
pub async fn arrive(world: &World, time: DateTime<Utc>) {
    arrive_in(world, WORKSPACE, time).await;
}

async fn arrive_in(world: &World, workspace: &str, time: DateTime<Utc>) {
    let events = vec![event("arrived", "bob", "opened", time)];
    let request = pb::IngestEventsRequest { parent: workspace.into(), events, ..Default::default() };
    assert_eq!(world.ingestion().ingest_events(request).await.unwrap().into_inner().accepted, 1);
}

pub async fn judged(world: &World) -> usize {
    judged_with(world, &mut Answers::new(&world.served.service.parts().lake)).await
}

pub async fn judged_with(world: &World, answers: &mut Answers) -> usize {
    take_readings(world.served.store(), answers).await.unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with a field that may be unset")]
pub fn breach(start: &str, end: &str, value: f64) -> Option<pb::MetricBreach> {
    Some(pb::MetricBreach { start_time: Some(timestamp(at(start))), end_time: Some(timestamp(at(end))), value })
}

#[tokio::test]
async fn a_breach_is_announced_once_and_so_is_its_end() {
    on_both(async |world| {
        created(&world, Some(below(20.0))).await;
        order(&world, at("2026-03-01T12:00:00Z"), 12).await;
        arrive(&world, world.now()).await;
        assert_eq!((listed(&world, "alerted = true").await, listed(&world, "breached = true").await), (1, 0));
        assert_eq!(judged(&world).await, 1);
        for _again in 0..3 {
            assert_eq!(judged(&world).await, 0, "once");
        }
        let found = breach("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 12.0);
        assert_eq!(metric(&world).await.breach, found);
        assert_eq!((listed(&world, "breached = true").await, listed(&world, "breached = false").await), (1, 0));

        world.advance(TimeDelta::days(1));
        order(&world, at("2026-03-02T12:00:00Z"), 19).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 0, "it goes on");
        assert_eq!(metric(&world).await.breach, found);

        world.advance(TimeDelta::days(1));
        order(&world, at("2026-03-03T12:00:00Z"), 20).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);
        assert_eq!(judged(&world).await, 0);
        assert_eq!(metric(&world).await.breach, None);
        assert_eq!(listed(&world, "breached = true").await, 0);
        assert_eq!(world.announced().await, ["MetricCreated", "MetricBreached", "MetricMeasured", "MetricRecovered"]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_judged_before_its_events_have_arrived() {
    on_both(async |world| {
        created(&world, Some(below(20.0))).await;
        assert_eq!(judged(&world).await, 0, "nobody is silent who has never spoken");
        order(&world, at("2026-02-28T12:00:00Z"), 30).await;
        order(&world, at("2026-03-01T12:00:00Z"), 12).await;
        assert_eq!(judged(&world).await, 0, "more may come of yesterday, and the day before it was well");
        world.advance(at("2026-03-02T23:59:59Z") - world.now());
        assert_eq!(judged(&world).await, 0);
        world.advance(TimeDelta::seconds(1));
        assert_eq!(judged(&world).await, 1, "after a day nobody waits any longer");
        assert_eq!(metric(&world).await.breach, breach("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 12.0));

        order(&world, at("2026-03-02T12:00:00Z"), 25).await;
        assert_eq!(judged(&world).await, 0, "a good day, but it may not be all of it");
        arrive(&world, at("2026-03-03T00:00:00Z")).await;
        assert_eq!(judged(&world).await, 1, "the first moment after it will do");
        assert_eq!(metric(&world).await.breach, None);

        world.advance(TimeDelta::days(2));
        assert_eq!(judged(&world).await, 1, "silence is judged too");
        assert_eq!(metric(&world).await.breach, breach("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", 0.0));
    })
    .await;
}

#[tokio::test]
async fn an_interval_is_one_of_the_alerts_calendar() {
    on_both(async |world| {
        // Berlin is an hour ahead of UTC: its March begins at 23:00 UTC on the last of February, a Saturday.
        order(&world, at("2026-02-28T23:00:00Z"), 5).await;
        order(&world, at("2026-03-01T23:00:00Z"), 7).await;
        let given = |condition: pb::AlertCondition, threshold, interval: pb::TrendInterval| pb::MetricAlert {
            threshold: Some(threshold),
            condition: condition.into(),
            interval: interval.into(),
            time_zone: "Europe/Berlin".into(),
            ..Default::default()
        };
        created(&world, None).await;
        assert_eq!(judged(&world).await, 0, "nobody watches");
        let cases = [
            (
                pb::AlertCondition::Above,
                4.0,
                pb::TrendInterval::Day,
                breach("2026-02-28T23:00:00Z", "2026-03-01T23:00:00Z", 5.0),
            ),
            (
                pb::AlertCondition::Above,
                4.0,
                pb::TrendInterval::Week,
                breach("2026-02-22T23:00:00Z", "2026-03-01T23:00:00Z", 5.0),
            ),
            (
                pb::AlertCondition::Below,
                1.0,
                pb::TrendInterval::Month,
                breach("2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z", 0.0),
            ),
        ];
        for (condition, threshold, interval, found) in cases {
            assert_eq!(alert(&world, Some(given(condition, threshold, interval))).await.breach, None);
            assert_eq!(judged(&world).await, 1, "{interval:?}");
            assert_eq!(metric(&world).await.breach, found);
        }
        alert(&world, Some(given(pb::AlertCondition::Above, 5.0, pb::TrendInterval::Day))).await;
        assert_eq!(judged(&world).await, 0, "the threshold itself is within");
    })
    .await;
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with a field that may be unset")]
pub fn reading(day: &str, next: &str, value: f64) -> Option<Reading> {
    let midnight = |day: &str| Some(timestamp(at(&format!("{day}T00:00:00Z"))));
    Some(Reading { start_time: midnight(day), end_time: midnight(next), value })
}

#[tokio::test]
async fn a_metric_without_an_alert_is_measured_once_a_day() {
    on_both(async |world| {
        let mut request = create(WORKSPACE, "orders", None);
        request.metric.as_mut().unwrap().latest = reading("2026-01-01", "2026-01-02", 1.0);
        let created = world.metrics().create_metric(request).await.unwrap().into_inner();
        assert_eq!(created.latest, None, "only the service says so");
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, None, "nobody is silent who has never spoken");

        order(&world, at("2026-03-01T12:00:00Z"), 12).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 0);
        let known = metric(&world).await;
        assert_eq!((known.latest, known.etag.as_str()), (reading("2026-03-01", "2026-03-02", 12.0), "2"));
        order(&world, at("2026-03-01T18:00:00Z"), 1).await;
        world.advance(TimeDelta::hours(2));
        judged(&world).await;
        assert_eq!(metric(&world).await, known, "once");

        // What somebody sends who read it before, and what he says of what was measured.
        let given = pb::Metric { unit: "orders".into(), etag: known.etag, ..Default::default() };
        let kept = changed(&world, "unit", given).await;
        let given = pb::Metric { latest: reading("2026-01-01", "2026-01-02", 1.0), ..Default::default() };
        assert_eq!((kept.latest, changed(&world, "latest", given).await.latest), (known.latest, known.latest));

        assert_eq!(listed(&world, "latest_time = \"2026-03-02T00:00:00Z\"").await, 1);
        world.advance(TimeDelta::days(1));
        order(&world, at("2026-03-02T12:00:00Z"), 5).await;
        arrive(&world, world.now()).await;
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-02", "2026-03-03", 5.0));
        let other = changed(&world, "events", pb::Metric { events: vec!["opened".into()], ..Default::default() }).await;
        assert_eq!(other.latest, None, "it is of another question");
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-02", "2026-03-03", 1.0));
        let announced = world.announced().await;
        assert_eq!(announced.iter().filter(|event| *event == "MetricMeasured").count(), 3, "{announced:?}");
    })
    .await;
}

#[tokio::test]
async fn another_alert_is_another_question() {
    on_both(async |world| {
        let given = breach("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 1.0);
        let mut request = create(WORKSPACE, "orders", Some(below(20.0)));
        request.metric.as_mut().unwrap().breach = given;
        let metric = world.metrics().create_metric(request).await.unwrap().into_inner();
        assert_eq!(metric.breach, None, "only the service says so");
        order(&world, at("2026-03-01T12:00:00Z"), 12).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);

        let kept =
            changed(&world, "description", pb::Metric { description: "Placed, not paid".into(), ..Default::default() })
                .await;
        assert_eq!(kept.breach.map(|breach| breach.value), Some(12.0));
        let kept = changed(&world, "breach", pb::Metric { breach: given, ..Default::default() }).await;
        assert_eq!(kept.breach.map(|breach| breach.value), Some(12.0), "only the service says so");

        assert_eq!(alert(&world, Some(below(10.0))).await.breach, None);
        assert_eq!(judged(&world).await, 0);
        let nearer =
            changed(&world, "alert.threshold", pb::Metric { alert: Some(below(15.0)), ..Default::default() }).await;
        assert_eq!(nearer.alert.unwrap().condition(), pb::AlertCondition::Below);
        assert_eq!(judged(&world).await, 1);
        let unwatched = alert(&world, None).await;
        assert_eq!((unwatched.alert, unwatched.breach), (None, None));
        assert_eq!((judged(&world).await, listed(&world, "alerted = true").await), (0, 0));
        let announced = world.announced().await;
        assert_eq!(announced.iter().filter(|event| *event == "MetricBreached").count(), 2);
        assert!(
            !announced.contains(&"MetricRecovered".to_owned()),
            "what somebody changed is no recovery: {announced:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn all_that_is_wrong_with_an_alert_is_said_at_once() {
    on_both(async |world| {
        let wrong =
            pb::MetricAlert { threshold: Some(f64::INFINITY), time_zone: "Mars/Olympus".into(), ..Default::default() };
        let (code, reason, fields) =
            refusal(world.metrics().create_metric(create(WORKSPACE, "orders", Some(wrong))).await);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fields, ["metric.alert.threshold", "metric.alert.condition", "metric.alert.time_zone"]);
        // Nobody can tell a threshold that was left out from a zero that was meant.
        let without = pb::MetricAlert { threshold: None, ..below(20.0) };
        let (code, _, fields) =
            refusal(world.metrics().create_metric(create(WORKSPACE, "orders", Some(without))).await);
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["metric.alert.threshold".to_owned()]));
        assert_eq!(created(&world, Some(below(0.0))).await.alert.unwrap().threshold, Some(0.0));
    })
    .await;
}

#[tokio::test]
async fn every_metric_is_judged_however_many_there_are() {
    on_both(async |world| {
        // More than are read from the database at a time, one of them deleted, and one in a workspace that comes after
        // theirs.
        let requests =
            (0..102).map(|number| create(WORKSPACE, &format!("orders-{number}"), Some(below(1.0)))).collect();
        let batch = pb::BatchCreateMetricsRequest { parent: WORKSPACE.into(), requests, ..Default::default() };
        world.metrics().batch_create_metrics(batch).await.unwrap();
        let delete = pb::DeleteMetricRequest { name: format!("{WORKSPACE}/metrics/orders-7"), ..Default::default() };
        world.metrics().delete_metric(delete).await.unwrap();
        world.metrics().create_metric(create("workspaces/beta", "orders", Some(below(1.0)))).await.unwrap();
        for workspace in [WORKSPACE, "workspaces/beta"] {
            arrive_in(&world, workspace, world.now()).await;
        }
        assert_eq!(judged(&world).await, 102);
        assert_eq!(judged(&world).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_metric_that_cannot_be_judged_does_not_hold_up_the_others() {
    on_both(async |world| {
        created(&world, Some(below(20.0))).await;
        world.metrics().create_metric(create("workspaces/beta", "orders", Some(below(20.0)))).await.unwrap();
        order(&world, at("2026-03-01T12:00:00Z"), 12).await;
        arrive(&world, world.now()).await;
        arrive_in(&world, "workspaces/beta", world.now()).await;
        // Files that are gone stand in for storage that has lost them.
        let mut lost = 0;
        for file in std::fs::read_dir(world.folder.path().join("lake/acme/events")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "parquet") {
                std::fs::remove_file(path).unwrap();
                lost += 1;
            }
        }
        assert!(lost > 0);
        assert_eq!(judged(&world).await, 1, "the other workspace's");
        assert_eq!(metric(&world).await.breach, None);
    })
    .await;
}

#[tokio::test]
async fn a_sum_of_decimals_is_the_decimal_that_it_makes() {
    on_both(async |world| {
        let above = pb::MetricAlert { condition: pb::AlertCondition::Above.into(), ..below(0.3) };
        for (id, alert) in [("ten", below(1.0)), ("three", above)] {
            let metric = pb::Metric {
                display_name: id.into(),
                kind: pb::MetricKind::Sum.into(),
                property: "amount".into(),
                events: vec![id.into()],
                alert: Some(alert),
                ..Default::default()
            };
            let request = pb::CreateMetricRequest { metric: Some(metric), ..create(WORKSPACE, id, None) };
            world.metrics().create_metric(request).await.unwrap();
        }
        let paid = |name: &'static str, count: i32| {
            (0..count).map(move |number| pb::ProductEvent {
                properties: Some([("amount".to_owned(), pbjson_types::Value::from(0.1))].into_iter().collect()),
                ..event(number, name, name, at("2026-03-01T12:00:00Z"))
            })
        };
        // In two files, so that what is added up depends on more than the order of the payments.
        world.ingest(paid("ten", 4).chain(paid("three", 3)).collect()).await;
        world.ingest(paid("ten", 10).collect()).await;
        arrive(&world, at("2026-03-02T00:00:00Z")).await;
        assert_eq!(judged(&world).await, 0);
        let name = format!("{WORKSPACE}/metrics/ten");
        let settings = Some(pb::TrendSettings {
            start_time: Some(timestamp(at("2026-03-01T00:00:00Z"))),
            end_time: Some(timestamp(at("2026-03-02T00:00:00Z"))),
            ..Default::default()
        });
        let answer =
            world.metrics().query_metric(pb::QueryMetricRequest { name, settings }).await.unwrap().into_inner();
        assert_eq!(answer.series[0].total, 1.0);
    })
    .await;
}

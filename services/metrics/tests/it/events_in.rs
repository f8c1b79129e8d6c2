//! Product events: taken in once, refused one by one, counted by the calendar.

use chrono::TimeDelta;
use pbjson_types::Value;
use tonic::Code;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::world::{WORKSPACE, World, at, event, refusal};

fn settings(start: &str, end: &str) -> pb::TrendSettings {
    pb::TrendSettings {
        start_time: Some(timestamp(at(start))),
        end_time: Some(timestamp(at(end))),
        ..Default::default()
    }
}

fn trend(kind: pb::MetricKind, events: &[&str], settings: pb::TrendSettings) -> pb::QueryTrendRequest {
    pb::QueryTrendRequest {
        parent: WORKSPACE.into(),
        kind: kind.into(),
        events: events.iter().map(|&e| e.to_owned()).collect(),
        settings: Some(settings),
        ..Default::default()
    }
}

fn values(series: &pb::Series) -> Vec<f64> {
    series.points.iter().map(|point| point.value).collect()
}

async fn count(world: &World, event: &str) -> f64 {
    let request = trend(pb::MetricKind::Count, &[event], settings("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"));
    world.analysis().query_trend(request).await.unwrap().into_inner().series[0].total
}

#[tokio::test]
async fn wrong_events_are_reported_and_the_rest_is_kept() {
    on_both(async |world| {
        let now = world.now();
        let answer = world
            .ingest(vec![
                event(1, "ada", "opened", now),
                event(2, "", "opened", now),
                event(3, "ada", " ", now),
                event(4, "ada", "opened", now + TimeDelta::hours(25)),
                event(5, "ada", "opened", now - TimeDelta::days(20_000)),
                pb::ProductEvent { time: None, ..event(6, "ada", "opened", now) },
                event("", "ada", "opened", now),
                event(8, "bob", "opened", now + TimeDelta::hours(24)),
            ])
            .await;
        assert_eq!(answer.accepted, 2);
        let report: Vec<_> =
            answer.rejected.iter().map(|r| (r.index, r.reason(), r.field.as_str(), r.event_id.as_str())).collect();
        assert_eq!(
            report,
            [
                (1, pb::RejectionReason::User, "user", "2"),
                (2, pb::RejectionReason::Event, "event", "3"),
                (3, pb::RejectionReason::TimeInFuture, "time", "4"),
                (4, pb::RejectionReason::TimeTooOld, "time", "5"),
                (5, pb::RejectionReason::Time, "time", "6"),
                (6, pb::RejectionReason::EventId, "event_id", ""),
            ]
        );
        assert_eq!(count(&world, "opened").await, 2.0);
    })
    .await;
}

#[tokio::test]
async fn a_repeat_changes_nothing() {
    on_both(async |world| {
        let now = world.now();
        let batch =
            || vec![event(1, "ada", "opened", now), event(2, "ada", "opened", now), event(1, "ada", "opened", now)];
        for _ in 0..3 {
            assert_eq!(world.ingest(batch()).await.accepted, 3);
        }
        assert_eq!(count(&world, "opened").await, 2.0);
        let checked = pb::IngestEventsRequest {
            parent: WORKSPACE.into(),
            events: vec![event(3, "ada", "opened", now)],
            validate_only: true,
            ..Default::default()
        };
        assert_eq!(world.ingestion().ingest_events(checked).await.unwrap().into_inner().accepted, 1);
        assert_eq!(count(&world, "opened").await, 2.0, "a check stores nothing");

        let request = pb::ListEventNamesRequest { parent: WORKSPACE.into(), ..Default::default() };
        let names = world.analysis().list_event_names(request).await.unwrap().into_inner();
        assert_eq!((names.total, names.users, names.count), (1, 1, 2));
        assert_eq!((names.event_names[0].event.as_str(), names.event_names[0].count), ("opened", 2));
        assert_eq!(names.event_names[0].last_time, Some(timestamp(now)));
        assert!(names.watermark.is_some());
    })
    .await;
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    on_both(async |world| {
        let now = world.now();
        let request = |events| pb::IngestEventsRequest { parent: WORKSPACE.into(), events, ..Default::default() };
        let many = (0..50_001).map(|id| event(id, "a", "e", now)).collect();
        let (code, reason, fields) = refusal(world.ingestion().ingest_events(request(many)).await);
        assert_eq!(
            (code, reason.as_str(), fields),
            (Code::InvalidArgument, "INVALID_FIELD", vec!["events".to_owned()])
        );

        let large = |id: i32| pb::ProductEvent {
            properties: Some([("text".to_owned(), Value::from("x".repeat(30_000)))].into_iter().collect()),
            ..event(id, "a", "e", now)
        };
        let (code, ..) = refusal(world.ingestion().ingest_events(request((0..700).map(large).collect())).await);
        assert_eq!(code, Code::ResourceExhausted);

        let (code, _, fields) = refusal(
            world
                .ingestion()
                .ingest_events(pb::IngestEventsRequest { parent: "acme".into(), ..Default::default() })
                .await,
        );
        assert_eq!((code, fields), (Code::InvalidArgument, vec!["parent".to_owned()]));
        assert_eq!(world.ingest(vec![event(1, "a", "e", now)]).await.accepted, 1, "the service lives");
    })
    .await;
}

#[tokio::test]
async fn a_lake_that_cannot_be_written_is_an_outage() {
    on_both(async |world| {
        // A file where the tables' folder should be stands in for a full or broken disk: no write succeeds.
        let lake = world.folder.path().join("lake");
        let _ = std::fs::remove_dir_all(&lake);
        std::fs::write(&lake, "in the way").unwrap();
        let request = || pb::IngestEventsRequest {
            parent: WORKSPACE.into(),
            events: vec![event(1, "ada", "opened", world.now())],
            ..Default::default()
        };
        let error = waymark_client::Error::from(world.ingestion().ingest_events(request()).await.unwrap_err());
        assert_eq!((error.code(), error.reason()), (Code::Unavailable, "UNAVAILABLE"));
        assert!(error.retry_after().is_some());
        std::fs::remove_file(&lake).unwrap();
        assert_eq!(world.ingestion().ingest_events(request()).await.unwrap().into_inner().accepted, 1);
        assert_eq!(count(&world, "opened").await, 1.0, "what was refused counts once when it is sent again");
    })
    .await;
}

#[tokio::test]
async fn a_trend_follows_the_calendar_of_its_zone() {
    on_both(async |world| {
        // Berlin is an hour ahead of UTC in February: 23:30 UTC is already the next day there.
        world
            .ingest(vec![
                event(1, "ada", "opened", at("2026-02-07T22:59:00Z")),
                event(2, "ada", "opened", at("2026-02-07T23:30:00Z")),
                event(3, "bob", "opened", at("2026-02-08T12:00:00Z")),
                event(4, "bob", "opened", at("2026-02-09T12:00:00Z")),
                event(5, "bob", "closed", at("2026-02-09T12:00:00Z")),
            ])
            .await;
        let days = |zone: &str| pb::TrendSettings {
            time_zone: zone.into(),
            ..settings("2026-02-06T23:00:00Z", "2026-02-09T23:00:00Z")
        };
        let ask = async |request| world.analysis().query_trend(request).await.unwrap().into_inner();
        let berlin = ask(trend(pb::MetricKind::Count, &["opened"], days("Europe/Berlin"))).await;
        assert_eq!(values(&berlin.series[0]), [1.0, 2.0, 1.0]);
        assert!(berlin.series[0].points.iter().all(|point| !point.partial));
        let utc = ask(trend(pb::MetricKind::Count, &["opened"], days(""))).await;
        assert_eq!(values(&utc.series[0]), [0.0, 2.0, 1.0, 1.0]);
        let partial: Vec<_> = utc.series[0].points.iter().map(|point| point.partial).collect();
        assert_eq!(partial, [true, false, false, true]);
        let used = utc.settings.unwrap();
        assert_eq!(
            (used.time_zone.as_str(), used.interval(), used.week_start()),
            ("UTC", pb::TrendInterval::Day, pb::WeekStart::Monday)
        );

        let weeks = |week_start: pb::WeekStart| pb::TrendSettings {
            interval: pb::TrendInterval::Week.into(),
            week_start: week_start.into(),
            ..settings("2026-02-02T00:00:00Z", "2026-02-15T00:00:00Z")
        };
        let users = ask(trend(pb::MetricKind::UniqueUsers, &["opened"], weeks(pb::WeekStart::Monday))).await;
        assert_eq!(values(&users.series[0]), [2.0, 1.0], "8 February 2026 is a Sunday");
        assert_eq!(users.series[0].total, 2.0, "users who come back count once in the total");
        let users = ask(trend(pb::MetricKind::UniqueUsers, &["opened"], weeks(pb::WeekStart::Sunday))).await;
        assert_eq!(values(&users.series[0]), [1.0, 1.0]);

        let wrong = pb::QueryTrendRequest {
            parent: "acme".into(),
            kind: pb::MetricKind::Sum.into(),
            settings: Some(pb::TrendSettings {
                time_zone: "Mars/Olympus".into(),
                ..settings("2026-02-02T00:00:00Z", "2026-02-01T00:00:00Z")
            }),
            ..Default::default()
        };
        let (code, reason, fields) = refusal(world.analysis().query_trend(wrong).await);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fields, ["parent", "property", "settings.time_zone"]);
    })
    .await;
}

#[tokio::test]
async fn a_breakdown_has_a_series_per_value() {
    on_both(async |world| {
        let with = |id: i32, plan: Option<&str>, amount: f64| {
            let plan = plan.map(|plan| ("plan".to_owned(), Value::from(plan.to_owned())));
            let amount = ("amount".to_owned(), Value::from(amount));
            pb::ProductEvent {
                properties: Some(plan.into_iter().chain([amount]).collect()),
                ..event(id, "ada", "paid", at("2026-02-02T10:00:00Z"))
            }
        };
        world
            .ingest(vec![
                with(1, Some("team"), 40.0),
                with(2, Some("solo"), 9.5),
                with(3, None, 1.0),
                with(4, Some("team"), 2.0),
            ])
            .await;
        let request = |limit, filters| pb::QueryTrendRequest {
            property: "amount".into(),
            filters,
            settings: Some(pb::TrendSettings {
                breakdown: "plan".into(),
                breakdown_limit: limit,
                ..settings("2026-02-02T00:00:00Z", "2026-02-03T00:00:00Z")
            }),
            ..trend(pb::MetricKind::Sum, &["paid"], pb::TrendSettings::default())
        };
        let ask = async |request| world.analysis().query_trend(request).await.unwrap().into_inner();
        let shown = |answer: &pb::QueryTrendResponse| {
            answer.series.iter().map(|s| (s.value.clone(), s.absent, s.total)).collect::<Vec<_>>()
        };
        let all = ask(request(0, vec![])).await;
        assert_eq!(
            shown(&all),
            [("team".into(), false, 42.0), ("solo".into(), false, 9.5), (String::new(), true, 1.0)]
        );
        assert_eq!((all.series_left_out, all.settings.as_ref().unwrap().breakdown_limit), (0, 10));
        let first = ask(request(1, vec![])).await;
        let others = (String::new(), false, 10.5);
        assert_eq!((shown(&first), first.series_left_out), (vec![("team".into(), false, 42.0), others], 2));
        assert!(first.series[1].other && !first.series[0].other);
        let filter = |operator: pb::PropertyOperator, values| pb::PropertyFilter {
            property: "amount".into(),
            operator: operator.into(),
            values,
        };
        let large = ask(request(0, vec![filter(pb::PropertyOperator::Greater, vec![Value::from(9.0)])])).await;
        assert_eq!(shown(&large), [("team".into(), false, 40.0), ("solo".into(), false, 9.5)]);
        let equal =
            ask(request(0, vec![filter(pb::PropertyOperator::Equal, vec![Value::from(1.0), Value::from(2.0)])])).await;
        assert_eq!(shown(&equal), [("team".into(), false, 2.0), (String::new(), true, 1.0)]);
    })
    .await;
}

#[tokio::test]
async fn a_series_says_the_value_that_a_filter_takes() {
    on_both(async |world| {
        let now = world.now();
        let with = |id: i64, value: Value| pb::ProductEvent {
            properties: Some([("plan".to_owned(), value)].into_iter().collect()),
            ..event(id, "ada", "opened", now)
        };
        let text = |text: &str| Value::from(text.to_owned());
        world
            .ingest(vec![
                with(1, 1.0.into()),
                with(2, Value::from(1.0)),
                with(3, text("1")),
                with(4, true.into()),
                with(5, text("9007199254740993")),
                event(6, "ada", "opened", now),
            ])
            .await;
        let settings = settings("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
        let broken_down = pb::TrendSettings { breakdown: "plan".into(), ..settings.clone() };
        let request = trend(pb::MetricKind::Count, &["opened"], broken_down);
        let series = world.analysis().query_trend(request).await.unwrap().into_inner().series;
        let said: Vec<_> =
            series.iter().map(|line| (line.value.as_str(), line.typed_value.clone(), line.total)).collect();
        assert_eq!(
            said,
            [
                ("1", Some(1.0.into()), 2.0),
                ("", None, 1.0),
                ("1", Some(text("1")), 1.0),
                ("9007199254740993", Some(text("9007199254740993")), 1.0),
                ("true", Some(true.into()), 1.0),
            ]
        );
        for line in series {
            let operator = if line.absent { pb::PropertyOperator::Absent } else { pb::PropertyOperator::Equal };
            let filter = pb::PropertyFilter {
                property: "plan".into(),
                operator: operator.into(),
                values: line.typed_value.clone().into_iter().collect(),
            };
            let request = pb::QueryTrendRequest {
                filters: vec![filter],
                ..trend(pb::MetricKind::Count, &["opened"], settings.clone())
            };
            let selected = world.analysis().query_trend(request).await.unwrap().into_inner().series;
            assert_eq!(selected[0].total, line.total, "{line:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_no_series_of_its_own_is_one_together_and_events_may_have_a_series_each() {
    on_both(async |world| {
        let now = world.now();
        let did = |id: i64, user: &str, name: &str| event(id, user, name, now);
        world
            .ingest(vec![
                did(1, "ada", "opened"),
                did(2, "ada", "opened"),
                did(3, "ada", "opened"),
                did(4, "ada", "saved"),
                did(5, "ada", "shared"),
                did(6, "bob", "shared"),
                did(7, "ada", "closed"),
            ])
            .await;
        let settings = pb::TrendSettings {
            breakdown_by_event: true,
            breakdown_limit: 1,
            ..settings("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z")
        };
        for (kind, first, other) in
            [(pb::MetricKind::Count, ("opened", 3.0), 4.0), (pb::MetricKind::UniqueUsers, ("shared", 2.0), 1.0)]
        {
            let request = trend(kind, &[], settings.clone());
            let answer = world.analysis().query_trend(request).await.unwrap().into_inner();
            let said: Vec<_> = answer.series.iter().map(|line| (line.value.as_str(), line.total)).collect();
            assert_eq!(said, [first, ("", other)], "{kind:?}");
            let last = &answer.series[1];
            assert_eq!((last.other, last.absent, &last.typed_value, answer.series_left_out), (true, false, &None, 3));
        }
        let mut both = trend(pb::MetricKind::Count, &[], settings.clone());
        both.settings.as_mut().unwrap().breakdown = "plan".into();
        let refused = world.analysis().query_trend(both).await.unwrap_err();
        assert!(refused.message().contains("breakdown_by_event"), "{}", refused.message());
    })
    .await;
}

//! Retention, lifecycle and stickiness as clients ask for them, and refusals.

use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::world::{WORKSPACE, World, at, event, refusal};

/// ann comes on three days, bob on two that are not one after the other, eve came before.
async fn visits(world: &World) {
    let visit = |(user, day): (&str, &str)| event(day.len(), user, "visit", at(&format!("2026-02-{day}T12:00:00Z")));
    let days =
        [("ann", "02"), ("ann", "03"), ("ann", "04"), ("bob", "02"), ("bob", "04"), ("eve", "01"), ("eve", "03")];
    assert_eq!(world.ingest(days.map(visit).to_vec()).await.rejected, []);
}

fn days() -> pb::TrendSettings {
    pb::TrendSettings {
        start_time: Some(timestamp(at("2026-02-02T00:00:00Z"))),
        end_time: Some(timestamp(at("2026-02-05T00:00:00Z"))),
        ..Default::default()
    }
}

fn retention() -> pb::QueryRetentionRequest {
    let settings = pb::RetentionSettings {
        start_time: days().start_time,
        end_time: days().end_time,
        interval: pb::RetentionInterval::Day.into(),
        periods: 2,
        ..Default::default()
    };
    let start = pb::RetentionEvent { event: "visit".into(), ..Default::default() };
    pb::QueryRetentionRequest {
        parent: WORKSPACE.into(),
        start: Some(start),
        settings: Some(settings),
        ..Default::default()
    }
}

#[tokio::test]
async fn who_comes_back_is_told() {
    on_both(async |world| {
        visits(&world).await;
        let answer = world.analysis().query_retention(retention()).await.unwrap().into_inner();
        let told =
            |cohort: &pb::RetentionCohort| (cohort.users, cohort.cells.iter().map(|cell| cell.returned).collect());
        let cohorts: Vec<(i64, Vec<i64>)> = answer.cohorts.iter().map(told).collect();
        assert_eq!(cohorts, [(2, vec![0, 1, 2]), (0, vec![0; 3]), (0, vec![0; 3])], "eve is not new");
        let total = answer.total.unwrap();
        assert_eq!((total.users, total.cells[1].share, total.cells[1].immature), (2, Some(0.5), 0));
        assert_eq!(answer.cohorts[1].cells[1].share, None);
        let columns: Vec<_> = answer.columns.iter().map(|column| (column.from_period, column.to_period)).collect();
        assert_eq!(columns, [(0, 0), (1, 1), (2, 2)]);
        let again = pb::QueryRetentionRequest { settings: answer.settings.clone(), ..retention() };
        assert_eq!(world.analysis().query_retention(again).await.unwrap().into_inner().cohorts, answer.cohorts);

        let mut every = retention();
        every.settings.as_mut().unwrap().start = pb::RetentionStart::Every.into();
        let answer = world.analysis().query_retention(every).await.unwrap().into_inner();
        let cohorts: Vec<(i64, Vec<i64>)> = answer.cohorts.iter().map(told).collect();
        assert_eq!(cohorts, [(2, vec![0, 1, 2]), (2, vec![0, 1, 0]), (2, vec![0, 0, 0])]);
    })
    .await;
}

#[tokio::test]
async fn who_comes_stays_and_goes_is_told() {
    on_both(async |world| {
        visits(&world).await;
        let request =
            pb::QueryLifecycleRequest { parent: WORKSPACE.into(), settings: Some(days()), ..Default::default() };
        let answer = world.analysis().query_lifecycle(request).await.unwrap().into_inner();
        let told =
            |of: &pb::LifecyclePoint| [of.new_users, of.returning_users, of.resurrecting_users, of.dormant_users];
        let points: Vec<[i64; 4]> = answer.points.iter().map(told).collect();
        assert_eq!(points, [[2, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 1]]);
        assert_eq!(answer.settings.unwrap().interval(), pb::TrendInterval::Day);

        let request =
            pb::QueryStickinessRequest { parent: WORKSPACE.into(), settings: Some(days()), ..Default::default() };
        let answer = world.analysis().query_stickiness(request).await.unwrap().into_inner();
        let points: Vec<_> = answer.points.iter().map(|of| (of.intervals, of.users, of.share_or_more)).collect();
        assert_eq!((answer.users, points), (3, vec![(1, 1, 1.0), (2, 1, 2.0 / 3.0), (3, 1, 1.0 / 3.0)]));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_kindly() {
    on_both(async |world| {
        visits(&world).await;
        let mut misspelt = retention();
        misspelt.returning = Some(pb::RetentionEvent { event: "visitt".into(), ..Default::default() });
        let refused = world.analysis().query_retention(misspelt).await.unwrap_err();
        assert!(refused.message().contains("did you mean \"visit\"?"), "{refused:?}");
        let request = |events: &[&str], settings| pb::QueryLifecycleRequest {
            parent: WORKSPACE.into(),
            events: events.iter().map(|&event| event.to_owned()).collect(),
            settings: Some(settings),
            ..Default::default()
        };
        let fields = async |events: &[&str], settings| {
            refusal(world.analysis().query_lifecycle(request(events, settings)).await).2
        };
        assert_eq!(fields(&["visitts"], days()).await, ["events[0]"]);
        assert_eq!(fields(&["visit", "visit"], days()).await, ["events[1]"]);
        let by = pb::TrendSettings { breakdown: "plan".into(), ..days() };
        assert_eq!(fields(&[], by).await, ["settings.breakdown"]);
        let zone = pb::TrendSettings { time_zone: "Mars".into(), ..days() };
        assert_eq!(fields(&[], zone).await, ["settings.time_zone"]);
    })
    .await;
}

//! Events that come late, or from a clock that is ahead: what is waited for, what follows, and what is taken back.

use chrono::TimeDelta;
use pbjson_types::FieldMask;
use tonic::Code;
use waymark_metrics::Answers;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::readings::{alert, arrive, below, breach, changed, created, judged, judged_with, metric, order, reading};
use crate::world::{WORKSPACE, at, refusal};

#[tokio::test]
async fn events_of_a_clock_ahead_do_not_say_that_all_have_arrived() {
    on_both(async |world| {
        created(&world, Some(below(5.0))).await;
        world.advance(at("2026-03-02T23:00:00Z") - world.now());
        order(&world, at("2026-03-01T12:00:00Z"), 6).await;
        order(&world, at("2026-03-02T12:00:00Z"), 3).await;
        arrive(&world, at("2026-03-03T00:30:00Z")).await;
        world.advance(at("2026-03-03T00:10:00Z") - world.now());
        judged(&world).await;
        assert_eq!(metric(&world).await.breach, None, "nobody whose clock is right has come so far");
        order(&world, at("2026-03-02T13:00:00Z"), 5).await;
        arrive(&world, world.now()).await;
        judged(&world).await;
        let known = metric(&world).await;
        assert_eq!((known.breach, known.latest), (None, reading("2026-03-02", "2026-03-03", 8.0)));
    })
    .await;
}

#[tokio::test]
async fn an_alert_waits_for_events_as_long_as_it_says() {
    on_both(async |world| {
        created(&world, Some(pb::MetricAlert { arrival_hours: 6, ..below(5.0) })).await;
        world.advance(at("2026-03-02T20:00:00Z") - world.now());
        order(&world, at("2026-03-01T12:00:00Z"), 7).await;
        order(&world, at("2026-03-02T12:00:00Z"), 3).await;
        world.advance(at("2026-03-03T05:59:00Z") - world.now());
        arrive(&world, world.now()).await;
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-01", "2026-03-02", 7.0), "more may be on their way");
        world.advance(TimeDelta::minutes(1));
        judged(&world).await;
        assert_eq!(metric(&world).await.breach, None, "nothing has come from after it");
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);
        assert_eq!(metric(&world).await.breach, breach("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", 3.0));

        world.advance(at("2026-03-05T05:59:00Z") - world.now());
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-02", "2026-03-03", 3.0), "a day, and the six hours");
        world.advance(TimeDelta::minutes(1));
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-03", "2026-03-04", 0.0), "silence is the answer then");

        let too_long = pb::MetricAlert { arrival_hours: 169, ..below(5.0) };
        let update_mask = Some(FieldMask { paths: vec!["alert".to_owned()] });
        let given =
            pb::Metric { name: format!("{WORKSPACE}/metrics/orders"), alert: Some(too_long), ..Default::default() };
        let request = pb::UpdateMetricRequest { metric: Some(given), update_mask, ..Default::default() };
        let (code, _, fields) = refusal(world.metrics().update_metric(request).await);
        assert_eq!(code, Code::InvalidArgument);
        assert!(fields[0].ends_with("alert.arrival_hours"), "{fields:?}");
    })
    .await;
}

#[tokio::test]
async fn a_breach_that_late_events_make_none_is_withdrawn() {
    on_both(async |world| {
        created(&world, Some(below(5.0))).await;
        order(&world, at("2026-03-01T12:00:00Z"), 3).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);
        assert_eq!(metric(&world).await.breach.map(|breach| breach.value), Some(3.0));
        order(&world, at("2026-03-01T13:00:00Z"), 5).await;
        assert_eq!(judged(&world).await, 1);
        let well = metric(&world).await;
        assert_eq!((well.breach, well.latest), (None, reading("2026-03-01", "2026-03-02", 8.0)));
        assert_eq!(well.withdrawn, breach("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 8.0));

        // So it is when the next interval was measured meanwhile, and is no recovery where that is well.
        world.advance(TimeDelta::days(1));
        order(&world, at("2026-03-02T12:00:00Z"), 2).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);
        world.advance(TimeDelta::days(1));
        order(&world, at("2026-03-02T14:00:00Z"), 4).await;
        order(&world, at("2026-03-03T12:00:00Z"), 9).await;
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);
        let well = metric(&world).await;
        assert_eq!(well.withdrawn, breach("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", 6.0));
        judged(&world).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-03", "2026-03-04", 9.0));
        let turns: Vec<String> = world.announced().await.into_iter().filter(|event| event.contains("Breach")).collect();
        let (breached, withdrawn) = ("MetricBreached", "MetricBreachWithdrawn");
        assert_eq!(turns, [breached, withdrawn, breached, withdrawn]);
        let given = pb::Metric { withdrawn: None, ..Default::default() };
        assert_eq!(changed(&world, "withdrawn", given).await.withdrawn, well.withdrawn, "only the service says so");
    })
    .await;
}

#[tokio::test]
async fn what_is_watched_follows_late_events_and_leaves_time_to_update_it() {
    on_both(async |world| {
        created(&world, Some(below(20.0))).await;
        order(&world, at("2026-03-01T12:00:00Z"), 30).await;
        arrive(&world, world.now()).await;
        judged(&world).await;
        let known = metric(&world).await;
        assert_eq!(known.latest, reading("2026-03-01", "2026-03-02", 30.0));

        order(&world, at("2026-03-01T18:00:00Z"), 1).await;
        world.advance(TimeDelta::minutes(59));
        judged(&world).await;
        assert_eq!(metric(&world).await, known, "nobody who is about to update it is overtaken all the time");
        world.advance(TimeDelta::minutes(1));
        judged(&world).await;
        let followed = metric(&world).await;
        assert_eq!(followed.latest, reading("2026-03-01", "2026-03-02", 31.0));
        world.advance(TimeDelta::hours(2));
        judged(&world).await;
        assert_eq!(metric(&world).await, followed, "a value that is known already writes nothing");
    })
    .await;
}

#[tokio::test]
async fn the_lake_is_asked_anew_only_of_what_has_something_new() {
    on_both(async |world| {
        created(&world, Some(below(20.0))).await;
        let lake = &world.served.service.parts().lake;
        let mut answers = Answers::new(lake);
        assert_eq!(judged_with(&world, &mut answers).await, 0);
        order(&world, at("2026-03-01T12:00:00Z"), 30).await;
        arrive(&world, world.now()).await;
        answers.begin();
        judged_with(&world, &mut answers).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-01", "2026-03-02", 30.0));
        answers.begin();
        judged_with(&world, &mut answers).await;
        let asked = lake.metrics().queries;
        for _nothing_new in 0..3 {
            world.advance(TimeDelta::minutes(1));
            answers.begin();
            judged_with(&world, &mut answers).await;
        }
        assert_eq!(lake.metrics().queries, asked);

        // What came late is found, whether or not it may be written at once.
        order(&world, at("2026-03-01T18:00:00Z"), 1).await;
        for _rests in 0..2 {
            answers.begin();
            judged_with(&world, &mut answers).await;
            assert_eq!(metric(&world).await.latest, reading("2026-03-01", "2026-03-02", 30.0));
        }
        world.advance(TimeDelta::hours(1));
        answers.begin();
        judged_with(&world, &mut answers).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-01", "2026-03-02", 31.0));

        // Nor does another question get the answer of the one before.
        alert(&world, Some(below(40.0))).await;
        answers.begin();
        assert_eq!(judged_with(&world, &mut answers).await, 1);
        changed(&world, "events", pb::Metric { events: vec!["opened".into()], ..Default::default() }).await;
        answers.begin();
        judged_with(&world, &mut answers).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-01", "2026-03-02", 0.0));
        world.advance(TimeDelta::days(1));
        arrive(&world, world.now()).await;
        answers.begin();
        judged_with(&world, &mut answers).await;
        assert_eq!(metric(&world).await.latest, reading("2026-03-02", "2026-03-03", 1.0));
    })
    .await;
}

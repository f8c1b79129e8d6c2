//! Alerts by what is usual: a day that is not, by the days before it, is announced as one beyond a threshold is.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use tonic::Code;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::readings::{alert, arrive, below, create, created, judged, metric, order};
use crate::world::{WORKSPACE, World, at, refusal};

/// One day in ten may be called a breach though nothing happened, so that 30 days before it are enough.
fn unusual() -> pb::MetricAlert {
    pb::MetricAlert { unusual: Some(pb::UnusualAlert { false_alarms: 0.1 }), ..Default::default() }
}

/// The clock stands in the day after the last of `days` that are given, whose orders came when they were made.
async fn history(world: &World, days: i64) -> impl Fn(i64) -> DateTime<Utc> + use<> {
    let first = at("2026-03-02T09:00:00Z") - TimeDelta::days(days);
    let day = move |number| first + TimeDelta::days(number);
    for number in 0..days {
        let quiet = day(number).weekday().number_from_monday() > 5;
        order(world, day(number), if quiet { 6 } else { 20 + number % 3 }).await;
    }
    arrive(world, world.now()).await;
    day
}

#[tokio::test]
async fn a_day_that_is_not_usual_is_a_breach() {
    on_both(async |world| {
        created(&world, Some(unusual())).await;
        let day = history(&world, 40).await;
        assert_eq!((judged(&world).await, metric(&world).await.breach), (0, None), "a Sunday as any other");

        order(&world, day(40), 35).await;
        world.advance(TimeDelta::days(1));
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 1);
        let found = metric(&world).await;
        let (breach, usual) = (found.breach.unwrap(), found.usual.unwrap());
        assert!(breach.value == 35.0 && usual.high < 30.0 && usual.low > 10.0, "{usual:?}");
        assert!(usual.low <= usual.value && usual.value <= usual.high && usual.tried >= 5, "{usual:?}");

        order(&world, day(41), 21).await;
        world.advance(TimeDelta::days(1));
        arrive(&world, world.now()).await;
        assert_eq!((judged(&world).await, metric(&world).await.breach), (1, None), "a Tuesday as any other");
        assert_eq!(world.announced().await, ["MetricCreated", "MetricMeasured", "MetricBreached", "MetricRecovered"]);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_judged_before_enough_is_known() {
    on_both(async |world| {
        created(&world, Some(unusual())).await;
        let day = history(&world, 25).await;
        order(&world, day(25), 90).await;
        world.advance(TimeDelta::days(1));
        arrive(&world, world.now()).await;
        assert_eq!(judged(&world).await, 0);
        let metric = metric(&world).await;
        assert_eq!((metric.breach, metric.latest.unwrap().value), (None, 90.0), "it is measured all the same");
    })
    .await;
}

#[tokio::test]
async fn an_alert_is_of_a_threshold_or_of_what_is_usual() {
    on_both(async |world| {
        let kept = created(&world, Some(unusual())).await.alert.unwrap();
        assert_eq!(
            (kept.unusual, kept.threshold, kept.condition()),
            (unusual().unusual, None, pb::AlertCondition::Unspecified)
        );
        let half = pb::MetricAlert { unusual: Some(pb::UnusualAlert::default()), ..Default::default() };
        let said = alert(&world, Some(half)).await.alert.unwrap();
        assert_eq!(said.unusual.unwrap().false_alarms, 0.02, "the default is said");
        let alarms = |false_alarms| pb::MetricAlert { unusual: Some(pb::UnusualAlert { false_alarms }), ..unusual() };
        for (wrong, field) in [
            (pb::MetricAlert { threshold: Some(3.0), ..unusual() }, "unusual"),
            (alarms(0.7), "unusual.false_alarms"),
            (alarms(0.001), "unusual.false_alarms"),
            (alarms(f64::NAN), "unusual.false_alarms"),
            (pb::MetricAlert { unusual: None, ..below(3.0) }, ""),
            (pb::MetricAlert { condition: 0, ..below(3.0) }, "condition"),
        ] {
            let changed = create(WORKSPACE, "other", Some(wrong));
            let answer = world.metrics().create_metric(changed).await;
            if field.is_empty() {
                answer.unwrap();
                continue;
            }
            let (code, _, fields) = refusal(answer);
            assert_eq!((code, fields), (Code::InvalidArgument, vec![format!("metric.alert.{field}")]));
        }
    })
    .await;
}

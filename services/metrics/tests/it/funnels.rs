//! Funnels as clients ask for them: who gets how far by which settings, over time and by value, who dropped, and refusals.

use chrono::{DateTime, TimeDelta, Utc};
use pbjson_types::Value;
use tonic::Code;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;

use crate::on_both;
use crate::world::{WORKSPACE, World, at, event, refusal};

fn asked(events: &[&str], settings: pb::FunnelSettings) -> pb::QueryFunnelRequest {
    let step = |event: &&str| pb::FunnelStep { event: (*event).to_owned(), ..Default::default() };
    let steps = events.iter().map(step).collect();
    pb::QueryFunnelRequest { parent: WORKSPACE.into(), steps, settings: Some(settings) }
}

/// Who began in February.
fn february() -> pb::FunnelSettings {
    pb::FunnelSettings {
        start_time: Some(timestamp(at("2026-02-01T00:00:00Z"))),
        end_time: Some(timestamp(at("2026-03-01T00:00:00Z"))),
        ..Default::default()
    }
}

async fn answered(world: &World, request: pb::QueryFunnelRequest) -> pb::QueryFunnelResponse {
    world.analysis().query_funnel(request).await.unwrap().into_inner()
}

fn reached(answer: &pb::QueryFunnelResponse) -> Vec<Vec<i64>> {
    answer.series.iter().map(|series| series.steps.iter().map(|step| step.reached).collect()).collect()
}

fn did(user: &str, name: &str, time: DateTime<Utc>, plan: &str) -> pb::ProductEvent {
    let properties = [("plan".to_owned(), Value::from(plan.to_owned()))].into_iter().collect();
    pb::ProductEvent { properties: Some(properties), ..event(time.timestamp(), user, name, time) }
}

/// Ten users look, a day after the other; the first six try an hour later, four of whom buy after another, on two plans.
/// One looked in January and tries; one looks again too late for the first time.
async fn shop(world: &World) {
    let mut events = Vec::new();
    for number in 0..10_i64 {
        let (user, plan) = (format!("user-{number}"), if number % 2 == 0 { "free" } else { "pro" });
        let looked = at("2026-02-02T12:00:00Z") + TimeDelta::days(number);
        let names = ["look", "try", "buy"];
        let steps = if number < 4 {
            3
        } else if number < 6 {
            2
        } else {
            1
        };
        for (hours, name) in (0..).zip(&names[..steps]) {
            events.push(did(&user, name, looked + TimeDelta::hours(hours), plan));
        }
    }
    events.push(did("early", "look", at("2026-01-31T12:00:00Z"), "free"));
    events.push(did("early", "try", at("2026-02-01T12:00:00Z"), "free"));
    for (day, name) in [("05", "look"), ("20", "look"), ("21", "try")] {
        events.push(did("again", name, at(&format!("2026-02-{day}T12:00:00Z")), "pro"));
    }
    for _again in 0..2 {
        assert_eq!(world.ingest(events.clone()).await.rejected, []);
    }
}

#[tokio::test]
async fn who_gets_how_far_depends_on_the_settings_that_are_said() {
    on_both(async |world| {
        shop(&world).await;
        let steps = ["look", "try", "buy"];
        let answer = answered(&world, asked(&steps, february())).await;
        assert_eq!(reached(&answer), [[11, 7, 4]]);
        let [look, tried, buy] = &answer.series[0].steps[..] else { panic!("{answer:?}") };
        assert_eq!((look.share, look.step_share, look.time_to_convert), (1.0, 1.0, None));
        assert_eq!((tried.share, tried.step_share), (7.0 / 11.0, 7.0 / 11.0));
        assert_eq!((buy.share, buy.step_share, buy.event.as_str()), (4.0 / 11.0, 4.0 / 7.0, "buy"));
        let tried = tried.time_to_convert.unwrap();
        assert_eq!((tried.median_seconds, tried.p10_seconds, tried.p90_seconds), (3600.0, 3600.0, 36_720.0));
        assert_eq!(answer.series[0].time_to_convert.unwrap().average_seconds, 7200.0);
        let settings = answer.settings.clone().unwrap();
        assert_eq!((settings.preset(), settings.entry()), (pb::FunnelPreset::Waymark, pb::FunnelEntry::LatestStart));
        assert_eq!((settings.window_length, settings.ties()), (Some(7), pb::FunnelEventTies::Inclusive));
        assert!(answer.watermark.is_some());
        assert_eq!(answered(&world, asked(&steps, settings)).await, answer, "what was said is the same question");

        let first =
            pb::FunnelSettings { preset: pb::FunnelPreset::Mixpanel.into(), window_length: Some(7), ..february() };
        assert_eq!(reached(&answered(&world, asked(&steps, first)).await), [[11, 6, 4]], "the first look is too early");
        let every = pb::FunnelSettings { entry: pb::FunnelEntry::EveryEntry.into(), ..february() };
        assert_eq!(reached(&answered(&world, asked(&steps, every)).await), [[12, 7, 4]], "entries, not users");
        let brief =
            pb::FunnelSettings { window_length: Some(1), window_unit: pb::FunnelWindowUnit::Hour.into(), ..february() };
        assert_eq!(reached(&answered(&world, asked(&steps, brief.clone())).await), [[11, 6, 0]]);
        let exclusive = pb::FunnelSettings { window_boundary: pb::FunnelWindowBoundary::Exclusive.into(), ..brief };
        assert_eq!(reached(&answered(&world, asked(&steps, exclusive)).await), [[11, 0, 0]]);
        let session = pb::FunnelSettings { entry: pb::FunnelEntry::Session.into(), ..february() };
        assert_eq!(reached(&answered(&world, asked(&steps, session)).await), [[12, 0, 0]], "an hour ends a session");
        let any = pb::FunnelSettings { order: pb::FunnelOrder::Unordered.into(), ..february() };
        assert_eq!(reached(&answered(&world, asked(&["buy", "look"], any)).await), [[11, 4]]);

        // Who looks and buys without trying; trying may be left out, or must.
        let mut optional = asked(&steps, february());
        optional.steps[1].optional = true;
        assert_eq!(reached(&answered(&world, optional).await), [[11, 7, 4]]);
        let exclusion = pb::FunnelExclusion { event: "try".into(), ..Default::default() };
        let without = pb::FunnelSettings { exclusions: vec![exclusion.clone()], ..february() };
        assert_eq!(reached(&answered(&world, asked(&["look", "buy"], without.clone())).await), [[4, 0]]);
        let drop = pb::FunnelExclusion { effect: pb::FunnelExclusionEffect::Drop.into(), ..exclusion };
        let without = pb::FunnelSettings { exclusions: vec![drop], ..without };
        assert_eq!(reached(&answered(&world, asked(&["look", "buy"], without)).await), [[11, 0]]);
    })
    .await;
}

#[tokio::test]
async fn it_is_told_by_value_and_over_time() {
    on_both(async |world| {
        shop(&world).await;
        let steps = ["look", "try", "buy"];
        let by_plan = pb::FunnelSettings { breakdown: "plan".into(), ..february() };
        let answer = answered(&world, asked(&steps, by_plan.clone())).await;
        let values: Vec<&str> = answer.series.iter().map(|series| series.value.as_str()).collect();
        assert_eq!((values.as_slice(), reached(&answer)), (&["pro", "free"][..], vec![vec![6, 4, 2], vec![5, 3, 2]]));
        let one = pb::FunnelSettings { breakdown_limit: 1, ..by_plan.clone() };
        let one = answered(&world, asked(&steps, one)).await;
        assert_eq!((one.series.len(), one.series_left_out), (1, 1));
        let held = pb::FunnelSettings { held_properties: vec!["plan".into()], ..february() };
        assert_eq!(reached(&answered(&world, asked(&steps, held)).await), [[11, 7, 4]], "all keep their plan");

        let weekly = pb::FunnelSettings { trend: true, interval: pb::TrendInterval::Week.into(), ..february() };
        let answer = answered(&world, asked(&steps, weekly)).await;
        let points: Vec<(String, Vec<i64>, bool)> = answer.series[0]
            .points
            .iter()
            .map(|point| {
                let start = DateTime::from_timestamp(point.start_time.as_ref().unwrap().seconds, 0).unwrap();
                (start.format("%m-%d").to_string(), point.reached.clone(), point.partial)
            })
            .collect();
        let point = |start: &str, reached: [i64; 3], partial| (start.to_owned(), reached.to_vec(), partial);
        // "again" got furthest when it began on the 20th.
        let expected = [
            point("01-26", [0, 0, 0], true),
            point("02-02", [7, 6, 4], false),
            point("02-09", [3, 0, 0], false),
            point("02-16", [1, 1, 0], false),
            point("02-23", [0, 0, 0], true),
        ];
        assert_eq!(points, expected);
    })
    .await;
}

#[tokio::test]
async fn who_dropped_is_told_in_pages() {
    on_both(async |world| {
        shop(&world).await;
        let asking = |step, outcome: pb::FunnelOutcome, page_size, page_token: String| {
            let pb::QueryFunnelRequest { parent, steps, settings } = asked(&["look", "try", "buy"], february());
            pb::QueryFunnelUsersRequest {
                parent,
                steps,
                settings,
                step,
                outcome: outcome.into(),
                page_size,
                page_token,
            }
        };
        let all = async |step, outcome, size| {
            let (mut users, mut token) = (Vec::new(), String::new());
            loop {
                let page = world.analysis().query_funnel_users(asking(step, outcome, size, token)).await.unwrap();
                let page = page.into_inner();
                assert!(page.users.len() <= size as usize);
                users.extend(page.users);
                token = page.next_page_token;
                if token.is_empty() {
                    return users;
                }
            }
        };
        for size in [1, 2, 3, 100] {
            let mut dropped: Vec<_> = all(2, pb::FunnelOutcome::Dropped, size).await;
            dropped.sort_by(|left, right| left.user.cmp(&right.user));
            let names: Vec<&str> = dropped.iter().map(|user| user.user.as_str()).collect();
            assert_eq!(names, ["again", "user-4", "user-5"]);
            let again = &dropped[0];
            assert_eq!(again.entry_time, Some(timestamp(at("2026-02-20T12:00:00Z"))));
            assert_eq!((again.last_time, again.last_step), (Some(timestamp(at("2026-02-21T12:00:00Z"))), 1));
        }
        assert_eq!(all(2, pb::FunnelOutcome::Reached, 3).await.len(), 4);
        assert_eq!(all(0, pb::FunnelOutcome::Reached, 4).await.len(), 11);
        assert_eq!(all(0, pb::FunnelOutcome::Dropped, 4).await, []);
        let token = world.analysis().query_funnel_users(asking(0, pb::FunnelOutcome::Reached, 1, String::new())).await;
        let token = token.unwrap().into_inner().next_page_token;
        let other = world.analysis().query_funnel_users(asking(1, pb::FunnelOutcome::Reached, 1, token)).await;
        assert_eq!(refusal(other).1, "INVALID_PAGE_TOKEN");
        let beyond = world.analysis().query_funnel_users(asking(3, pb::FunnelOutcome::Reached, 1, String::new())).await;
        assert_eq!(refusal(beyond).2, ["step"]);
    })
    .await;
}

#[tokio::test]
async fn who_has_time_left_is_told() {
    on_both(async |world| {
        shop(&world).await;
        let now = world.now();
        let late: Vec<_> =
            [1, 6, 8].map(|days| did(&format!("late-{days}"), "look", now - TimeDelta::days(days), "free")).into();
        world.ingest(late).await;
        let until = pb::FunnelSettings { end_time: Some(timestamp(now)), ..february() };
        let answer = answered(&world, asked(&["look", "buy"], until)).await;
        assert_eq!((reached(&answer), answer.series[0].immature), (vec![vec![14, 4]], 2));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_kindly() {
    on_both(async |world| {
        let ask = async |events: &[&str], settings| world.analysis().query_funnel(asked(events, settings)).await;
        let nothing = ask(&["look", "buy"], february()).await.unwrap().into_inner();
        assert_eq!(reached(&nothing), [[0, 0]], "nobody can know the names of a workspace without events");
        shop(&world).await;
        let refused = ask(&["look", "Buys"], february()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let refused = waymark_client::Error::from(refused);
        let violations = refused.violations();
        assert_eq!(violations[0].field, "steps[1].event");
        assert!(violations[0].description.contains("did you mean \"buy\"?"), "{violations:?}");
        let fields = async |events: &[&str], settings| refusal(ask(events, settings).await).2;
        assert_eq!(fields(&["look"], february()).await, ["steps"]);
        assert_eq!(fields(&["look"; 33], february()).await, ["steps"]);
        assert_eq!(reached(&ask(&["look"; 32], february()).await.unwrap().into_inner())[0].len(), 32);
        let window = pb::FunnelSettings { window_length: Some(0), ..february() };
        assert_eq!(fields(&["look", "buy"], window).await, ["settings.window_length"]);
        let backwards = pb::FunnelSettings { end_time: february().start_time, ..february() };
        assert_eq!(fields(&["look", "buy"], backwards).await, ["settings.end_time"]);
        let zone = pb::FunnelSettings { time_zone: "Mars/Olympus".into(), ..february() };
        assert_eq!(fields(&["look", "buy"], zone).await, ["settings.time_zone"]);
    })
    .await;
}

//! Worked examples of queries.

use chrono_tz::Tz;
use serde_json::json;
use waymark_domain::Period;
use waymark_domain::metrics::{
    Breakdown, BreakdownBy, Condition, Interval, Measure, MeasureKind, PropertyFilter, Scalar, TrendSettings,
};
use waymark_lake::*;

use crate::support::{all, days, measure, open, open_with, options, stream, time};

fn march() -> TrendSettings {
    days("2024-03-01T00:00:00Z", "2024-03-04T00:00:00Z")
}

fn whole(settings: &TrendSettings) -> Period {
    Period::new(settings.start(), settings.end()).unwrap()
}

#[tokio::test]
async fn an_unknown_workspace_answers_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let answer = open(&folder).trend("acme", &all(), &march()).await.unwrap();
    assert_eq!(answer.series, [Series { key: None, values: vec![0.0; 3], total: 0.0 }]);
    assert_eq!(answer.watermark, Watermark { version: 0, received: None });
}

#[tokio::test]
async fn a_committed_event_is_in_the_next_answer_and_repetitions_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let receipt = lake.ingest("acme", stream("a", 100)).await.unwrap();
    assert_eq!((receipt.accepted, receipt.duplicates_in_batch), (100, 0));
    let first = lake.trend("acme", &all(), &march()).await.unwrap();
    assert_eq!(first.series[0].values, [100.0, 0.0, 0.0]);
    assert_eq!(first.watermark.version, receipt.version);

    let mut twice = stream("a", 60);
    twice.extend(stream("a", 60));
    let receipt = lake.ingest("acme", twice).await.unwrap();
    assert_eq!((receipt.accepted, receipt.duplicates_in_batch), (60, 60));
    assert_eq!(lake.trend("acme", &all(), &march()).await.unwrap().series[0].values, [100.0, 0.0, 0.0]);

    let report = lake.compact("acme").await.unwrap();
    assert_eq!((report.files_before, report.files_after, report.rows_dropped), (2, 1, 60));
    assert_eq!(lake.trend("acme", &all(), &march()).await.unwrap().series[0].values, [100.0, 0.0, 0.0]);
    let again = lake.compact("acme").await.unwrap();
    assert_eq!((again.version, again.rows_rewritten), (report.version, 0));
}

#[tokio::test]
async fn unique_users_return_but_count_once_in_the_total() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let events = vec![
        Event::new("1", "visit", "ann", time("2024-03-01T08:00:00Z")),
        Event::new("2", "visit", "ann", time("2024-03-01T09:00:00Z")),
        Event::new("3", "visit", "ann", time("2024-03-02T09:00:00Z")),
        Event::new("4", "visit", "bob", time("2024-03-02T09:00:00Z")),
        Event::new("5", "other", "cleo", time("2024-03-02T09:00:00Z")),
    ];
    for event in events {
        lake.ingest("acme", vec![event]).await.unwrap();
    }
    let visitors = measure(MeasureKind::UniqueUsers, &["visit"]);
    let answer = lake.trend("acme", &visitors, &march()).await.unwrap();
    assert_eq!(answer.series, [Series { key: None, values: vec![1.0, 2.0, 0.0], total: 2.0 }]);
    assert_eq!(lake.total("acme", &visitors, whole(&march())).await.ok(), Some(2.0));
}

#[tokio::test]
async fn sums_breakdowns_and_filters_read_properties() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let at = time("2024-03-01T08:00:00Z");
    let buy = |id: &str, plan: &str, revenue: f64| {
        Event::new(id, "buy", "ann", at).with("plan", plan).with("revenue", revenue).with("seats", 2)
    };
    let events = vec![
        buy("1", "pro", 10.5),
        buy("2", "pro", 4.5),
        buy("3", "free", 0.0),
        Event::new("4", "buy", "bob", at).with("seats", json!("many")),
    ];
    lake.ingest("acme", events).await.unwrap();
    let by_plan = |limit| {
        let mut settings = march();
        settings.breakdown = Some(Breakdown::new(BreakdownBy::Property("plan".into()), limit));
        settings
    };
    let totals = async |kind| {
        let answer = lake.trend("acme", &measure(kind, &["buy"]), &by_plan(10)).await.unwrap();
        answer.series.into_iter().map(|series| (series.key, series.total)).collect::<Vec<_>>()
    };
    let key = |key: &str| Some(Scalar::Text(key.to_owned()));
    let revenue = totals(MeasureKind::Sum("revenue".into())).await;
    assert_eq!(revenue, [(key("pro"), 15.0), (None, 0.0), (key("free"), 0.0)]);
    let seats = totals(MeasureKind::Sum("seats".into())).await;
    assert_eq!(seats, [(key("pro"), 4.0), (key("free"), 2.0), (None, 0.0)]);
    let counts = totals(MeasureKind::Count).await;
    assert_eq!(counts, [(key("pro"), 2.0), (None, 1.0), (key("free"), 1.0)]);

    let only = async |condition| {
        let filter = PropertyFilter::new("plan".into(), condition).unwrap();
        let measure = Measure::new(MeasureKind::Count, vec!["buy".into()], vec![filter]).unwrap();
        lake.total("acme", &measure, whole(&march())).await.ok()
    };
    let paying = Condition::AnyOf(vec![Scalar::Text("pro".into())]);
    assert_eq!((only(paying).await, only(Condition::Absent).await), (Some(2.0), Some(1.0)));

    let limited = lake.trend("acme", &measure(MeasureKind::Count, &["buy"]), &by_plan(1)).await.unwrap();
    assert_eq!((limited.series.len(), limited.series_left_out), (1, 2));
    assert_eq!(limited.other.map(|other| other.total), Some(2.0));
}

#[tokio::test]
async fn a_series_is_of_the_events_that_its_value_selects() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let at = time("2024-03-01T08:00:00Z");
    let values = [
        json!(1),
        json!(1.0),
        json!("1"),
        json!(true),
        json!("true"),
        json!(0),
        json!(-0.0),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_993_i64),
        json!(u64::MAX),
        json!([1, "a"]),
        json!({"b": null}),
        json!(null),
    ];
    let events = values.into_iter().enumerate();
    let events = events.map(|(id, value)| Event::new(id.to_string(), "buy", "ann", at).with("n", value));
    lake.ingest("acme", events.collect()).await.unwrap();
    let mut settings = march();
    settings.breakdown = Some(Breakdown::new(BreakdownBy::Property("n".into()), 100));
    let series = lake.trend("acme", &measure(MeasureKind::Count, &["buy"]), &settings).await.unwrap().series;
    let number = |number| Some(Scalar::Number(number));
    let text = |text: &str| Some(Scalar::Text(text.to_owned()));
    let of = |key: Option<Scalar>| series.iter().find(|series| series.key == key).map(|series| series.total);
    assert_eq!((of(number(1.0)), of(text("1"))), (Some(2.0), Some(1.0)));
    assert_eq!((of(Some(Scalar::Boolean(true))), of(text("true"))), (Some(1.0), Some(1.0)));
    assert_eq!((of(number(0.0)), of(number(9_007_199_254_740_992.0))), (Some(2.0), Some(1.0)));
    assert_eq!((of(text("9007199254740993")), of(text("18446744073709551615"))), (Some(1.0), Some(1.0)));
    assert_eq!(series.len(), 11);
    for line in series {
        let condition = line.key.clone().map_or(Condition::Absent, |value| Condition::AnyOf(vec![value]));
        let filter = PropertyFilter::new("n".into(), condition).unwrap();
        let measure = Measure::new(MeasureKind::Count, vec!["buy".into()], vec![filter]).unwrap();
        assert_eq!(lake.total("acme", &measure, whole(&march())).await.ok(), Some(line.total), "{:?}", line.key);
    }
}

#[tokio::test]
async fn a_wide_breakdown_over_many_buckets_is_as_exact_however_the_rows_lie() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { parallelism: 2, target_file_rows: 120, ..options() });
    let at = time("2024-03-01T08:00:00Z");
    let pages = (0..211_u32).flat_map(|page| {
        let visit =
            move |id: u32| Event::new(format!("{page}-{id}"), "visit", format!("user-{}", (page + id) % 211), at);
        (0..=page % 2).map(move |id| visit(id).with("page", page))
    });
    lake.ingest("acme", pages.collect()).await.unwrap();
    let by_page = |days| {
        let start = time("2000-01-01T00:00:00Z");
        let mut settings =
            TrendSettings::new(start, start + chrono::TimeDelta::days(days), Interval::Day, Tz::UTC).unwrap();
        settings.breakdown = Some(Breakdown::new(BreakdownBy::Property("page".into()), 100));
        settings
    };
    for files in [1, 3] {
        for kind in [MeasureKind::Count, MeasureKind::UniqueUsers, MeasureKind::Sum("page".into())] {
            // So many days have more numbers than are kept for all pages at once, and fewer.
            let [wide, narrow] = [9_500, 9_400].map(&by_page);
            let wide = lake.trend("acme", &measure(kind.clone(), &["visit"]), &wide).await.unwrap();
            let narrow = lake.trend("acme", &measure(kind.clone(), &["visit"]), &narrow).await.unwrap();
            let told = |answer: &waymark_lake::TrendAnswer| {
                let series = answer.series.iter().map(|series| (series.key.clone(), series.total));
                (series.collect::<Vec<_>>(), answer.other.as_ref().map(|other| other.total), answer.series_left_out)
            };
            assert_eq!(told(&wide), told(&narrow), "{files} {kind:?}");
            let other = wide.other.unwrap();
            assert_eq!((wide.series.len(), wide.series_left_out), (100, 111));
            assert_eq!(other.values.iter().sum::<f64>(), other.total);
            let expected = match kind {
                // The 105 odd pages have two visits each, so 100 of them are shown.
                MeasureKind::Count => 5.0 * 2.0 + 106.0,
                // Those of the even pages, and the last of the odd ones: the pages 201 to 209, of users 201 to 210.
                MeasureKind::UniqueUsers => 106.0 + 5.0,
                MeasureKind::Sum(_) => {
                    (0..211).map(|page| f64::from(page * (1 + page % 2))).sum::<f64>()
                        - wide.series.iter().map(|series| series.total).sum::<f64>()
                }
            };
            assert_eq!(other.total, expected, "{files} {kind:?}");
        }
        // One more event, so that there is something to merge, into files of which each has other pages.
        lake.ingest("acme", vec![Event::new("0-0", "visit", "user-0", at).with("page", 0)]).await.unwrap();
        assert_eq!(lake.compact("acme").await.unwrap().files_after, 3);
    }
}

#[tokio::test]
async fn all_events_count_when_none_is_named_and_each_name_may_have_a_series() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let at = time("2024-03-01T08:00:00Z");
    let did = |id: &str, event: &str, user: &str| Event::new(id, event, user, at);
    let events = [
        did("1", "visit", "ann"),
        did("2", "visit", "ann"),
        did("3", "visit", "bob"),
        did("4", "search", "ann"),
        did("5", "search", "cid"),
        did("6", "buy", "ann").with("event", "visit"),
        did("7", "share", "ann"),
    ];
    lake.ingest("acme", events.into()).await.unwrap();
    let mut settings = march();
    let ask = async |kind, settings: &TrendSettings| lake.trend("acme", &measure(kind, &[]), settings).await.unwrap();
    let all = ask(MeasureKind::Count, &settings).await;
    assert_eq!((all.series.len(), all.series[0].total, all.other), (1, 7.0, None));

    settings.breakdown = Some(Breakdown::new(BreakdownBy::Event, 2));
    let name = |name: &str| Some(Scalar::Text(name.to_owned()));
    for (kind, expected, other) in [(MeasureKind::Count, [3.0, 2.0], 2.0), (MeasureKind::UniqueUsers, [2.0, 2.0], 1.0)]
    {
        let answer = ask(kind.clone(), &settings).await;
        let mut series: Vec<_> = answer.series.iter().map(|series| (series.key.clone(), series.total)).collect();
        series.sort_by(|a, b| b.0.cmp(&a.0));
        assert_eq!(series, [(name("visit"), expected[0]), (name("search"), expected[1])]);
        let rest = answer.other.unwrap();
        assert_eq!((rest.key, rest.total, answer.series_left_out), (None, other, 2), "{kind:?}: ann did both others");
    }
}

#[tokio::test]
async fn buckets_follow_the_zone() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    // 04:30 UTC is still the evening before in New York until the clocks change, and after.
    let events = vec![
        Event::new("1", "visit", "ann", time("2024-03-10T04:30:00Z")),
        Event::new("2", "visit", "ann", time("2024-03-11T04:30:00Z")),
        Event::new("3", "visit", "ann", time("2024-03-11T03:30:00Z")),
    ];
    lake.ingest("acme", events).await.unwrap();
    let mut days = days("2024-03-09T05:00:00Z", "2024-03-12T04:00:00Z");
    days.zone = Tz::America__New_York;
    let answer = lake.trend("acme", &all(), &days).await.unwrap();
    assert_eq!(answer.series[0].values, [1.0, 1.0, 1.0]);
    assert!(answer.buckets.iter().all(|bucket| !bucket.partial));
}

#[tokio::test]
async fn the_catalogue_lists_names_counts_and_users() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    lake.ingest("acme", stream("a", 30)).await.unwrap();
    lake.ingest("acme", stream("a", 31)).await.unwrap();
    let catalogue = lake.catalogue("acme").await.unwrap();
    assert_eq!((catalogue.rows, catalogue.users), (31, 10));
    let names: Vec<_> = catalogue.events.iter().map(|event| (event.event.as_str(), event.count)).collect();
    assert_eq!(names, [("buy", 10), ("search", 10), ("visit", 11)]);
    assert_eq!(catalogue.events[2].first_seen, time("2024-03-01T00:00:00Z"));
    assert_eq!(catalogue.events[2].last_seen, time("2024-03-01T00:30:00Z"));
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let nameless = Event::new("1", "visit", "", time("2024-03-10T04:30:00Z"));
    let refused = lake.ingest("acme", vec![nameless]).await.unwrap_err();
    assert!(
        matches!(&refused, LakeError::InvalidEvent { index: 0, .. }) && refused.to_string().contains("has no user"),
        "{refused}"
    );
    assert!(matches!(lake.ingest("../acme", stream("a", 1)).await, Err(LakeError::InvalidWorkspace(_))));
    assert!(matches!(Lake::open("gopher://bucket/lake", options()), Err(LakeError::InvalidLocation { .. })));
}

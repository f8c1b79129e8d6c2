//! Random events, sent more than once and in any order, against a reference that keeps everything in memory and groups
//! by local labels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use waymark_lake::*;

use crate::support::{open_with, options, time};

/// Zones with clock changes at midnight, at half hours, near the date line, and none.
const ZONES: [Tz; 7] = [
    Tz::UTC,
    Tz::America__New_York,
    Tz::Africa__Cairo,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kolkata,
    Tz::Pacific__Apia,
    Tz::America__Sao_Paulo,
];

/// Times around which one of the zones changes its clock, and a plain one.
const MOMENTS: [&str; 6] = [
    "2024-03-10T06:30:00Z",
    "2024-11-03T05:30:00Z",
    "2024-04-25T21:30:00Z",
    "2024-04-06T14:30:00Z",
    "2011-12-30T09:30:00Z",
    "2018-11-04T02:30:00Z",
];

#[derive(Debug, Clone)]
struct Case {
    batches: Vec<Vec<Event>>,
    compact_after: BTreeSet<usize>,
    query: TrendQuery,
}

fn event(moment: DateTime<Utc>) -> impl Strategy<Value = Event> {
    (0..6_u8, 0..5_i32, -100_000..100_000_i64).prop_map(move |(user, id, seconds)| {
        // Few ids, users and times, so that events repeat; name and properties follow from the id, as they do on a
        // retry.
        let at = moment + TimeDelta::seconds(seconds - seconds % 600);
        let event = Event::new(format!("e{id}"), format!("n{}", id % 3), format!("u{user}"), at);
        if id == 0 { event } else { event.with("amount", id - 2).with("group", format!("g{}", id % 2)) }
    })
}

fn case() -> impl Strategy<Value = Case> {
    let moment = prop::sample::select(&MOMENTS[..]).prop_map(time);
    moment.prop_flat_map(|moment| {
        let batches = prop::collection::vec(prop::collection::vec(event(moment), 1..25), 1..7);
        let interval =
            prop::sample::select(vec![Interval::Whole, Interval::Hour, Interval::Day, Interval::Week, Interval::Month]);
        let measure = prop::sample::select(vec![Measure::Count, Measure::UniqueUsers, Measure::Sum("amount".into())]);
        let breakdown =
            prop::sample::select(vec![Breakdown::None, Breakdown::Event, Breakdown::Property("group".into())]);
        let events = prop::sample::subsequence(vec!["n0".to_owned(), "n1".to_owned()], 0..=2);
        let filter = prop::sample::select(vec![None, Some(PropertyTest::Present), Some(PropertyTest::AtLeast(1.0))]);
        let week = prop::sample::select(vec![WeekStart::Monday, WeekStart::Sunday]);
        let span = (-110_000..0_i64, 1..110_000_i64);
        let compact = prop::collection::btree_set(0..7_usize, 0..3);
        (batches, interval, measure, breakdown, events, filter, week, span, compact, prop::sample::select(&ZONES[..]))
            .prop_map(
                move |(
                    batches,
                    interval,
                    measure,
                    breakdown,
                    events,
                    filter,
                    week_start,
                    span,
                    compact_after,
                    time_zone,
                )| {
                    let range =
                        TimeRange::new(moment + TimeDelta::seconds(span.0), moment + TimeDelta::seconds(span.1));
                    let filters =
                        filter.map(|test| PropertyFilter { property: "amount".into(), test }).into_iter().collect();
                    let query = TrendQuery {
                        interval,
                        measure,
                        breakdown,
                        events,
                        filters,
                        week_start,
                        time_zone,
                        ..TrendQuery::new(range)
                    };
                    Case { batches, compact_after, query }
                },
            )
    })
}

type Label = (NaiveDate, u32, i32);
type Key = Option<String>;

/// What a bucket is called on the local calendar; two instants are in one bucket exactly when their labels are equal.
fn label(at: DateTime<Utc>, query: &TrendQuery) -> Label {
    let local = query.time_zone.from_utc_datetime(&at.naive_utc());
    let date = local.date_naive();
    let back = |days: u32| date - Days::new(days.into());
    match query.interval {
        Interval::Whole => (NaiveDate::MIN, 0, 0),
        Interval::Hour => (date, local.hour(), local.offset().fix().local_minus_utc()),
        Interval::Day => (date, 0, 0),
        Interval::Week if query.week_start == WeekStart::Monday => (back(date.weekday().num_days_from_monday()), 0, 0),
        Interval::Week => (back(date.weekday().num_days_from_sunday()), 0, 0),
        Interval::Month => (date.with_day(1).unwrap(), 0, 0),
    }
}

type Labelled = BTreeMap<(Key, Label), f64>;

/// The answer by brute force: non-zero values by series and label, and totals by series.
fn reference(events: &[Event], query: &TrendQuery) -> (Labelled, BTreeMap<Key, f64>) {
    let mut distinct: HashMap<_, &Event> = HashMap::new();
    for event in events {
        distinct.entry((event.user.as_str(), event.time, event.event_id.as_str())).or_insert(event);
    }
    let mut cells: BTreeMap<(Key, Option<Label>), Vec<&Event>> = BTreeMap::new();
    for event in distinct.into_values() {
        let amount = event.properties.get("amount").and_then(serde_json::Value::as_f64);
        let passes = query.filters.iter().all(|filter| match filter.test {
            PropertyTest::Present => amount.is_some(),
            _ => amount.is_some_and(|amount| amount >= 1.0),
        });
        let named = query.events.is_empty() || query.events.contains(&event.event);
        if !(passes && named && query.range.start <= event.time && event.time < query.range.end) {
            continue;
        }
        let key = match &query.breakdown {
            Breakdown::None => None,
            Breakdown::Event => Some(event.event.clone()),
            Breakdown::Property(name) => event.properties.get(name).and_then(|value| value.as_str().map(str::to_owned)),
        };
        cells.entry((key.clone(), Some(label(event.time, query)))).or_default().push(event);
        cells.entry((key, None)).or_default().push(event);
    }
    let (mut values, mut totals) = (BTreeMap::new(), BTreeMap::new());
    for ((key, label), events) in cells {
        let value = match &query.measure {
            Measure::Count => events.len() as f64,
            Measure::UniqueUsers => events.iter().map(|event| &event.user).collect::<BTreeSet<_>>().len() as f64,
            Measure::Sum(name) => events.iter().filter_map(|event| event.properties.get(name)?.as_f64()).sum(),
        };
        match label {
            Some(label) if value != 0.0 => drop(values.insert((key, label), value)),
            Some(_) => {}
            None => drop(totals.insert(key, value)),
        }
    }
    (values, totals)
}

fn check(answer: &TrendAnswer, events: &[Event], query: &TrendQuery) {
    let buckets = &answer.buckets;
    assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
    assert!(buckets[0].start <= query.range.start && query.range.start < buckets[0].end);
    assert!(buckets[buckets.len() - 1].start < query.range.end && query.range.end <= buckets[buckets.len() - 1].end);
    let (values, mut totals) = reference(events, query);
    if query.breakdown == Breakdown::None {
        totals.entry(None).or_insert(0.0);
    }
    let mut answered = BTreeMap::new();
    for series in &answer.series {
        assert_eq!(series.values.len(), buckets.len());
        for (bucket, value) in buckets.iter().zip(&series.values).filter(|(_, value)| **value != 0.0) {
            answered.insert((series.key.clone(), label(bucket.start.max(query.range.start), query)), *value);
        }
    }
    assert_eq!(answered, values);
    assert_eq!(
        answer.series.iter().map(|series| (series.key.clone(), series.total)).collect::<BTreeMap<_, _>>(),
        totals
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_exact_whatever_is_sent_twice_and_whenever_files_are_merged(case in case()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            // Files of seven rows, so that compaction has to cut between users.
            let lake = open_with(&folder, LakeOptions { target_file_rows: 7, ..options() });
            let mut sent = Vec::new();
            for (index, batch) in case.batches.iter().enumerate() {
                sent.extend(batch.clone());
                lake.ingest("acme", batch.clone()).await.unwrap();
                if case.compact_after.contains(&index) {
                    lake.compact("acme").await.unwrap();
                }
            }
            let before = lake.trend("acme", &case.query).await.unwrap();
            check(&before, &sent, &case.query);

            lake.compact("acme").await.unwrap();
            let after = lake.trend("acme", &case.query).await.unwrap();
            assert_eq!((&after.series, &after.buckets), (&before.series, &before.buckets));
            assert_eq!(lake.compact("acme").await.unwrap().rows_rewritten, 0);

            let reopened = open_with(&folder, options());
            assert_eq!(reopened.trend("acme", &case.query).await.unwrap().series, before.series);
            let users: BTreeSet<_> = sent.iter().map(|event| &event.user).collect();
            assert_eq!(reopened.catalogue("acme").await.unwrap().users, users.len() as u64);
        });
    }
}

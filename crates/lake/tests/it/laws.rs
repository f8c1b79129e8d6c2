//! Random events, sent more than once and in any order, against a reference that keeps everything in memory and groups
//! by local labels.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use waymark_domain::Period;
use waymark_domain::metrics::{
    Breakdown, BreakdownBy, Condition, Interval, Measure, MeasureKind, NumberOrder, PropertyFilter, Scalar,
    TrendSettings, WeekStart,
};
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
    measure: Measure,
    settings: TrendSettings,
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
        let interval = prop::sample::select(vec![Interval::Day, Interval::Week, Interval::Month]);
        let kind = vec![MeasureKind::Count, MeasureKind::UniqueUsers, MeasureKind::Sum("amount".into())];
        let events = prop::sample::subsequence(vec!["n0".to_owned(), "n1".to_owned(), "n2".to_owned()], 1..=3);
        let at_least_one = Condition::Number(NumberOrder::GreaterOrEqual, 1.0);
        let condition = prop::sample::select(vec![None, Some(Condition::Present), Some(at_least_one)]);
        let measure = (prop::sample::select(kind), events, condition).prop_map(|(kind, events, condition)| {
            let filters = condition.map(|condition| PropertyFilter::new("amount".into(), condition).unwrap());
            Measure::new(kind, events, filters.into_iter().collect()).unwrap()
        });
        let breakdown = prop::option::of(Just(Breakdown::new(BreakdownBy::Property("group".into()), 10)));
        let week = prop::sample::select(vec![WeekStart::Monday, WeekStart::Sunday]);
        let span = (-110_000..0_i64, 1..110_000_i64);
        let zone = prop::sample::select(&ZONES[..]);
        let settings = (span, interval, zone, week, breakdown).prop_map(
            move |((from, to), interval, zone, week_start, breakdown)| {
                let (start, end) = (moment + TimeDelta::seconds(from), moment + TimeDelta::seconds(to));
                let mut settings = TrendSettings::new(start, end, interval, zone).unwrap();
                (settings.week_start, settings.breakdown) = (week_start, breakdown);
                settings
            },
        );
        let compact = prop::collection::btree_set(0..7_usize, 0..3);
        (batches, measure, settings, compact).prop_map(|(batches, measure, settings, compact_after)| Case {
            batches,
            compact_after,
            measure,
            settings,
        })
    })
}

type Key = Option<Scalar>;

/// What a bucket is called on the local calendar; two instants are in one bucket exactly when their labels are equal.
fn label(at: DateTime<Utc>, settings: &TrendSettings) -> NaiveDate {
    let date = settings.zone.from_utc_datetime(&at.naive_utc()).date_naive();
    let back = |days: u32| date - Days::new(days.into());
    match settings.interval {
        Interval::Day => date,
        Interval::Week if settings.week_start == WeekStart::Monday => back(date.weekday().num_days_from_monday()),
        Interval::Week => back(date.weekday().num_days_from_sunday()),
        Interval::Month => date.with_day(1).unwrap(),
    }
}

type Labelled = BTreeMap<(Key, NaiveDate), f64>;

/// The answer by brute force: non-zero values by series and label, and totals by series.
fn reference(events: &[Event], measure: &Measure, settings: &TrendSettings) -> (Labelled, BTreeMap<Key, f64>) {
    let mut distinct: HashMap<_, &Event> = HashMap::new();
    for event in events {
        distinct.entry((event.user.as_str(), event.time, event.event_id.as_str())).or_insert(event);
    }
    let mut cells: BTreeMap<(Key, Option<NaiveDate>), Vec<&Event>> = BTreeMap::new();
    for event in distinct.into_values() {
        let amount = event.properties.get("amount").and_then(serde_json::Value::as_f64);
        let passes = measure.filters().iter().all(|filter| match filter.condition() {
            Condition::Present => amount.is_some(),
            _ => amount.is_some_and(|amount| amount >= 1.0),
        });
        let named = measure.events().contains(&event.event);
        if !(passes && named && settings.start() <= event.time && event.time < settings.end()) {
            continue;
        }
        let key = settings.breakdown.as_ref().and_then(|_| {
            event.properties.get("group").and_then(|value| Some(Scalar::Text(value.as_str()?.to_owned())))
        });
        cells.entry((key.clone(), Some(label(event.time, settings)))).or_default().push(event);
        cells.entry((key, None)).or_default().push(event);
    }
    let (mut values, mut totals) = (BTreeMap::new(), BTreeMap::new());
    for ((key, label), events) in cells {
        let value = match measure.kind() {
            MeasureKind::Count => events.len() as f64,
            MeasureKind::UniqueUsers => events.iter().map(|event| &event.user).collect::<BTreeSet<_>>().len() as f64,
            MeasureKind::Sum(name) => events.iter().filter_map(|event| event.properties.get(name)?.as_f64()).sum(),
        };
        match label {
            Some(label) if value != 0.0 => drop(values.insert((key, label), value)),
            Some(_) => {}
            None => drop(totals.insert(key, value)),
        }
    }
    (values, totals)
}

fn check(answer: &TrendAnswer, total: Option<f64>, events: &[Event], measure: &Measure, settings: &TrendSettings) {
    let buckets = &answer.buckets;
    assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
    assert!(buckets[0].start <= settings.start() && settings.start() < buckets[0].end);
    assert!(buckets[buckets.len() - 1].start < settings.end() && settings.end() <= buckets[buckets.len() - 1].end);
    let (values, mut totals) = reference(events, measure, settings);
    let mut unbroken = settings.clone();
    unbroken.breakdown = None;
    let (_, whole) = reference(events, measure, &unbroken);
    assert_eq!(total, Some(whole.get(&None).copied().unwrap_or_default()));
    if settings.breakdown.is_none() {
        totals.entry(None).or_insert(0.0);
    }
    let mut answered = BTreeMap::new();
    for series in &answer.series {
        assert_eq!(series.values.len(), buckets.len());
        for (bucket, value) in buckets.iter().zip(&series.values).filter(|(_, value)| **value != 0.0) {
            answered.insert((series.key.clone(), label(bucket.start.max(settings.start()), settings)), *value);
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
            let Case { measure, settings, .. } = &case;
            let before = lake.trend("acme", measure, settings).await.unwrap();
            let whole = Period::new(settings.start(), settings.end()).unwrap();
            let total = lake.total("acme", measure, whole).await.ok();
            check(&before, total, &sent, measure, settings);

            lake.compact("acme").await.unwrap();
            let after = lake.trend("acme", measure, settings).await.unwrap();
            assert_eq!((&after.series, &after.buckets), (&before.series, &before.buckets));
            assert_eq!(lake.total("acme", measure, whole).await.ok(), total);
            assert_eq!(lake.compact("acme").await.unwrap().rows_rewritten, 0);

            let reopened = open_with(&folder, options());
            assert_eq!(reopened.trend("acme", measure, settings).await.unwrap().series, before.series);
            let users: BTreeSet<_> = sent.iter().map(|event| &event.user).collect();
            assert_eq!(reopened.catalogue("acme").await.unwrap().users, users.len() as u64);
        });
    }
}

/// Amounts with the numbers of their events.
type Amounts = Vec<(usize, f64)>;

/// Amounts with cents in the order they were sent, and in another one.
fn amounts() -> impl Strategy<Value = (Amounts, Amounts)> {
    let cents = prop::collection::vec(-100_000..100_000_i32, 1..80);
    cents.prop_flat_map(|cents| {
        let sent: Vec<_> = cents.iter().map(|cents| f64::from(*cents) / 100.0).enumerate().collect();
        (Just(sent.clone()), Just(sent).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_exact_in_any_order_and_any_files((sent, shuffled) in amounts()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let moment = time("2024-03-10T06:30:00Z");
            let row = |(id, amount): &(usize, f64)| {
                let event = Event::new(format!("e{id}"), "paid", format!("u{}", id % 7), moment);
                event.with("amount", *amount).with("revenue", *amount)
            };
            let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let [one, many] = [&folders[0], &folders[1]]
                .map(|folder| open_with(folder, LakeOptions { target_file_rows: 7, ..options() }));
            one.ingest("acme", sent.iter().map(row).collect()).await.unwrap();
            for part in shuffled.chunks(9) {
                many.ingest("acme", part.iter().map(row).collect()).await.unwrap();
            }
            let whole = Period::new(moment, moment + TimeDelta::seconds(1)).unwrap();
            let exact: waymark_stats::ExactSum = sent.iter().map(|(_, amount)| *amount).collect();
            for property in ["amount", "revenue"] {
                let measure = Measure::new(MeasureKind::Sum(property.into()), vec!["paid".into()], vec![]).unwrap();
                let total = async |lake: &Lake| lake.total("acme", &measure, whole).await.unwrap().to_bits();
                assert_eq!(total(&one).await, exact.value().to_bits());
                assert_eq!(total(&many).await, exact.value().to_bits());
                many.compact("acme").await.unwrap();
                assert_eq!(total(&many).await, exact.value().to_bits());
            }
        });
    }
}

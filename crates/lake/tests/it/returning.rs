//! Retention, lifecycle and stickiness of random streams, sent again and cut into files anywhere, against a reference that
//! keeps every user's events and asks by the calendar's dates; and the cases of the calendar.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use waymark_domain::Period;
use waymark_domain::metrics::{
    Activity, Interval, Retention, RetentionDenominator, RetentionMode, RetentionPeriods, RetentionSettings,
    RetentionStart, Step, Stickiness, TrendSettings, WeekStart,
};
use waymark_lake::*;

use crate::support::{open_with, options, time};

fn hour(hours: i64) -> DateTime<Utc> {
    time("2024-03-20T00:00:00Z") + TimeDelta::hours(hours)
}

/// Users by name, their events in order of time, each once.
fn users(events: &[Event]) -> BTreeMap<&str, Vec<&Event>> {
    let mut users: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        users.entry(&event.user).or_default().push(event);
    }
    for events in users.values_mut() {
        events.sort_by_key(|event| event.time);
        events.dedup_by_key(|event| event.time);
    }
    users
}

/// The first date of the interval that a time is in.
fn date(time: DateTime<Utc>, interval: Interval, zone: Tz, week_start: WeekStart) -> NaiveDate {
    let date = time.with_timezone(&zone).date_naive();
    match interval {
        Interval::Day => date,
        Interval::Week => {
            let monday = u64::from(date.weekday().num_days_from_monday());
            let sunday = u64::from(date.weekday().num_days_from_sunday());
            date - Days::new(if week_start == WeekStart::Monday { monday } else { sunday })
        }
        Interval::Month => date.with_day(1).unwrap(),
    }
}

fn later(date: NaiveDate, interval: Interval, periods: u32) -> NaiveDate {
    match interval {
        Interval::Day => date + Days::new(periods.into()),
        Interval::Week => date + Days::new(7 * u64::from(periods)),
        Interval::Month => date + Months::new(periods),
    }
}

/// How many are in each cohort, and of each column how many returned, of how many, and for how many it is over.
type Table = BTreeMap<NaiveDate, (u64, Vec<(u64, u64, u64)>)>;

fn reference(events: &[Event], question: &Retention, now: DateTime<Utc>) -> Table {
    let of = question.settings();
    let date = |time| date(time, of.interval, of.zone, of.week_start);
    let days = match of.interval {
        Interval::Day => 1,
        Interval::Week => 7,
        Interval::Month => 30,
    };
    let mut table = Table::new();
    for events in users(events).into_values() {
        let mut starts: Vec<usize> =
            (0..events.len()).filter(|at| events[*at].event == question.start().event()).collect();
        let in_range = |at: &usize| of.range.start() <= events[*at].time && events[*at].time < of.range.end();
        match of.start {
            RetentionStart::FirstEver => starts.truncate(1),
            RetentionStart::FirstMatching => starts = starts.into_iter().find(in_range).into_iter().collect(),
            RetentionStart::Every => starts.retain(in_range),
        }
        starts.retain(in_range);
        starts.dedup_by_key(|at| date(events[*at].time));
        for start in starts {
            let began = events[start].time;
            // From which to which moment a period is, as a test of a time.
            let before = |time: DateTime<Utc>, period: u32| match of.periods_from {
                RetentionPeriods::Calendar => date(time) < later(date(began), of.interval, period),
                RetentionPeriods::Rolling => time < began + TimeDelta::days(days * i64::from(period)),
            };
            let (users, cells) = table.entry(date(began)).or_default();
            *users += 1;
            cells.resize(question.columns().len(), (0, 0, 0));
            for (cell, (from, until)) in cells.iter_mut().zip(question.columns()) {
                let counts = |event: &&&Event| {
                    event.event == question.returns().event()
                        && match of.mode {
                            RetentionMode::On | RetentionMode::Brackets => {
                                !before(event.time, from) && before(event.time, until)
                            }
                            RetentionMode::OnOrAfter => !before(event.time, from),
                            RetentionMode::OnOrBefore => before(event.time, until),
                        }
                };
                let returned = events[start + 1..].iter().filter(counts).count() >= of.occurrences as usize;
                let over = !before(now, until);
                let included = over || of.denominator == RetentionDenominator::All;
                cell.0 += u64::from(returned && included);
                cell.1 += u64::from(included);
                cell.2 += u64::from(over);
            }
        }
    }
    table
}

fn table(answer: &RetentionAnswer, zone: Tz) -> Table {
    let cohorts = answer.cohorts.iter().filter(|cohort| cohort.users > 0);
    cohorts
        .map(|cohort| {
            let cells = cohort.cells.iter().map(|cell| (cell.returned, cell.of, cell.matured)).collect();
            (cohort.bucket.start.with_timezone(&zone).date_naive(), (cohort.users, cells))
        })
        .collect()
}

fn event() -> impl Strategy<Value = Event> {
    (0..5_u8, 0..3_u8, 0..1_200_i64).prop_map(|(user, name, at)| {
        Event::new(format!("{at}"), format!("n{}", (i64::from(name) + at) % 3), format!("u{user}"), hour(at))
    })
}

fn calendar() -> impl Strategy<Value = (Interval, Tz, WeekStart)> {
    (
        prop::sample::select(vec![Interval::Day, Interval::Week, Interval::Month]),
        prop::sample::select(vec![
            Tz::UTC,
            Tz::Europe__Berlin,
            Tz::America__New_York,
            Tz::Asia__Kolkata,
            Tz::Africa__Casablanca,
        ]),
        prop::sample::select(vec![WeekStart::Monday, WeekStart::Sunday]),
    )
}

fn question() -> impl Strategy<Value = Retention> {
    let start =
        prop::sample::select(vec![RetentionStart::FirstEver, RetentionStart::FirstMatching, RetentionStart::Every]);
    let from = prop::sample::select(vec![RetentionPeriods::Calendar, RetentionPeriods::Rolling]);
    let mode = prop::sample::select(vec![
        RetentionMode::On,
        RetentionMode::OnOrAfter,
        RetentionMode::OnOrBefore,
        RetentionMode::Brackets,
    ]);
    let denominator = prop::sample::select(vec![RetentionDenominator::All, RetentionDenominator::Matured]);
    (calendar(), (start, from, mode, denominator), 0..300_i64, 24..900_i64, 1..9_u32, 1..3_u32, any::<bool>()).prop_map(
        |(
            (interval, zone, week_start),
            (start, periods_from, mode, denominator),
            from,
            length,
            count,
            occurrences,
            same,
        )| {
            let settings = RetentionSettings {
                range: Period::new(hour(from), hour(from + length)).unwrap(),
                start,
                interval,
                periods_from,
                count,
                mode,
                brackets: if mode == RetentionMode::Brackets { vec![0, 1, 3, 3 + count] } else { Vec::new() },
                denominator,
                occurrences,
                zone,
                week_start,
            };
            let step = |name: &str| Step::new(name.to_owned(), Vec::new());
            Retention::new(step("n0"), step(if same { "n0" } else { "n1" }), settings).unwrap()
        },
    )
}

/// How many came, stayed, came back and stayed away, by date.
fn lives(events: &[Event], names: &[String], settings: &TrendSettings, dates: &[NaiveDate]) -> Vec<[u64; 4]> {
    let date = |time| date(time, settings.interval, settings.zone, settings.week_start);
    let mut points = vec![[0; 4]; dates.len()];
    for events in users(events).into_values() {
        let active = events.iter().filter(|event| names.is_empty() || names.contains(&event.event));
        let times: Vec<DateTime<Utc>> = active.map(|event| event.time).filter(|time| *time < settings.end()).collect();
        // The interval before the range is whole, the first of the range begins with that.
        let first = dates[0];
        let counted: BTreeSet<NaiveDate> = times
            .iter()
            .filter(|time| date(**time) < first || **time >= settings.start())
            .map(|time| date(*time))
            .collect();
        for (point, of) in points.iter_mut().zip(dates) {
            let before = counted.range(..of).next_back().is_some_and(|last| later(*last, settings.interval, 1) == *of);
            let known = times.iter().any(|time| date(*time) < *of || (date(*time) == *of && *time < settings.start()));
            match (counted.contains(of), before) {
                (true, _) if !known => point[0] += 1,
                (true, true) => point[1] += 1,
                (true, false) => point[2] += 1,
                (false, true) => point[3] += 1,
                (false, false) => {}
            }
        }
    }
    points
}

/// How many were active in exactly one interval, in two and so on.
fn sticks(events: &[Event], names: &[String], of: &Stickiness, intervals: usize) -> Vec<u64> {
    let settings = &of.settings;
    let mut counts = vec![0; intervals];
    for events in users(events).into_values() {
        let active = events.iter().filter(|event| names.is_empty() || names.contains(&event.event));
        let mut dates: BTreeMap<NaiveDate, u32> = BTreeMap::new();
        for event in active.filter(|event| settings.start() <= event.time && event.time < settings.end()) {
            *dates.entry(date(event.time, settings.interval, settings.zone, settings.week_start)).or_default() += 1;
        }
        let enough = dates.values().filter(|count| **count >= of.occurrences).count();
        if enough > 0 {
            counts[enough - 1] += 1;
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_the_reference(
        batches in prop::collection::vec(prop::collection::vec(event(), 1..40), 1..5),
        question in question(), named in any::<bool>(), occurrences in 1..3_u32, now in 100..2_000_i64, compact in 0..5_usize,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let lake = open_with(&folder, LakeOptions { target_file_rows: 7, ..options() });
            for (index, batch) in batches.iter().chain(batches.first()).enumerate() {
                lake.ingest("acme", batch.clone()).await.unwrap();
                if compact == index {
                    lake.compact("acme").await.unwrap();
                }
            }
            let events = batches.concat();
            let of = question.settings();
            let answer = lake.retention("acme", &question, hour(now)).await.unwrap();
            assert_eq!(table(&answer, of.zone), reference(&events, &question, hour(now)));

            let mut settings = TrendSettings::new(of.range.start(), of.range.end(), of.interval, of.zone).unwrap();
            settings.week_start = of.week_start;
            let names = if named { vec!["n1".to_owned(), "n2".to_owned()] } else { Vec::new() };
            let activity = Activity { events: names.clone(), filters: Vec::new() };
            let answer = lake.lifecycle("acme", &activity, &settings).await.unwrap();
            let dates: Vec<NaiveDate> =
                answer.points.iter().map(|(bucket, _)| bucket.start.with_timezone(&of.zone).date_naive()).collect();
            let points: Vec<[u64; 4]> =
                answer.points.iter().map(|(_, of)| [of.new, of.returning, of.resurrecting, of.dormant]).collect();
            assert_eq!(points, lives(&events, &names, &settings, &dates));

            let stickiness = Stickiness { activity, settings, occurrences };
            let answer = lake.stickiness("acme", &stickiness).await.unwrap();
            assert_eq!(answer.users, sticks(&events, &names, &stickiness, dates.len()));
        });
    }
}

#[tokio::test]
async fn periods_are_those_of_the_calendar_or_of_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, options());
    let visit = |user: &str, at: &str| Event::new(at, "visit", user, time(at));
    let events = vec![
        // In Berlin: late on the eve of the change to summer time, and early on the day after it, 24 hours later.
        visit("ann", "2026-03-28T22:30:00Z"),
        visit("ann", "2026-03-29T22:30:00Z"),
        // A date that Samoa did not have: the day after is the next one.
        visit("sia", "2011-12-30T09:00:00Z"),
        visit("sia", "2011-12-30T11:00:00Z"),
    ];
    lake.ingest("acme", events).await.unwrap();
    let returned = async |from: &str, zone, periods_from| {
        let settings = RetentionSettings {
            range: Period::new(time(from), time(from) + TimeDelta::days(1)).unwrap(),
            start: RetentionStart::FirstEver,
            interval: Interval::Day,
            periods_from,
            count: 2,
            mode: RetentionMode::On,
            brackets: Vec::new(),
            denominator: RetentionDenominator::All,
            occurrences: 1,
            zone,
            week_start: WeekStart::Monday,
        };
        let step = || Step::new("visit".to_owned(), Vec::new());
        let question = Retention::new(step(), step(), settings).unwrap();
        let answer = lake.retention("acme", &question, time("2026-12-01T00:00:00Z")).await.unwrap();
        let cohort = answer.cohorts.into_iter().find(|cohort| cohort.users > 0).unwrap();
        cohort.cells.iter().map(|cell| cell.returned).collect::<Vec<_>>()
    };
    let (calendar, rolling) = (RetentionPeriods::Calendar, RetentionPeriods::Rolling);
    assert_eq!(returned("2026-03-28T12:00:00Z", Tz::Europe__Berlin, calendar).await, [0, 0, 1], "a day had 23 hours");
    assert_eq!(returned("2026-03-28T12:00:00Z", Tz::Europe__Berlin, rolling).await, [0, 1, 0]);
    assert_eq!(returned("2011-12-30T08:00:00Z", Tz::Pacific__Apia, calendar).await, [0, 1, 0]);
    assert_eq!(returned("2011-12-30T08:00:00Z", Tz::Pacific__Apia, rolling).await, [1, 0, 0]);
}

//! Random walks, with events at one moment, sent again, in any order and cut into files anywhere, against a reference
//! that keeps everything in memory and asks for each step anew.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use waymark_domain::metrics::{
    Condition, Entries, Loss, MinUsers, NumberOrder, Path, Properties, PropertyFilter, Question, Scalar, Step, Ties,
    Window,
};
use waymark_lake::*;

use crate::support::{open, open_with, options, time};

/// A moment of a calendar whose days have five.
fn moment(fifths: i64) -> DateTime<Utc> {
    time("2024-03-01T00:00:00Z") + TimeDelta::minutes(fifths * 24 * 60 / 5)
}

fn step(event: &str, condition: Option<Condition>) -> Step {
    let filters = condition.map(|condition| PropertyFilter::new("amount".into(), condition).unwrap());
    Step::new(event.into(), filters.into_iter().collect())
}

fn question(steps: Vec<Step>, days: u16, entries: (i64, i64), properties: &[&str]) -> Question {
    Question {
        path: Path::new(steps, Window::new(days)),
        entries: Entries::new(moment(entries.0), moment(entries.1)).unwrap(),
        properties: Properties::new(properties.iter().map(|&name| name.to_owned()).collect()).unwrap(),
        min_users: MinUsers::new(1),
        ties: Ties::Exclusive,
    }
}

/// From one of the names to the next within six days, entered in the first twelve.
fn asked(steps: &[&str], properties: &[&str]) -> Question {
    question(steps.iter().map(|event| step(event, None)).collect(), 6, (0, 60), properties)
}

/// Long after.
fn later() -> DateTime<Utc> {
    moment(10_000)
}

fn worst(answer: &PathAnswer) -> Option<(usize, u64)> {
    Loss::worst(&answer.users).map(|loss| (loss.step, loss.lost))
}

fn value(property: &str, value: Option<Scalar>, users: u64, lost: u64) -> PathValue {
    PathValue { property: property.into(), value, users, lost }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

/// The longest walk that any order of a moment's events leads to.
fn furthest<'a>(
    walk: &[&'a Event],
    moment: &[&'a Event],
    reaches: &impl Fn(&Event, &[&Event]) -> bool,
) -> Vec<&'a Event> {
    let mut best = walk.to_vec();
    for event in moment {
        if reaches(event, walk) && !walk.iter().any(|used| std::ptr::eq(*used, *event)) {
            let walk = furthest(&[walk, &[*event]].concat(), moment, reaches);
            if walk.len() > best.len() {
                best = walk;
            }
        }
    }
    best
}

/// The answer by brute force.
fn reference(batches: &[Vec<Event>], question: &Question, now: DateTime<Utc>) -> (Vec<u64>, u64, Vec<PathValue>) {
    // What was received first comes first, and within one batch the smaller id.
    let mut all: Vec<(DateTime<Utc>, usize, &Event)> = batches
        .iter()
        .enumerate()
        .flat_map(|(batch, events)| events.iter().map(move |event| (event.time, batch, event)))
        .collect();
    all.sort_by(|a, b| (a.0, a.1, &a.2.event_id).cmp(&(b.0, b.1, &b.2.event_id)));
    let mut seen = HashSet::new();
    all.retain(|(time, _, event)| seen.insert((event.user.as_str(), *time, event.event_id.as_str())));
    let mut users: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for (_, _, event) in all {
        users.entry(&event.user).or_default().push(event);
    }
    let (steps, window) = (question.path.steps(), question.path.window().length());
    let meets = |event: &Event, step: &Step| {
        let amount = event.properties.get("amount").and_then(serde_json::Value::as_f64);
        event.event == step.event()
            && step.filters().iter().all(|filter| match filter.condition() {
                Condition::Present => amount.is_some(),
                _ => amount.is_some_and(|amount| amount >= 1.0),
            })
    };
    let exclusive = question.ties == Ties::Exclusive;
    let reaches = |event: &Event, walk: &[&Event]| {
        let Some(step) = steps.get(walk.len()) else { return false };
        let in_time = match (walk.first(), walk.last()) {
            (Some(entry), Some(last)) => {
                event.time - entry.time <= window && (event.time > last.time || (!exclusive && event.time == last.time))
            }
            _ => question.entries.start() <= event.time && event.time < question.entries.end(),
        };
        in_time && meets(event, step)
    };
    let mut left_out = 0;
    let mut walks = Vec::new();
    for events in users.into_values() {
        let mut walk: Vec<&Event> = Vec::new();
        for moment in events.chunk_by(|a, b| !exclusive && a.time == b.time) {
            walk = furthest(&walk, moment, &reaches);
        }
        match walk.first() {
            None => {}
            Some(entry) if entry.time + window >= now => left_out += 1,
            Some(_) => walks.push(walk),
        }
    }
    let users: Vec<u64> =
        (0..steps.len()).map(|step| walks.iter().filter(|walk| walk.len() > step).count() as u64).collect();
    let mut values = BTreeMap::new();
    // `max_by_key` takes the last of several, so the order is turned round.
    let worst = (1..users.len()).rev().max_by_key(|step| users[step - 1] - users[*step]);
    if let Some(step) = worst.filter(|step| users[step - 1] > users[*step]) {
        for walk in walks.iter().filter(|walk| walk.len() >= step) {
            for (order, property) in question.properties.names().iter().enumerate() {
                let value = walk[step - 1].properties.get(property).map(|value| match value.as_str() {
                    Some(text) => Scalar::Text(text.to_owned()),
                    None => Scalar::Number(value.as_f64().unwrap()),
                });
                let counts: &mut (u64, u64) = values.entry((order, value)).or_default();
                counts.0 += 1;
                counts.1 += u64::from(walk.len() == step);
            }
        }
    }
    let values = values
        .into_iter()
        .map(|((order, text), (users, lost))| value(&question.properties.names()[order], text, users, lost));
    (users, left_out, values.collect())
}

fn check(answer: &PathAnswer, batches: &[Vec<Event>], question: &Question, now: DateTime<Utc>) {
    let (users, left_out, values) = reference(batches, question, now);
    assert_eq!((&answer.users, answer.entries_left_out), (&users, left_out));
    if question.ties == Ties::Exclusive {
        assert_eq!(answer.values, values);
    }
    // Which of several events at one moment reaches a step is left open; that one does is not.
    let all = |values: &[PathValue]| {
        let mut all: BTreeMap<String, [u64; 2]> = BTreeMap::new();
        for PathValue { property, users, lost, .. } in values {
            let sums = all.entry(property.clone()).or_default();
            *sums = [sums[0] + users, sums[1] + lost];
        }
        all
    };
    assert_eq!(all(&answer.values), all(&values));
}

/// Few users, times and ids, so that events repeat and meet at one moment; name and properties follow from the id, as
/// on a retry.
fn event() -> impl Strategy<Value = Event> {
    (0..8_u8, 0..9_i32, -3..30_i64).prop_map(|(user, id, at)| {
        let event = Event::new(format!("e{id}"), format!("n{}", id % 3), format!("u{user}"), moment(at * 5));
        if id == 0 { event } else { event.with("amount", id % 4).with("group", format!("g{}", id % 2)) }
    })
}

#[derive(Debug, Clone)]
struct Case {
    batches: Vec<Vec<Event>>,
    compact_after: usize,
    question: Question,
    now: DateTime<Utc>,
}

fn case() -> impl Strategy<Value = Case> {
    let at_least_one = Condition::Number(NumberOrder::GreaterOrEqual, 1.0);
    let filter = prop::sample::select(vec![None, None, Some(Condition::Present), Some(at_least_one)]);
    let steps =
        prop::collection::vec((0..3_u8, filter).prop_map(|(name, filter)| step(&format!("n{name}"), filter)), 2..5);
    let batches = prop::collection::vec(prop::collection::vec(event(), 1..40), 1..6);
    let properties = prop::sample::subsequence(vec!["group", "amount", "missing"], 0..=3);
    let ties = prop::sample::select(vec![Ties::Inclusive, Ties::Exclusive]);
    (batches, 0..6_usize, steps, 1..20_u16, 0..100_i64, 0..200_i64, properties, ties).prop_map(
        |(batches, compact_after, steps, window, length, now, properties, ties)| {
            let question = Question { ties, ..question(steps, window, (-2, length), &properties) };
            Case { batches, compact_after, question, now: moment(now) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn walks_are_those_of_the_reference_whatever_is_sent_twice_and_whenever_files_are_merged(case in case()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            // Files of seven rows, so that compaction has to cut between users.
            let lake = open_with(&folder, LakeOptions { target_file_rows: 7, ..options() });
            for (index, batch) in case.batches.iter().enumerate() {
                lake.ingest("acme", batch.clone()).await.unwrap();
                if case.compact_after == index {
                    lake.compact("acme").await.unwrap();
                }
            }
            let Case { batches, question, now, .. } = &case;
            check(&lake.path("acme", question, *now).await.unwrap(), batches, question, *now);
            lake.compact("acme").await.unwrap();
            check(&lake.path("acme", question, *now).await.unwrap(), batches, question, *now);
        });
    }
}

#[tokio::test]
async fn a_step_comes_after_the_one_before_and_within_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let at = |user: &str, name: &str, fifths| Event::new(format!("{name}-{fifths}"), name, user, moment(fifths));
    let events = vec![
        at("straight", "a", 0),
        at("straight", "b", 1),
        at("straight", "c", 2),
        // The window's last moment is in it, the moment after is not.
        at("last-moment", "a", 10),
        at("last-moment", "b", 40),
        Event { time: moment(40) + TimeDelta::microseconds(1), ..at("too-late", "b", 40) },
        at("too-late", "a", 10),
        // At the same moment is not after.
        at("at-once", "a", 5),
        at("at-once", "b", 5),
        // Before does not count, and what comes again does.
        at("detour", "b", 1),
        at("detour", "a", 2),
        at("detour", "a", 3),
        at("detour", "c", 4),
        at("detour", "b", 5),
        at("detour", "c", 6),
        // The first entry counts, however much later another one is.
        at("again", "a", 0),
        at("again", "a", 20),
        at("again", "b", 45),
        // Entered at the end, which is not included; and before the start.
        at("late", "a", 60),
        at("late", "b", 61),
        at("early", "a", -1),
        at("early", "b", 1),
    ];
    lake.ingest("acme", events).await.unwrap();
    let abc = asked(&["a", "b", "c"], &["group"]);
    let answer = lake.path("acme", &abc, later()).await.unwrap();
    assert_eq!((answer.users.as_slice(), worst(&answer)), ([6, 3, 2].as_slice(), Some((1, 3))));
    assert_eq!((answer.entries_left_out, answer.values), (0, vec![value("group", None, 6, 3)]));

    // Repeated steps need repeated events.
    let twice = lake.path("acme", &asked(&["a", "a"], &[]), later()).await.unwrap();
    assert_eq!(twice.users, [6, 2]);

    // A window is over when its last moment has passed: the walk that began at 10 ends with 40.
    let then = lake.path("acme", &abc, moment(40)).await.unwrap();
    assert_eq!((then.users.as_slice(), then.entries_left_out), ([4, 2, 2].as_slice(), 2));
    let after = lake.path("acme", &abc, moment(40) + TimeDelta::microseconds(1)).await.unwrap();
    assert_eq!((after.users.as_slice(), after.entries_left_out), ([6, 3, 2].as_slice(), 0));
}

#[tokio::test]
async fn steps_within_a_second_are_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let at = |user: &str, name: &str, millis| {
        Event::new(format!("{name}-{millis}"), name, user, moment(1) + TimeDelta::milliseconds(millis))
    };
    let events = vec![
        // In whole seconds: at one moment, and received in the wrong order.
        at("whole", "pay", 0),
        at("whole", "cart", 0),
        // The clock of the server is a little behind that of the browser, within a second and beyond.
        at("behind", "pay", 2_100),
        at("behind", "cart", 2_900),
        at("astride", "pay", 3_900),
        at("astride", "cart", 4_100),
        at("plain", "cart", 5_000),
        at("plain", "pay", 6_000),
        at("alone", "cart", 5_000),
        // Paid before, and not again.
        at("before", "pay", 5_000),
        at("before", "cart", 9_000),
    ];
    for event in events {
        lake.ingest("acme", vec![event]).await.unwrap();
    }
    let reached = async |ties| {
        let question = Question { ties, ..asked(&["cart", "pay"], &[]) };
        lake.path("acme", &question, later()).await.unwrap().users
    };
    assert_eq!(reached(Ties::Inclusive).await, [6, 2]);
    assert_eq!(reached(Ties::Exclusive).await, [6, 1]);
    assert_eq!(reached(Ties::Second).await, [6, 3]);
    lake.compact("acme").await.unwrap();
    assert_eq!(reached(Ties::Inclusive).await, [6, 2]);
}

#[tokio::test]
async fn values_keep_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let seats = [serde_json::json!(1), serde_json::json!(1.0), serde_json::json!("1"), serde_json::json!(true)];
    let events = seats
        .into_iter()
        .enumerate()
        .map(|(user, seats)| Event::new("a", "a", format!("user-{user}"), moment(0)).with("seats", seats));
    lake.ingest("acme", events.collect()).await.unwrap();
    let answer = lake.path("acme", &asked(&["a", "b"], &["seats"]), later()).await.unwrap();
    let expected = [
        value("seats", Some(text("1")), 1, 1),
        value("seats", Some(Scalar::Number(1.0)), 2, 2),
        value("seats", Some(Scalar::Boolean(true)), 1, 1),
    ];
    assert_eq!(answer.values, expected);
}

#[tokio::test]
async fn values_are_those_of_the_event_before_the_worst_step() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let mut events = Vec::new();
    for user in 0..10_i64 {
        let name = format!("user-{user}");
        events.push(Event::new("a", "a", &name, moment(0)).with("group", "entry"));
        let b = Event::new("b", "b", &name, moment(1));
        events.push(if user == 9 {
            b
        } else {
            b.with("group", if user < 4 { "even" } else { "odd" }).with("seats", user % 2)
        });
        if user < 3 || user == 7 {
            events.push(Event::new("c", "c", &name, moment(2)));
        }
    }
    lake.ingest("acme", events).await.unwrap();
    let answer = lake.path("acme", &asked(&["a", "b", "c"], &["seats", "group"]), later()).await.unwrap();
    assert_eq!((answer.users.as_slice(), worst(&answer)), ([10, 10, 4].as_slice(), Some((2, 6))));
    let expected = [
        value("seats", None, 1, 1),
        value("seats", Some(Scalar::Number(0.0)), 5, 3),
        value("seats", Some(Scalar::Number(1.0)), 4, 2),
        value("group", None, 1, 1),
        value("group", Some(text("even")), 4, 1),
        value("group", Some(text("odd")), 5, 4),
    ];
    assert_eq!(answer.values, expected);
}

#[tokio::test]
async fn an_unknown_workspace_answers_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    let answer = lake.path("acme", &asked(&["a", "b"], &["group"]), later()).await.unwrap();
    assert_eq!(
        (answer.users, answer.entries_left_out, answer.values, answer.watermark.version),
        (vec![0, 0], 0, vec![], 0)
    );
}

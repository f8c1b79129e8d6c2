//! Properties in columns, in remainders, and in files of before there were columns: the same events whichever way they
//! are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;
use waymark_domain::metrics::{
    Breakdown, BreakdownBy, Condition, Entries, Measure, MeasureKind, MinUsers, NumberOrder, Path as Steps, Properties,
    PropertyFilter, Question, Scalar, Step, Ties, TrendSettings, Window,
};
use waymark_lake::{Event, Lake, LakeOptions, PathValue};

use crate::support::{days, measure, open_with, options, rewrite, time};

const AT: &str = "2024-03-01T08:00:00Z";

/// A lake that gives columns to properties after so many events.
fn open(folder: &TempDir, promote_after: u64) -> Lake {
    open_with(folder, LakeOptions { promote_after, target_file_rows: 7, parallelism: 2, ..options() })
}

fn day() -> TrendSettings {
    days("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z")
}

/// The columns that the table declares for properties, by their metadata, with the property and the type.
fn columns(folder: &TempDir) -> BTreeMap<String, (String, String)> {
    let log = folder.path().join("acme/events/_delta_log");
    let mut entries: Vec<_> = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut found = BTreeMap::new();
    for line in entries
        .iter()
        .flat_map(|path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let action: Value = serde_json::from_str(&line).unwrap();
        let Some(schema) = action["metaData"]["schemaString"].as_str() else { continue };
        let schema: Value = serde_json::from_str(schema).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let named = schema["fields"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|field| field["metadata"]["waymark.property"].is_string());
        found =
            named.map(|f| (text(&f["name"]), (text(&f["metadata"]["waymark.property"]), text(&f["type"])))).collect();
    }
    found
}

/// The data files in the folder.
fn data_files(folder: &TempDir) -> impl Iterator<Item = ParquetRecordBatchReaderBuilder<File>> {
    let paths = std::fs::read_dir(folder.path().join("acme/events")).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == "parquet"));
    paths.map(|path| ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap())
}

/// The remainders of all rows in all data files, nulls left out.
fn remainders(folder: &TempDir) -> Vec<String> {
    let batches = data_files(folder).flat_map(|file| file.build().unwrap()).map(|batch| batch.unwrap());
    let rests = batches.map(|batch| batch.column_by_name("properties").unwrap().as_string::<i32>().clone());
    rests.flat_map(|rest| rest.iter().flatten().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Makes a table what a program left that knew of no columns but revenue, which its JSON had, too, and whose log says
/// nothing of them. For tables that have no others.
fn age(folder: &TempDir) {
    let rows = |batch: &RecordBatch| {
        let place = batch.schema().index_of("properties").unwrap();
        let rest = batch.column(place).as_string::<i32>();
        let revenue = batch.column_by_name("revenue").unwrap().as_primitive::<Float64Type>();
        let whole = (0..batch.num_rows()).map(|row| {
            let mut properties: Map<String, Value> =
                if rest.is_valid(row) { serde_json::from_str(rest.value(row)).unwrap() } else { Map::new() };
            if revenue.is_valid(row) {
                properties.insert("revenue".to_owned(), revenue.value(row).into());
            }
            (!properties.is_empty()).then(|| Value::from(properties).to_string())
        });
        let mut arrays = batch.columns().to_vec();
        arrays[place] = Arc::new(whole.collect::<StringArray>());
        RecordBatch::try_new(batch.schema(), arrays).unwrap()
    };
    rewrite(folder.path(), rows, |action| {
        if let Some(tags) = action.get_mut("add").and_then(|add| add["tags"].as_object_mut()) {
            tags.remove("waymark.columns").unwrap();
        }
    });
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "1", "", "quo\"te\\"]).prop_map(Value::from),
        3 => prop::sample::select(vec![json!(1), json!(1.0), json!(-2.5), json!(0), json!(-0.0)]),
        1 => any::<bool>().prop_map(Value::from),
        1 => prop::sample::select(vec![json!(null), json!([1]), json!({"a": 1}), json!(9_007_199_254_740_993_i64)]),
    ]
}

/// What is done to the table, step by step.
#[derive(Debug, Clone)]
enum Act {
    /// Some events, of a call or an import.
    Take(Vec<Event>, Option<u8>),
    Compact,
    /// The next batches are taken in by another process, which gives columns after so many events.
    Reopen(u64),
}

const NAMES: [&str; 4] = ["p", "P", "revenue", "quo\"te"];

fn act() -> impl Strategy<Value = Act> {
    let properties = prop::collection::btree_map(prop::sample::select(&NAMES[..]), value(), 0..4);
    let event = (0..4_u8, 0..4_u8, prop::sample::select(vec!["see", "buy"]), properties);
    let event = event.prop_map(|(user, id, name, properties)| {
        let event = Event::new(format!("e{id}"), name, format!("u{user}"), time(AT));
        properties.into_iter().fold(event, |event, (name, value)| event.with(name, value))
    });
    let taken = (prop::collection::vec(event, 1..6), prop::option::of(0..2_u8));
    prop_oneof![
        6 => taken.prop_map(|(events, import)| Act::Take(events, import)),
        1 => Just(Act::Compact),
        2 => prop::sample::select(vec![1, 4, u64::MAX]).prop_map(Act::Reopen),
    ]
}

/// What a property's value is to a question.
fn scalar(value: Option<&Value>) -> Option<Scalar> {
    match value? {
        Value::Null => None,
        Value::Bool(flag) => Some(Scalar::Boolean(*flag)),
        Value::String(text) => Some(Scalar::Text(text.clone())),
        Value::Number(number) => Scalar::literal(&number.to_string()),
        other => Some(Scalar::Text(other.to_string())),
    }
}

/// Of each event the first that was received, without those that only undone imports delivered.
fn seen(acts: &[Act], undone: Option<u8>) -> Vec<&Event> {
    let mut seen: BTreeMap<(&str, &str), &Event> = BTreeMap::new();
    for act in acts {
        if let Act::Take(events, import) = act
            && (import.is_none() || *import != undone)
        {
            for event in events {
                seen.entry((&event.user, &event.event_id)).or_insert(event);
            }
        }
    }
    seen.into_values().collect()
}

type Totals = BTreeMap<Option<Scalar>, f64>;

async fn check(lake: &Lake, seen: &[&Event]) {
    let conditions = [
        Condition::Present,
        Condition::Absent,
        Condition::AnyOf(vec![Scalar::Text("a".into()), Scalar::Number(1.0)]),
        Condition::NoneOf(vec![Scalar::Text("a".into()), Scalar::Boolean(true)]),
        Condition::Number(NumberOrder::GreaterOrEqual, 0.0),
    ];
    for name in NAMES {
        let of = |event: &Event| scalar(event.properties.get(name));
        let mut settings = day();
        settings.breakdown = Some(Breakdown::new(BreakdownBy::Property(name.into()), 100));
        for kind in [MeasureKind::Count, MeasureKind::Sum(name.into()), MeasureKind::UniqueUsers] {
            let answer = lake.trend("acme", &measure(kind.clone(), &["buy"]), &settings).await.unwrap();
            let answered: Totals = answer.series.into_iter().map(|series| (series.key, series.total)).collect();
            let mut expected = Totals::new();
            let mut users = BTreeSet::new();
            for event in seen.iter().filter(|event| event.event == "buy") {
                let amount = match kind {
                    MeasureKind::Count => 1.0,
                    MeasureKind::Sum(_) => of(event).and_then(|value| value.as_number()).unwrap_or(0.0),
                    MeasureKind::UniqueUsers => f64::from(users.insert((&event.user, of(event)))),
                };
                *expected.entry(of(event)).or_default() += amount;
            }
            assert_eq!(answered, expected, "{name} {kind:?}");
        }
        for condition in &conditions {
            let filter = PropertyFilter::new(name.into(), condition.clone()).unwrap();
            let filtered = Measure::new(MeasureKind::Count, vec![], vec![filter.clone()]).unwrap();
            let answer = lake.trend("acme", &filtered, &day()).await.unwrap();
            let met: Vec<_> = seen.iter().filter(|event| condition.holds(of(event).as_ref())).collect();
            assert_eq!(answer.series[0].total, met.len() as f64, "{name} {condition:?}");

            let question = Question {
                path: Steps::new(
                    vec![Step::new("see".into(), vec![filter]), Step::new("buy".into(), vec![])],
                    Window::new(1),
                ),
                entries: Entries::new(day().start(), day().end()).unwrap(),
                properties: Properties::new(vec![name.into()]).unwrap(),
                min_users: MinUsers::new(1),
                ties: Ties::Inclusive,
            };
            let path = lake.path("acme", &question, time("2025-01-01T00:00:00Z")).await.unwrap();
            let users = |name: &str, events: &[&&Event]| -> BTreeSet<String> {
                events.iter().filter(|event| event.event == name).map(|event| event.user.clone()).collect()
            };
            let entered = users("see", &met);
            let arrived = users("buy", &seen.iter().collect::<Vec<_>>());
            assert_eq!(path.users, [entered.len(), entered.intersection(&arrived).count()].map(|users| users as u64));
            assert_eq!(
                path.values.iter().map(|PathValue { lost, .. }| lost).sum::<u64>(),
                path.users[0] - path.users[1]
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_the_same_whichever_way_properties_are_stored(
        old in prop::collection::vec(act(), 0..4),
        acts in prop::collection::vec(act(), 1..9),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            // One clock, as what is seen of an event is what was received first.
            let begin = options();
            let open = |folder: &TempDir, promote_after| {
                open_with(folder, LakeOptions { promote_after, target_file_rows: 7, parallelism: 2, ..begin.clone() })
            };
            let mut lake = open(&folder, u64::MAX);
            let mut begun = false;
            for (index, act) in old.iter().chain(&acts).enumerate() {
                if index == old.len() && begun {
                    age(&folder);
                    lake = open(&folder, 4);
                }
                match act {
                    Act::Take(events, import) => {
                        begun = true;
                        match import {
                            Some(import) => lake.import("acme", Uuid::from_u128((*import).into()), events.clone()).await,
                            None => lake.ingest("acme", events.clone()).await,
                        }
                        .unwrap();
                    }
                    Act::Compact => drop(lake.compact("acme").await.unwrap()),
                    Act::Reopen(_) if index < old.len() => {}
                    Act::Reopen(promote_after) => lake = open(&folder, *promote_after),
                }
            }
            let acts: Vec<Act> = old.iter().chain(&acts).cloned().collect();
            check(&lake, &seen(&acts, None)).await;
            lake.compact("acme").await.unwrap();
            check(&lake, &seen(&acts, None)).await;
            assert_eq!(lake.compact("acme").await.unwrap().rows_rewritten, 0, "what is compacted stays as it is");
            if begun {
                lake.undo("acme", Uuid::from_u128(1)).await.unwrap();
                check(&lake, &seen(&acts, Some(1))).await;
                lake.compact("acme").await.unwrap();
                check(&lake, &seen(&acts, Some(1))).await;
            }
        });
    }
}

fn buy(id: usize, properties: Value) -> Event {
    let event = Event::new(format!("{id}"), "buy", format!("u{}", id % 10), time(AT));
    let Value::Object(properties) = properties else { panic!("{properties} is no object") };
    Event { properties, ..event }
}

#[tokio::test]
async fn compaction_moves_what_old_files_have_into_columns() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder, u64::MAX);
    let event = |id: usize| buy(id, json!({"plan": "pro", "seats": id, "trial": true, "revenue": 1.5, "note": [id]}));
    lake.ingest("acme", (0..100).map(event).collect()).await.unwrap();
    age(&folder);
    assert_eq!(columns(&folder), BTreeMap::new());
    assert!(remainders(&folder)[0].contains("revenue"));

    let lake = open(&folder, 10);
    lake.ingest("acme", (100..120).map(event).collect()).await.unwrap();
    let named = |property: &str, kind: &str| (property.to_owned(), kind.to_owned());
    let expected = [
        ("p_plan".to_owned(), named("plan", "string")),
        ("p_seats".to_owned(), named("seats", "double")),
        ("p_trial".to_owned(), named("trial", "boolean")),
    ];
    assert_eq!(columns(&folder), expected.into());
    lake.compact("acme").await.unwrap();
    let lake = open_with(&folder, LakeOptions { vacuum_grace: std::time::Duration::ZERO, ..options() });
    lake.vacuum("acme").await.unwrap();
    let left = remainders(&folder);
    assert_eq!(left.len(), 120);
    assert!(left.iter().all(|rest| rest.starts_with(r#"{"note":["#)), "{left:?}");
    let seats = lake.trend("acme", &measure(MeasureKind::Sum("seats".into()), &[]), &day()).await.unwrap();
    assert_eq!(seats.series[0].total, f64::from(120 * 119 / 2));
}

#[tokio::test]
async fn ten_thousand_names_and_names_that_are_alike_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder, 10);
    let long = "n".repeat(10_000);
    let alike = [
        "plan",
        "Plan",
        "PLAN",
        "pl\u{e4}n",
        "pl.an",
        "pl an",
        "pl,an{}",
        "time",
        "user_hash",
        "p_plan",
        "properties",
        &long,
        "",
    ];
    let events = (0..100).map(|id| {
        let event =
            alike.iter().enumerate().fold(buy(id, json!({})), |event, (at, name)| event.with(*name, format!("v{at}")));
        (0..100).fold(event, |event, other| event.with(format!("noise {}", id * 100 + other), id))
    });
    lake.ingest("acme", events.collect()).await.unwrap();
    lake.ingest("acme", (100..110).map(|id| buy(id, json!({"late": id}))).collect()).await.unwrap();
    lake.compact("acme").await.unwrap();
    let columns = columns(&folder);
    assert!(columns.len() < 100, "{}", columns.len());
    let lower: BTreeSet<_> = columns.keys().map(|name| name.to_lowercase()).collect();
    assert!(lower.len() == columns.len() && columns.keys().all(|name| name.len() < 64));
    for property in ["plan", "Plan", "time", "p_plan"] {
        assert!(columns.values().any(|(named, _)| named == property), "{property} has a column");
    }
    for (at, name) in alike.iter().enumerate() {
        let mut settings = day();
        settings.breakdown = Some(Breakdown::new(BreakdownBy::Property((*name).to_owned()), 10));
        let series = lake.trend("acme", &measure(MeasureKind::Count, &[]), &settings).await.unwrap().series;
        let series: Totals = series.into_iter().map(|series| (series.key, series.total)).collect();
        assert_eq!(series, [(Some(Scalar::Text(format!("v{at}"))), 100.0), (None, 10.0)].into(), "{name}");
    }
    let filter = PropertyFilter::new("noise 4321".into(), Condition::Present).unwrap();
    let noise = Measure::new(MeasureKind::Count, vec![], vec![filter]).unwrap();
    assert_eq!(lake.trend("acme", &noise, &day()).await.unwrap().series[0].total, 1.0);
}

#[tokio::test]
async fn no_statistics_are_kept_of_what_names_people() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder, 1);
    let event =
        Event { device: Some("her phone".into()), session: Some("s-1".into()), ..buy(1, json!({"plan": "pro"})) };
    lake.ingest("acme", vec![event]).await.unwrap();
    let reader = data_files(&folder).next().unwrap();
    let kind = reader.schema().field_with_name("p_plan").unwrap().data_type().clone();
    assert!(matches!(kind, DataType::Dictionary(..)), "{kind}");
    let told = reader.metadata().row_group(0).columns().iter().filter(|column| column.statistics().is_some());
    let told: Vec<_> = told.map(|column| column.column_path().string()).collect();
    let expected = ["user_hash", "time", "received", "event", "revenue", "imports", "p_plan"];
    assert_eq!(told, expected);
}

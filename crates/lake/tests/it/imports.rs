//! Imports and their undoing: exactly what an import alone delivered is gone from every answer, at once and for ever,
//! whatever is compacted, sent again or done by others meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{DictionaryArray, RecordBatch};
use arrow::datatypes::Int32Type;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;
use waymark_domain::Period;
use waymark_domain::metrics::{
    Entries, Measure, MeasureKind, MinUsers, Path as Steps, Properties, Question, Step, Ties, Window,
};
use waymark_lake::{Delivered, Event, Lake, LakeOptions};

use crate::support::{all, days, measure, open, open_with, options, rewrite, spawn, stream, time};

fn import(number: u8) -> Uuid {
    Uuid::from_u128(number.into())
}

fn day() -> Period {
    Period::new(time("2024-03-01T00:00:00Z"), time("2024-03-02T00:00:00Z")).unwrap()
}

/// What every reader of the lake says.
async fn told(lake: &Lake) -> impl PartialEq + std::fmt::Debug + use<> {
    let catalogue = lake.catalogue("acme").await.unwrap();
    let trend = lake.trend("acme", &all(), &days("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z")).await.unwrap();
    let total = lake.total("acme", &all(), day()).await.unwrap();
    let step = |event: &str| Step::new(event.into(), vec![]);
    let question = Question {
        path: Steps::new(vec![step("visit"), step("search")], Window::new(1)),
        entries: Entries::new(day().start(), day().end()).unwrap(),
        properties: Properties::new(vec![]).unwrap(),
        min_users: MinUsers::new(1),
        ties: Ties::Inclusive,
    };
    let path = lake.path("acme", &question, time("2025-01-01T00:00:00Z")).await.unwrap();
    let latest = lake.latest_event_time("acme").await.unwrap();
    let watermarks = [catalogue.watermark, trend.watermark, path.watermark].map(|watermark| watermark.received);
    (catalogue.events, catalogue.users, catalogue.rows, trend.series, total, path.users, latest, watermarks)
}

#[tokio::test]
async fn what_an_import_alone_delivered_is_gone_from_every_answer() {
    let [folder, without] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (lake, expected) = (open(&folder), open(&without));
    // Of 60 events the first half came by a call, the second by an import; of 30 others an import alone tells.
    let (called, shared) = (stream("a", 30), stream("a", 60).split_off(30));
    for (lake, both) in [(&lake, true), (&expected, false)] {
        lake.ingest("acme", called.clone()).await.unwrap();
        lake.import("acme", import(1), shared.clone()).await.unwrap();
        if both {
            let wrong = [stream("a", 60), stream("wrong", 90)].concat();
            lake.import("acme", import(2), wrong).await.unwrap();
        }
    }
    let (before, expected) = (told(&lake).await, told(&expected).await);
    let delivered =
        Delivered { alone: 90, shared: 60, times: Some((time("2024-03-01T00:00:00Z"), time("2024-03-01T01:29:00Z"))) };
    assert_eq!(lake.delivered("acme", import(2)).await.unwrap(), delivered);
    assert_eq!(lake.delivered("acme", import(3)).await.unwrap(), Delivered::default());
    assert_eq!(told(&lake).await, before, "counting changes nothing");

    assert_eq!(lake.undo("acme", import(2)).await.unwrap(), delivered);
    let expected = |told| assert_eq!(format!("{told:?}"), format!("{expected:?}"));
    expected(told(&lake).await);
    expected(told(&open(&folder)).await);
    assert_eq!(lake.undo("acme", import(2)).await.unwrap(), delivered, "doing it again changes nothing");

    let report = lake.compact("acme").await.unwrap();
    assert_eq!(report.files_after, 1);
    expected(told(&lake).await);
    assert_eq!(open(&folder).undo("acme", import(2)).await.unwrap(), delivered, "and tells the same for ever");
    assert_eq!(lake.compact("acme").await.unwrap().rows_rewritten, 0, "nothing is left to remove");

    // The same file again is another import.
    lake.import("acme", import(3), stream("wrong", 90)).await.unwrap();
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 150);
    // What is still under way of the one that is undone never shows.
    lake.import("acme", import(2), stream("late", 10)).await.unwrap();
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 150);
    lake.compact("acme").await.unwrap();
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 150);
    let gone = lake.undo("acme", import(3)).await.unwrap();
    assert_eq!((gone.alone, gone.shared), (90, 0));
    assert_eq!(lake.undo("acme", import(1)).await.unwrap().alone, 30);
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 30, "what a call delivered nobody takes back");
}

#[tokio::test]
async fn maintenance_removes_what_is_undone_and_checkpoints_keep_that_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { log_retention: Duration::from_hours(1_000_000), ..options() });
    lake.import("acme", import(1), stream("gone", 40)).await.unwrap();
    lake.undo("acme", import(1)).await.unwrap();
    for batch in 0..105 {
        let number = u8::try_from(batch % 3).unwrap() + 1;
        lake.import("acme", import(number), stream(&format!("b{batch}"), 3)).await.unwrap();
    }
    let checkpoints = || {
        let names = std::fs::read_dir(folder.path().join("acme/events/_delta_log")).unwrap();
        names.filter(|entry| entry.as_ref().unwrap().path().to_string_lossy().contains(".checkpoint.")).count()
    };
    tokio::select! {
        () = lake.maintain() => {}
        () = async { while checkpoints() == 0 { tokio::time::sleep(Duration::from_millis(20)).await } } => {}
    }
    assert_eq!(lake.metrics().rows_dropped, 40 + 105, "rows of the undone import are removed");
    // Opened from the checkpoint, a lake knows what is undone and which files have rows of which import.
    let reopened = open(&folder);
    assert_eq!(reopened.catalogue("acme").await.unwrap().rows, 210);
    reopened.import("acme", import(1), stream("late", 5)).await.unwrap();
    assert_eq!(reopened.catalogue("acme").await.unwrap().rows, 210);
    assert_eq!(reopened.undo("acme", import(1)).await.unwrap().alone, 40);
    assert_eq!(reopened.undo("acme", import(2)).await.unwrap().alone, 105);
    assert_eq!(reopened.catalogue("acme").await.unwrap().rows, 105);
}

#[tokio::test]
async fn replicas_agree_on_what_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [open(&folder), open(&folder)];
    // Nothing has come yet: neither is there a table.
    assert_eq!(one.undo("acme", import(9)).await.unwrap(), Delivered::default());
    other.import("acme", import(9), stream("late", 10)).await.unwrap();
    assert_eq!(one.catalogue("acme").await.unwrap().rows, 0);

    one.import("acme", import(1), stream("a", 20)).await.unwrap();
    assert_eq!(other.catalogue("acme").await.unwrap().rows, 20);
    assert!(other.has_arrived("acme", day().start()).await.unwrap());
    let undo = |lake: &Lake| {
        let lake = lake.clone();
        spawn(async move { lake.undo("acme", import(1)).await.unwrap() })
    };
    let both = [undo(&one), undo(&other)];
    for undone in both {
        assert_eq!(undone.await.unwrap().alone, 20);
    }
    for lake in [&one, &other] {
        assert_eq!(lake.catalogue("acme").await.unwrap().rows, 0);
        assert_eq!(lake.latest_event_time("acme").await.unwrap(), None);
        assert!(!lake.has_arrived("acme", day().start()).await.unwrap());
        assert_eq!(lake.catalogue("acme").await.unwrap().watermark.received, None);
    }
    // A compaction that began before an import was undone puts its rows back in place, where they do not show.
    one.import("acme", import(2), stream("b", 20)).await.unwrap();
    one.import("acme", import(2), stream("c", 20)).await.unwrap();
    let (compacted, undone) = tokio::join!(one.compact("acme"), other.undo("acme", import(2)));
    assert_eq!((compacted.is_ok(), undone.unwrap().alone), (true, 40));
    assert_eq!(one.catalogue("acme").await.unwrap().rows, 0);
    one.compact("acme").await.unwrap();
    assert_eq!(other.catalogue("acme").await.unwrap().rows, 0);
}

/// Makes a table what a program left that knew of no imports: files and the log lack the column, and say nothing of it.
fn forget_imports(folder: &Path) {
    let rows = |batch: &RecordBatch| batch.project(&(0..10).collect::<Vec<_>>()).unwrap();
    rewrite(folder, rows, |action| {
        if let Some(add) = action.get_mut("add") {
            add["tags"] = Value::Null;
        }
        if let Some(metadata) = action.get_mut("metaData") {
            let mut schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
            schema["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "imports");
            metadata["schemaString"] = schema.to_string().into();
        }
    });
}

#[tokio::test]
async fn tables_of_before_imports_were_told_apart_are_read_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = open(&folder);
    earlier.ingest("acme", stream("a", 20)).await.unwrap();
    earlier.ingest("acme", stream("b", 20)).await.unwrap();
    forget_imports(folder.path());
    let lake = open(&folder);
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 40);
    lake.import("acme", import(1), [stream("a", 20), stream("c", 20)].concat()).await.unwrap();
    let columns = |folder: &Path| -> Vec<String> {
        let logs = std::fs::read_dir(folder.join("acme/events/_delta_log")).unwrap();
        let logs = logs.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let declared = logs.filter(|log| log.contains("metaData")).map(|log| log.contains("\\\"imports\\\""));
        declared.map(|declared| declared.to_string()).collect()
    };
    let mut declared = columns(folder.path());
    declared.sort();
    assert_eq!(declared, ["false", "true"], "the column is declared once it is written");
    let undone = lake.undo("acme", import(1)).await.unwrap();
    assert_eq!((undone.alone, undone.shared), (20, 20));
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 40);
    assert_eq!(open(&folder).total("acme", &all(), day()).await.ok(), Some(40.0));
    lake.compact("acme").await.unwrap();
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 40);
}

#[tokio::test]
async fn who_delivered_events_is_looked_at_only_in_files_that_name_what_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(&folder);
    lake.import("acme", import(1), stream("a", 20)).await.unwrap();
    lake.import("acme", import(2), stream("b", 20)).await.unwrap();
    lake.undo("acme", import(2)).await.unwrap();
    lake.compact("acme").await.unwrap();
    // Whoever looks at the column now fails.
    let unreadable = |batch: &RecordBatch| {
        let mut columns = batch.columns().to_vec();
        columns[10] =
            Arc::new(vec!["unreadable"; batch.num_rows()].into_iter().collect::<DictionaryArray<Int32Type>>());
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    };
    rewrite(folder.path(), unreadable, |_| {});
    let lake = open(&folder);
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 20);
    lake.undo("acme", import(3)).await.unwrap();
    assert_eq!(lake.catalogue("acme").await.unwrap().rows, 20);
    assert!(lake.undo("acme", import(1)).await.is_err());
}

/// A delivery: who, and which events, each with an amount that the deliverer says.
#[derive(Debug, Clone)]
struct Delivery {
    import: Option<u8>,
    events: Vec<(u8, u8)>,
}

#[derive(Debug, Clone)]
enum Act {
    Deliver(Delivery),
    Undo(u8),
    Compact,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let delivery = (prop::option::weighted(0.8, 1..4_u8), prop::collection::vec((0..9_u8, 0..2_u8), 1..12))
        .prop_map(|(import, events)| Act::Deliver(Delivery { import, events }));
    let act = prop_oneof![6 => delivery, 2 => (1..4_u8).prop_map(Act::Undo), 1 => Just(Act::Compact)];
    prop::collection::vec(act, 1..14)
}

fn event(number: u8, amount: u8) -> Event {
    // Three users, of whom each has events at one moment and at others.
    let moment: DateTime<Utc> = day().start() + TimeDelta::seconds((number / 6).into());
    Event::new(format!("e{number}"), "paid", format!("u{}", number % 3), moment)
        .with("amount", 10_u32.pow(amount.into()))
}

/// What is seen of each event: the amount that the first of its deliveries says that stand.
fn seen(deliveries: &[Delivery], undone: &BTreeSet<u8>) -> BTreeMap<u8, u8> {
    let mut seen = BTreeMap::new();
    for Delivery { import, events } in deliveries {
        if import.is_none_or(|import| !undone.contains(&import)) {
            for (number, amount) in events {
                seen.entry(*number).or_insert(*amount);
            }
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_is_seen_and_nothing_else(acts in acts()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let lake = open_with(&folder, LakeOptions { target_file_rows: 4, ..options() });
            let (mut deliveries, mut undone) = (Vec::new(), BTreeSet::new());
            let paid = measure(MeasureKind::Count, &["paid"]);
            let amount = Measure::new(MeasureKind::Sum("amount".into()), vec!["paid".into()], vec![]).unwrap();
            for act in acts {
                match act {
                    Act::Deliver(delivery) => {
                        let events = delivery.events.iter().map(|(number, amount)| event(*number, *amount)).collect();
                        match delivery.import {
                            Some(number) => lake.import("acme", import(number), events).await.unwrap(),
                            None => lake.ingest("acme", events).await.unwrap(),
                        };
                        deliveries.push(delivery);
                    }
                    Act::Undo(number) => {
                        let before = seen(&deliveries, &undone);
                        let own = |delivery: &&Delivery| delivery.import == Some(number);
                        let own = deliveries.iter().filter(own).flat_map(|delivery| &delivery.events);
                        let own: BTreeSet<u8> = own.map(|event| event.0).collect();
                        let is_new = undone.insert(number);
                        let gone = lake.undo("acme", import(number)).await.unwrap();
                        let after = seen(&deliveries, &undone);
                        if is_new {
                            assert_eq!(gone.alone as usize, before.len() - after.len());
                            let kept = own.iter().filter(|event| after.contains_key(event)).count();
                            assert_eq!(gone.shared as usize, kept);
                        }
                    }
                    Act::Compact => {
                        lake.compact("acme").await.unwrap();
                    }
                }
                let expected = seen(&deliveries, &undone);
                let sum: u32 = expected.values().map(|amount| 10_u32.pow((*amount).into())).sum();
                let total = async |measure| lake.total("acme", measure, day()).await.unwrap();
                let told = (total(&paid).await, total(&amount).await);
                assert_eq!(told, (expected.len() as f64, f64::from(sum)), "{deliveries:?} without {undone:?}");
                assert_eq!(lake.catalogue("acme").await.unwrap().rows as usize, expected.len());
            }
            lake.compact("acme").await.unwrap();
            let rows = seen(&deliveries, &undone).len();
            assert_eq!(open(&folder).catalogue("acme").await.unwrap().rows as usize, rows);
        });
    }
}

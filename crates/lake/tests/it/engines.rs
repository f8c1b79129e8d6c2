//! What others make of a table: delta-rs reads its log and files by DataFusion, DuckDB what delta-rs hands it, and both
//! count what the lake counts. Python brings them (`make tools`).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use waymark_domain::metrics::{Breakdown, BreakdownBy, Condition, Measure, MeasureKind, PropertyFilter, Scalar};
use waymark_lake::{Event, Lake, LakeOptions, user_hash};

use crate::support::{days, measure, open_with, options, time};

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/python");

/// Answers of each engine to each question, as lists of rows.
const ASK: &str = r#"
import json, sys, duckdb
from deltalake import DeltaTable, QueryBuilder
table, questions = DeltaTable(sys.argv[1]), sys.argv[2:]
told = []
for question in questions:
    answer = QueryBuilder().register("events", table).execute(question).read_all()
    told.append(duckdb.sql("FROM answer").fetchall())
events = QueryBuilder().register("e", table).execute("SELECT * FROM e").read_all()
counted = [duckdb.sql(question).fetchall() for question in questions]
print(json.dumps([told, counted]))
"#;

fn ask(table: &Path, questions: &[&str]) -> Value {
    let asked = Command::new(PYTHON).args(["-c", ASK]).arg(table).args(questions).output();
    let asked = asked.expect("`make tools` installs Python with deltalake and DuckDB");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    serde_json::from_slice(&asked.stdout).unwrap()
}

const BY_PLAN: &str =
    r#"SELECT p_plan, count(*), count(DISTINCT "user") FROM events GROUP BY p_plan ORDER BY p_plan NULLS LAST"#;
const SUMS: &str = "SELECT sum(revenue), sum(p_seats), count(p_seats) FROM events WHERE p_trial";
const HASHES: &str = r#"SELECT DISTINCT "user", user_hash FROM events ORDER BY "user" LIMIT 2"#;

#[tokio::test]
async fn other_engines_count_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open_with(&folder, LakeOptions { promote_after: 50, target_file_rows: 40, ..options() });
    let event = |id: usize| {
        let event = Event::new(format!("{id}"), "buy", format!("u{:02}", id % 7), time("2024-03-01T08:00:00Z"));
        let event = event.with("seats", id % 5).with("trial", id.is_multiple_of(2)).with("revenue", 0.25);
        if id % 10 == 9 { event } else { event.with("plan", ["pro", "team", "Größe"][id % 3]) }
    };
    // The first file has no columns of properties, the others have; all are read by others before and after a merge.
    for batch in [0..40, 40..80, 80..120] {
        lake.ingest("acme", batch.map(event).collect()).await.unwrap();
    }
    let table = folder.path().join("acme/events");
    let late = ask(&table, &["SELECT count(*) FROM events", "SELECT count(p_plan) FROM events"]);
    assert_eq!(late, json!([[[[120]], [[72]]], [[[120]], [[72]]]]), "what was sent before is in the remainder");
    lake.compact("acme").await.unwrap();

    let plans = by_plan(&lake).await;
    let sum = async |name: &str| {
        let day = days("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z");
        let filter = PropertyFilter::new("trial".into(), Condition::AnyOf(vec![Scalar::Boolean(true)]));
        let kind = MeasureKind::Sum(name.into());
        let measure = Measure::new(kind, vec![], vec![filter.unwrap()]).unwrap();
        lake.trend("acme", &measure, &day).await.unwrap().series[0].total
    };
    let expected = json!([
        plans,
        [[sum("revenue").await, sum("seats").await, 60]],
        [["u00", user_hash("u00")], ["u01", user_hash("u01")]],
    ]);
    assert_eq!(ask(&table, &[BY_PLAN, SUMS, HASHES]), json!([expected, expected]));
}

/// The rows of [`BY_PLAN`] as the lake tells them.
async fn by_plan(lake: &Lake) -> Vec<Value> {
    let mut day = days("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z");
    day.breakdown = Some(Breakdown::new(BreakdownBy::Property("plan".into()), 10));
    let ask = async |kind| {
        let series = lake.trend("acme", &measure(kind, &[]), &day).await.unwrap().series;
        let rows = series.into_iter().map(|series| {
            let plan = series.key.map(|key| key.to_string());
            ((plan.is_none(), plan), series.total as u64)
        });
        rows.collect::<std::collections::BTreeMap<_, _>>()
    };
    let (counts, users) = (ask(MeasureKind::Count).await, ask(MeasureKind::UniqueUsers).await);
    counts.into_iter().map(|((absent, plan), count)| json!([plan, count, users[&(absent, plan.clone())]])).collect()
}

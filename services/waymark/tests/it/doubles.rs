//! Numbers of imported files: each is the double that its digits mean, whatever the form of the file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::json;
use waymark_testkit::doubles;

use crate::server::Server;

/// As many as a filter may compare with.
const COUNT: usize = 100;
const TIME: &str = "2026-01-01T10:00:00Z";

fn csv(folder: &Path, numbers: &[f64]) -> PathBuf {
    let lines: Vec<String> = numbers.iter().enumerate().map(|(user, n)| format!("\nu{user},seen,{TIME},{n}")).collect();
    let path = folder.join("numbers.csv");
    std::fs::write(&path, format!("user,event,time,n{}", lines.concat())).unwrap();
    path
}

fn jsonl(folder: &Path, numbers: &[f64]) -> PathBuf {
    let row =
        |(user, n): (usize, &f64)| format!(r#"{{"user": "u{user}", "event": "seen", "time": "{TIME}", "n": {n}}}"#);
    let path = folder.join("numbers.jsonl");
    std::fs::write(&path, numbers.iter().enumerate().map(row).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

fn parquet(folder: &Path, numbers: &[f64]) -> PathBuf {
    let text = |of: fn(usize) -> String| {
        Arc::new((0..numbers.len()).map(|user| Some(of(user))).collect::<StringArray>()) as ArrayRef
    };
    let columns = [
        ("user", text(|user| format!("u{user}"))),
        ("event", text(|_| "seen".to_owned())),
        ("time", text(|_| TIME.to_owned())),
        ("n", Arc::new(Float64Array::from(numbers.to_vec())) as ArrayRef),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = folder.join("numbers.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

#[test]
fn imported_numbers_are_what_their_digits_mean() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    // Those that everybody writes without an exponent.
    let numbers: Vec<f64> = doubles(6).filter(|n| (1e-5..1e15).contains(n)).take(COUNT).collect();
    for (workspace, file) in [
        ("csv", csv(folder.path(), &numbers)),
        ("json", jsonl(folder.path(), &numbers)),
        ("parquet", parquet(folder.path(), &numbers)),
    ] {
        let columns = ["--user", "user", "--event", "event", "--time", "time", "-w", workspace];
        server.json(&[&["import", "events", file.to_str().unwrap()][..], &columns].concat());
        let question = json!({
            "kind": "METRIC_KIND_COUNT",
            "events": ["seen"],
            "filters": [{"property": "n", "operator": "PROPERTY_OPERATOR_EQUAL", "values": numbers}],
            "settings": {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"},
        });
        let line = ["call", "AnalysisService/QueryTrend", "-d", &question.to_string(), "-w", workspace];
        assert_eq!(server.json(&line)["series"][0]["total"].as_f64(), Some(COUNT as f64), "{workspace}");
    }
}

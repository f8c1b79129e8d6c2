//! The same events in every form that can be imported.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;

/// How many events there are; some rows are equal, and each is an event.
pub const ROWS: u64 = 120;

fn rows() -> Vec<[String; 3]> {
    let row = |i: u64| {
        let event = if i.is_multiple_of(3) { "buy" } else { "open" };
        [format!("u{}", i % 7), event.to_owned(), format!("2026-01-{:02}T10:00:00Z", 1 + i % 5)]
    };
    (0..ROWS).map(row).collect()
}

fn text() -> String {
    let lines = rows().into_iter().map(|row| row.join(","));
    std::iter::once("user,event,time".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

pub fn csv(folder: &Path) -> PathBuf {
    let path = folder.join("events.csv");
    std::fs::write(&path, text()).unwrap();
    path
}

pub fn csv_gz(folder: &Path) -> PathBuf {
    let path = folder.join("packed.csv.gz");
    let mut writer = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
    writer.write_all(text().as_bytes()).unwrap();
    writer.finish().unwrap();
    path
}

pub fn jsonl(folder: &Path) -> PathBuf {
    let path = folder.join("events.jsonl");
    let lines = rows()
        .into_iter()
        .map(|[user, event, time]| serde_json::json!({"user": user, "event": event, "time": time}).to_string());
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    path
}

pub fn parquet(folder: &Path) -> PathBuf {
    let path = folder.join("events.parquet");
    let column = |index: usize| {
        Arc::new(rows().into_iter().map(|row| Some(row[index].clone())).collect::<StringArray>()) as ArrayRef
    };
    let batch = RecordBatch::try_from_iter([("user", column(0)), ("event", column(1)), ("time", column(2))]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

//! A lake in a temporary folder with a clock that ticks, events made from small numbers, and plain questions.

use std::path::Path;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use waymark_clock::{Clock, Ids};
use waymark_domain::metrics::{Interval, Measure, MeasureKind, TrendSettings};
use waymark_lake::{Event, Lake, LakeOptions};

/// Options for tests: no waiting for company, a clock that advances a millisecond a call.
pub fn options() -> LakeOptions {
    let clock = Clock::ticking(time("2030-01-01T00:00:00Z"), Duration::from_millis(1));
    LakeOptions { max_wait: Duration::from_millis(1), ..LakeOptions::new(clock, Ids::system()) }
}

pub fn open(folder: &tempfile::TempDir) -> Lake {
    open_with(folder, options())
}

pub fn open_with(folder: &tempfile::TempDir, options: LakeOptions) -> Lake {
    Lake::open(folder.path().to_str().unwrap(), options).unwrap()
}

pub fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A task whose handle the test awaits.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio_util::task::TaskTracker::new().spawn(work)
}

/// `count` events of ten users, a minute apart from each other.
pub fn stream(prefix: &str, count: usize) -> Vec<Event> {
    let start = time("2024-03-01T00:00:00Z");
    (0..count)
        .map(|index| {
            let name = ["visit", "search", "buy"][index % 3];
            let at = start + Duration::from_secs(60 * index as u64);
            Event::new(format!("{prefix}-{index}"), name, format!("user-{}", index % 10), at)
        })
        .collect()
}

/// A measure of events with any of these names, unfiltered.
pub fn measure(kind: MeasureKind, events: &[&str]) -> Measure {
    Measure::new(kind, events.iter().map(|&event| event.to_owned()).collect(), Vec::new()).unwrap()
}

/// Counts the events of [`stream`].
pub fn all() -> Measure {
    measure(MeasureKind::Count, &["visit", "search", "buy"])
}

/// Days in UTC.
pub fn days(start: &str, end: &str) -> TrendSettings {
    TrendSettings::new(time(start), time(end), Interval::Day, Tz::UTC).unwrap()
}

/// Rewrites the data files and what the log says.
pub fn rewrite(folder: &Path, rows: impl Fn(&RecordBatch) -> RecordBatch, log: impl Fn(&mut Value)) {
    let events = folder.join("acme/events");
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in entries(&events).filter(|path| path.extension().is_some_and(|end| end == "parquet")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(|batch| rows(&batch.unwrap())).collect();
        let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
        for batch in &batches {
            writer.write(batch).unwrap();
        }
        std::fs::write(&path, writer.into_inner().unwrap()).unwrap();
    }
    for path in entries(&events.join("_delta_log")) {
        let actions = std::fs::read_to_string(&path).unwrap();
        let actions = actions.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(add) = action.get_mut("add")
                && let Ok(file) = std::fs::metadata(events.join(add["path"].as_str().unwrap()))
            {
                add["size"] = file.len().into();
            }
            log(&mut action);
            format!("{action}\n")
        });
        let actions: String = actions.collect();
        std::fs::write(&path, actions).unwrap();
    }
}

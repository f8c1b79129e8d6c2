//! What questions about properties cost, beside a bare loop that decodes the same columns of the same files with as many
//! threads and does nothing else but count: the ratio is what the lake adds. `cargo bench -p waymark-lake --bench
//! properties -- EVENTS USERS` (10,000,000 and 250,000 unless said otherwise).

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use waymark_clock::{Clock, Ids};
use waymark_domain::metrics::{
    Breakdown, BreakdownBy, Condition, Interval, Measure, MeasureKind, PropertyFilter, Scalar, TrendSettings,
};
use waymark_lake::{Event, Lake, LakeOptions};

const EVENTS: [(&str, f64); 20] = [
    ("page_view", 30.0),
    ("search", 10.0),
    ("signup", 1.5),
    ("activate", 1.2),
    ("create_item", 8.0),
    ("share", 4.0),
    ("invite", 1.0),
    ("upgrade", 0.6),
    ("purchase", 0.8),
    ("export", 1.0),
    ("login", 10.0),
    ("logout", 4.0),
    ("comment", 6.0),
    ("like", 9.0),
    ("settings", 2.0),
    ("error", 1.5),
    ("help", 1.0),
    ("notify", 4.0),
    ("upload", 2.4),
    ("download", 2.0),
];
const COUNTRIES: [&str; 12] = ["US", "DE", "FR", "IN", "BR", "JP", "GB", "CA", "ES", "IT", "NL", "SE"];
const PLATFORMS: [&str; 3] = ["web", "ios", "android"];
const DAY: f64 = 86_400e6;
const DAYS: i64 = 180;
const THREADS: usize = 2;
const BATCH: usize = 200_000;
const ROUNDS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let mut number = |default: usize| arguments.next().map_or(default, |text| text.replace('_', "").parse().unwrap());
    let (events, users) = (number(10_000_000), number(250_000));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = LakeOptions {
        max_wait: Duration::ZERO,
        vacuum_grace: Duration::ZERO,
        parallelism: THREADS,
        ..LakeOptions::new(Clock::system(), Ids::system())
    };
    let lake = Lake::open(folder.path().to_str().unwrap(), options).unwrap();
    runtime.block_on(load(&lake, events, users));
    let files = live_files(folder.path());
    sizes(&files, events);
    println!("{:<34} {:>10} {:>12} {:>7}", "question", "lake", "bare loop", "ratio");
    for question in questions() {
        let (took, total) = best(|| runtime.block_on(question.ask(&lake)));
        let (bare, counted) = best(|| bare(&files, question.columns));
        assert_eq!(total, question.expected(counted, events), "{}", question.name);
        let ratio = took.as_secs_f64() / bare.as_secs_f64();
        println!("{:<34} {took:>10.1?} {bare:>12.1?} {ratio:>7.2}", question.name);
    }
}

struct Question {
    name: &'static str,
    measure: Measure,
    settings: TrendSettings,
    /// What a bare loop decodes.
    columns: &'static [&'static str],
}

impl Question {
    async fn ask(&self, lake: &Lake) -> u64 {
        let answer = lake.trend("bench", &self.measure, &self.settings).await.unwrap();
        answer.series.iter().map(|series| series.total as u64).sum()
    }

    /// What the answer adds up to: all rows, or for a filter those that the bare loop found; users are not checked.
    fn expected(&self, counted: u64, events: usize) -> u64 {
        match self.measure.filters() {
            [] => events as u64,
            _ => counted,
        }
    }
}

fn questions() -> Vec<Question> {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let names: Vec<String> = EVENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let question = |name, filter: Option<&str>, breakdown: Option<&str>, columns| {
        let filter = filter.map(|value| {
            let condition = Condition::AnyOf(vec![Scalar::Text(value.to_owned())]);
            PropertyFilter::new("country".to_owned(), condition).unwrap()
        });
        let measure = Measure::new(MeasureKind::Count, names.clone(), filter.into_iter().collect()).unwrap();
        let mut settings = TrendSettings::new(start, start + TimeDelta::days(DAYS), Interval::Day, Tz::UTC).unwrap();
        settings.breakdown = breakdown.map(|property| Breakdown::new(BreakdownBy::Property(property.to_owned()), 20));
        Question { name, measure, settings, columns }
    };
    vec![
        question("daily trend", None, None, &["time", "event"]),
        question("daily trend by country", None, Some("country"), &["time", "event", "p_country"]),
        question("daily trend where country is DE", Some("DE"), None, &["time", "event", "p_country"]),
    ]
}

fn best<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut timed = || {
        let start = Instant::now();
        let result = work();
        (start.elapsed(), result)
    };
    let mut best = timed();
    for _ in 1..ROUNDS {
        let next = timed();
        if next.0 < best.0 {
            best = next;
        }
    }
    best
}

/// Decodes columns of all files and counts the rows, those with DE only where there is a column of countries.
fn bare(files: &[PathBuf], columns: &'static [&'static str]) -> u64 {
    let share = files.len().div_ceil(THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || files.iter().map(|file| bare_file(file, columns)).sum::<u64>()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn bare_file(file: &Path, columns: &[&str]) -> u64 {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let rows = builder.with_projection(mask).with_batch_size(8192).build().unwrap();
    rows.map(|batch| bare_batch(&batch.unwrap())).sum()
}

fn bare_batch(batch: &RecordBatch) -> u64 {
    let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>().values();
    let days: i64 = times.iter().map(|time| time / 86_400_000_000).fold(0, i64::wrapping_add);
    std::hint::black_box(days);
    let Some(countries) = batch.column_by_name("p_country") else { return batch.num_rows() as u64 };
    let countries = countries.as_dictionary::<Int32Type>();
    let names = countries.values().as_string::<i32>();
    let wanted = names.iter().position(|name| name == Some("DE")).map(|place| place as i32);
    countries.keys().values().iter().filter(|key| Some(**key) == wanted).count() as u64
}

/// The data files that are in use: all of them, as nothing else is left after a vacuum.
fn live_files(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder.join("bench/events")).unwrap().map(|entry| entry.unwrap().path());
    listed.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect()
}

/// Prints what an event takes on disk, by column.
fn sizes(files: &[PathBuf], events: usize) {
    let mut columns: Vec<(String, i64)> = Vec::new();
    for file in files {
        let metadata = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().metadata().clone();
        for column in metadata.row_groups().iter().flat_map(parquet::file::metadata::RowGroupMetaData::columns) {
            let (name, bytes) = (column.column_path().string(), column.compressed_size());
            match columns.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += bytes,
                None => columns.push((name, bytes)),
            }
        }
    }
    let each = |bytes: i64| bytes as f64 / events as f64;
    let all = columns.iter().map(|(_, bytes)| bytes).sum();
    println!("{events} events in {} files, {:.1} bytes each:", files.len(), each(all));
    for (name, bytes) in columns {
        println!("  {name:<16} {:>6.2}", each(bytes));
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014): the same rows everywhere.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but without 1.
    fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, most: usize) -> usize {
        (self.fraction() * most as f64) as usize
    }

    /// A place in cumulated weights.
    fn place(&mut self, weights: &[f64]) -> usize {
        let at = self.fraction() * weights.last().unwrap();
        weights.partition_point(|weight| *weight <= at)
    }
}

fn cumulated(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

/// A few users do most, each over some weeks from a day of their own; events arrive in order of time.
async fn load(lake: &Lake, events: usize, users: usize) {
    let mut random = Random(7);
    let names = cumulated(EVENTS.iter().map(|(_, weight)| *weight));
    let weights = cumulated((0..users).map(|_| (1.0 - random.fraction()).powf(-1.0 / 1.3) - 1.0 + 0.2));
    let starts: Vec<f64> = (0..users).map(|_| random.fraction() * 150.0 * DAY).collect();
    let mut rows: Vec<(i64, u32)> = (0..events)
        .map(|_| {
            let user = random.place(&weights);
            let time = starts[user] - 20.0 * DAY * (1.0 - random.fraction()).ln();
            (time.min(DAYS as f64 * DAY - 1.0) as i64, user as u32)
        })
        .collect();
    rows.sort_unstable();
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let begun = Instant::now();
    for batch in rows.chunks(BATCH) {
        let batch = batch.iter().map(|(time, user)| {
            let id = format!("{:016x}{:016x}", random.bits(), random.bits());
            let name = EVENTS[random.place(&names)].0;
            let event = Event::new(id, name, format!("u{user:07}"), start + TimeDelta::microseconds(*time));
            let event = event.with("country", COUNTRIES[random.below(12)]).with("platform", PLATFORMS[random.below(3)]);
            if name == "purchase" {
                let cents = -4000.0 * (random.fraction() * random.fraction()).max(1e-9).ln();
                event.with("revenue", cents.round() / 100.0)
            } else {
                event
            }
        });
        lake.ingest("bench", batch.collect()).await.unwrap();
    }
    let taken = begun.elapsed();
    lake.compact("bench").await.unwrap();
    lake.vacuum("bench").await.unwrap();
    println!("ingested in {taken:.1?}, compacted in {:.1?}", begun.elapsed().saturating_sub(taken));
}

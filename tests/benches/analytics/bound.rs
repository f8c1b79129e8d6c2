//! The physical limit: the columns that a question needs, decoded from the files that Waymark has, and walked by a loop
//! that knows nothing else, on all cores. No duplicates are looked for, nothing is checked, nobody is asked.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::questions::{STEPS, WINDOW};
use crate::rows::{DAYS, START};

const DAY: i64 = 86_400_000_000;
const BATCH_ROWS: usize = 8192;

/// What is walked.
#[derive(Clone, Copy)]
pub enum Walk {
    /// Times.
    Trend,
    /// Times and a column of words.
    Words(&'static str),
    /// Users and times.
    Uniques,
    /// Users, times and events.
    Funnel,
    /// Users and times.
    Retention,
}

impl Walk {
    fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Trend => vec!["time"],
            Self::Words(column) => vec!["time", column],
            Self::Uniques | Self::Retention => vec!["user_hash", "time"],
            Self::Funnel => vec!["user_hash", "time", "event"],
        }
    }
}

/// The files of a table as its log has them now, which is all there: entries stay for an hour.
pub fn files(table: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(table.join("_delta_log"))?.map(|entry| Ok(entry?.path()));
    let mut entries = entries.collect::<Result<Vec<PathBuf>>>()?;
    entries.retain(|entry| entry.extension().is_some_and(|ending| ending == "json"));
    entries.sort();
    let mut files = BTreeSet::new();
    for entry in entries {
        for line in std::fs::read_to_string(entry)?.lines() {
            let action: Value = serde_json::from_str(line)?;
            if let Some(path) = action["remove"]["path"].as_str() {
                files.remove(path);
            }
            if let Some(path) = action["add"]["path"].as_str() {
                files.insert(path.to_owned());
            }
        }
    }
    Ok(files.into_iter().map(|file| table.join(file)).collect())
}

/// Best of three; `None` where the files have no such column.
pub fn time(files: &[PathBuf], walk: Walk) -> Result<Option<Duration>> {
    let mut best = None;
    for _ in 0..3 {
        let start = Instant::now();
        let left = Mutex::new(files.iter());
        let next = || left.lock().ok().and_then(|mut left| left.next());
        let found = std::thread::scope(|scope| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let threads: Vec<_> = (0..cores)
                .map(|_| {
                    scope.spawn(|| {
                        let mut found = true;
                        while let Some(file) = next() {
                            found &= read(file, walk)?;
                        }
                        anyhow::Ok(found)
                    })
                })
                .collect();
            threads.into_iter().try_fold(true, |all, thread| {
                anyhow::Ok(all & thread.join().map_err(|_| anyhow::anyhow!("a reader died"))??)
            })
        })?;
        if !found {
            return Ok(None);
        }
        best = best.min(Some(start.elapsed())).or(Some(start.elapsed()));
    }
    Ok(best)
}

/// Reads one file; false when it lacks a column.
fn read(file: &Path, walk: Walk) -> Result<bool> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let columns = walk.columns();
    if columns.iter().any(|column| builder.schema().index_of(column).is_err()) {
        return Ok(false);
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let mut walker = Walker::new(walk);
    for batch in builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()? {
        walker.batch(&batch?)?;
    }
    std::hint::black_box(walker);
    Ok(true)
}

struct Walker {
    walk: Walk,
    counts: Vec<u64>,
    words: HashMap<String, usize>,
    user: i64,
    day: i64,
    first_week: i64,
    chains: [i64; STEPS.len()],
}

impl Walker {
    fn new(walk: Walk) -> Self {
        let counts = vec![0; DAYS as usize * 256];
        Self { walk, counts, words: HashMap::new(), user: 0, day: -1, first_week: 0, chains: [i64::MIN; STEPS.len()] }
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| batch.column_by_name(name).context("the column was asked for");
        let times = column("time")?.as_primitive::<TimestampMicrosecondType>().values();
        match self.walk {
            Walk::Trend => {
                for time in times {
                    self.counts[((time - START) / DAY) as usize] += 1;
                }
            }
            Walk::Words(name) => {
                let keys = self.keys(column(name)?)?;
                for (time, key) in times.iter().zip(keys) {
                    self.counts[((time - START) / DAY) as usize * 256 + key] += 1;
                }
            }
            Walk::Uniques => {
                for (&user, time) in column("user_hash")?.as_primitive::<Int64Type>().values().iter().zip(times) {
                    let day = (time - START) / DAY;
                    if user != self.user || day != self.day {
                        (self.user, self.day) = (user, day);
                        self.counts[day as usize] += 1;
                    }
                }
            }
            Walk::Retention => {
                for (&user, time) in column("user_hash")?.as_primitive::<Int64Type>().values().iter().zip(times) {
                    let week = (time - START) / (7 * DAY);
                    if user != self.user {
                        (self.user, self.day, self.first_week) = (user, -1, week);
                    }
                    if week != self.day {
                        self.day = week;
                        self.counts[(self.first_week * 64 + week) as usize] += 1;
                    }
                }
            }
            Walk::Funnel => {
                let keys = self.keys(column("event")?)?;
                let steps = STEPS.map(|step| self.words.get(step).copied());
                let users = column("user_hash")?.as_primitive::<Int64Type>().values();
                for ((&user, &time), key) in users.iter().zip(times).zip(keys) {
                    if user != self.user {
                        self.leave();
                        self.user = user;
                    }
                    let Some(step) = steps.iter().position(|step| *step == Some(key)) else { continue };
                    if step == 0 {
                        self.chains[0] = time;
                    } else if self.chains[step - 1] != i64::MIN && time - self.chains[step - 1] <= WINDOW {
                        self.chains[step] = self.chains[step - 1];
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts how far the user came.
    fn leave(&mut self) {
        let level = self.chains.iter().filter(|start| **start != i64::MIN).count();
        self.counts[level] += 1;
        self.chains = [i64::MIN; STEPS.len()];
    }

    /// The words of a column as numbers.
    fn keys<'a>(&mut self, column: &'a arrow::array::ArrayRef) -> Result<impl Iterator<Item = usize> + use<'a>> {
        let words = column.as_dictionary_opt::<Int32Type>().context("words are a dictionary")?;
        let texts = words.values().as_string::<i32>();
        let numbers: Vec<usize> = (0..texts.len())
            .map(|at| {
                let next = self.words.len();
                *self.words.entry(texts.value(at).to_owned()).or_insert(next)
            })
            .collect();
        Ok(words.keys().iter().map(move |key| key.map_or(255, |key| numbers[key as usize])))
    }
}

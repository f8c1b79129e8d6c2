//! The product events that are asked about, the same for every system: made up, from a seed, in the order of their time.
//!
//! Users are as active as in life: few do much and many little (Pareto), each begins on some day of five months and does
//! less and less from then on. All is kept in sixteen bytes an event, so that a hundred million fit.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int8Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int8Type;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// What is done, and how often beside the others.
pub const EVENTS: [(&str, f64); 20] = [
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
/// Where it is done.
pub const COUNTRIES: [&str; 12] = ["US", "DE", "FR", "IN", "BR", "JP", "GB", "CA", "ES", "IT", "NL", "SE"];
/// On what.
pub const PLATFORMS: [&str; 3] = ["web", "ios", "android"];
/// The first moment, 2026-01-01 in UTC, in microseconds.
pub const START: i64 = 1_767_225_600_000_000;
/// How many days there are.
pub const DAYS: i64 = 180;

const DAY: i64 = 86_400_000_000;
/// The event that brings revenue.
const PURCHASE: u8 = 8;
const SEED: u64 = 7;
/// Rows of one write.
const GROUP: usize = 1 << 20;

/// One event.
#[derive(Clone, Copy)]
pub struct Row {
    /// Microseconds.
    pub time: i64,
    /// Number of the user.
    pub user: u32,
    /// Index into [`EVENTS`].
    pub event: u8,
    /// Index into [`COUNTRIES`].
    pub country: u8,
    /// Index into [`PLATFORMS`].
    pub platform: u8,
}

impl Row {
    /// The user as the product knows it.
    pub fn user(&self) -> String {
        format!("u{:07}", self.user)
    }

    /// What the purchase at `place` brought, to the cent: the sum of two exponential draws. None for other events.
    pub fn revenue(&self, place: usize) -> Option<f64> {
        (self.event == PURCHASE).then(|| {
            let mut random = StdRng::seed_from_u64(SEED ^ (place as u64).rotate_left(17));
            ((exponential(&mut random) + exponential(&mut random)) * 2000.0).round() / 100.0
        })
    }
}

/// `count` events of `users` users, in order of time.
pub fn make(count: usize, users: usize) -> Vec<Row> {
    let mut random = StdRng::seed_from_u64(SEED);
    let active = cumulated((0..users).map(|_| random.random::<f64>().max(f64::MIN_POSITIVE).powf(-1.0 / 1.3) - 0.8));
    let begins: Vec<i64> = (0..users).map(|_| random.random_range(0..150 * DAY)).collect();
    let often = cumulated(EVENTS.iter().map(|(_, often)| *often));
    let mut rows: Vec<Row> = (0..count)
        .map(|_| {
            let user = pick(&active, &mut random);
            let after = (exponential(&mut random) * (20 * DAY) as f64) as i64;
            Row {
                time: START + (begins[user] + after).min(DAYS * DAY - 1),
                user: user as u32,
                event: pick(&often, &mut random) as u8,
                country: random.random_range(0..COUNTRIES.len()) as u8,
                platform: random.random_range(0..PLATFORMS.len()) as u8,
            }
        })
        .collect();
    rows.sort_by_key(|row| row.time);
    rows
}

/// The same as a Parquet file in `folder`, which the others read; written once for a size.
pub fn write(rows: &[Row], folder: &Path) -> Result<PathBuf> {
    let path = folder.join(format!("events-{}.parquet", rows.len()));
    if path.exists() {
        return Ok(path);
    }
    let part = folder.join("events.part");
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = None;
    for (group, rows) in rows.chunks(GROUP).enumerate() {
        let batch = columns(rows, group * GROUP)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            none => none.insert(ArrowWriter::try_new(File::create(&part)?, batch.schema(), Some(properties.clone()))?),
        };
        writer.write(&batch)?;
    }
    writer.context("no events")?.close()?;
    std::fs::rename(&part, &path)?;
    Ok(path)
}

fn columns(rows: &[Row], first: usize) -> Result<RecordBatch> {
    let words = |keys: Vec<u8>, words: Vec<&str>| -> Result<ArrayRef> {
        let keys = Int8Array::from_iter_values(keys.into_iter().map(u8::cast_signed));
        Ok(Arc::new(DictionaryArray::<Int8Type>::try_new(keys, Arc::new(StringArray::from(words)))?))
    };
    let users: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(Row::user)));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.time)));
    let events = words(rows.iter().map(|row| row.event).collect(), EVENTS.iter().map(|(name, _)| *name).collect())?;
    let countries = words(rows.iter().map(|row| row.country).collect(), COUNTRIES.to_vec())?;
    let platforms = words(rows.iter().map(|row| row.platform).collect(), PLATFORMS.to_vec())?;
    let revenue: Float64Array = rows.iter().enumerate().map(|(place, row)| row.revenue(first + place)).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("user_id", users, false),
        ("time", times, false),
        ("event", events, false),
        ("country", countries, false),
        ("platform", platforms, false),
        ("revenue", Arc::new(revenue) as ArrayRef, true),
    ])?)
}

fn cumulated(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

fn pick(cumulated: &[f64], random: &mut StdRng) -> usize {
    let at = random.random::<f64>() * cumulated.last().copied().unwrap_or_default();
    cumulated.partition_point(|sum| *sum <= at).min(cumulated.len() - 1)
}

fn exponential(random: &mut impl rand::Rng) -> f64 {
    -(1.0 - random.random::<f64>()).ln()
}

//! Which events a workspace has. One pass; never looks at properties.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};

use crate::answer::Watermark;
use crate::error::Result;
use crate::file::{DataFile, Span};
use crate::scan::{Scan, Source, in_range};
use crate::schema::column;
use crate::shared::Shared;

/// One event name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSummary {
    /// The name.
    pub event: String,
    /// Distinct events of that name.
    pub count: u64,
    /// The earliest.
    pub first_seen: DateTime<Utc>,
    /// The latest.
    pub last_seen: DateTime<Utc>,
}

/// What a workspace's table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// By name.
    pub events: Vec<EventSummary>,
    /// Distinct users.
    pub users: u64,
    /// Distinct events.
    pub rows: u64,
    /// How current the answer is.
    pub watermark: Watermark,
}

#[derive(Debug, Default)]
struct Tally {
    user: Option<i64>,
    users: u64,
    rows: u64,
    /// Count, first and last time in microseconds.
    events: BTreeMap<String, (u64, i64, i64)>,
}

pub(crate) async fn answer(shared: &Shared, source: Source) -> Result<Catalogue> {
    let scan = Scan { columns: vec![column::USER_HASH, column::TIME, column::EVENT], ..Scan::default() };
    let tallies = shared
        .engine
        .fold(&source, &scan, Tally::default, |tally, batch| {
            add(tally, batch);
            Ok(())
        })
        .await?;
    let mut all = Tally::default();
    for tally in tallies {
        all.users += tally.users;
        all.rows += tally.rows;
        for (event, seen) in tally.events {
            join(&mut all, &event, seen);
        }
    }
    let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let events = all.events.into_iter().map(|(event, (count, first, last))| EventSummary {
        event,
        count,
        first_seen: time(first),
        last_seen: time(last),
    });
    Ok(Catalogue { events: events.collect(), users: all.users, rows: all.rows, watermark: source.watermark() })
}

/// The time of the latest event. The log tells it; only files of which it does not, as foreign writers may leave them,
/// and files with rows that do not stand are read.
pub(crate) async fn latest(shared: &Shared, source: &Source) -> Result<Option<DateTime<Utc>>> {
    let Source::Table { table, snapshot, .. } = source else { return Ok(None) };
    let told = |file: &Arc<DataFile>| file.times != Span::ANY && !file.names_undone(&snapshot.undone);
    let (told, mut untold): (Vec<_>, Vec<_>) = snapshot.files.iter().cloned().partition(told);
    let known = told.iter().map(|file| file.times.max).max();
    let later = Some(Span { min: known.map_or(i64::MIN, |known| known.saturating_add(1)), max: i64::MAX });
    untold.retain(|file| in_range(file, later));
    let latest = shared.engine.latest((table, snapshot), untold, column::TIME, later).await?;
    Ok(known.max(latest).and_then(DateTime::from_timestamp_micros))
}

/// Whether an event from `time` or later was received at `time` or later. Mostly the log tells; else the events from then
/// on are read.
pub(crate) async fn has_arrived(shared: &Shared, source: &Source, time: DateTime<Utc>) -> Result<bool> {
    let Source::Table { snapshot, .. } = source else { return Ok(false) };
    let since = time.timestamp_micros();
    let mut perhaps = false;
    for file in &snapshot.files {
        if file.times.max >= since && file.received.max >= since {
            let is_told = file.times != Span::ANY && !file.names_undone(&snapshot.undone);
            if is_told && file.received.min >= since {
                return Ok(true);
            }
            perhaps = true;
        }
    }
    if !perhaps {
        return Ok(false);
    }
    let times = Some(Span { min: since, max: i64::MAX });
    let scan = Scan { columns: vec![column::TIME, column::RECEIVED], times, ..Scan::default() };
    let step = move |arrived: &mut bool, batch: &RecordBatch| {
        let column = |index| batch.column(index).as_primitive::<TimestampMicrosecondType>().values();
        *arrived |= column(0).iter().zip(column(1)).any(|(time, received)| *time >= since && *received >= since);
        Ok(())
    };
    Ok(shared.engine.fold(source, &scan, || false, step).await?.contains(&true))
}

fn add(tally: &mut Tally, batch: &RecordBatch) {
    let users = batch.column(0).as_primitive::<Int64Type>().values();
    let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
    let events = batch.column(2).as_dictionary::<Int32Type>();
    let names = events.values().as_string::<i32>();
    let mut seen = vec![(0, i64::MAX, i64::MIN); names.len()];
    for (row, (user, time)) in users.iter().zip(times).enumerate() {
        if tally.user != Some(*user) {
            tally.user = Some(*user);
            tally.users += 1;
        }
        let (count, first, last) = &mut seen[events.keys().value(row) as usize];
        *count += 1;
        *first = (*time).min(*first);
        *last = (*time).max(*last);
    }
    tally.rows += users.len() as u64;
    for (index, seen) in seen.into_iter().enumerate().filter(|(_, (count, ..))| *count > 0) {
        join(tally, names.value(index), seen);
    }
}

fn join(tally: &mut Tally, event: &str, (count, first, last): (u64, i64, i64)) {
    match tally.events.get_mut(event) {
        Some(known) => *known = (known.0 + count, known.1.min(first), known.2.max(last)),
        None => {
            tally.events.insert(event.to_owned(), (count, first, last));
        }
    }
}

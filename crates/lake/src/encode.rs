//! From batches of events to sorted rows. Never reads or writes storage.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder, StringDictionaryBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use uuid::Uuid;

use crate::delivery::{Deliverers, seen};
use crate::error::{LakeError, Result};
use crate::event::{Event, user_hash};
use crate::schema::Columns;
use crate::shred::{Shredder, alike};

/// Events that were delivered together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub events: Vec<Event>,
    /// The import that delivered them; none for a call.
    pub import: Option<Uuid>,
}

/// The sorted rows of a group of batches, without repetitions that are never seen.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub rows: RecordBatch,
    /// How many rows of each batch repeated other rows of the group.
    pub duplicates: Vec<usize>,
    /// Of each property that has a column, whether a value stayed in the remainder.
    pub misfits: Vec<bool>,
}

/// A row that an event becomes.
struct Row<'a> {
    hash: i64,
    time: i64,
    event: &'a Event,
    batch: usize,
    /// Who delivered it, where that is not just who delivered its batch.
    deliverers: Option<Deliverers>,
}

/// Sorts the events of several batches together and drops repetitions; the earlier batch keeps its row.
pub(crate) fn encode(batches: &[Batch], received_micros: i64, columns: &Columns) -> Result<Encoded> {
    let mut rows = Vec::with_capacity(batches.iter().map(|batch| batch.events.len()).sum());
    for (batch, Batch { events, .. }) in batches.iter().enumerate() {
        rows.extend(events.iter().map(|event| Row {
            hash: user_hash(&event.user),
            time: event.time.timestamp_micros(),
            event,
            batch,
            deliverers: None,
        }));
    }
    // The sort is stable, so among equal keys the row that was offered first comes first.
    rows.sort_by(|a, b| {
        (a.hash, a.time, &a.event.event_id, &a.event.user).cmp(&(b.hash, b.time, &b.event.event_id, &b.event.user))
    });
    let (rows, duplicates) = distinct(rows, batches);
    let delivered: Vec<_> = batches.iter().map(|batch| Deliverers::of(batch.import).text()).collect();

    let mut names = StringDictionaryBuilder::<Int32Type>::new();
    let mut device = StringBuilder::new();
    let mut session = StringBuilder::new();
    let mut properties = Shredder::new(columns, rows.len());
    let mut imports = StringDictionaryBuilder::<Int32Type>::new();
    for row in &rows {
        names.append(&row.event.event).map_err(LakeError::failed("encode event names"))?;
        match &row.deliverers {
            Some(deliverers) => imports.append_option(deliverers.text()),
            None => imports.append_option(delivered[row.batch].as_deref()),
        }
        device.append_option(row.event.device.as_deref());
        session.append_option(row.event.session.as_deref());
        properties.add(&row.event.properties)?;
    }
    let (rest, typed, misfits) = properties.finish();
    let mut typed = typed.into_iter();
    let times = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef;
    let fixed: [ArrayRef; 8] = [
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.hash))),
        times(rows.iter().map(|row| row.time).collect()),
        times(vec![received_micros; rows.len()]),
        Arc::new(names.finish()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.event.event_id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.event.user))),
        Arc::new(device.finish()),
        Arc::new(session.finish()),
    ];
    // Revenue is the first property that has a column.
    let arrays =
        fixed.into_iter().chain(typed.next()).chain([rest, Arc::new(imports.finish()) as ArrayRef]).chain(typed);
    let rows = RecordBatch::try_new(columns.arrow().clone(), arrays.collect());
    Ok(Encoded { rows: rows.map_err(LakeError::failed("assemble rows"))?, duplicates, misfits })
}

/// The rows of different events, and how many of each batch that leaves out. Of rows that one batch or plain calls
/// repeat the first is kept; what several imports delivered is kept as long as it may be seen.
fn distinct<'a>(rows: Vec<Row<'a>>, batches: &[Batch]) -> (Vec<Row<'a>>, Vec<usize>) {
    let mut offered = vec![0_usize; batches.len()];
    let mut kept: Vec<Row<'a>> = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.next() {
        offered[first.batch] += 1;
        if rows.peek().is_none_or(|next| !next.is_of(&first)) {
            kept.push(first);
            continue;
        }
        let mut same = vec![first];
        while let Some(next) = rows.next_if(|next| next.is_of(&same[0])) {
            offered[next.batch] += 1;
            same.push(next);
        }
        let delivered = same.into_iter().map(|row| {
            let deliverers = Deliverers::of(batches[row.batch].import);
            (row, deliverers)
        });
        let seen = seen(delivered, |a, b| says_the_same(a.event, b.event));
        kept.extend(seen.into_iter().map(|(row, deliverers)| Row { deliverers: Some(deliverers), ..row }));
    }
    for row in &kept {
        offered[row.batch] -= 1;
    }
    (kept, offered)
}

/// Whether two sayings of one event differ in nothing.
fn says_the_same(a: &Event, b: &Event) -> bool {
    (&a.event, &a.user, &a.device, &a.session) == (&b.event, &b.user, &b.device, &b.session)
        && alike(&a.properties, &b.properties)
}

impl Row<'_> {
    /// Whether both are rows of one event.
    fn is_of(&self, other: &Self) -> bool {
        (self.hash, self.time) == (other.hash, other.time)
            && self.event.event_id == other.event.event_id
            && self.event.user == other.event.user
    }
}

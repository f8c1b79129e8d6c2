//! The columns of the event table and the encoding of a batch of events into sorted rows. Never reads or writes
//! storage.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Float64Builder, Int64Array, RecordBatch, StringArray, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::{DataType as DeltaType, PrimitiveType, StructField};

use crate::error::{LakeError, Result};
use crate::event::{Event, user_hash};
use crate::property::number;

/// The one property that is kept as a real column when it is a number, because sums over it are common.
pub const REVENUE: &str = "revenue";

/// Column names, in table order.
pub(crate) mod column {
    pub const USER_HASH: &str = "user_hash";
    pub const TIME: &str = "time";
    pub const RECEIVED: &str = "received";
    pub const EVENT: &str = "event";
    pub const EVENT_ID: &str = "event_id";
    pub const USER: &str = "user";
    pub const DEVICE: &str = "device";
    pub const SESSION: &str = "session";
    pub const REVENUE: &str = "revenue";
    pub const PROPERTIES: &str = "properties";
}

/// Files are sorted by these, ascending. `received` makes the first of several duplicates the one that arrived first.
pub(crate) const SORT_ORDER: [&str; 3] = [column::USER_HASH, column::TIME, column::RECEIVED];

/// All columns, in table order.
pub(crate) const COLUMNS: [&str; 10] = [
    column::USER_HASH,
    column::TIME,
    column::RECEIVED,
    column::EVENT,
    column::EVENT_ID,
    column::USER,
    column::DEVICE,
    column::SESSION,
    column::REVENUE,
    column::PROPERTIES,
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let name = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new(column::USER_HASH, DataType::Int64, false),
        Field::new(column::TIME, time(), false),
        Field::new(column::RECEIVED, time(), false),
        Field::new(column::EVENT, name, false),
        Field::new(column::EVENT_ID, DataType::Utf8, false),
        Field::new(column::USER, DataType::Utf8, false),
        Field::new(column::DEVICE, DataType::Utf8, true),
        Field::new(column::SESSION, DataType::Utf8, true),
        Field::new(column::REVENUE, DataType::Float64, true),
        Field::new(column::PROPERTIES, DataType::Utf8, true),
    ]))
});

/// The Arrow schema of files and of rows in memory; event names are dictionaries.
pub(crate) fn arrow_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The same columns as Delta declares them.
pub(crate) fn delta_columns() -> Vec<StructField> {
    arrow_schema()
        .fields()
        .iter()
        .map(|field| {
            let kind = match field.data_type() {
                DataType::Int64 => PrimitiveType::Long,
                DataType::Float64 => PrimitiveType::Double,
                DataType::Timestamp(..) => PrimitiveType::Timestamp,
                _ => PrimitiveType::String,
            };
            StructField::new(field.name().clone(), DeltaType::Primitive(kind), field.is_nullable())
        })
        .collect()
}

/// The sorted, duplicate-free rows of a group of batches.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub rows: RecordBatch,
    /// How many rows of each batch were duplicates of other rows of the group.
    pub duplicates: Vec<usize>,
}

/// Sorts the events of several batches together and drops repetitions; the earlier batch keeps its row.
pub(crate) fn encode(batches: &[Vec<Event>], received_micros: i64) -> Result<Encoded> {
    struct Row<'a> {
        hash: i64,
        time: i64,
        event: &'a Event,
        batch: usize,
    }
    let mut rows = Vec::with_capacity(batches.iter().map(Vec::len).sum());
    for (batch, events) in batches.iter().enumerate() {
        rows.extend(events.iter().map(|event| Row {
            hash: user_hash(&event.user),
            time: event.time.timestamp_micros(),
            event,
            batch,
        }));
    }
    // The sort is stable, so among equal keys the row that was offered first comes first.
    rows.sort_by(|a, b| {
        (a.hash, a.time, &a.event.event_id, &a.event.user).cmp(&(b.hash, b.time, &b.event.event_id, &b.event.user))
    });
    let mut duplicates = vec![0; batches.len()];
    rows.dedup_by(|later, kept| {
        let same = (later.hash, later.time) == (kept.hash, kept.time)
            && later.event.event_id == kept.event.event_id
            && later.event.user == kept.event.user;
        if same {
            duplicates[later.batch] += 1;
        }
        same
    });

    let mut names = StringDictionaryBuilder::<Int32Type>::new();
    let mut device = StringBuilder::new();
    let mut session = StringBuilder::new();
    let mut revenue = Float64Builder::with_capacity(rows.len());
    let mut properties = StringBuilder::new();
    for row in &rows {
        names.append(&row.event.event).map_err(LakeError::failed("encode event names"))?;
        device.append_option(row.event.device.as_deref());
        session.append_option(row.event.session.as_deref());
        revenue.append_option(row.event.properties.get(REVENUE).and_then(number));
        if row.event.properties.is_empty() {
            properties.append_null();
        } else {
            properties.append_value(
                serde_json::to_string(&row.event.properties).map_err(LakeError::failed("encode properties"))?,
            );
        }
    }
    let times = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.hash))),
        times(rows.iter().map(|row| row.time).collect()),
        times(vec![received_micros; rows.len()]),
        Arc::new(names.finish()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.event.event_id))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.event.user))),
        Arc::new(device.finish()),
        Arc::new(session.finish()),
        Arc::new(revenue.finish()),
        Arc::new(properties.finish()),
    ];
    let rows = RecordBatch::try_new(arrow_schema(), columns).map_err(LakeError::failed("assemble rows"))?;
    Ok(Encoded { rows, duplicates })
}

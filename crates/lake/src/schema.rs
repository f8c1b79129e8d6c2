//! The columns of the event table. Never makes or reads rows.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::{DataType as DeltaType, PrimitiveType, StructField};

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
    pub const IMPORTS: &str = "imports";
}

/// Files are sorted by these, ascending. `received` makes the first of several duplicates the one that arrived first.
pub(crate) const SORT_ORDER: [&str; 3] = [column::USER_HASH, column::TIME, column::RECEIVED];

/// What an event says, beside who did it and when.
pub(crate) const CONTENT: [&str; 6] =
    [column::EVENT, column::USER, column::DEVICE, column::SESSION, column::REVENUE, column::PROPERTIES];

/// All columns, in table order.
pub(crate) const COLUMNS: [&str; 11] = [
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
    column::IMPORTS,
];

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let name = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new(column::USER_HASH, DataType::Int64, false),
        Field::new(column::TIME, time(), false),
        Field::new(column::RECEIVED, time(), false),
        Field::new(column::EVENT, name(), false),
        Field::new(column::EVENT_ID, DataType::Utf8, false),
        Field::new(column::USER, DataType::Utf8, false),
        Field::new(column::DEVICE, DataType::Utf8, true),
        Field::new(column::SESSION, DataType::Utf8, true),
        Field::new(column::REVENUE, DataType::Float64, true),
        Field::new(column::PROPERTIES, DataType::Utf8, true),
        // Files of before imports were told apart lack it, which reads as null.
        Field::new(column::IMPORTS, name(), true),
    ]))
});

/// The Arrow schema of files and of rows in memory; event names and lists of imports are dictionaries.
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

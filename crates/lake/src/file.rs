//! One immutable data file: how rows become Parquet bytes and what the log remembers about them. Never decides which
//! files are live.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{Int64Type, Schema, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use deltalake::kernel::{Add, Remove};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::delivery::{DelivererColumn, Undone};
use crate::error::{LakeError, Result};
use crate::schema::{Columns, SORT_ORDER, column};

/// Small enough that a query in parallel has something to share out, large enough to compress well.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Room for the different lists of imports of a row group. Where hundreds of imports delivered the same events they are
/// few but long; beyond it each row would have its own.
const IMPORTS_BYTES: usize = 64 << 20;

/// What an entry of the log says of a file beside its statistics: the imports that its rows name, and whether it has
/// more than one row of an event.
const IMPORTS: &str = "waymark.imports";
const REPEATS: &str = "waymark.repeats";

/// The columns of properties that a file was written with, with a mark before those of which a value is in the remainder, too.
const COLUMNS: &str = "waymark.columns";
const MISFITS: char = '~';

/// Columns of which no statistics are kept, as these would name people.
const UNTOLD: [&str; 5] = [column::USER, column::DEVICE, column::SESSION, column::EVENT_ID, column::PROPERTIES];

/// A closed range of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub min: i64,
    pub max: i64,
}

impl Span {
    /// The span of a file whose statistics are unknown.
    pub(crate) const ANY: Self = Self { min: i64::MIN, max: i64::MAX };

    /// The microseconds from `start` up to but without `end`; none when there is no whole one between them.
    pub(crate) fn of_times(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        // Event times are whole microseconds, so `time >= start` is `time >= ceil(start)`.
        let ceil = |time: DateTime<Utc>| time.timestamp_micros() + i64::from(!time.nanosecond().is_multiple_of(1000));
        Self { min: ceil(start), max: ceil(end) - 1 }
    }

    /// Whether a value is in it.
    pub(crate) fn holds(self, value: i64) -> bool {
        self.min <= value && value <= self.max
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// What the lake knows of a data file without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Relative to the table.
    pub path: String,
    pub bytes: u64,
    pub rows: u64,
    pub users: Span,
    /// Microseconds.
    pub times: Span,
    pub received: Span,
    /// The imports that its rows name; not known of files of other writers and of before imports were told apart.
    pub imports: Option<BTreeSet<Uuid>>,
    /// Whether several rows may be of one event.
    pub repeats: bool,
    /// The columns of properties that it was written with, and of each whether remainders hold values of the property,
    /// too. Of properties that are not among them they may, whoever wrote the file.
    pub columns: Vec<(String, bool)>,
}

impl DataFile {
    /// Reads the log's description of a file.
    pub(crate) fn from_log(add: &Add) -> Self {
        let stats = add.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok()).unwrap_or(Value::Null);
        let tag = |name: &str| add.tags.as_ref().and_then(|tags| tags.get(name)?.as_deref());
        let imports = tag(IMPORTS).map(|text| text.split_whitespace().map(Uuid::parse_str).collect());
        let span =
            |name: &str, parse: fn(&Value) -> Option<i64>| match (&stats["minValues"][name], &stats["maxValues"][name])
            {
                (low, high) if low.is_null() || high.is_null() => Span::ANY,
                (low, high) => parse(low).zip(parse(high)).map_or(Span::ANY, |(min, max)| Span { min, max }),
            };
        Self {
            path: add.path.clone(),
            bytes: add.size.cast_unsigned(),
            rows: stats["numRecords"].as_u64().unwrap_or(0),
            users: span(column::USER_HASH, Value::as_i64),
            times: span(column::TIME, parse_time),
            received: span(column::RECEIVED, parse_time),
            imports: imports.and_then(std::result::Result::ok),
            repeats: tag(REPEATS).is_some(),
            columns: tag(COLUMNS).unwrap_or_default().split_whitespace().map(marked).collect(),
        }
    }

    /// Whether no remainder holds a value of the property that has this column.
    pub(crate) fn is_whole(&self, column: &str) -> bool {
        self.columns.iter().any(|(known, misfits)| known == column && !misfits)
    }

    /// Whether it was written with a column for each property that has one.
    pub(crate) fn fits(&self, columns: &Columns) -> bool {
        let known = |column: &str| self.columns.iter().any(|(known, _)| known == column);
        columns.promoted().iter().all(|promoted| known(&promoted.column))
    }

    /// Whether a row names this import.
    pub(crate) fn names(&self, import: Uuid) -> bool {
        self.imports.as_ref().is_some_and(|imports| imports.contains(&import))
    }

    /// Whether a row names an import that is undone.
    pub(crate) fn names_undone(&self, undone: &Undone) -> bool {
        !undone.is_empty()
            && self.imports.as_ref().is_some_and(|imports| imports.iter().any(|import| undone.contains_key(import)))
    }

    /// Whether there may be rows that do not stand.
    pub(crate) fn may_fall(&self, undone: &Undone) -> bool {
        self.names_undone(undone) || (self.imports.is_none() && !undone.is_empty())
    }

    /// The log entry that makes the file part of the table.
    pub(crate) fn add(&self, now_millis: i64, data_change: bool) -> Add {
        let bounds = |pick: fn(&Span) -> i64| {
            json!({
                column::USER_HASH: pick(&self.users),
                column::TIME: format_time(pick(&self.times)),
                column::RECEIVED: format_time(pick(&self.received)),
            })
        };
        let stats = json!({
            "numRecords": self.rows,
            "minValues": bounds(|span| span.min),
            "maxValues": bounds(|span| span.max),
            "nullCount": { column::USER_HASH: 0, column::TIME: 0, column::RECEIVED: 0 },
        });
        let named = |imports: &BTreeSet<Uuid>| imports.iter().map(Uuid::to_string).collect::<Vec<_>>().join(" ");
        let imports = self.imports.as_ref().map(|imports| (IMPORTS.to_owned(), Some(named(imports))));
        let repeats = self.repeats.then(|| (REPEATS.to_owned(), Some("true".to_owned())));
        let mark = |(column, misfits): &(String, bool)| {
            if *misfits { format!("{MISFITS}{column}") } else { column.clone() }
        };
        let columns = self.columns.iter().map(mark);
        let columns = (COLUMNS.to_owned(), Some(columns.collect::<Vec<_>>().join(" ")));
        Add {
            path: self.path.clone(),
            partition_values: HashMap::new(),
            size: self.bytes.cast_signed(),
            modification_time: now_millis,
            data_change,
            stats: Some(stats.to_string()),
            tags: Some(imports.into_iter().chain(repeats).chain([columns]).collect()),
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }

    /// The log entry that takes the file out of the table.
    pub(crate) fn remove(&self, now_millis: i64, data_change: bool) -> Remove {
        Remove {
            path: self.path.clone(),
            data_change,
            deletion_timestamp: Some(now_millis),
            extended_file_metadata: Some(true),
            partition_values: Some(HashMap::new()),
            size: Some(self.bytes.cast_signed()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
        }
    }
}

fn marked(column: &str) -> (String, bool) {
    match column.strip_prefix(MISFITS) {
        Some(column) => (column.to_owned(), true),
        None => (column.to_owned(), false),
    }
}

fn format_time(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn parse_time(value: &Value) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(value.as_str()?).ok()?.timestamp_micros())
}

/// Turns sorted rows into one file's bytes, batch by batch.
pub(crate) struct FileEncoder {
    writer: ArrowWriter<Vec<u8>>,
    spans: Option<[Span; 3]>,
    rows: u64,
    imports: BTreeSet<Uuid>,
    repeats: bool,
    columns: Arc<Columns>,
    misfits: Vec<bool>,
}

impl FileEncoder {
    pub(crate) fn new(columns: Arc<Columns>) -> Result<Self> {
        let properties = writer_properties(columns.arrow())?;
        let writer = ArrowWriter::try_new(Vec::new(), columns.arrow().clone(), Some(properties))
            .map_err(LakeError::failed("start a Parquet file"))?;
        let misfits = vec![false; columns.promoted().len()];
        Ok(Self { writer, spans: None, rows: 0, imports: BTreeSet::new(), repeats: false, columns, misfits })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends rows, which must sort after those already written, and be all of their users and times. `misfits` says of
    /// each property that has a column whether their remainders may hold values of it.
    pub(crate) fn write(&mut self, batch: &RecordBatch, misfits: &[bool]) -> Result<()> {
        let Some(users) =
            batch.column(0).as_primitive_opt::<Int64Type>().and_then(|array| Some((min(array)?, max(array)?)))
        else {
            return Ok(()); // an empty batch has no smallest user
        };
        let times = |index: usize| {
            let array = batch.column(index).as_primitive::<TimestampMicrosecondType>();
            Span { min: min(array).unwrap_or(i64::MIN), max: max(array).unwrap_or(i64::MAX) }
        };
        let new = [Span { min: users.0, max: users.1 }, times(1), times(2)];
        self.spans =
            Some(self.spans.map_or(new, |old| [old[0].join(new[0]), old[1].join(new[1]), old[2].join(new[2])]));
        self.rows += batch.num_rows() as u64;
        self.imports.extend(DelivererColumn::of(batch)?.named()?);
        self.repeats = self.repeats || repeats(batch);
        self.misfits.iter_mut().zip(misfits).for_each(|(known, new)| *known |= new);
        self.writer.write(batch).map_err(LakeError::failed("encode Parquet"))
    }

    /// The bytes and their description under the name `path`; nothing when no row was written.
    pub(crate) fn finish(self, path: String) -> Result<Option<(Vec<u8>, DataFile)>> {
        let Some([users, times, received]) = self.spans else { return Ok(None) };
        let bytes = self.writer.into_inner().map_err(LakeError::failed("finish a Parquet file"))?;
        let (imports, repeats) = (Some(self.imports), self.repeats);
        let bytes_long = bytes.len() as u64;
        let columns =
            self.columns.promoted().iter().map(|promoted| promoted.column.clone()).zip(self.misfits).collect();
        let file =
            DataFile { path, bytes: bytes_long, rows: self.rows, users, times, received, imports, repeats, columns };
        Ok(Some((bytes, file)))
    }
}

/// Whether several rows are of one event.
fn repeats(batch: &RecordBatch) -> bool {
    let users = batch.column(0).as_primitive::<Int64Type>().values();
    let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
    let Some(ids) = batch.column_by_name(column::EVENT_ID).and_then(|ids| ids.as_string_opt::<i32>()) else {
        return false;
    };
    let mut there = HashSet::new();
    (1..batch.num_rows()).any(|row| {
        if (users[row], times[row]) != (users[row - 1], times[row - 1]) {
            there.clear();
            return false;
        }
        if there.is_empty() {
            there.insert(ids.value(row - 1));
        }
        !there.insert(ids.value(row))
    })
}

fn writer_properties(schema: &Schema) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(LakeError::failed("choose a compression level"))?;
    let sorting = SORT_ORDER
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: false })
        .collect();
    // Times ascend within a user and ids never repeat: deltas and plain bytes beat a dictionary that would only
    // overflow. Of 32 hexadecimal digits, as imports make them, Zstandard leaves 17.4 bytes where 16 bytes say nothing
    // less: a binary column would save 6 % of a file, and ids of text would need one beside it.
    let secret = |builder: WriterPropertiesBuilder, name: &&str| {
        builder.set_column_statistics_enabled(ColumnPath::from(*name), EnabledStatistics::None)
    };
    let builder = UNTOLD.iter().fold(WriterProperties::builder(), secret);
    Ok(builder
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting))
        .set_column_dictionary_enabled(ColumnPath::from(column::TIME), false)
        .set_column_encoding(ColumnPath::from(column::TIME), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from(column::EVENT_ID), false)
        .set_column_dictionary_page_size_limit(ColumnPath::from(column::IMPORTS), IMPORTS_BYTES)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_describes_a_file_to_the_last_digit() {
        let file = DataFile {
            path: "events-1.parquet".to_owned(),
            bytes: 1234,
            rows: 5,
            users: Span { min: i64::MIN, max: i64::MAX - 1 },
            times: Span { min: 1_709_251_200_000_001, max: 1_709_251_200_123_456 },
            received: Span { min: 7, max: 8 },
            imports: Some(BTreeSet::from([Uuid::nil(), Uuid::max()])),
            repeats: true,
            columns: vec![("revenue".to_owned(), false), ("p_plan".to_owned(), true)],
        };
        assert!(file.is_whole("revenue") && !file.is_whole("p_plan") && !file.is_whole("p_other"));
        assert_eq!(DataFile::from_log(&file.add(0, true)), file);
        let plain = DataFile { imports: Some(BTreeSet::new()), repeats: false, columns: Vec::new(), ..file };
        assert_eq!(DataFile::from_log(&plain.add(0, true)), plain);
    }

    #[test]
    fn a_file_without_statistics_may_hold_anything() {
        let file = DataFile::from_log(&Add { path: "foreign.parquet".to_owned(), size: 1, ..Add::default() });
        assert_eq!((file.users, file.times, file.rows), (Span::ANY, Span::ANY, 0));
        let undone = Undone::from([(Uuid::nil(), crate::Delivered::default())]);
        assert!(file.may_fall(&undone) && !file.names_undone(&undone) && !file.may_fall(&Undone::new()));
    }
}

//! One immutable data file: how rows become Parquet bytes and what the log remembers about them. Never decides which
//! files are live.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use deltalake::kernel::{Add, Remove};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

use crate::error::{LakeError, Result};
use crate::schema::{SORT_ORDER, arrow_schema, column};

/// Small enough that a query in parallel has something to share out, large enough to compress well.
const ROW_GROUP_ROWS: usize = 256 * 1024;

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

    fn join(self, other: Self) -> Self {
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
}

impl DataFile {
    /// Reads the log's description of a file.
    pub(crate) fn from_log(path: String, bytes: u64, stats: Option<&str>) -> Self {
        let stats: Value = stats.and_then(|stats| serde_json::from_str(stats).ok()).unwrap_or(Value::Null);
        let span =
            |name: &str, parse: fn(&Value) -> Option<i64>| match (&stats["minValues"][name], &stats["maxValues"][name])
            {
                (low, high) if low.is_null() || high.is_null() => Span::ANY,
                (low, high) => parse(low).zip(parse(high)).map_or(Span::ANY, |(min, max)| Span { min, max }),
            };
        Self {
            path,
            bytes,
            rows: stats["numRecords"].as_u64().unwrap_or(0),
            users: span(column::USER_HASH, Value::as_i64),
            times: span(column::TIME, parse_time),
            received: span(column::RECEIVED, parse_time),
        }
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
        Add {
            path: self.path.clone(),
            partition_values: HashMap::new(),
            size: self.bytes.cast_signed(),
            modification_time: now_millis,
            data_change,
            stats: Some(stats.to_string()),
            tags: None,
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
}

impl FileEncoder {
    pub(crate) fn new() -> Result<Self> {
        let properties = writer_properties()?;
        let writer = ArrowWriter::try_new(Vec::new(), arrow_schema(), Some(properties))
            .map_err(LakeError::failed("start a Parquet file"))?;
        Ok(Self { writer, spans: None, rows: 0 })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends rows, which must sort after those already written.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
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
        self.writer.write(batch).map_err(LakeError::failed("encode Parquet"))
    }

    /// The bytes and their description under the name `path`; nothing when no row was written.
    pub(crate) fn finish(self, path: String) -> Result<Option<(Vec<u8>, DataFile)>> {
        let Some([users, times, received]) = self.spans else { return Ok(None) };
        let bytes = self.writer.into_inner().map_err(LakeError::failed("finish a Parquet file"))?;
        let file = DataFile { path, bytes: bytes.len() as u64, rows: self.rows, users, times, received };
        Ok(Some((bytes, file)))
    }
}

fn writer_properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(LakeError::failed("choose a compression level"))?;
    let schema = arrow_schema();
    let sorting = SORT_ORDER
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .map(|index| SortingColumn { column_idx: index as i32, descending: false, nulls_first: false })
        .collect();
    // Times ascend within a user and ids never repeat: deltas and plain bytes beat a dictionary that would only
    // overflow.
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(Some(sorting))
        .set_column_dictionary_enabled(ColumnPath::from(column::TIME), false)
        .set_column_encoding(ColumnPath::from(column::TIME), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from(column::EVENT_ID), false)
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
        };
        let add = file.add(0, true);
        assert_eq!(DataFile::from_log(add.path, add.size.cast_unsigned(), add.stats.as_deref()), file);
    }

    #[test]
    fn a_file_without_statistics_may_hold_anything() {
        let file = DataFile::from_log("foreign.parquet".to_owned(), 1, None);
        assert_eq!((file.users, file.times, file.rows), (Span::ANY, Span::ANY, 0));
    }
}

//! Lists as rows for other programs: CSV, JSON lines and Parquet, written page by page, so that memory is that of a page, or
//! of a row group.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, SecondsFormat};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::super::cell::guarded;
use super::super::json;
use super::columns::{Cell, Cells, Column};

/// Rows of a Parquet file that are kept in memory until they are written together.
const GROUP: usize = 1 << 14;
/// The zone of times in Parquet, as an offset, which readers know without a list of zones.
const UTC: &str = "+00:00";

/// The forms of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// CSV as in RFC 4180, with a header.
    Csv,
    /// Canonical JSON, one message a line.
    Lines,
    /// Apache Parquet.
    Parquet,
}

/// Writes messages of one kind as rows.
pub struct Writer<W: Write + Send>(Kind<W>);

enum Kind<W: Write + Send> {
    Csv(Box<csv::Writer<W>>, Vec<Column>),
    Lines(io::BufWriter<W>),
    Parquet(Box<ArrowWriter<W>>, SchemaRef, Vec<Column>),
}

impl<W: Write + Send> Writer<W> {
    /// Begins with what stands before the rows: names of columns, which are there without any row, too.
    pub fn new(form: Form, of: &MessageDescriptor, out: W) -> Result<Self> {
        let columns = Column::of(of);
        Ok(Self(match form {
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns.iter().map(|column| &column.name))?;
                Kind::Csv(Box::new(writer), columns)
            }
            Form::Lines => Kind::Lines(io::BufWriter::new(out)),
            Form::Parquet => {
                let field = |column: &Column| Field::new(&column.name, data_type(column.kind), true);
                let schema = SchemaRef::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_row_count(Some(GROUP))
                    .build();
                let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?;
                Kind::Parquet(Box::new(writer), schema, columns)
            }
        }))
    }

    /// Writes rows.
    pub fn write(&mut self, messages: &[&DynamicMessage]) -> Result<()> {
        match &mut self.0 {
            Kind::Csv(writer, columns) => {
                for message in messages {
                    writer.write_record(
                        columns.iter().map(|column| column.cell(message).map(text).unwrap_or_default()),
                    )?;
                }
                writer.flush()?;
            }
            Kind::Lines(out) => {
                for message in messages {
                    writeln!(out, "{}", json::of(message)?)?;
                }
                out.flush()?;
            }
            Kind::Parquet(writer, schema, columns) => {
                let arrays = columns.iter().map(|column| array(column, messages)).collect();
                writer.write(&RecordBatch::try_new(Arc::clone(schema), arrays)?)?;
            }
        }
        Ok(())
    }

    /// Ends with what stands behind the rows.
    pub fn finish(self) -> Result<()> {
        match self.0 {
            Kind::Csv(mut writer, _) => writer.flush()?,
            Kind::Lines(mut out) => out.flush()?,
            Kind::Parquet(writer, ..) => {
                writer.into_inner()?.flush()?;
            }
        }
        Ok(())
    }
}

/// A cell as text. What people wrote is guarded against being taken for a formula.
fn text(cell: Cell) -> String {
    match cell {
        Cell::Text(text) => guarded(&text).into_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Boolean(flag) => flag.to_string(),
        Cell::Time(micros) => {
            let time = DateTime::from_timestamp_micros(micros);
            time.map(|time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
        }
    }
}

fn data_type(kind: Cells) -> DataType {
    match kind {
        Cells::Text => DataType::Utf8,
        Cells::Integer => DataType::Int64,
        Cells::Number => DataType::Float64,
        Cells::Boolean => DataType::Boolean,
        Cells::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}

fn array(column: &Column, messages: &[&DynamicMessage]) -> ArrayRef {
    let cells = messages.iter().map(|message| column.cell(message));
    match column.kind {
        Cells::Text => {
            let texts = cells.map(|cell| if let Some(Cell::Text(text)) = cell { Some(text) } else { None });
            Arc::new(texts.collect::<StringArray>())
        }
        Cells::Integer => {
            let numbers = cells.map(|cell| if let Some(Cell::Integer(number)) = cell { Some(number) } else { None });
            Arc::new(numbers.collect::<Int64Array>())
        }
        Cells::Number => {
            let numbers = cells.map(|cell| if let Some(Cell::Number(number)) = cell { Some(number) } else { None });
            Arc::new(numbers.collect::<Float64Array>())
        }
        Cells::Boolean => {
            let flags = cells.map(|cell| if let Some(Cell::Boolean(flag)) = cell { Some(flag) } else { None });
            Arc::new(flags.collect::<BooleanArray>())
        }
        Cells::Time => {
            let times = cells.map(|cell| if let Some(Cell::Time(micros)) = cell { Some(micros) } else { None });
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone(UTC))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array as _, AsArray as _};
    use arrow::datatypes::Float64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::json;
    use waymark_proto::descriptors;

    fn written(form: Form, products: &[serde_json::Value]) -> Vec<u8> {
        let of = descriptors().get_message_by_name("waymark.common.v1.Evidence").unwrap();
        let messages: Vec<_> =
            products.iter().map(|json| DynamicMessage::deserialize(of.clone(), json.clone()).unwrap()).collect();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(form, &of, &mut bytes).unwrap();
        for message in &messages {
            writer.write(&[message]).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn rows_are_text_with_formulas_disarmed_or_lines_of_json() {
        let rows = [json!({"target": "//a", "note": "=1+1"}), json!({"note": "two\nlines, \"quoted\""})];
        let csv = String::from_utf8(written(Form::Csv, &rows)).unwrap();
        assert_eq!(csv, "target,note\n//a,'=1+1\n,\"two\nlines, \"\"quoted\"\"\"\n");
        let lines = String::from_utf8(written(Form::Lines, &rows)).unwrap();
        assert_eq!(lines, "{\"target\":\"//a\",\"note\":\"=1+1\"}\n{\"note\":\"two\\nlines, \\\"quoted\\\"\"}\n");
        assert_eq!((written(Form::Csv, &[]), written(Form::Lines, &[])), (b"target,note\n".to_vec(), Vec::new()));
    }

    #[test]
    fn parquet_has_typed_columns_in_row_groups() {
        let of = descriptors().get_message_by_name("waymark.common.v1.Range").unwrap();
        let message = DynamicMessage::deserialize(of.clone(), json!({"low": 0.5})).unwrap();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(Form::Parquet, &of, &mut bytes).unwrap();
        for _ in 0..20 {
            writer.write(&vec![&message; 1_000]).unwrap();
        }
        writer.finish().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(prost::bytes::Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        let low = batch.column_by_name("low").unwrap().as_primitive::<Float64Type>();
        assert_eq!((low.value(0), low.null_count()), (0.5, 0));
    }
}

//! Rows of a Parquet file, by way of JSON objects: one path from a row to an event.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use arrow::datatypes::{DataType, Fields};
use indicatif::ProgressBar;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::record::{Row, Rows};
use super::json;
use crate::Usage;

/// The columns of a file, by its schema, and its rows.
pub fn open(file: File, path: &Path, progress: ProgressBar) -> Result<(Vec<String>, Rows)> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).with_context(|| format!("{} is not Parquet", path.display()))?;
    progress.set_length(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default());
    let fields = builder.schema().fields();
    let mut seen = HashSet::new();
    if let Some(twice) = fields.iter().map(|field| field.name()).find(|name| !seen.insert(*name)) {
        bail!(Usage(format!("{} has two columns called {twice:?}: write it again with one renamed", path.display())));
    }
    let columns = columns(fields);
    let batches = builder.with_batch_size(8192).build().context("the file cannot be read")?;
    let mut next = 1;
    let rows = batches.flat_map(move |batch| {
        let rows: Vec<Row> = match batch.context("the file cannot be read further").and_then(|batch| json_lines(&batch))
        {
            Ok(lines) => {
                let rows = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let rows: Vec<Row> = rows.zip(next..).map(|(line, number)| Ok(json::record(number, line))).collect();
                next += rows.len() as u64;
                rows
            }
            Err(error) => vec![Err(error)],
        };
        progress.inc(rows.len() as u64);
        rows
    });
    Ok((columns, Box::new(rows)))
}

/// The paths of columns, and of the fields within them.
fn columns(fields: &Fields) -> Vec<String> {
    let mut paths = Vec::new();
    for field in fields {
        paths.push(field.name().clone());
        if let DataType::Struct(inner) = field.data_type() {
            paths.extend(columns(inner).into_iter().map(|path| format!("{}.{path}", field.name())));
        }
    }
    paths
}

fn json_lines(batch: &arrow::record_batch::RecordBatch) -> Result<Vec<u8>> {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(writer.into_inner())
}

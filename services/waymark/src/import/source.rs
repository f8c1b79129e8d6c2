//! The rows of a file, one after the other, whatever its form. A row that is broken costs itself, not the file.

mod columnar;
mod json;
mod lines;
mod separated;
mod zipped;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;

use super::options::{Form, Input, Twice};
use super::record::Rows;
use crate::Usage;

/// How much of a file is looked at to tell how it is written.
const HEAD: u64 = 1 << 16;
const UTF_8: [u8; 3] = [0xef, 0xbb, 0xbf];
const UTF_16: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// A file that was opened.
pub struct Source {
    /// The columns, where the file says them before its rows.
    pub columns: Option<Vec<String>>,
    /// Whether rows are texts in the order of the columns.
    pub separated: bool,
    /// What to say to somebody who misses a column.
    pub advice: Option<String>,
    /// The rows.
    pub rows: Rows,
}

impl Source {
    /// Rows that are objects of ours, whatever the file has.
    pub fn ours() -> Self {
        Self { columns: None, separated: false, advice: None, rows: Box::new(std::iter::empty()) }
    }

    /// The columns of rows that are texts in their order.
    pub fn header(&self) -> &[String] {
        self.columns.as_deref().filter(|_| self.separated).unwrap_or_default()
    }
}

/// Opens the file that the options name. Columns that are called alike are refused in Parquet in any case.
pub fn open(input: &Input, twice: Twice, progress: &ProgressBar) -> Result<Source> {
    let form = match input.format {
        Some(form) => form,
        None => form_of(&input.file.to_string_lossy())?,
    };
    let mut file = File::open(&input.file).with_context(|| format!("{} cannot be opened", input.file.display()))?;
    progress.set_length(file.metadata().map_or(0, |meta| meta.len()));
    if form == Form::Parquet {
        let (columns, rows) = columnar::open(file, &input.file, progress.clone())?;
        return Ok(Source { columns: Some(columns), separated: false, advice: None, rows });
    }
    let mut start = Vec::new();
    file.by_ref().take(zipped::ZIP.len() as u64).read_to_end(&mut start).context("the file cannot be read")?;
    let mut reader: Box<dyn Read + Send> = if start == zipped::ZIP {
        Box::new(zipped::open(file, &input.file, progress)?)
    } else {
        Box::new(Cursor::new(start).chain(progress.wrap_read(file)))
    };
    let mut head = head_of(&mut reader)?;
    if head.starts_with(&zipped::GZIP) {
        reader = Box::new(MultiGzDecoder::new(Cursor::new(head).chain(reader)));
        head = head_of(&mut reader)?;
    }
    if UTF_16.iter().any(|mark| head.starts_with(mark)) {
        bail!(Usage(format!(
            "{} is UTF-16: save it as UTF-8, such as by iconv -f UTF-16 -t UTF-8",
            input.file.display()
        )));
    }
    if head.starts_with(&UTF_8) {
        head.drain(..UTF_8.len());
    }
    let (by_line, end) = (json::by_line(&head), lines::end_of(&head));
    let reader = BufReader::with_capacity(1 << 18, Cursor::new(head).chain(reader));
    let lines = |reader| lines::Lines::new(reader, end);
    match form {
        Form::Jsonl => {
            let rows: Rows =
                if by_line { Box::new(json::ByLine(lines(reader))) } else { Box::new(json::Objects::new(reader)) };
            Ok(Source { columns: None, separated: false, advice: None, rows })
        }
        Form::Csv | Form::Parquet => {
            let mut rows = separated::Separated::new(lines(reader), input.delimiter, input.no_header, twice)?;
            let (columns, advice) = (Some(rows.header.clone()), rows.advice.take());
            Ok(Source { columns, separated: true, advice, rows: Box::new(rows) })
        }
    }
}

fn head_of(reader: &mut impl Read) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let read: io::Result<usize> = reader.take(HEAD).read_to_end(&mut head);
    read.context("the file cannot be read")?;
    Ok(head)
}

fn form_of(name: &str) -> Result<Form> {
    let lower = name.to_ascii_lowercase();
    let plain = lower.strip_suffix(".gz").or_else(|| lower.strip_suffix(".zip")).unwrap_or(&lower);
    Ok(match plain.rsplit('.').next() {
        Some("csv" | "tsv" | "txt") => Form::Csv,
        Some("jsonl" | "ndjson" | "json") => Form::Jsonl,
        Some("parquet") => Form::Parquet,
        _ => bail!(Usage(format!("{name} does not say what it is; give --format csv, jsonl or parquet"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_by_name() {
        assert_eq!(form_of("a/b.csv").unwrap(), Form::Csv);
        assert_eq!(form_of("b.NDJSON.gz").unwrap(), Form::Jsonl);
        assert_eq!(form_of("b.json.zip").unwrap(), Form::Jsonl);
        assert!(form_of("events").is_err());
    }
}

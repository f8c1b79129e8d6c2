//! The rows of a file, one after the other. A row that is broken costs itself, not the file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::options::{EventsArgs, Form};
use super::record::{Broken, Cells, Delimiter, Record};
use crate::Usage;

/// A row with a quote that is never closed would take the rest of the file with it; after so many lines it is taken for
/// broken.
const LINES_OF_A_ROW: usize = 100;

/// A row, a broken row, or a failure to read on.
pub type Row = Result<Result<Record, Broken>>;

/// The rows of the file that the options name.
pub fn open(args: &EventsArgs, progress: &ProgressBar) -> Result<Box<dyn Iterator<Item = Row> + Send>> {
    let name = args.file.to_string_lossy().to_ascii_lowercase();
    let (name, packed) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
    let form = match args.format {
        Some(form) => form,
        None => form_of(name)?,
    };
    let file = File::open(&args.file).with_context(|| format!("{} cannot be opened", args.file.display()))?;
    progress.set_length(file.metadata().map_or(0, |meta| meta.len()));
    if form == Form::Parquet {
        return parquet_rows(file, &args.file, progress.clone());
    }
    let file = progress.wrap_read(file);
    let reader: Box<dyn Read + Send> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let lines = Lines::new(BufReader::with_capacity(1 << 18, reader));
    match form {
        Form::Jsonl => Ok(Box::new(JsonRows(lines))),
        Form::Csv | Form::Parquet => Ok(Box::new(CsvRows::new(lines, args.delimiter, args.no_header)?)),
    }
}

fn form_of(name: &str) -> Result<Form> {
    Ok(match name.rsplit('.').next() {
        Some("csv" | "tsv" | "txt") => Form::Csv,
        Some("jsonl" | "ndjson" | "json") => Form::Jsonl,
        Some("parquet") => Form::Parquet,
        _ => bail!(Usage(format!("{name} does not say what it is; give --format csv, jsonl or parquet"))),
    })
}

/// Numbered lines, which can be put back.
struct Lines<R> {
    reader: R,
    next: u64,
    again: VecDeque<(u64, Vec<u8>)>,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, next: 1, again: VecDeque::new() }
    }

    fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        let number = self.next;
        self.next += 1;
        Ok(Some((number, line)))
    }

    fn put_back(&mut self, lines: Vec<(u64, Vec<u8>)>) {
        for line in lines.into_iter().rev() {
            self.again.push_front(line);
        }
    }
}

struct CsvRows<R> {
    lines: Lines<R>,
    delimiter: Delimiter,
    header: Arc<Vec<String>>,
}

impl<R: BufRead> CsvRows<R> {
    fn new(mut lines: Lines<R>, delimiter: Delimiter, no_header: bool) -> Result<Self> {
        let Some((number, first)) = lines.next()? else { bail!("the file is empty") };
        let text = String::from_utf8(first.clone()).context("the first line is not UTF-8")?;
        let names = delimiter
            .split(text.trim_start_matches('\u{feff}'))
            .and_then(Result::ok)
            .context("the header has an open quote")?;
        let header = if no_header {
            lines.put_back(vec![(number, first)]);
            (1..=names.len()).map(|n| n.to_string()).collect()
        } else {
            names.into_iter().map(|name| name.trim().to_owned()).collect()
        };
        Ok(Self { lines, delimiter, header: Arc::new(header) })
    }

    /// The row that starts with this line; lines that turn out not to belong to it are put back.
    fn row(&mut self, line: u64, first: Vec<u8>) -> io::Result<Result<Record, Broken>> {
        let broken = |reason: String| Ok(Err(Broken { line, reason }));
        let Ok(mut text) = String::from_utf8(first) else { return broken("is not UTF-8".to_owned()) };
        let mut more = Vec::new();
        let cells = loop {
            match self.delimiter.split(&text) {
                Some(Ok(cells)) if cells.len() == self.header.len() => break cells,
                Some(outcome) => {
                    self.lines.put_back(more);
                    let count = |cells: Vec<String>| {
                        format!("has {} columns, the header has {}", cells.len(), self.header.len())
                    };
                    return broken(outcome.map_or_else(|reason| reason, count));
                }
                None => match self.lines.next()? {
                    Some((number, next)) if more.len() < LINES_OF_A_ROW => {
                        text.push('\n');
                        text.push_str(&String::from_utf8_lossy(&next));
                        more.push((number, next));
                    }
                    other => {
                        more.extend(other);
                        self.lines.put_back(more);
                        return broken("has a quote that is not closed".to_owned());
                    }
                },
            }
        };
        Ok(Ok(Record { line, text, cells: Cells::Texts(self.header.clone(), cells) }))
    }
}

impl<R: BufRead> Iterator for CsvRows<R> {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        loop {
            let (line, bytes) = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return None,
                Err(error) => return Some(Err(error).context("the file cannot be read further")),
            };
            if !bytes.trim_ascii().is_empty() {
                return Some(self.row(line, bytes).context("the file cannot be read further"));
            }
        }
    }
}

struct JsonRows<R>(Lines<R>);

impl<R: BufRead> Iterator for JsonRows<R> {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        loop {
            let (line, bytes) = match self.0.next() {
                Ok(Some(line)) => line,
                Ok(None) => return None,
                Err(error) => return Some(Err(error).context("the file cannot be read further")),
            };
            if !bytes.trim_ascii().is_empty() {
                return Some(Ok(object(line, &bytes)));
            }
        }
    }
}

fn object(line: u64, bytes: &[u8]) -> Result<Record, Broken> {
    match serde_json::from_slice(bytes) {
        // Keys in order, so that the same object has the same text however it was written.
        Ok(Value::Object(fields)) => {
            Ok(Record { line, text: Value::Object(fields.clone()).to_string(), cells: Cells::Object(fields) })
        }
        Ok(_) => Err(Broken { line, reason: "is not a JSON object".to_owned() }),
        Err(error) => Err(Broken { line, reason: format!("is not JSON: {error}") }),
    }
}

/// Parquet by way of JSON objects: one path from a row to an event.
fn parquet_rows(file: File, path: &Path, progress: ProgressBar) -> Result<Box<dyn Iterator<Item = Row> + Send>> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).with_context(|| format!("{} is not Parquet", path.display()))?;
    progress.set_length(u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default());
    let batches = builder.with_batch_size(8192).build().context("the file cannot be read")?;
    let mut next = 1;
    Ok(Box::new(batches.flat_map(move |batch| {
        let rows: Vec<Row> = match batch.context("the file cannot be read further").and_then(|batch| json_lines(&batch))
        {
            Ok(lines) => {
                let rows = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let rows: Vec<Row> = rows.zip(next..).map(|(line, number)| Ok(object(number, line))).collect();
                next += rows.len() as u64;
                rows
            }
            Err(error) => vec![Err(error)],
        };
        progress.inc(rows.len() as u64);
        rows
    })))
}

fn json_lines(batch: &arrow::record_batch::RecordBatch) -> Result<Vec<u8>> {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(writer.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Vec<Result<Record, Broken>> {
        let rows = CsvRows::new(Lines::new(text.as_bytes()), Delimiter::Character(','), false).unwrap();
        rows.map(|row| row.unwrap()).collect()
    }

    fn lines(rows: &[Result<Record, Broken>]) -> Vec<(u64, bool)> {
        rows.iter()
            .map(|row| row.as_ref().map_or_else(|broken| (broken.line, false), |record| (record.line, true)))
            .collect()
    }

    #[test]
    fn a_row_with_too_few_columns_costs_itself() {
        let rows = csv("user,event\na,open\nb\n\nc,close,extra\r\nd,open\r\n");
        assert_eq!(lines(&rows), [(2, true), (3, false), (5, false), (6, true)]);
        assert!(rows[1].as_ref().unwrap_err().reason.contains("has 1 columns, the header has 2"));
    }

    #[test]
    fn a_row_may_have_several_lines() {
        let rows = csv("user,note\na,\"two\nlines\"\nb,x\n");
        assert_eq!(lines(&rows), [(2, true), (4, true)]);
        assert_eq!(rows[0].as_ref().unwrap().cells.text("note").unwrap(), "two\nlines");
    }

    #[test]
    fn an_open_quote_costs_one_row_and_not_the_file() {
        let rows = csv(&format!("user,note\na,\"open\n{}", "u,x\n".repeat(300)));
        assert_eq!(rows.len(), 301);
        assert_eq!(lines(&rows)[..3], [(2, false), (3, true), (4, true)]);
        assert!(rows[1..].iter().all(Result::is_ok));
    }

    #[test]
    fn a_quote_closed_by_a_later_row_costs_one_row_and_the_other_stands_for_itself() {
        let rows = csv("user,note\na,\"open\nb,x\nc,\"fine\"\n");
        assert_eq!(lines(&rows), [(2, false), (3, true), (4, true)]);
    }

    #[test]
    fn what_is_not_utf8_is_reported() {
        let bytes: &[u8] = b"user,note\na,\xff\nb,x\n";
        let rows: Vec<_> =
            CsvRows::new(Lines::new(bytes), Delimiter::Character(','), false).unwrap().map(Result::unwrap).collect();
        assert_eq!(lines(&rows), [(2, false), (3, true)]);
    }

    #[test]
    fn json_lines_stand_alone() {
        let rows: Vec<_> = JsonRows(Lines::new("{\"b\": 1, \"a\": 2}\n{oops\n\n[1]\n{\"a\": 2, \"b\": 1}".as_bytes()))
            .map(Result::unwrap)
            .collect();
        assert_eq!(lines(&rows), [(1, true), (2, false), (4, false), (5, true)]);
        assert_eq!(rows[0].as_ref().unwrap().text, rows[3].as_ref().unwrap().text, "the order of keys does not matter");
    }

    #[test]
    fn forms_by_name() {
        assert_eq!(form_of("a/b.csv").unwrap(), Form::Csv);
        assert_eq!(form_of("b.ndjson").unwrap(), Form::Jsonl);
        assert!(form_of("events").is_err());
    }
}

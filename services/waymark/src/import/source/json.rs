//! Rows that are JSON objects: one a line, or one after the other however they are laid out, in a list or not.

use std::io::{self, BufRead};

use anyhow::Context as _;

use super::super::record::{Broken, Cells, Record, Row};
use super::lines::Lines;
use crate::exact::{self, Exact};

/// An object that is longer is taken for one that is never closed.
const MOST: usize = 16 << 20;

/// Whether a file that begins so has one object a line, so that a broken line costs itself alone.
pub fn by_line(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let whole = |line: &[u8]| line.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    let laid_out = head.trim_ascii_start().starts_with(b"[") || head.trim_ascii_start().starts_with(b"{");
    !laid_out || lines.any(whole)
}

/// One object a line.
pub struct ByLine<R>(pub Lines<R>);

impl<R: BufRead> Iterator for ByLine<R> {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        match self.0.next_filled() {
            Ok(line) => line.map(|(number, bytes)| Ok(record(number, &bytes))),
            Err(error) => Some(Err(error).context("the file cannot be read further")),
        }
    }
}

/// The row that an object is.
pub fn record(line: u64, bytes: &[u8]) -> Result<Record, Broken> {
    let broken = |reason: String| Broken { line, reason };
    let text = std::str::from_utf8(bytes).map_err(|_| broken("is not UTF-8".to_owned()))?.trim();
    if !text.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Err(broken("is not a JSON object".to_owned()));
    }
    let object = Exact::Object(exact::object(text).map_err(|error| broken(format!("is not JSON: {error}")))?);
    // Members in order, so that the same object has the same text however it was written.
    let text = object.to_string();
    match object {
        Exact::Object(members) => Ok(Record { line, text, cells: Cells::Object(members) }),
        _ => Err(broken("is not a JSON object".to_owned())),
    }
}

/// Objects one after the other. Only where one ends is looked for here; what it says is for the parser.
pub struct Objects<R> {
    reader: R,
    line: u64,
    /// The object so far, and the line it begins in.
    object: Vec<u8>,
    begins: u64,
    depth: usize,
    /// Within a text, and just after a backslash.
    quoted: bool,
    escaped: bool,
    over: bool,
}

impl<R: BufRead> Objects<R> {
    pub fn new(reader: R) -> Self {
        let (quoted, escaped, over) = (false, false, false);
        Self { reader, line: 1, object: Vec::new(), begins: 1, depth: 0, quoted, escaped, over }
    }

    fn read(&mut self) -> io::Result<Option<Result<Record, Broken>>> {
        while !self.over {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() || self.object.len() > MOST {
                self.over = true;
                let reason = "is not closed by a } of its own".to_owned();
                return Ok((self.depth > 0).then_some(Err(Broken { line: self.begins, reason })));
            }
            // Up to the end of an object, or all of it.
            let mut used = 0;
            let mut ends = false;
            let mut stray = None;
            for byte in buffer {
                used += 1;
                self.line += u64::from(*byte == b'\n');
                if self.quoted {
                    match byte {
                        _ if self.escaped => self.escaped = false,
                        b'\\' => self.escaped = true,
                        b'"' => self.quoted = false,
                        _ => {}
                    }
                    continue;
                }
                match byte {
                    b'{' => {
                        if self.depth == 0 {
                            self.begins = self.line;
                        }
                        self.depth += 1;
                    }
                    b'}' if self.depth > 0 => {
                        self.depth -= 1;
                        ends = self.depth == 0;
                    }
                    b'"' if self.depth > 0 => self.quoted = true,
                    b'[' | b']' | b',' => {}
                    other if self.depth > 0 || other.is_ascii_whitespace() => {}
                    _ => stray = Some(self.line),
                }
                if ends || stray.is_some() {
                    break;
                }
            }
            if self.depth > 0 || ends {
                self.object.extend_from_slice(&buffer[..used]);
            }
            self.reader.consume(used);
            if let Some(line) = stray {
                self.over = true;
                let reason = "what stands here is not a JSON object; the file is not read any further".to_owned();
                return Ok(Some(Err(Broken { line, reason })));
            }
            if ends {
                let whole = std::mem::take(&mut self.object);
                // What stands before it between two objects is commas and blanks.
                let from = whole.iter().position(|byte| *byte == b'{').unwrap_or_default();
                return Ok(Some(record(self.begins, &whole[from..])));
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Objects<R> {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        match self.read() {
            Ok(row) => row.map(Ok),
            Err(error) => {
                self.over = true;
                Some(Err(error).context("the file cannot be read further"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: &[Result<Record, Broken>]) -> Vec<(u64, bool)> {
        rows.iter()
            .map(|row| row.as_ref().map_or_else(|broken| (broken.line, false), |record| (record.line, true)))
            .collect()
    }

    #[test]
    fn json_lines_stand_alone() {
        let text = "{\"b\": 1, \"a\": 2}\n{oops\n\n[1]\n{\"a\": 2, \"b\": 1}";
        assert!(by_line(text.as_bytes()) && by_line(b"{oops\n{\"a\": 1}\n") && by_line(b"oops\n"));
        let rows: Vec<_> = ByLine(Lines::new(text.as_bytes(), b'\n')).map(Result::unwrap).collect();
        assert_eq!(lines(&rows), [(1, true), (2, false), (4, false), (5, true)]);
        assert_eq!(rows[0].as_ref().unwrap().text, rows[3].as_ref().unwrap().text, "the order of keys does not matter");
    }

    #[test]
    fn lists_and_objects_over_several_lines_are_taken_apart() {
        for text in [
            "[{\"a\": \"}{\\\"\"},\n{\"a\": {\"b\": [{}]}}, {\"a\": oops},\n\n{\n\"a\": 3}]\n",
            "{\n \"a\": \"}{\\\"\"}{\n\"a\": {\"b\": [{}]}} {\"a\": oops}\n{\"a\":\n3}",
        ] {
            assert!(!by_line(text.as_bytes()), "{text}");
            // However little is read at once.
            for size in [1, 2, 7, 4096] {
                let reader = io::BufReader::with_capacity(size, text.as_bytes());
                let rows: Vec<_> = Objects::new(reader).map(Result::unwrap).collect();
                assert_eq!(rows.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true], "{text}");
                let said: Vec<_> = rows.iter().flatten().map(|record| record.text.as_str()).collect();
                assert_eq!(said, [r#"{"a":"}{\""}"#, r#"{"a":{"b":[{}]}}"#, r#"{"a":3}"#]);
            }
        }
        let rows = |text: &str| lines(&Objects::new(text.as_bytes()).map(Result::unwrap).collect::<Vec<_>>());
        assert_eq!(rows("[\n{\"a\": 1},\n{\"a\": 2\n"), [(2, true), (3, false)]);
        assert_eq!(rows("[{\"a\": 1},\n7, {\"a\": 2}]"), [(1, true), (2, false)]);
        assert_eq!(rows("[]"), []);
    }
}

//! Rows of separated texts, as in CSV, below a header or not.

use std::collections::HashSet;
use std::io::{self, BufRead};

use anyhow::{Context as _, Result, bail};

use super::super::delimiter::{Delimiter, USUAL};
use super::super::options::Twice;
use super::super::record::{Broken, Cells, Record, Row};
use super::lines::Lines;
use crate::Usage;

/// A row with a quote that is never closed would take the rest of the file with it; after so many lines it is taken for
/// broken.
const LINES_OF_A_ROW: usize = 2_000;

/// What to do about a row in another encoding.
const NOT_UTF_8: &str =
    "is not UTF-8: save the file as UTF-8, such as by iconv -f ISO-8859-1 -t UTF-8 where it is Latin-1";

/// Rows below a header.
pub struct Separated<R> {
    lines: Lines<R>,
    delimiter: Delimiter,
    pub header: Vec<String>,
    /// What the columns would be by another delimiter, if that makes more of them.
    pub advice: Option<String>,
}

impl<R: BufRead> Separated<R> {
    /// Reads the header, or counts the columns of the first row and calls them 1, 2, 3.
    pub fn new(mut lines: Lines<R>, delimiter: Option<Delimiter>, no_header: bool, twice: Twice) -> Result<Self> {
        let Some((number, first)) = lines.next_filled()? else { bail!(Usage("the file is empty".to_owned())) };
        let Ok(text) = String::from_utf8(first.clone()) else { bail!(Usage(format!("line {number} {NOT_UTF_8}"))) };
        let delimiter = delimiter.unwrap_or_else(|| Delimiter::of(&text));
        let names = match delimiter.split(&text) {
            Some(Ok(names)) => names,
            Some(Err(reason)) => bail!(Usage(format!("line {number}, the header: {reason}"))),
            None => bail!(Usage(format!("line {number}, the header, has a quote that is not closed"))),
        };
        let advice = advice(&text, names.len());
        // A column without a name is called by its number, as all are without a header.
        let named = |(index, name): (usize, String)| match name.trim() {
            name if no_header || name.is_empty() => (index + 1).to_string(),
            name => name.to_owned(),
        };
        let header: Vec<String> = names.into_iter().enumerate().map(named).collect();
        if no_header {
            lines.put_back(vec![(number, first)]);
        }
        let mut seen = HashSet::new();
        let again = header.iter().find(|name| !seen.insert(name.as_str()));
        if let Some(twice) = again.filter(|_| twice == Twice::Refused) {
            bail!(Usage(format!(
                "line {number}, the header, has two columns called {twice:?}: rename one, or remove the line, give \
                 --no-header and call columns by their numbers"
            )));
        }
        Ok(Self { lines, delimiter, header, advice })
    }

    /// The row that starts with this line; lines that turn out not to belong to it are put back.
    fn row(&mut self, line: u64, first: Vec<u8>) -> io::Result<Result<Record, Broken>> {
        let broken = |reason: &str| Ok(Err(Broken { line, reason: reason.to_owned() }));
        let Ok(mut text) = String::from_utf8(first) else { return broken(NOT_UTF_8) };
        let mut more = Vec::new();
        // Whether a quote is open and what came since has none that could close it: a long text is looked at once then.
        let mut open = false;
        let cells = loop {
            let split = if open { None } else { self.delimiter.split(&text) };
            match split {
                Some(Ok(cells)) if cells.len() == self.header.len() => break cells,
                Some(outcome) => {
                    self.lines.put_back(more);
                    let count = |cells: Vec<String>| {
                        format!("has {} columns, the header has {}", cells.len(), self.header.len())
                    };
                    return broken(&outcome.map_or_else(|reason| reason, count));
                }
                None => match self.lines.next()? {
                    Some((number, next)) if more.len() < LINES_OF_A_ROW => {
                        let Ok(read) = std::str::from_utf8(&next) else {
                            more.push((number, next));
                            self.lines.put_back(more);
                            return broken(NOT_UTF_8);
                        };
                        text.push('\n');
                        text.push_str(read);
                        open = !read.contains('"');
                        more.push((number, next));
                    }
                    other => {
                        more.extend(other);
                        self.lines.put_back(more);
                        return broken("has a quote that is not closed");
                    }
                },
            }
        };
        Ok(Ok(Record { line, text, cells: Cells::Texts(cells) }))
    }
}

impl<R: BufRead> Iterator for Separated<R> {
    type Item = Row;
    fn next(&mut self) -> Option<Row> {
        match self.lines.next_filled() {
            Ok(line) => line.map(|(number, bytes)| self.row(number, bytes).context("the file cannot be read further")),
            Err(error) => Some(Err(error).context("the file cannot be read further")),
        }
    }
}

/// What to say to somebody who misses a column.
fn advice(line: &str, columns: usize) -> Option<String> {
    let others = USUAL.into_iter().chain([Delimiter::Whitespace]);
    let split = others.filter_map(|delimiter| Some((delimiter, delimiter.split(line)?.ok()?)));
    let (delimiter, names) = split.filter(|(_, names)| names.len() > columns).max_by_key(|(_, names)| names.len())?;
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    Some(format!("with --delimiter {} they would be {}", delimiter.option(), names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8]) -> Vec<Result<Record, Broken>> {
        let lines = Lines::new(bytes, b'\n');
        Separated::new(lines, Some(Delimiter::Character(',')), false, Twice::Refused)
            .unwrap()
            .map(|row| row.unwrap())
            .collect()
    }

    fn lines(rows: &[Result<Record, Broken>]) -> Vec<(u64, bool)> {
        rows.iter()
            .map(|row| row.as_ref().map_or_else(|broken| (broken.line, false), |record| (record.line, true)))
            .collect()
    }

    fn header(text: &str, no_header: bool) -> Result<Vec<String>> {
        Ok(Separated::new(Lines::new(text.as_bytes(), b'\n'), None, no_header, Twice::Refused)?.header)
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_the_most_columns() {
        for line in ["a,b c,d", "a;b c;d", "a\tb c\td", "a|b c|d", "\"a;x\",\"b c\",d"] {
            assert_eq!(header(line, false).unwrap().len(), 3, "{line}");
        }
        assert_eq!(header("ada;buy;49,90\n", true).unwrap(), ["1", "2", "3"]);
        assert_eq!(header("user", false).unwrap(), ["user"]);
        let told = Separated::new(
            Lines::new(&b"user;when"[..], b'\n'),
            Some(Delimiter::Character(',')),
            false,
            Twice::Refused,
        )
        .unwrap();
        assert_eq!(told.advice.as_deref(), Some("with --delimiter ';' they would be user, when"));
    }

    #[test]
    fn columns_have_a_name_each() {
        assert_eq!(header("\n , a,b ,\n", false).unwrap(), ["1", "a", "b", "4"]);
        assert!(header("a,b, a", false).unwrap_err().to_string().contains("two columns called \"a\""));
        assert!(header("", false).unwrap_err().to_string().contains("empty"));
    }

    #[test]
    fn a_row_with_too_few_columns_costs_itself() {
        let rows = rows(b"user,event\na,open\nb\n\nc,close,extra\r\nd,open\r\n");
        assert_eq!(lines(&rows), [(2, true), (3, false), (5, false), (6, true)]);
        assert!(rows[1].as_ref().unwrap_err().reason.contains("has 1 columns, the header has 2"));
    }

    #[test]
    fn a_row_may_have_several_lines() {
        let rows = rows(b"user,note\na,\"two\nlines\"\nb,x\n");
        assert_eq!(lines(&rows), [(2, true), (4, true)]);
        assert_eq!(rows[0].as_ref().unwrap().cells, Cells::Texts(vec!["a".to_owned(), "two\nlines".to_owned()]));
    }

    #[test]
    fn an_open_quote_costs_one_row_and_not_the_file() {
        let rows = rows(format!("user,note\na,\"open\n{}", "u,x\n".repeat(300)).as_bytes());
        assert_eq!(rows.len(), 301);
        assert_eq!(lines(&rows)[..3], [(2, false), (3, true), (4, true)]);
        assert!(rows[1..].iter().all(Result::is_ok));
    }

    #[test]
    fn a_quote_closed_by_a_later_row_costs_one_row_and_the_other_stands_for_itself() {
        assert_eq!(lines(&rows(b"user,note\na,\"open\nb,x\nc,\"fine\"\n")), [(2, false), (3, true), (4, true)]);
    }

    #[test]
    fn what_is_not_utf8_is_reported() {
        assert_eq!(lines(&rows(b"user,note\na,\xff\nb,x\n")), [(2, false), (3, true)]);
    }
}

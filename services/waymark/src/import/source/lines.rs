//! Numbered lines of a file.

use std::collections::VecDeque;
use std::io::{self, BufRead};

/// Numbered lines, which can be put back.
pub struct Lines<R> {
    reader: R,
    end: u8,
    next: u64,
    again: VecDeque<(u64, Vec<u8>)>,
}

/// What ends the lines of a file that begins so: LF, also after a CR, or CR alone, as old spreadsheets write.
pub fn end_of(head: &[u8]) -> u8 {
    if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' }
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R, end: u8) -> Self {
        Self { reader, end, next: 1, again: VecDeque::new() }
    }

    pub fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        if self.reader.read_until(self.end, &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&self.end) {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        let number = self.next;
        self.next += 1;
        Ok(Some((number, line)))
    }

    /// The next line that is not blank.
    pub fn next_filled(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        loop {
            match self.next()? {
                Some((_, line)) if line.trim_ascii().is_empty() => {}
                other => return Ok(other),
            }
        }
    }

    pub fn put_back(&mut self, lines: Vec<(u64, Vec<u8>)>) {
        for line in lines.into_iter().rev() {
            self.again.push_front(line);
        }
    }
}

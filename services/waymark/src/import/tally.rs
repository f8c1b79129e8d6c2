//! As what the columns of a file were read, with examples: what to look at before a file is imported, and after.

use super::record::Column;
use super::values::Reading;

/// Examples of each reading of a column.
const EXAMPLES: usize = 3;
/// Characters of one.
const LENGTH: usize = 40;

/// What became of each column.
#[derive(Debug, Default)]
pub struct Tally {
    pub columns: Vec<Tallied>,
}

/// A column, and where it is counted.
#[derive(Debug)]
pub struct Place {
    pub column: Column,
    pub slot: usize,
}

/// What became of one column.
#[derive(Debug)]
pub struct Tallied {
    /// The column.
    pub column: String,
    /// What it is mapped to, such as `user` or `property plan`.
    pub becomes: String,
    /// As what its cells were read.
    pub read: Vec<Count>,
}

/// Cells of a column that were read as the same.
#[derive(Debug)]
pub struct Count {
    pub reading: Reading,
    pub rows: u64,
    pub examples: Vec<String>,
}

impl Tally {
    /// A column of a header, if the file has one, and a place to count it at.
    pub fn place(&mut self, name: &str, header: &[String], becomes: String) -> Place {
        Place { column: Column::new(name, header), slot: self.slot(name, becomes) }
    }

    /// A place to count a column at.
    pub fn slot(&mut self, column: &str, becomes: String) -> usize {
        self.columns.push(Tallied { column: column.to_owned(), becomes, read: Vec::new() });
        self.columns.len() - 1
    }

    /// Counts a cell.
    pub fn count(&mut self, slot: usize, reading: Reading, text: &str) {
        let Some(column) = self.columns.get_mut(slot) else { return };
        let index = column.read.iter().position(|count| count.reading == reading).unwrap_or_else(|| {
            column.read.push(Count { reading, rows: 0, examples: Vec::new() });
            column.read.len() - 1
        });
        let count = &mut column.read[index];
        count.rows += 1;
        let known = |count: &Count| count.examples.iter().any(|example| example == text);
        if count.examples.len() < EXAMPLES && !text.is_empty() && !known(count) {
            let text = shown(text);
            if !count.examples.contains(&text) {
                count.examples.push(text);
            }
        }
    }
}

fn shown(text: &str) -> String {
    if text.chars().count() <= LENGTH {
        text.to_owned()
    } else {
        text.chars().take(LENGTH - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_counted_with_different_examples() {
        let mut tally = Tally::default();
        let slot = tally.slot("amount", "property amount".to_owned());
        for text in ["1", "2", "1", "3", "4"] {
            tally.count(slot, Reading::Number, text);
        }
        tally.count(slot, Reading::Doubtful, &"9,".repeat(50));
        tally.count(slot, Reading::Empty, "");
        let counts: Vec<_> =
            tally.columns[0].read.iter().map(|count| (count.reading, count.rows, count.examples.len())).collect();
        assert_eq!(counts, [(Reading::Number, 5, 3), (Reading::Doubtful, 1, 1), (Reading::Empty, 1, 0)]);
        assert_eq!(tally.columns[0].read[1].examples[0].chars().count(), LENGTH);
    }
}

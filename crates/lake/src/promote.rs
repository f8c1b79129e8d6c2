//! Which properties get a column of their own: those that many events have. Counts what is taken in; never declares a
//! column.
//!
//! A property gets one once a process has taken in [`LakeOptions::promote_after`](crate::LakeOptions) events of the
//! workspace and at least one in [`RARE`] of them has it with a value of the column's type. Older events count less: all
//! counts are halved from time to time. A table has at most [`MOST_COLUMNS`] such columns; what comes after stays in the
//! remainder, where it is found as well, only not as fast.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::encode::Batch;
use crate::schema::{Columns, Kind};
use crate::shred::kind;

/// Columns of properties that a table may have.
pub(crate) const MOST_COLUMNS: usize = 100;
/// A property that fewer than one in so many events have gets no column.
const RARE: u64 = 100;
/// Longer names get no column: no question may name them.
const LONGEST_NAME: usize = 800;
/// Names that are counted. Whatever is sent, what is had by more than one in so many of all values is among them (Misra,
/// Gries, 1982).
const COUNTED: usize = 4096;
/// After so many events the counts are halved.
const REMEMBERED: u64 = 200_000;

/// What the events that were taken in had.
#[derive(Debug, Default)]
pub(crate) struct Popularity {
    events: u64,
    /// At least how many of them had the property with a value of the kind.
    counts: HashMap<String, [u64; 3]>,
}

impl Popularity {
    /// Counts batches, and tells which properties are to have a column that have none, the most common first.
    pub(crate) fn count(&mut self, batches: &[Batch], columns: &Columns, after: u64) -> Vec<(String, Kind)> {
        let room = MOST_COLUMNS.saturating_sub(columns.promoted().len());
        if room == 0 {
            self.counts.clear();
            return Vec::new();
        }
        for event in batches.iter().flat_map(|batch| &batch.events) {
            self.events += 1;
            for (name, value) in &event.properties {
                if columns.place(name).is_none() && !name.is_empty() && name.len() <= LONGEST_NAME {
                    self.note(name, value);
                }
            }
        }
        if self.events < after {
            return Vec::new();
        }
        let mut common: Vec<(u64, &String, Kind)> = Vec::new();
        for (name, counts) in &self.counts {
            let best = [Kind::Text, Kind::Number, Kind::Flag].into_iter().zip(*counts).max_by_key(|(_, count)| *count);
            if let Some((kind, count)) = best.filter(|(_, count)| *count > 0 && count * RARE >= self.events) {
                common.push((count, name, kind));
            }
        }
        common.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let wanted: Vec<_> = common.into_iter().take(room).map(|(_, name, kind)| (name.clone(), kind)).collect();
        let chosen: HashSet<&String> = wanted.iter().map(|(name, _)| name).collect();
        self.counts.retain(|name, _| !chosen.contains(name));
        if self.events >= REMEMBERED.max(after.saturating_mul(2)) {
            self.events /= 2;
            self.fade(|count| count / 2);
        }
        wanted
    }

    fn note(&mut self, name: &str, value: &Value) {
        let Some(kind) = kind(value) else { return };
        if let Some(counts) = self.counts.get_mut(name) {
            counts[kind as usize] += 1;
        } else if self.counts.len() < COUNTED {
            let mut counts = [0; 3];
            counts[kind as usize] = 1;
            self.counts.insert(name.to_owned(), counts);
        } else {
            self.fade(|count| count.saturating_sub(1));
        }
    }

    /// Lowers all counts, and forgets names of which nothing is left.
    fn fade(&mut self, lower: impl Fn(u64) -> u64) {
        self.counts.retain(|_, counts| {
            *counts = counts.map(&lower);
            counts.iter().any(|count| *count > 0)
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::event::Event;

    fn batch(count: usize, properties: impl Fn(usize, Event) -> Event) -> [Batch; 1] {
        let event = |number| Event::new(format!("{number}"), "visit", "ann", DateTime::UNIX_EPOCH);
        [Batch { events: (0..count).map(|number| properties(number, event(number))).collect(), import: None }]
    }

    #[test]
    fn common_properties_get_the_type_that_most_of_their_values_have() {
        let none = Columns::new([]);
        let mut popularity = Popularity::default();
        let some = batch(100, |number, event| {
            let event = if number % 3 == 0 { event.with("mixed", "text") } else { event.with("mixed", 1) };
            let event = if number == 7 { event.with("rare", true) } else { event };
            event.with("plan", "pro").with("gone", Value::Null).with("list", Vec::<i32>::new()).with("revenue", 1)
        });
        assert_eq!(popularity.count(&some, &none, 300), []);
        assert_eq!(popularity.count(&some, &none, 300), []);
        let wanted = popularity.count(&some, &none, 300);
        let names: Vec<_> = wanted.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        assert_eq!(names, [("plan", Kind::Text), ("mixed", Kind::Number), ("rare", Kind::Flag)]);
        let rarer = batch(10_000, |number, event| if number < 99 { event.with("rarer", 1) } else { event });
        assert_eq!(Popularity::default().count(&rarer, &none, 1), []);
    }

    #[test]
    fn ten_thousand_names_hide_no_common_one_and_take_no_room() {
        let none = Columns::new([]);
        let mut popularity = Popularity::default();
        for round in 0..20 {
            let noise = batch(1000, |number, event| {
                let event = event.with("plan", "pro");
                (0..5).fold(event, |event, other| event.with(format!("noise-{round}-{number}-{other}"), 1))
            });
            let wanted = popularity.count(&noise, &none, 20_000);
            assert!(popularity.counts.len() <= COUNTED);
            assert_eq!(wanted, if round < 19 { vec![] } else { vec![("plan".to_owned(), Kind::Text)] });
        }
    }
}

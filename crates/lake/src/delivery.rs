//! Who delivered an event, and whether it stands when imports are undone.
//!
//! A row names the imports that delivered its event, and with them a call that did, which nobody takes back; one that
//! names nobody was delivered by a call alone. An event stands while anything that delivered it does. Which imports are
//! undone is a property of the table, from one commit on and for ever, so what is still under way of one never shows. A
//! file's entry in the log says which imports its rows name: only of files that name one that is undone do queries look
//! at the column, to pass over rows that do not stand, until compaction has removed these.
//!
//! What several deliver is a row each, until compaction or a group finds them side by side: those that say the same
//! become one row that names them all, and one that a call delivered takes in all that come after it. Rows of an event
//! that say different things are kept, as it depends on what is undone which of them is seen: of those that stand the
//! one that was received first.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, BooleanArray, DictionaryArray, RecordBatch, StringArray, TypedDictionaryArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::schema::column;

/// The different events that an import delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Those that nothing else delivered that stands.
    pub alone: u64,
    /// Those that a call or another import that stands delivered, too.
    pub shared: u64,
    /// The times of the first and the last of them all.
    pub times: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Delivered {
    /// As a property of the table.
    pub(crate) fn text(&self) -> String {
        let micros = self.times.map(|(first, last)| [first.timestamp_micros(), last.timestamp_micros()]);
        json!({"alone": self.alone, "shared": self.shared, "times": micros}).to_string()
    }

    /// Reads it. What cannot be read is not known; that the import is undone is.
    pub(crate) fn parse(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let count = |name: &str| value[name].as_u64().unwrap_or_default();
        let time = |index: usize| DateTime::from_timestamp_micros(value["times"][index].as_i64()?);
        Self { alone: count("alone"), shared: count("shared"), times: time(0).zip(time(1)) }
    }

    /// Widens the times to these.
    pub(crate) fn note(&mut self, times: Option<(DateTime<Utc>, DateTime<Utc>)>) {
        let join = |(a, b): (DateTime<Utc>, DateTime<Utc>), (c, d)| (a.min(c), b.max(d));
        self.times = match (self.times, times) {
            (Some(known), Some(more)) => Some(join(known, more)),
            (known, more) => known.or(more),
        };
    }
}

/// The imports of a workspace that are undone, with what that took away.
pub(crate) type Undone = BTreeMap<Uuid, Delivered>;

/// What stands in the column for a call beside imports.
const CALL: &str = "call";

/// Who delivered an event; at least somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deliverers {
    /// Whether a call did, so that the event stays.
    call: bool,
    imports: BTreeSet<Uuid>,
}

impl Deliverers {
    pub(crate) fn of(import: Option<Uuid>) -> Self {
        Self { call: import.is_none(), imports: import.into_iter().collect() }
    }

    /// Reads what stands in the column.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::of(None)) };
        let mut deliverers = Self::default();
        for name in text.split(' ') {
            if name == CALL {
                deliverers.call = true;
            } else {
                let import =
                    Uuid::parse_str(name).map_err(LakeError::failed("read which imports delivered an event"))?;
                deliverers.imports.insert(import);
            }
        }
        Ok(deliverers)
    }

    /// What stands in the column.
    pub(crate) fn text(&self) -> Option<String> {
        if self.imports.is_empty() {
            return None;
        }
        let call = self.call.then(|| CALL.to_owned());
        Some(call.into_iter().chain(self.imports.iter().map(Uuid::to_string)).collect::<Vec<_>>().join(" "))
    }

    /// Those of them that stand; `None` when nobody does.
    pub(crate) fn standing(&self, undone: &Undone) -> Option<Self> {
        let stands = |import: &Uuid| !undone.contains_key(import);
        let imports: BTreeSet<Uuid> = self.imports.iter().copied().filter(stands).collect();
        (self.call || !imports.is_empty()).then_some(Self { call: self.call, imports })
    }

    /// Whether this import is one of them, and whether somebody else is who stands.
    pub(crate) fn split(&self, import: Uuid, undone: &Undone) -> (bool, bool) {
        let stands = |other: &Uuid| *other != import && !undone.contains_key(other);
        (self.imports.contains(&import), self.call || self.imports.iter().any(stands))
    }
}

/// The rows of one event in the order in which they were received, without those that are never seen: a row is seen
/// while it stands and none before it does. Neighbours that say the same become one.
pub(crate) fn seen<R>(
    rows: impl IntoIterator<Item = (R, Deliverers)>,
    same: impl Fn(&R, &R) -> bool,
) -> Vec<(R, Deliverers)> {
    let mut kept: Vec<(R, Deliverers)> = Vec::new();
    let mut before = BTreeSet::new();
    for (row, deliverers) in rows {
        // When nothing before it stands, its own imports that are among those before do not stand, either.
        let is_never_seen = !deliverers.call && deliverers.imports.is_subset(&before);
        before.extend(deliverers.imports.iter().copied());
        match kept.last_mut() {
            // After what stays nothing is seen, only who delivered it, too.
            Some((last, known)) if known.call || same(last, &row) => {
                known.call |= deliverers.call;
                known.imports.extend(deliverers.imports);
            }
            _ if is_never_seen => {}
            _ => kept.push((row, deliverers)),
        }
    }
    kept
}

/// The column that says who delivered the rows of a batch.
pub(crate) struct DelivererColumn<'a>(TypedDictionaryArray<'a, Int32Type, StringArray>);

impl<'a> DelivererColumn<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self> {
        let column = batch.column_by_name(column::IMPORTS).and_then(|column| column.as_dictionary_opt::<Int32Type>());
        let typed = column.and_then(DictionaryArray::downcast_dict::<StringArray>);
        typed.map(Self).ok_or_else(|| LakeError::told("look who delivered events", "the rows do not say it"))
    }

    /// Where in the list of values that of a row is; `None` where a call delivered the event.
    pub(crate) fn value(&self, row: usize) -> Option<usize> {
        let key = self.0.keys().is_valid(row).then(|| self.0.keys().value(row) as usize)?;
        self.0.values().is_valid(key).then_some(key)
    }

    /// What stands in a row.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        self.value(row).map(|value| self.0.values().value(value))
    }

    /// Who delivered the event of a row.
    pub(crate) fn deliverers(&self, row: usize) -> Result<Deliverers> {
        Deliverers::parse(self.text(row))
    }

    /// Something about each value, in the order of [`Self::value`].
    pub(crate) fn each<T>(&self, tell: impl Fn(Deliverers) -> T) -> Result<Vec<T>> {
        let values = self.0.values();
        let text = |value: usize| values.is_valid(value).then(|| values.value(value));
        (0..values.len()).map(|value| Ok(tell(Deliverers::parse(text(value))?))).collect()
    }

    /// The imports that the rows name.
    pub(crate) fn named(&self) -> Result<BTreeSet<Uuid>> {
        let values = self.0.values();
        let mut there = vec![false; values.len()];
        (0..self.0.len()).filter_map(|row| self.value(row)).for_each(|value| there[value] = true);
        let mut named = BTreeSet::new();
        for value in (0..values.len()).filter(|value| there[*value]) {
            named.extend(Deliverers::parse(Some(values.value(value)))?.imports);
        }
        Ok(named)
    }
}

/// The rows of a batch that stand.
pub(crate) fn standing(batch: RecordBatch, undone: &Undone) -> Result<RecordBatch> {
    let column = DelivererColumn::of(&batch)?;
    let stands = column.each(|deliverers| deliverers.standing(undone).is_some())?;
    if stands.iter().all(|stands| *stands) {
        return Ok(batch);
    }
    let keep: BooleanArray =
        (0..batch.num_rows()).map(|row| Some(column.value(row).is_none_or(|value| stands[value]))).collect();
    filter_record_batch(&batch, &keep).map_err(LakeError::failed("pass over events of undone imports"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn import(number: u8) -> Uuid {
        Uuid::from_u128(number.into())
    }

    fn deliverers(numbers: &[u8]) -> Deliverers {
        // 0 stands for a call.
        let imports = numbers.iter().copied().filter(|number| *number > 0).map(import).collect();
        Deliverers { call: numbers.contains(&0), imports }
    }

    fn undone(numbers: impl IntoIterator<Item = u8>) -> Undone {
        numbers.into_iter().map(|number| (import(number), Delivered::default())).collect()
    }

    /// What is seen of an event: what the first row that stands says.
    fn shown(rows: &[(u8, Deliverers)], undone: &Undone) -> Option<u8> {
        rows.iter().find(|(_, deliverers)| deliverers.standing(undone).is_some()).map(|(says, _)| *says)
    }

    #[test]
    fn what_was_counted_reads_as_it_was_written() {
        let time = |micros| DateTime::from_timestamp_micros(micros).unwrap();
        for times in [None, Some((time(-1), time(1_709_251_200_123_456)))] {
            let delivered = Delivered { alone: 3, shared: 1, times };
            assert_eq!(Delivered::parse(&delivered.text()), delivered);
        }
        assert_eq!(Delivered::parse("foreign"), Delivered::default());
    }

    #[test]
    fn deliverers_read_as_they_are_written() {
        for numbers in [&[0][..], &[1], &[1, 2, 255], &[0, 1, 2]] {
            let text = deliverers(numbers).text();
            assert_eq!(Deliverers::parse(text.as_deref()).unwrap(), deliverers(numbers));
        }
        assert!(Deliverers::parse(Some("")).is_err() && Deliverers::parse(Some("all")).is_err());
    }

    #[test]
    fn rows_that_say_the_same_are_one_and_those_after_a_call_are_told_by_it() {
        let seen = |rows: &[(u8, &[u8])]| {
            seen(rows.iter().map(|(says, by)| (*says, deliverers(by))), |a, b| a == b)
                .into_iter()
                .map(|(says, by)| (says, usize::from(by.call) + by.imports.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(seen(&[(7, &[1]), (7, &[2]), (7, &[3])]), [(7, 3)]);
        assert_eq!(seen(&[(7, &[1]), (7, &[0]), (8, &[3])]), [(7, 3)]);
        assert_eq!(seen(&[(7, &[0]), (8, &[1])]), [(7, 2)]);
        assert_eq!(seen(&[(7, &[1]), (8, &[0, 1])]), [(7, 1), (8, 2)]);
        assert_eq!(seen(&[(7, &[1]), (8, &[2]), (7, &[3])]), [(7, 1), (8, 1), (7, 1)]);
        assert_eq!(seen(&[(7, &[1]), (8, &[1])]), [(7, 1)]);
    }

    proptest! {
        /// Whatever is undone, and whenever that is compacted, an event says what it said.
        #[test]
        fn fewer_rows_show_the_same(
            rows in prop::collection::vec((0..3_u8, prop::collection::vec(0..5_u8, 1..3)), 0..7),
            first in prop::collection::btree_set(1..5_u8, 0..3),
            later in prop::collection::btree_set(1..5_u8, 0..5),
        ) {
            let rows: Vec<(u8, Deliverers)> = rows.into_iter().map(|(says, by)| (says, deliverers(&by))).collect();
            let (before, after) = (undone(first.clone()), undone(first.into_iter().chain(later)));
            let left = rows.iter().filter_map(|(says, by)| Some((*says, by.standing(&before)?)));
            let fewer = seen(left, |a, b| a == b);
            prop_assert_eq!(shown(&fewer, &before), shown(&rows, &before));
            prop_assert_eq!(shown(&fewer, &after), shown(&rows, &after));
        }
    }
}

//! What one stream of rows adds up to, series by series and bucket by bucket. Never looks at what the rows say.
//!
//! A stream holds each user's events together, so a user is counted once in a bucket by remembering, for each cell, the
//! last run of rows that counted there.

use std::collections::HashMap;

use waymark_domain::metrics::Scalar;
use waymark_stats::ExactSum;

use crate::answer::Series;

/// What a series is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// All events, or those without the value that the others have.
    Absent,
    Value(Scalar),
    /// All that have no series of their own.
    Other,
}

impl Key {
    pub(crate) fn value(self) -> Option<Scalar> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Other => None,
        }
    }
}

/// What a row adds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    One,
    UniqueUser,
    /// Index into the properties that are read.
    Property(usize),
}

/// The starts of buckets, in order; at least one.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    starts: Vec<i64>,
    /// Buckets per microsecond, about.
    density: f64,
}

impl Axis {
    pub(crate) fn new(starts: Vec<i64>) -> Self {
        let length = starts.last().zip(starts.first()).map_or(0, |(last, first)| last.saturating_sub(*first));
        let density = if length > 0 { (starts.len() - 1) as f64 / length as f64 } else { 0.0 };
        Self { starts, density }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The bucket of a time that none begins after. Buckets are of about one length, so it is found where it would be if
    /// they were of one, or next to that.
    fn bucket(&self, time: i64) -> usize {
        let last = self.starts.len() - 1;
        let guess = (time.saturating_sub(self.starts[0]) as f64 * self.density) as usize;
        let mut bucket = guess.min(last);
        while bucket > 0 && time < self.starts[bucket] {
            bucket -= 1;
        }
        while bucket < last && self.starts[bucket + 1] <= time {
            bucket += 1;
        }
        bucket
    }
}

/// What one stream has added up so far.
#[derive(Debug)]
pub(crate) struct Tally {
    user: Option<i64>,
    /// Number of the current run of rows of one user, from 1.
    run: u64,
    index: HashMap<Scalar, u32>,
    /// The series of events without the value.
    absent: Option<u32>,
    /// That of all values that have none.
    other: Option<u32>,
    groups: Vec<Cells>,
    empty: Cells,
    room: usize,
    /// Rows that count, and the series of each: room that is used again for each batch.
    pub rows: Vec<u32>,
    pub of_rows: Vec<u32>,
}

impl Tally {
    /// Nothing yet, in series of so many buckets. There is room for so many of them, or there are those that are
    /// `chosen`, and one of all others.
    pub(crate) fn new(amount: Amount, buckets: usize, room: usize, chosen: Option<&[Key]>) -> Self {
        let mut tally = Self {
            user: None,
            run: 0,
            index: HashMap::new(),
            absent: None,
            other: None,
            groups: Vec::new(),
            empty: Cells::new(amount, buckets),
            room,
            rows: Vec::new(),
            of_rows: Vec::new(),
        };
        for key in chosen.into_iter().flatten().chain(chosen.map(|_| &Key::Other)) {
            tally.open(key.clone());
        }
        tally
    }

    /// The series of a value; `None` when there is no room for it.
    pub(crate) fn group(&mut self, value: Option<&Scalar>) -> Option<u32> {
        if let Some(known) = value.map_or(self.absent, |value| self.index.get(value).copied()).or(self.other) {
            return Some(known);
        }
        (self.groups.len() < self.room).then(|| self.open(value.map_or(Key::Absent, |value| Key::Value(value.clone()))))
    }

    fn open(&mut self, key: Key) -> u32 {
        let index = self.groups.len() as u32;
        self.groups.push(self.empty.clone());
        match key {
            Key::Absent => self.absent = Some(index),
            Key::Value(value) => drop(self.index.insert(value, index)),
            Key::Other => self.other = Some(index),
        }
        index
    }

    /// Counts rows, each in its series.
    pub(crate) fn count(&mut self, axis: &Axis, times: &[i64], rows: &[u32], groups: &[u32]) {
        for (row, group) in rows.iter().zip(groups) {
            let bucket = axis.bucket(times[*row as usize]);
            self.groups[*group as usize].count(bucket);
        }
    }

    /// Counts the users of rows, each once in a bucket.
    pub(crate) fn count_users(&mut self, axis: &Axis, times: &[i64], users: &[i64], rows: &[u32], groups: &[u32]) {
        for (row, group) in rows.iter().zip(groups) {
            let user = users[*row as usize];
            if self.user != Some(user) {
                self.user = Some(user);
                self.run += 1;
            }
            let bucket = axis.bucket(times[*row as usize]);
            self.groups[*group as usize].count_once(bucket, self.run);
        }
    }

    /// Adds up the numbers of rows that have one.
    pub(crate) fn sum(
        &mut self,
        axis: &Axis,
        times: &[i64],
        number: impl Fn(usize) -> Option<f64>,
        rows: &[u32],
        groups: &[u32],
    ) {
        for (row, group) in rows.iter().zip(groups) {
            let cells = &mut self.groups[*group as usize];
            cells.touched = true;
            if let Some(number) = number(*row as usize) {
                cells.sums[axis.bucket(times[*row as usize])].add(number);
            }
        }
    }
}

/// Adds up the streams: their users are different, so unique counts add too. Their values may be different too, so what
/// is too much for a stream is also too much here, however the rows were shared out: then `None`.
pub(crate) fn merge(tallies: Vec<Tally>, room: usize) -> Option<Vec<(Key, Cells)>> {
    let mut merged: HashMap<Key, Cells> = HashMap::new();
    for Tally { index, absent, other, groups, .. } in tallies {
        let mut groups: Vec<Option<Cells>> = groups.into_iter().map(Some).collect();
        let values = index.into_iter().map(|(value, index)| (Key::Value(value), index));
        let others = [(Key::Absent, absent), (Key::Other, other)].into_iter();
        for (key, index) in values.chain(others.filter_map(|(key, index)| Some((key, index?)))) {
            let Some(cells) = groups[index as usize].take().filter(|cells| cells.touched) else { continue };
            if let Some(merged) = merged.get_mut(&key) {
                merged.merge(cells);
            } else if merged.len() < room {
                merged.insert(key, cells);
            } else {
                return None;
            }
        }
    }
    Some(merged.into_iter().collect())
}

/// One series in the making.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    /// Whether any event belongs here, even one that adds nothing.
    touched: bool,
    /// For each bucket what was counted; empty where amounts are added up.
    counts: Vec<u64>,
    /// Of users, how many there are in the whole range.
    users: u64,
    /// For each bucket, and last for the whole range, the run that was counted last; only where users are.
    counted: Vec<u64>,
    /// The sum of the amounts of each bucket; empty where something is counted.
    sums: Vec<ExactSum>,
}

impl Cells {
    fn new(amount: Amount, buckets: usize) -> Self {
        let (counts, counted, sums) = match amount {
            Amount::One => (buckets, 0, 0),
            Amount::UniqueUser => (buckets, buckets + 1, 0),
            Amount::Property(_) => (0, 0, buckets),
        };
        Self {
            touched: false,
            counts: vec![0; counts],
            users: 0,
            counted: vec![0; counted],
            sums: vec![ExactSum::default(); sums],
        }
    }

    fn count(&mut self, bucket: usize) {
        self.touched = true;
        self.counts[bucket] += 1;
    }

    fn count_once(&mut self, bucket: usize, run: u64) {
        self.touched = true;
        if self.counted[bucket] != run {
            self.counted[bucket] = run;
            self.counts[bucket] += 1;
        }
        let whole = self.counts.len();
        if self.counted[whole] != run {
            self.counted[whole] = run;
            self.users += 1;
        }
    }

    /// Adds another stream's, or another series' that has no events or users in common with it.
    pub(crate) fn merge(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.users += other.users;
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            sum.merge(more);
        }
    }

    /// The measure over the whole range.
    pub(crate) fn total(&self) -> f64 {
        if !self.counted.is_empty() {
            return self.users as f64;
        }
        if self.sums.is_empty() {
            return self.counts.iter().sum::<u64>() as f64;
        }
        let mut total = ExactSum::default();
        self.sums.iter().for_each(|sum| total.merge(sum.clone()));
        total.value()
    }

    pub(crate) fn series(self, key: Option<Scalar>) -> Series {
        let total = self.total();
        let values = if self.sums.is_empty() {
            self.counts.iter().map(|count| *count as f64).collect()
        } else {
            self.sums.iter().map(ExactSum::value).collect()
        };
        Series { key, values, total }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_in_the_last_bucket_that_begins_before_it(
            lengths in prop::collection::vec(1..50_i64, 0..20),
            first in -100..100_i64,
            after in 0..2_000_i64,
        ) {
            let starts: Vec<i64> = std::iter::once(first)
                .chain(lengths.iter().scan(first, |start, length| { *start += length; Some(*start) }))
                .collect();
            let expected = starts.partition_point(|start| *start <= first + after) - 1;
            prop_assert_eq!(Axis::new(starts).bucket(first + after), expected);
        }
    }

    #[test]
    fn streams_may_have_more_values_than_there_is_room_for() {
        let tally = |from: i32| {
            let mut tally = Tally::new(Amount::One, 1, 3, None);
            for number in from..from + 2 {
                let group = tally.group(Some(&Scalar::Number(f64::from(number)))).unwrap();
                tally.count(&Axis::new(vec![0]), &[0], &[0], &[group]);
            }
            tally
        };
        assert_eq!(merge(vec![tally(0), tally(1)], 3).map(|all| all.len()), Some(3));
        assert!(merge(vec![tally(0), tally(2)], 3).is_none());
        let mut full = tally(0);
        assert_eq!((full.group(None), full.group(Some(&Scalar::Boolean(true)))), (Some(2), None));
    }
}

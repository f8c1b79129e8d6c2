//! What is asked: items, the capacity for them, and how long to look for the best. Types; what is made of them is in
//! `model`.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What is to be planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// How many periods there are.
    pub periods: usize,
    /// Who does the work.
    pub pools: Vec<Pool>,
    /// What may be done.
    pub items: Vec<Item>,
}

/// Those who can stand in for one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// How much each period has, one number for each.
    pub capacity: Vec<f64>,
    /// How much there is beside that, for whichever periods it serves best.
    pub anytime: f64,
}

/// Something that may be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What it is worth when it is done, whenever that is; `None` when nobody knows.
    pub value: Option<f64>,
    /// How much work it is for which pools.
    pub work: Vec<(usize, f64)>,
    /// How many periods it may take.
    pub lasts: RangeInclusive<usize>,
    /// The periods it must begin and end in, from 0.
    pub within: RangeInclusive<usize>,
    /// Whether it must be done.
    pub wish: Wish,
    /// The items it waits for.
    pub after: Vec<usize>,
}

/// Whether an item must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It must.
    Must,
    /// It may, if it is worth it.
    May,
    /// It must not.
    MustNot,
}

/// From the first period of an item to its last, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Periods {
    /// The first.
    pub first: usize,
    /// The last, inclusive.
    pub last: usize,
}

/// How much may be spent on an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Subproblems of the solver. The same question with as many gives the same answer, as long as there is time for them.
    pub nodes: u64,
    /// The time after which what was found is answered.
    pub time: Duration,
}

impl Default for Effort {
    fn default() -> Self {
        Self { nodes: 20_000, time: Duration::from_secs(5) }
    }
}

impl Pool {
    /// A pool of so much in each period.
    pub fn of(capacity: impl Into<Vec<f64>>) -> Self {
        Self { capacity: capacity.into(), anytime: 0.0 }
    }
}

impl Item {
    /// An item that may be done in any one of so many periods and waits for nothing.
    pub fn of(periods: usize, value: Option<f64>, work: impl Into<Vec<(usize, f64)>>) -> Self {
        let within = 0..=periods.saturating_sub(1);
        Self { value, work: work.into(), lasts: 1..=1, within, wish: Wish::May, after: Vec::new() }
    }
}

impl Question {
    /// The fewest periods that an item may be spread over for the capacity to be enough somewhere within its periods, though
    /// nothing else were done; `None` where it never is.
    pub fn fewest_periods(&self, item: &Item) -> Option<usize> {
        let (first, last) = item.within.clone().into_inner();
        let has = |pool: usize, period: usize| self.pools[pool].capacity[period] + self.pools[pool].anytime;
        (1..=(last + 1).saturating_sub(first)).find(|length| {
            let fits = |start: usize| {
                let mut periods = start..start + length;
                periods
                    .all(|period| item.work.iter().all(|(pool, amount)| amount / *length as f64 <= has(*pool, period)))
            };
            (first..=last + 1 - length).any(fits)
        })
    }
}

impl Periods {
    /// How many there are.
    pub fn count(self) -> usize {
        self.last - self.first + 1
    }

    /// How many of these lie between two periods.
    pub(crate) fn between(self, first: usize, last: usize) -> usize {
        (self.last.min(last) + 1).saturating_sub(self.first.max(first))
    }
}

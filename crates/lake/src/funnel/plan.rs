//! From rows to hits: which steps and exclusions an event may be, its session, its values; and at the end of a user's
//! rows what becomes of them. Allocates nothing per row but where properties are read.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Attribution, Condition, Funnel, FunnelOrder, PropertyFilter, Scalar, Step};

use super::chain::Run;
use super::follow::{Follower, Seen};
use super::rules::{Hit, NONE, Rules};
use super::tally::Groups;
use super::who::{Listed, Who};
use crate::error::Result;
use crate::file::Span;
use crate::property::{Property, Values, Verdicts};
use crate::scan::Scan;
use crate::schema::{Columns, column};

/// A funnel prepared for a pass.
#[derive(Debug)]
pub(super) struct Plan {
    rules: Rules,
    /// The start of each bucket.
    starts: Vec<i64>,
    times: Span,
    columns: Vec<&'static str>,
    /// The events of the steps, and then those of the exclusions.
    events: Vec<Wanted>,
    /// Events that do not come between steps.
    ignored: Vec<String>,
    /// The properties that are read.
    properties: Vec<String>,
    sought: Vec<Property>,
    /// Indices into them of those that are held.
    held: Vec<usize>,
    /// Index of that of the breakdown, and whose value it is.
    breakdown: Option<(usize, Attribution)>,
    /// Microseconds between sessions; 0 where there are none.
    session_gap: i64,
    strict: bool,
    /// Who is listed, where users are.
    who: Option<Who>,
}

/// What a step or an exclusion is.
#[derive(Debug)]
struct Wanted {
    event: String,
    /// What must hold of the properties that are read, by index.
    filters: Vec<(usize, Condition)>,
}

/// What one stream knows.
#[derive(Debug, Default)]
pub(super) struct State {
    user: Option<i64>,
    hits: Vec<Hit>,
    /// Whether any of them may be the first step.
    may_enter: bool,
    session: u32,
    /// The time of the row before.
    last: i64,
    keys: Numbers<Vec<Option<Scalar>>>,
    values: Numbers<Option<Scalar>>,
    follower: Follower,
    groups: Groups,
    listed: Listed,
    /// The steps that rows have the event of, as bits.
    seen: u64,
}

/// The values of one user, by when they came.
#[derive(Debug)]
struct Numbers<T> {
    index: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self { index: HashMap::new(), values: Vec::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    fn number(&mut self, value: T) -> u32 {
        if self.values.last() == Some(&value) {
            return self.values.len() as u32 - 1;
        }
        if let Some(known) = self.index.get(&value) {
            return *known;
        }
        let number = self.values.len() as u32;
        self.index.insert(value.clone(), number);
        self.values.push(value);
        number
    }

    fn clear(&mut self) {
        self.index.clear();
        self.values.clear();
    }
}

impl State {
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn groups(self) -> Groups {
        self.groups
    }

    pub(super) fn listed(self) -> Listed {
        self.listed
    }
}

impl Plan {
    pub(super) fn new(funnel: &Funnel, now: DateTime<Utc>, starts: Vec<i64>, columns: &Columns) -> Self {
        let settings = funnel.settings();
        let rules = Rules::new(funnel, now);
        let mut properties: Vec<String> = Vec::new();
        let mut property = |name: &str| {
            properties.iter().position(|known| known == name).unwrap_or_else(|| {
                properties.push(name.to_owned());
                properties.len() - 1
            })
        };
        let mut wanted = |step: &Step| {
            let filter = |filter: &PropertyFilter| (property(filter.property()), filter.condition().clone());
            Wanted { event: step.event().to_owned(), filters: step.filters().iter().map(filter).collect() }
        };
        let steps = funnel.steps().iter().map(|step| &step.step);
        let events = steps.chain(settings.exclusions.iter().map(|bar| &bar.event)).map(&mut wanted).collect();
        let held = settings.held.iter().map(|name| property(name)).collect();
        let breakdown = settings.breakdown.as_ref();
        let breakdown = breakdown.map(|breakdown| (property(&breakdown.property), breakdown.attribution));
        let times = Span { min: rules.entries.min, max: rules.horizon() };
        let gap = settings.session_gap.num_microseconds().unwrap_or(i64::MAX);
        Self {
            strict: rules.order == FunnelOrder::Strict,
            session_gap: if rules.within_sessions { gap } else { 0 },
            rules,
            starts,
            times,
            columns: vec![column::USER_HASH, column::TIME, column::EVENT],
            events,
            ignored: settings.ignored.clone(),
            sought: properties.iter().map(|name| Property::new(name, columns)).collect(),
            properties,
            held,
            breakdown,
            who: None,
        }
    }

    /// The same, to list users instead of counting them.
    pub(super) fn listing(mut self, who: Who) -> Self {
        self.columns.push(column::USER);
        self.who = Some(who);
        self
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is read.
    pub(super) fn scan(&self) -> Scan {
        Scan { columns: self.columns.clone(), properties: self.properties.clone(), times: Some(self.times) }
    }

    /// Takes in the rows of a batch.
    pub(super) fn add(&self, state: &mut State, batch: &RecordBatch) -> Result<()> {
        let users = batch.column(0).as_primitive::<Int64Type>().values();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
        let events = batch.column(2).as_dictionary::<Int32Type>();
        let values: Vec<Values<'_>> = self.sought.iter().map(|property| property.values(batch)).collect();
        let names = self.who.as_ref().map(|_| batch.column(self.columns.len() - 1).as_string::<i32>());
        // Names are compared once per batch and name, not once per row.
        let of = |name: Option<&str>| {
            name.map_or((0, true), |name| (self.named(name), self.ignored.iter().any(|of| of == name)))
        };
        let named: Vec<(u64, bool)> = events.values().as_string::<i32>().iter().map(of).collect();
        let mut filters: Vec<Vec<Verdicts<'_>>> = Vec::with_capacity(self.events.len());
        for wanted in &self.events {
            let conditions = wanted.filters.iter();
            filters.push(conditions.map(|(index, condition)| Verdicts::new(values[*index], condition)).collect());
        }
        for (row, (user, time)) in users.iter().zip(times).enumerate() {
            let (user, time) = (*user, *time);
            let (mut wanted, ignored) = named[events.keys().value(row) as usize];
            if state.user != Some(user) {
                self.settle(state)?;
                (state.user, state.last) = (Some(user), time);
                if let Some(names) = names {
                    state.listed.begin(user, names.value(row));
                }
            }
            if time < self.times.min || time > self.times.max {
                continue;
            }
            state.seen |= wanted;
            if self.session_gap > 0 {
                state.session += u32::from(time.saturating_sub(state.last) > self.session_gap);
                state.last = time;
            }
            if wanted == 0 && (!self.strict || ignored) {
                continue;
            }
            let (mut key, mut value) = (0, 0);
            if wanted != 0 && !self.properties.is_empty() {
                for (index, filters) in filters.iter_mut().enumerate() {
                    if wanted >> index & 1 == 1 && !filters.iter_mut().all(|filter| filter.holds(row)) {
                        wanted &= !(1 << index);
                    }
                }
                if wanted != 0 && !self.held.is_empty() {
                    key = state.keys.number(self.held.iter().map(|index| values[*index].get(row)).collect());
                }
                if let Some((index, _)) = self.breakdown.filter(|_| wanted != 0) {
                    value = state.values.number(values[index].get(row));
                }
            }
            let count = self.rules.steps;
            let (steps, bars) = ((wanted & ((1 << count) - 1)) as u32, (wanted >> count) as u32);
            let hit = Hit { time, steps, bars, key, value, session: state.session };
            if wanted == 0 {
                // What comes between is told by the first of several.
                let between = |hit: &Hit| hit.steps == 0 && hit.bars == 0;
                if !self.strict || ignored || state.hits.last().is_none_or(between) {
                    continue;
                }
            }
            state.may_enter |= steps & 1 == 1 || self.rules.order == FunnelOrder::Unordered;
            state.hits.push(hit);
        }
        Ok(())
    }

    /// The steps, and then the exclusions, whose event has this name.
    fn named(&self, name: &str) -> u64 {
        let named = self.events.iter().enumerate().filter(|(_, wanted)| wanted.event == name);
        named.fold(0, |bits, (index, _)| bits | 1 << index)
    }

    /// Counts a user of whom there are no more rows.
    pub(super) fn settle(&self, state: &mut State) -> Result<()> {
        if state.may_enter {
            self.count(state)?;
        }
        state.hits.clear();
        state.may_enter = false;
        state.session = 0;
        if !self.properties.is_empty() {
            state.keys.clear();
            state.values.clear();
        }
        Ok(())
    }

    fn count(&self, state: &mut State) -> Result<()> {
        let State { hits, keys, values, follower, groups, listed, .. } = state;
        let over = state.last.saturating_add(self.session_gap) < self.rules.now;
        let open_session = if over { NONE } else { state.session };
        let seen = Seen { keys: keys.values.len() as u32, values: values.values.len() as u32, open_session };
        let mut counted = Ok(());
        follower.follow(&self.rules, hits, seen, |value, run| {
            if let Some(who) = &self.who {
                listed.add(who, hits, run);
            } else if counted.is_ok() {
                let value = value.or_else(|| self.value(hits, run)).and_then(|value| values.values.get(value as usize));
                counted = groups.add(&self.rules, &self.starts, value.and_then(Option::as_ref), hits, run);
            }
        });
        counted
    }

    /// The number of the value that a way is counted under.
    fn value(&self, hits: &[Hit], run: &Run) -> Option<u32> {
        let (_, attribution) = self.breakdown?;
        let hit = match attribution {
            Attribution::First | Attribution::All => run.path[0],
            Attribution::Last => run.path.iter().rev().copied().find(|hit| *hit != NONE)?,
            Attribution::Step(step) => run.path[step],
        };
        hits.get(hit as usize).map(|hit| hit.value)
    }
}

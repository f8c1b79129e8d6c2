//! Who comes back when: one pass over the rows of each stream, which follows one user at a time. Never sorts and keeps no
//! set of users.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use waymark_domain::metrics::{
    Interval, Retention, RetentionDenominator, RetentionMode, RetentionPeriods, RetentionStart, Step, TrendSettings,
};

use crate::answer::{Bucket, Watermark};
use crate::calendar::buckets;
use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::scan::Source;
use crate::schema::Columns;
use crate::selection::{Selected, Selection};
use crate::shared::Shared;

/// Who came back when.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionAnswer {
    /// One for each interval of the range.
    pub cohorts: Vec<Cohort>,
    /// Whether rows have the event of the start, and that of coming back.
    pub seen: [bool; 2],
    /// How current the answer is.
    pub watermark: Watermark,
}

/// Those who began in an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cohort {
    /// The interval.
    pub bucket: Bucket,
    /// How many began in it.
    pub users: u64,
    /// One for each column.
    pub cells: Vec<Cell>,
}

/// How many came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// How many did, of those who count.
    pub returned: u64,
    /// How many count.
    pub of: u64,
    /// For how many the column is over.
    pub matured: u64,
}

/// The kinds of events: what users begin with, and what they come back for.
const START: u32 = 1;
const RETURN: u32 = 2;

/// The answer at `now`, which tells what is over.
pub(crate) async fn answer(
    shared: &Shared,
    source: Source,
    retention: &Retention,
    now: DateTime<Utc>,
) -> Result<RetentionAnswer> {
    let plan = Arc::new(Plan::new(retention, now, &source.columns())?);
    let scan = plan.selection.scan(plan.times);
    let (step, starting) = (plan.clone(), plan.clone());
    let add = move |state: &mut State, batch: &RecordBatch| step.add(state, batch);
    let states = shared.engine.fold(&source, &scan, move || starting.state(), add).await?;
    let mut all = plan.state();
    for mut state in states {
        plan.settle(&mut state);
        for (sum, more) in all.users.iter_mut().zip(state.users) {
            *sum += more;
        }
        for (sum, more) in all.cells.iter_mut().zip(state.cells) {
            sum.returned += more.returned;
            sum.of += more.of;
            sum.matured += more.matured;
        }
        all.seen |= state.seen;
    }
    let cells = all.cells.chunks(plan.columns.len());
    let cohorts = plan.cohorts.iter().zip(all.users).zip(cells);
    let cohort =
        |((bucket, users), cells): ((&Bucket, u64), &[Cell])| Cohort { bucket: *bucket, users, cells: cells.to_vec() };
    let seen = [all.seen & START != 0, all.seen & RETURN != 0];
    Ok(RetentionAnswer { cohorts: cohorts.map(cohort).collect(), seen, watermark: source.watermark() })
}

/// A question prepared for a pass.
#[derive(Debug)]
struct Plan {
    selection: Selection,
    start: RetentionStart,
    mode: RetentionMode,
    matured: bool,
    occurrences: u32,
    /// When users begin.
    range: Span,
    times: Span,
    cohorts: Vec<Bucket>,
    /// Where the intervals of the calendar begin, those after the range included, as far as is looked.
    starts: Vec<i64>,
    /// Microseconds of a period that is counted from the start; `None` where the calendar's are.
    length: Option<i64>,
    /// From which period to which.
    columns: Vec<(u32, u32)>,
    /// How many periods are looked at.
    periods: usize,
    now: i64,
}

/// What one stream knows.
#[derive(Debug, Default)]
struct State {
    user: Option<i64>,
    hits: Vec<(i64, u32)>,
    /// How often a user came back in each period, and last in any after.
    counts: Vec<u32>,
    users: Vec<u64>,
    cells: Vec<Cell>,
    seen: u32,
}

impl Plan {
    fn new(retention: &Retention, now: DateTime<Utc>, columns: &Columns) -> Result<Self> {
        let settings = retention.settings();
        let (from, until) = (settings.range.start(), settings.range.end());
        let cut = |end| {
            let cut = TrendSettings::new(from, end, settings.interval, settings.zone);
            let mut cut = cut.map_err(|error| LakeError::InvalidQuery(error.to_string()))?;
            cut.week_start = settings.week_start;
            buckets(&cut)
        };
        let told = retention.columns();
        let periods = retention.periods();
        // The longest there are: a day of 25 hours or, where a date was skipped, 48.
        let (longest, length) = match settings.interval {
            Interval::Day => (TimeDelta::hours(25), TimeDelta::days(1)),
            Interval::Week => (TimeDelta::hours(7 * 24 + 1), TimeDelta::days(7)),
            Interval::Month => (TimeDelta::hours(31 * 24 + 1), TimeDelta::days(30)),
        };
        let rolling = settings.periods_from == RetentionPeriods::Rolling;
        let beyond = longest
            .checked_mul(periods.cast_signed())
            .and_then(|more| until.checked_add_signed(more + TimeDelta::days(2)));
        let beyond = beyond
            .ok_or_else(|| LakeError::InvalidQuery("the periods leave the calendar: ask for fewer".to_owned()))?;
        let axis = if rolling { Vec::new() } else { cut(beyond)? };
        let kind = |step: &Step| vec![step.event().to_owned()];
        let (start, returns) = (retention.start(), retention.returns());
        let kinds = [(kind(start), start.filters()), (kind(returns), returns.filters())];
        let selection = Selection::new(kinds, columns);
        let range = Span::of_times(from, until);
        let last = if settings.mode == RetentionMode::OnOrAfter { i64::MAX } else { beyond.timestamp_micros() };
        let first = if settings.start == RetentionStart::FirstEver { i64::MIN } else { range.min };
        Ok(Self {
            selection,
            start: settings.start,
            mode: settings.mode,
            matured: settings.denominator == RetentionDenominator::Matured,
            occurrences: settings.occurrences,
            range,
            times: Span { min: first, max: last },
            cohorts: cut(until)?,
            starts: axis.iter().map(|bucket| bucket.start.timestamp_micros()).collect(),
            length: length.num_microseconds().filter(|_| rolling),
            columns: told,
            periods: periods as usize,
            now: now.timestamp_micros(),
        })
    }

    fn state(&self) -> State {
        State {
            counts: vec![0; self.periods + 1],
            users: vec![0; self.cohorts.len()],
            cells: vec![Cell::default(); self.cohorts.len() * self.columns.len()],
            ..State::default()
        }
    }

    fn add(&self, state: &mut State, batch: &RecordBatch) -> Result<()> {
        self.selection.each(batch, |Selected { user, time, kinds }, named| {
            if state.user != Some(user) {
                self.settle(state);
                state.user = Some(user);
            }
            if self.times.min <= time && time <= self.times.max {
                state.seen |= named;
                // What comes before the first start changes nothing.
                if kinds & START != 0 || (kinds != 0 && !state.hits.is_empty()) {
                    state.hits.push((time, kinds));
                }
            }
            Ok(())
        })
    }

    /// Counts a user of whom there are no more rows.
    fn settle(&self, state: &mut State) {
        let hits = std::mem::take(&mut state.hits);
        let mut cohort = None;
        for (index, (time, kinds)) in hits.iter().enumerate() {
            if kinds & START == 0 {
                continue;
            }
            if self.range.holds(*time) {
                let of = self.cohorts.partition_point(|bucket| bucket.start.timestamp_micros() <= *time).checked_sub(1);
                if let Some(of) = of.filter(|of| cohort != Some(*of)) {
                    cohort = Some(of);
                    self.count(state, of, *time, &hits[index + 1..]);
                }
            }
            let only_first = self.start != RetentionStart::Every;
            if only_first && (cohort.is_some() || self.start == RetentionStart::FirstEver) {
                break;
            }
        }
        state.hits = hits;
        state.hits.clear();
    }

    /// Counts a user who began at `start`, and what came after.
    fn count(&self, state: &mut State, cohort: usize, start: i64, after: &[(i64, u32)]) {
        state.counts.fill(0);
        let mut place = cohort;
        for (time, _) in after.iter().filter(|(_, kinds)| kinds & RETURN != 0) {
            let period = if let Some(length) = self.length {
                usize::try_from((time - start) / length).unwrap_or(usize::MAX)
            } else {
                while self.starts.get(place + 1).is_some_and(|next| next <= time) {
                    place += 1;
                }
                place - cohort
            };
            state.counts[period.min(self.periods)] += 1;
            if period >= self.periods && self.mode != RetentionMode::OnOrAfter {
                break;
            }
        }
        state.users[cohort] += 1;
        let cells = &mut state.cells[cohort * self.columns.len()..];
        for (cell, (from, until)) in cells.iter_mut().zip(&self.columns) {
            let (from, until) = (*from as usize, *until as usize);
            let range = match self.mode {
                RetentionMode::On | RetentionMode::Brackets => from..until,
                RetentionMode::OnOrAfter => from..self.periods + 1,
                RetentionMode::OnOrBefore => 0..until,
            };
            let times = state.counts[range].iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
            let matured = self.end(cohort, start, until) <= self.now;
            let counts = matured || !self.matured;
            cell.matured += u64::from(matured);
            cell.of += u64::from(counts);
            cell.returned += u64::from(counts && times >= self.occurrences);
        }
    }

    /// When the periods before `until` are over.
    fn end(&self, cohort: usize, start: i64, until: usize) -> i64 {
        match self.length {
            Some(length) => start.saturating_add(length.saturating_mul(until as i64)),
            None => self.starts.get(cohort + until).copied().unwrap_or(i64::MAX),
        }
    }
}

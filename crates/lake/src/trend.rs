//! Counts, sums and unique users over time: one pass over the rows of each stream, column by column. Never sorts and
//! keeps no set of users.
//!
//! A breakdown by more values than an answer may have takes a pass for their totals, and another for the values with the
//! highest and for all others together; so does one of users, of whom the same may have several values.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use waymark_domain::Period;
use waymark_domain::metrics::{Breakdown, BreakdownBy, Condition, Measure, MeasureKind, Scalar, TrendSettings};

use crate::answer::{Series, TrendAnswer};
use crate::calendar::buckets;
use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::property::{Groups, Property, Values, Verdicts};
use crate::scan::{Scan, Source};
use crate::schema::{Columns, column};
use crate::shared::Shared;
use crate::tally::{Amount, Axis, Cells, Key, Tally, merge};

/// Values of a breakdown that are told apart over all of a range: each takes some hundred bytes in every stream.
const MOST_VALUES: usize = 1_000_000;
/// Numbers of all series together, each of which takes up to 16 bytes in every stream, a sum about 100. Where values
/// and buckets are more, the values with the highest totals are found first.
const MOST_NUMBERS: usize = 2_000_000;

pub(crate) async fn answer(
    shared: &Shared,
    source: Source,
    measure: &Measure,
    settings: &TrendSettings,
) -> Result<TrendAnswer> {
    let buckets = buckets(settings)?;
    let axis = Axis::new(buckets.iter().map(|bucket| bucket.start.timestamp_micros()).collect());
    let times = Span::of_times(settings.start(), settings.end());
    let question = Question { measure, breakdown: settings.breakdown.as_ref(), times };
    let mut broken_down = question.count(shared, &source, axis).await?;
    if broken_down.series.is_empty() && settings.breakdown.is_none() {
        broken_down.series.push(Series { key: None, values: vec![0.0; buckets.len()], total: 0.0 });
    }
    let BrokenDown { series, other, left_out } = broken_down;
    Ok(TrendAnswer { buckets, series, other, series_left_out: left_out, watermark: source.watermark() })
}

/// The measure over the whole of a period.
pub(crate) async fn total(shared: &Shared, source: Source, measure: &Measure, period: Period) -> Result<f64> {
    let times = Span::of_times(period.start(), period.end());
    let question = Question { measure, breakdown: None, times };
    let counted = question.count(shared, &source, Axis::new(vec![times.min])).await?;
    Ok(counted.series.first().map_or(0.0, |series| series.total))
}

/// The series of an answer.
struct BrokenDown {
    series: Vec<Series>,
    /// All that have no series of their own.
    other: Option<Series>,
    left_out: usize,
}

struct Question<'a> {
    measure: &'a Measure,
    breakdown: Option<&'a Breakdown>,
    times: Span,
}

impl Question<'_> {
    async fn count(&self, shared: &Shared, source: &Source, axis: Axis) -> Result<BrokenDown> {
        let most = self.breakdown.map_or(1, |breakdown| breakdown.limit() as usize);
        let room = MOST_VALUES.min(MOST_NUMBERS / axis.len());
        let plan = Plan::new(self, &source.columns(), axis.clone(), room, None);
        let counted = match plan.count(shared, source).await {
            Err(_) if plan.is_full.load(Ordering::Relaxed) => None,
            counted => Some(ranked(counted?)),
        };
        let is_of_users = *self.measure.kind() == MeasureKind::UniqueUsers;
        let top = match counted {
            Some(mut all) if all.len() <= most || !is_of_users => {
                let rest = all.split_off(most.min(all.len()));
                let left_out = rest.len();
                let other = rest.into_iter().map(|(_, cells)| cells).reduce(|mut all, cells| {
                    all.merge(cells);
                    all
                });
                return Ok(BrokenDown::new(all, other, left_out));
            }
            Some(all) => all.into_iter().map(|(key, _)| key).collect(),
            None => self.values(shared, source).await?,
        };
        let left_out = top.len() - most;
        let top: Vec<Key> = top.into_iter().take(most).collect();
        let plan = Plan::new(self, &source.columns(), axis, most + 1, Some(top));
        let (chosen, other) = plan.count(shared, source).await?.into_iter().partition(|(key, _)| *key != Key::Other);
        let (chosen, other): (Vec<_>, Vec<_>) = (chosen, other);
        Ok(BrokenDown::new(ranked(chosen), other.into_iter().next().map(|(_, cells)| cells), left_out))
    }

    /// All values of the breakdown, those with the highest totals first.
    async fn values(&self, shared: &Shared, source: &Source) -> Result<Vec<Key>> {
        let plan = Plan::new(self, &source.columns(), Axis::new(vec![self.times.min]), MOST_VALUES, None);
        let counted = match plan.count(shared, source).await {
            Err(_) if plan.is_full.load(Ordering::Relaxed) => {
                return Err(LakeError::InvalidQuery(format!(
                    "the breakdown has more than {MOST_VALUES} values: filter the events or break down by another property"
                )));
            }
            counted => counted?,
        };
        Ok(ranked(counted).into_iter().map(|(key, _)| key).collect())
    }
}

/// Series with the highest totals first.
fn ranked(counted: Vec<(Key, Cells)>) -> Vec<(Key, Cells)> {
    let mut totals: Vec<_> = counted.into_iter().map(|(key, cells)| (cells.total(), key, cells)).collect();
    totals.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    totals.into_iter().map(|(_, key, cells)| (key, cells)).collect()
}

impl BrokenDown {
    fn new(series: Vec<(Key, Cells)>, other: Option<Cells>, left_out: usize) -> Self {
        let series = series.into_iter().map(|(key, cells)| cells.series(key.value())).collect();
        Self { series, other: other.map(|cells| cells.series(None)), left_out }
    }
}

/// A question prepared for a pass.
#[derive(Debug, Clone)]
struct Plan {
    times: Span,
    axis: Axis,
    /// The names of events that count; all do when there is none.
    events: Vec<String>,
    /// The columns that are read beside the properties.
    columns: Vec<&'static str>,
    properties: Vec<String>,
    /// Where the values of each property are.
    sought: Vec<Property>,
    /// What must hold of the properties that are read, by index.
    filters: Vec<(usize, Condition)>,
    groups: GroupedBy,
    amount: Amount,
    /// How many series there may be.
    room: usize,
    /// The values that have series, where all others are one.
    chosen: Option<Vec<Key>>,
    /// Whether there were more.
    is_full: Arc<AtomicBool>,
}

/// What has a series each.
#[derive(Debug, Clone, Copy)]
enum GroupedBy {
    /// All together.
    Nothing,
    Event,
    /// Index into the properties that are read.
    Property(usize),
}

/// Where columns are in the rows.
const TIME: usize = 0;
const EVENT: usize = 1;
const USER: usize = 2;

impl Plan {
    fn new(question: &Question<'_>, columns: &Columns, axis: Axis, room: usize, chosen: Option<Vec<Key>>) -> Self {
        let Question { measure, breakdown, times } = *question;
        let mut read = vec![column::TIME, column::EVENT];
        let mut properties: Vec<String> = Vec::new();
        let mut property = |name: &str| {
            properties.iter().position(|known| known == name).unwrap_or_else(|| {
                properties.push(name.to_owned());
                properties.len() - 1
            })
        };
        let amount = match measure.kind() {
            MeasureKind::Count => Amount::One,
            MeasureKind::UniqueUsers => {
                read.push(column::USER_HASH);
                Amount::UniqueUser
            }
            MeasureKind::Sum(name) => Amount::Property(property(name)),
        };
        let groups = match breakdown.map(Breakdown::by) {
            None => GroupedBy::Nothing,
            Some(BreakdownBy::Event) => GroupedBy::Event,
            Some(BreakdownBy::Property(name)) => GroupedBy::Property(property(name)),
        };
        let filters = measure.filters().iter();
        let filters = filters.map(|filter| (property(filter.property()), filter.condition().clone())).collect();
        Self {
            times,
            axis,
            events: measure.events().to_vec(),
            columns: read,
            sought: properties.iter().map(|name| Property::new(name, columns)).collect(),
            properties,
            filters,
            groups,
            amount,
            room,
            chosen,
            is_full: Arc::default(),
        }
    }

    async fn count(&self, shared: &Shared, source: &Source) -> Result<Vec<(Key, Cells)>> {
        let scan = Scan { columns: self.columns.clone(), properties: self.properties.clone(), times: Some(self.times) };
        let plan = Arc::new(self.clone());
        let starting = plan.clone();
        let init = move || Tally::new(starting.amount, starting.axis.len(), starting.room, starting.chosen.as_deref());
        let step = move |tally: &mut Tally, batch: &RecordBatch| plan.add(tally, batch);
        let tallies = shared.engine.fold(source, &scan, init, step).await?;
        merge(tallies, self.room).ok_or_else(|| self.full())
    }

    /// There are more series than there may be.
    fn full(&self) -> LakeError {
        self.is_full.store(true, Ordering::Relaxed);
        LakeError::told("count series", "there are too many")
    }

    /// Adds the rows of a batch to a stream's tally.
    fn add(&self, tally: &mut Tally, batch: &RecordBatch) -> Result<()> {
        let times = batch.column(TIME).as_primitive::<TimestampMicrosecondType>().values();
        let events = batch.column(EVENT).as_dictionary::<Int32Type>();
        let mut rows = std::mem::take(&mut tally.rows);
        rows.clear();
        if self.events.is_empty() {
            rows.extend((0..times.len() as u32).filter(|row| self.times.holds(times[*row as usize])));
        } else {
            // Names are compared once per batch and name, not once per row.
            let names = events.values().as_string::<i32>().iter();
            let named = |name: Option<&str>| name.is_some_and(|name| self.events.iter().any(|event| event == name));
            let counts: Vec<bool> = names.map(named).collect();
            let keys = events.keys().values();
            let counts = |row: &u32| {
                let row = *row as usize;
                counts[keys[row] as usize] && self.times.holds(times[row])
            };
            rows.extend((0..times.len() as u32).filter(counts));
        }
        let values: Vec<Values<'_>> = self.sought.iter().map(|property| property.values(batch)).collect();
        for (index, condition) in &self.filters {
            Verdicts::new(values[*index], condition).select(&mut rows);
        }
        let by = match self.groups {
            GroupedBy::Nothing => None,
            GroupedBy::Event => Some(Values::of_names(events)),
            GroupedBy::Property(index) => Some(values[index]),
        };
        let mut groups = std::mem::take(&mut tally.of_rows);
        groups.clear();
        match by {
            None if rows.is_empty() => {}
            None => groups.resize(rows.len(), tally.group(None).ok_or_else(|| self.full())?),
            Some(by) => {
                let mut found = Groups::new(by);
                let mut find = |value: Option<&Scalar>| tally.group(value).ok_or_else(|| self.full());
                for row in &rows {
                    groups.push(found.of(*row as usize, &mut find)?);
                }
            }
        }
        match self.amount {
            Amount::One => tally.count(&self.axis, times, &rows, &groups),
            Amount::UniqueUser => {
                let users = batch.column(USER).as_primitive::<Int64Type>().values();
                tally.count_users(&self.axis, times, users, &rows, &groups);
            }
            Amount::Property(index) => {
                let number = |row| values[index].number(row);
                tally.sum(&self.axis, times, number, &rows, &groups);
            }
        }
        (tally.rows, tally.of_rows) = (rows, groups);
        Ok(())
    }
}

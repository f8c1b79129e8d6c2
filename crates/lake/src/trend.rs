//! Counts, sums and unique users over time: one pass over the rows of each stream. Never sorts and keeps no set of
//! users.
//!
//! A stream holds each user's events together, so a user is counted once in a bucket by remembering, for each cell, the
//! last run of rows that counted there.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use waymark_domain::Period;
use waymark_domain::metrics::{Breakdown, Condition, Measure, MeasureKind, Scalar, TrendSettings};
use waymark_stats::ExactSum;

use crate::answer::{Series, TrendAnswer};
use crate::calendar::buckets;
use crate::error::{LakeError, Result};
use crate::file::Span;
use crate::property::extract;
use crate::scan::{Scan, Source};
use crate::schema::{REVENUE, column};
use crate::shared::Shared;

/// Distinct values of a breakdown beyond this are a mistake (an id, a time), not a chart.
const MOST_SERIES: usize = 10_000;
/// Numbers of all series together: each takes up to 16 bytes in every stream, a sum about 100, so a wide breakdown over
/// many buckets would take gigabytes.
const MOST_NUMBERS: usize = 2_000_000;

pub(crate) async fn answer(
    shared: &Shared,
    source: Source,
    measure: &Measure,
    settings: &TrendSettings,
) -> Result<TrendAnswer> {
    let axis = buckets(settings)?;
    let starts = axis.iter().map(|bucket| bucket.start.timestamp_micros()).collect();
    let times = Span::of_times(settings.start(), settings.end());
    let breakdown = settings.breakdown.as_ref();
    let mut series = count(shared, &source, Plan::new(measure, breakdown, times, starts)).await?;
    if series.is_empty() && breakdown.is_none() {
        series.push(Series { key: None, values: vec![0.0; axis.len()], total: 0.0 });
    }
    series.sort_by(|a, b| b.total.total_cmp(&a.total).then_with(|| a.key.cmp(&b.key)));
    let most = breakdown.map_or(1, |breakdown| breakdown.limit() as usize);
    let series_left_out = series.len().saturating_sub(most);
    series.truncate(most);
    Ok(TrendAnswer { buckets: axis, series, series_left_out, watermark: source.watermark() })
}

/// The measure over the whole of a period.
pub(crate) async fn total(shared: &Shared, source: Source, measure: &Measure, period: Period) -> Result<f64> {
    let times = Span::of_times(period.start(), period.end());
    let series = count(shared, &source, Plan::new(measure, None, times, vec![times.min])).await?;
    Ok(series.first().map_or(0.0, |series| series.total))
}

async fn count(shared: &Shared, source: &Source, plan: Plan) -> Result<Vec<Series>> {
    let plan = Arc::new(plan);
    let scan = Scan { columns: plan.columns.names.clone(), times: Some(plan.times) };
    let tallies = {
        let plan = plan.clone();
        let step = move |tally: &mut Tally, batch: &RecordBatch| plan.add(tally, batch);
        shared.engine.fold(source, &scan, Tally::default, step).await?
    };
    plan.merge(tallies)
}

/// The columns a query reads and where they are in its rows.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<&'static str>,
    user: Option<usize>,
    time: usize,
    event: usize,
    revenue: Option<usize>,
    properties: Option<usize>,
}

impl Columns {
    fn need(&mut self, name: &'static str) -> usize {
        self.names.push(name);
        self.names.len() - 1
    }
}

/// What a row adds.
#[derive(Debug, Clone, Copy)]
enum Amount {
    One,
    UniqueUser,
    Revenue,
    /// Index into the properties that are read.
    Property(usize),
}

/// A question prepared for the pass.
#[derive(Debug)]
struct Plan {
    times: Span,
    /// The start of every bucket.
    starts: Vec<i64>,
    events: Vec<String>,
    columns: Columns,
    properties: Vec<String>,
    /// What must hold of the properties that are read, by index.
    filters: Vec<(usize, Condition)>,
    /// The property whose values have a series each, by index.
    key: Option<usize>,
    amount: Amount,
}

impl Plan {
    fn new(measure: &Measure, breakdown: Option<&Breakdown>, times: Span, starts: Vec<i64>) -> Self {
        let mut columns = Columns::default();
        columns.time = columns.need(column::TIME);
        columns.event = columns.need(column::EVENT);
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
                columns.user = Some(columns.need(column::USER_HASH));
                Amount::UniqueUser
            }
            MeasureKind::Sum(name) if name == REVENUE => {
                columns.revenue = Some(columns.need(column::REVENUE));
                Amount::Revenue
            }
            MeasureKind::Sum(name) => Amount::Property(property(name)),
        };
        let key = breakdown.map(|breakdown| property(breakdown.property()));
        let filters = measure.filters().iter();
        let filters = filters.map(|filter| (property(filter.property()), filter.condition().clone())).collect();
        if !properties.is_empty() {
            columns.properties = Some(columns.need(column::PROPERTIES));
        }
        Self { times, starts, events: measure.events().to_vec(), columns, properties, filters, key, amount }
    }

    /// Adds the rows of a batch to a stream's tally.
    fn add(&self, tally: &mut Tally, batch: &RecordBatch) -> Result<()> {
        let times = batch.column(self.columns.time).as_primitive::<TimestampMicrosecondType>().values();
        let users = self.columns.user.map(|index| batch.column(index).as_primitive::<Int64Type>().values());
        let revenue = self.columns.revenue.map(|index| batch.column(index).as_primitive::<Float64Type>());
        let json = self.columns.properties.map(|index| batch.column(index).as_string::<i32>());
        let events = batch.column(self.columns.event).as_dictionary::<Int32Type>();
        // Names are compared once per batch and name, not once per row.
        let counts: Vec<bool> = events
            .values()
            .as_string::<i32>()
            .iter()
            .map(|name| name.is_some_and(|name| self.events.iter().any(|event| event == name)))
            .collect();
        let only = match self.key {
            None => tally.group(None, self)?,
            Some(_) => 0,
        };
        let mut values: Vec<Option<Scalar>> = Vec::new();
        let mut bucket = 0;
        for row in 0..batch.num_rows() {
            if let Some(users) = users
                && tally.user != Some(users[row])
            {
                tally.user = Some(users[row]);
                tally.run += 1;
            }
            let time = times[row];
            if !self.times.holds(time) || !counts[events.keys().value(row) as usize] {
                continue;
            }
            if let Some(json) = json {
                extract(json.is_valid(row).then(|| json.value(row)), &self.properties, &mut values);
                if !self.filters.iter().all(|(index, condition)| condition.holds(values[*index].as_ref())) {
                    continue;
                }
            }
            let group = match self.key {
                None => only,
                Some(index) => tally.group(values[index].as_ref(), self)?,
            };
            bucket = self.bucket(time, bucket);
            let run = tally.run;
            let cells = &mut tally.groups[group as usize];
            cells.touched = true;
            match self.amount {
                Amount::One => cells.count(bucket),
                Amount::UniqueUser => cells.count_once(bucket, run),
                Amount::Revenue => {
                    if let Some(revenue) = revenue.filter(|revenue| revenue.is_valid(row)) {
                        cells.add(bucket, revenue.value(row));
                    }
                }
                Amount::Property(index) => {
                    if let Some(number) = values[index].as_ref().and_then(Scalar::as_number) {
                        cells.add(bucket, number);
                    }
                }
            }
        }
        Ok(())
    }

    /// The bucket of `time`, tried first where the row before was: a user's events lie close together.
    fn bucket(&self, time: i64, near: usize) -> usize {
        let after = self.starts.get(near + 1).copied().unwrap_or(i64::MAX);
        if self.starts[near] <= time && time < after {
            near
        } else {
            self.starts.partition_point(|start| *start <= time) - 1
        }
    }

    /// Adds up the streams: their users are different, so unique counts add too. Their values may be different too, so
    /// what is too much for a stream is also refused here, however the rows were shared out.
    fn merge(&self, tallies: Vec<Tally>) -> Result<Vec<Series>> {
        let mut merged: HashMap<Option<Scalar>, Cells> = HashMap::new();
        for Tally { index, absent, groups, .. } in tallies {
            let mut groups: Vec<Option<Cells>> = groups.into_iter().map(Some).collect();
            let values = index.into_iter().map(|(value, index)| (Some(value), index));
            for (key, index) in values.chain(absent.map(|index| (None, index))) {
                let Some(cells) = groups[index as usize].take().filter(|cells| cells.touched) else { continue };
                if let Some(merged) = merged.get_mut(&key) {
                    merged.merge(cells);
                } else {
                    one_more(merged.len(), self.starts.len())?;
                    merged.insert(key, cells);
                }
            }
        }
        Ok(merged.into_iter().map(|(key, cells)| cells.series(key)).collect())
    }
}

/// Refuses a further series beside `series` others when that is more than an answer may have.
fn one_more(series: usize, buckets: usize) -> Result<()> {
    if series == MOST_SERIES {
        return Err(LakeError::InvalidQuery(format!(
            "the breakdown has more than {MOST_SERIES} values: filter the events or break down by another property"
        )));
    }
    if (series + 1) * buckets > MOST_NUMBERS {
        return Err(LakeError::InvalidQuery(format!(
            "the breakdown has more than {series} values in each of {buckets} buckets, beyond {MOST_NUMBERS} numbers: choose a wider \
             interval or a shorter range, filter the events or break down by another property"
        )));
    }
    Ok(())
}

/// What one stream has added up so far.
#[derive(Debug, Default)]
struct Tally {
    user: Option<i64>,
    /// Number of the current run of rows of one user, from 1.
    run: u64,
    index: HashMap<Scalar, u32>,
    /// The group of events without the property.
    absent: Option<u32>,
    groups: Vec<Cells>,
}

impl Tally {
    fn group(&mut self, key: Option<&Scalar>, plan: &Plan) -> Result<u32> {
        if let Some(index) = key.map_or(self.absent, |value| self.index.get(value).copied()) {
            return Ok(index);
        }
        one_more(self.groups.len(), plan.starts.len())?;
        let index = self.groups.len() as u32;
        self.groups.push(Cells::new(plan.amount, plan.starts.len()));
        match key {
            Some(value) => drop(self.index.insert(value.clone(), index)),
            None => self.absent = Some(index),
        }
        Ok(index)
    }
}

/// One series in the making.
#[derive(Debug)]
struct Cells {
    /// Whether any event belongs here, even one that adds nothing.
    touched: bool,
    /// For each bucket, and last for the whole range, what was counted; empty where amounts are added up.
    counts: Vec<u64>,
    /// The same for the run that was counted last; only where users are.
    counted: Vec<u64>,
    /// The sum of the amounts of each bucket; empty where something is counted.
    sums: Vec<ExactSum>,
}

impl Cells {
    fn new(amount: Amount, buckets: usize) -> Self {
        let (counts, counted, sums) = match amount {
            Amount::One => (buckets + 1, 0, 0),
            Amount::UniqueUser => (buckets + 1, buckets + 1, 0),
            Amount::Revenue | Amount::Property(_) => (0, 0, buckets),
        };
        Self {
            touched: false,
            counts: vec![0; counts],
            counted: vec![0; counted],
            sums: vec![ExactSum::default(); sums],
        }
    }

    fn add(&mut self, bucket: usize, amount: f64) {
        self.sums[bucket].add(amount);
    }

    fn count(&mut self, bucket: usize) {
        for cell in [bucket, self.counts.len() - 1] {
            self.counts[cell] += 1;
        }
    }

    fn count_once(&mut self, bucket: usize, run: u64) {
        for cell in [bucket, self.counts.len() - 1] {
            if self.counted[cell] != run {
                self.counted[cell] = run;
                self.counts[cell] += 1;
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            sum.merge(more);
        }
    }

    fn series(self, key: Option<Scalar>) -> Series {
        if let Some((whole, counts)) = self.counts.split_last() {
            let values = counts.iter().map(|count| *count as f64).collect();
            return Series { key, values, total: *whole as f64 };
        }
        let values = self.sums.iter().map(ExactSum::value).collect();
        let mut total = ExactSum::default();
        self.sums.into_iter().for_each(|sum| total.merge(sum));
        Series { key, values, total: total.value() }
    }
}

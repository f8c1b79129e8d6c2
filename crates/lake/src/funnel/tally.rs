//! What is counted of a funnel: how many reached each step, when, how long it took them. Never follows anybody.

use std::collections::HashMap;

use waymark_domain::metrics::Scalar;

use super::answer::{FunnelPoint, FunnelSeries, StepAnswer, TimeToConvert};
use super::chain::Run;
use super::rules::{Hit, NONE, Rules};
use crate::error::{LakeError, Result};

/// Distinct values of a breakdown beyond this are a mistake (an id, a time), not a chart.
const MOST_SERIES: usize = 10_000;
/// Numbers of all series together.
const MOST_NUMBERS: usize = 4_000_000;
/// Microseconds.
const SECOND: f64 = 1e6;

/// The numbers of each value of the breakdown; of `None` alone where there is no breakdown.
#[derive(Debug, Default)]
pub(super) struct Groups {
    index: HashMap<Option<Scalar>, usize>,
    cells: Vec<Cells>,
    /// The group of the unit before: one after the other often has the same.
    last: Option<usize>,
}

/// One series in the making.
#[derive(Debug)]
struct Cells {
    key: Option<Scalar>,
    /// By step, and then by bucket and step.
    reached: Vec<u64>,
    /// In all, and then by bucket.
    open: Vec<u64>,
    /// By step: microseconds from the step before, of each that reached both.
    took: Vec<Vec<i64>>,
    /// From the first step to the last.
    total: Vec<i64>,
}

impl Groups {
    /// Adds what is counted once. `starts` are those of the buckets.
    pub(super) fn add(
        &mut self,
        rules: &Rules,
        starts: &[i64],
        key: Option<&Scalar>,
        hits: &[Hit],
        run: &Run,
    ) -> Result<()> {
        let group = match self.last {
            Some(last) if self.cells[last].key.as_ref() == key => last,
            _ => self.group(rules, starts.len(), key.cloned())?,
        };
        self.last = Some(group);
        let cells = &mut self.cells[group];
        let entry = run.path[0];
        let bucket = if starts.is_empty() || entry == NONE {
            None
        } else {
            starts.partition_point(|start| *start <= hits[entry as usize].time).checked_sub(1)
        };
        for place in std::iter::once(0).chain(bucket.map(|bucket| bucket + 1)) {
            let mut reached = run.reached;
            while reached != 0 {
                cells.reached[place * rules.steps + reached.trailing_zeros() as usize] += 1;
                reached &= reached - 1;
            }
            cells.open[place] += u64::from(run.open);
        }
        let mut before: Option<i64> = None;
        for (step, took) in cells.took.iter_mut().enumerate() {
            let Some(hit) = hits.get(run.path[step] as usize) else { continue };
            // Of events within one moment the later may be the step before.
            took.extend(before.map(|before| (hit.time - before).max(0)));
            before = Some(hit.time);
        }
        let at = |step: usize| hits.get(run.path[step] as usize).map(|hit| hit.time);
        cells.total.extend(at(0).zip(at(rules.last())).map(|(first, last)| (last - first).max(0)));
        Ok(())
    }

    fn group(&mut self, rules: &Rules, buckets: usize, key: Option<Scalar>) -> Result<usize> {
        if let Some(known) = self.index.get(&key) {
            return Ok(*known);
        }
        let numbers = (buckets + 1) * (rules.steps + 1);
        if self.cells.len() == MOST_SERIES || (self.cells.len() + 1) * numbers > MOST_NUMBERS {
            return Err(LakeError::InvalidQuery(format!(
                "the breakdown has more than {} values: filter the events or break down by another property",
                self.cells.len()
            )));
        }
        self.cells.push(Cells {
            key: key.clone(),
            reached: vec![0; (buckets + 1) * rules.steps],
            open: vec![0; buckets + 1],
            took: vec![Vec::new(); rules.steps],
            total: Vec::new(),
        });
        self.index.insert(key, self.cells.len() - 1);
        Ok(self.cells.len() - 1)
    }

    /// Adds what another stream counted: its users are different ones.
    pub(super) fn join(&mut self, rules: &Rules, buckets: usize, other: Self) -> Result<()> {
        for cells in other.cells {
            let group = self.group(rules, buckets, cells.key)?;
            let all = &mut self.cells[group];
            for (sum, more) in all.reached.iter_mut().zip(cells.reached) {
                *sum += more;
            }
            for (sum, more) in all.open.iter_mut().zip(cells.open) {
                *sum += more;
            }
            for (all, more) in all.took.iter_mut().zip(cells.took) {
                all.extend(more);
            }
            all.total.extend(cells.total);
        }
        Ok(())
    }

    /// The series, those that most entered first.
    pub(super) fn series(self, steps: usize) -> Vec<FunnelSeries> {
        let mut series: Vec<FunnelSeries> = self.cells.into_iter().map(|cells| cells.series(steps)).collect();
        let entered = |series: &FunnelSeries| series.steps.first().map_or(0, |step| step.reached);
        series.sort_by(|a, b| entered(b).cmp(&entered(a)).then_with(|| a.key.cmp(&b.key)));
        series
    }
}

impl Cells {
    fn series(self, steps: usize) -> FunnelSeries {
        let mut places = self.reached.chunks(steps).zip(&self.open);
        let (all, open) = places.next().unwrap_or((&[], &0));
        let step = |(reached, took): (&u64, Vec<i64>)| StepAnswer { reached: *reached, took: TimeToConvert::of(took) };
        FunnelSeries {
            key: self.key,
            steps: all.iter().zip(self.took).map(step).collect(),
            open: *open,
            took: TimeToConvert::of(self.total),
            points: places.map(|(reached, open)| FunnelPoint { reached: reached.to_vec(), open: *open }).collect(),
        }
    }
}

impl TimeToConvert {
    /// Of times in microseconds; `None` of none. Quantiles are exact: between the two times that are next to one, in
    /// proportion (Hyndman and Fan, 1996, type 7).
    fn of(mut took: Vec<i64>) -> Option<Self> {
        if took.is_empty() {
            return None;
        }
        took.sort_unstable();
        // In hundredths of a place, which are whole: no digit is lost.
        let quantile = |percent: usize| {
            let hundredths = percent * (took.len() - 1);
            let (place, part) = (hundredths / 100, (hundredths % 100) as i64);
            let low = took[place];
            let high = took.get(place + 1).copied().unwrap_or(low);
            (low * 100 + (high - low) * part) as f64 / 100.0 / SECOND
        };
        let sum: i128 = took.iter().map(|time| i128::from(*time)).sum();
        Some(Self { average: sum as f64 / took.len() as f64 / SECOND, quantiles: [10, 25, 50, 75, 90].map(quantile) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_between_the_times_next_to_them() {
        assert_eq!(TimeToConvert::of(Vec::new()), None);
        let one = TimeToConvert::of(vec![1_500_000]).unwrap();
        assert_eq!((one.average, one.quantiles), (1.5, [1.5; 5]));
        let five = TimeToConvert::of([4, 1, 5, 2, 3].map(|seconds| seconds * 1_000_000).to_vec()).unwrap();
        assert_eq!((five.average, five.quantiles), (3.0, [1.4, 2.0, 3.0, 4.0, 4.6]));
    }
}

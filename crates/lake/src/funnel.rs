//! How far users get through a funnel: one pass over the rows of each stream, which follows one user at a time. Never
//! sorts rows and keeps no set of users.
//!
//! Rows become hits, numbers and bits, in memory that is used again for the next user (`plan.rs`); pure functions of a
//! user's hits say where ways lead (`chain.rs`, `any_order.rs`) and what is counted of them (`follow.rs`).

mod any_order;
mod chain;
mod follow;
mod plan;
#[cfg(test)]
mod reference;
mod rules;
mod tally;

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Funnel, Scalar, TrendSettings};

use crate::answer::{Bucket, Watermark};
use crate::calendar::buckets;
use crate::error::{LakeError, Result};
use crate::scan::{Scan, Source};
use crate::shared::Shared;
use plan::{Plan, State};
use tally::Groups;

/// How far users got.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelAnswer {
    /// Those with the most entries first; a single series is always there, even if all zeros.
    pub series: Vec<FunnelSeries>,
    /// The intervals of points; empty when none were asked for.
    pub buckets: Vec<Bucket>,
    /// Series beyond the limit of the breakdown.
    pub series_left_out: usize,
    /// Steps, from 0, whose event no row of the range has.
    pub unseen: Vec<usize>,
    /// How current the answer is.
    pub watermark: Watermark,
}

/// The numbers of one value of the breakdown, or of all.
#[derive(Debug, Clone, PartialEq)]
pub struct FunnelSeries {
    /// The value; absent for the only series and for events without the property.
    pub key: Option<Scalar>,
    /// One for each step.
    pub steps: Vec<StepAnswer>,
    /// Those counted who may still get further.
    pub open: u64,
    /// From the first step to the last.
    pub took: Option<TimeToConvert>,
    /// One for each bucket, by when they entered.
    pub points: Vec<FunnelPoint>,
}

/// Who reached a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepAnswer {
    /// How many users, entries or sessions.
    pub reached: u64,
    /// From the step before.
    pub took: Option<TimeToConvert>,
}

/// Those who entered in an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelPoint {
    /// How many of them reached each step.
    pub reached: Vec<u64>,
    /// How many may still get further.
    pub open: u64,
}

/// How long it took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToConvert {
    /// The mean.
    pub average: f64,
    /// What 10, 25, 50, 75 and 90 of a hundred did not exceed; exact.
    pub quantiles: [f64; 5],
}

/// The answer; `now` says whose time is not over.
pub(crate) async fn answer(
    shared: &Shared,
    source: Source,
    funnel: &Funnel,
    now: DateTime<Utc>,
) -> Result<FunnelAnswer> {
    let settings = funnel.settings();
    let axis = match settings.interval {
        None => Vec::new(),
        Some(interval) => {
            let (start, end) = (settings.entries.start(), settings.entries.end());
            let cut = TrendSettings::new(start, end, interval, settings.zone);
            let mut cut = cut.map_err(|error| LakeError::InvalidQuery(error.to_string()))?;
            cut.week_start = settings.week_start;
            buckets(&cut)?
        }
    };
    let starts: Vec<i64> = axis.iter().map(|bucket| bucket.start.timestamp_micros()).collect();
    let plan = Arc::new(Plan::new(funnel, now, starts));
    let states = follow(shared, &source, &plan).await?;
    let (mut groups, mut seen) = (Groups::default(), 0);
    for state in states {
        seen |= state.seen();
        groups.join(plan.rules(), axis.len(), state.groups())?;
    }
    let steps = funnel.steps().len();
    let mut series = groups.series(steps);
    let most = settings.breakdown.as_ref().map_or(1, |breakdown| breakdown.by.limit() as usize);
    if series.is_empty() && settings.breakdown.is_none() {
        let point = FunnelPoint { reached: vec![0; steps], open: 0 };
        let steps = vec![StepAnswer { reached: 0, took: None }; steps];
        series.push(FunnelSeries { key: None, steps, open: 0, took: None, points: vec![point; axis.len()] });
    }
    let series_left_out = series.len().saturating_sub(most);
    series.truncate(most);
    let unseen = (0..steps).filter(|step| seen >> step & 1 == 0).collect();
    Ok(FunnelAnswer { series, buckets: axis, series_left_out, unseen, watermark: source.watermark() })
}

async fn follow(shared: &Shared, source: &Source, plan: &Arc<Plan>) -> Result<Vec<State>> {
    let scan = Scan { columns: plan.columns().to_vec(), times: Some(plan.times()) };
    let (step, starting) = (plan.clone(), plan.clone());
    let add = move |state: &mut State, batch: &RecordBatch| step.add(state, batch);
    let mut states = shared.engine.fold(source, &scan, move || starting.state(), add).await?;
    for state in &mut states {
        plan.settle(state)?;
    }
    Ok(states)
}

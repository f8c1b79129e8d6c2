//! How far users get through a funnel: one pass over the rows of each stream, which follows one user at a time. Never
//! sorts rows and keeps no set of users.
//!
//! Rows become hits, numbers and bits, in memory that is used again for the next user (`plan.rs`); pure functions of a
//! user's hits say where ways lead (`chain.rs`, `any_order.rs`) and what is counted of them (`follow.rs`).

mod answer;
mod any_order;
mod chain;
#[cfg(test)]
mod clickhouse;
mod follow;
mod plan;
#[cfg(test)]
mod reference;
mod rules;
mod tally;
mod who;

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Funnel, TrendSettings};

use crate::answer::Watermark;
use crate::calendar::buckets;
use crate::error::{LakeError, Result};
use crate::scan::Source;
use crate::shared::Shared;
use plan::{Plan, State};
use tally::Groups;
use who::{Listed, Who};

pub use answer::{FunnelAnswer, FunnelPoint, FunnelSeries, StepAnswer, TimeToConvert};
pub use who::{FunnelPage, FunnelUser};

/// A page of the users of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelUsers {
    /// The users.
    pub users: Vec<FunnelUser>,
    /// Whether there are more after the last.
    pub more: bool,
    /// How current the answer is.
    pub watermark: Watermark,
}

/// Who reached a step, or did not.
pub(crate) async fn users(
    shared: &Shared,
    source: Source,
    funnel: &Funnel,
    page: FunnelPage,
    now: DateTime<Utc>,
) -> Result<FunnelUsers> {
    let plan = Plan::new(funnel, now, Vec::new(), &source.columns());
    let who = Who::new(page, plan.rules().optional);
    let states = follow(shared, &source, &Arc::new(plan.listing(who))).await?;
    let (users, more) = Listed::page(states.into_iter().map(State::listed).collect(), page.size);
    Ok(FunnelUsers { users, more, watermark: source.watermark() })
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
    let plan = Arc::new(Plan::new(funnel, now, starts, &source.columns()));
    let states = follow(shared, &source, &plan).await?;
    let (mut groups, mut seen) = (Groups::default(), 0);
    for state in states {
        seen |= state.seen();
        groups.join(plan.rules(), axis.len(), state.groups())?;
    }
    let steps = funnel.steps().len();
    let mut series = groups.series(steps);
    let most = settings.breakdown.as_ref().map_or(1, |breakdown| breakdown.limit as usize);
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
    let scan = plan.scan();
    let step = plan.clone();
    let add = move |state: &mut State, batch: &RecordBatch| step.add(state, batch);
    let mut states = shared.engine.fold(source, &scan, State::default, add).await?;
    for state in &mut states {
        plan.settle(state)?;
    }
    Ok(states)
}

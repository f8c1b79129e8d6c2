//! What one more of a pool would buy: the question solved again with one more of it, in whichever periods that serves best.

use std::time::{Duration, Instant};

use crate::plan::{SAME, plan_from};
use crate::{Effort, Plan, Question};

/// What one more of a pool would buy.
#[derive(Debug, Clone, PartialEq)]
pub struct More {
    /// The pool.
    pub pool: usize,
    /// `None` where the effort was spent before it was found out.
    pub worth: Option<Worth>,
}

/// By how much a plan would be worth more, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Worth {
    /// By so much at least: a plan was found.
    pub gain: f64,
    /// By no more than so much: that is proven.
    pub most: f64,
    /// What would be done that is not.
    pub added: Vec<usize>,
    /// What would not be done that is.
    pub dropped: Vec<usize>,
}

/// What one more of each pool would buy beside a plan, pool by pool, as far as an effort goes: of subproblems each has an
/// equal share, of time whatever is left.
pub fn one_more(question: &Question, plan: &Plan, effort: Effort) -> Vec<More> {
    let until = Instant::now() + effort.time;
    let nodes = effort.nodes / question.pools.len().max(1) as u64;
    let of = |pool: usize| {
        let left = until.saturating_duration_since(Instant::now());
        let later = (question.pools.len() - pool) as u32;
        More { pool, worth: one_more_of(question, plan, pool, Effort { nodes, time: left / later }) }
    };
    (0..question.pools.len()).map(of).collect()
}

fn one_more_of(question: &Question, plan: &Plan, pool: usize, effort: Effort) -> Option<Worth> {
    if effort.time < Duration::from_millis(1) || effort.nodes == 0 {
        return None;
    }
    let mut more = question.clone();
    more.pools[pool].anytime += 1.0;
    // What must be done can be still.
    let found = plan_from(&more, effort, Some(plan)).ok()?;
    let which = |is: fn(bool, bool) -> bool| {
        let done = plan.done.iter().zip(&found.done).map(|(before, after)| (before.is_some(), after.is_some()));
        done.enumerate().filter(|(_, (before, after))| is(*before, *after)).map(|(item, _)| item).collect::<Vec<_>>()
    };
    let (gain, most) = (found.value - plan.value, found.bound - plan.value);
    if gain <= SAME * plan.value.abs() {
        // Another plan that is worth the same buys nothing.
        let most = if found.is_optimal() { 0.0 } else { most.max(0.0) };
        return Some(Worth { gain: 0.0, most, added: Vec::new(), dropped: Vec::new() });
    }
    Some(Worth {
        gain,
        most,
        added: which(|before, after| !before && after),
        dropped: which(|before, after| before && !after),
    })
}

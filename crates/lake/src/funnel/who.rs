//! Which users reached a step of a funnel, or did not: a page of them, in order of their hashes. Never follows anybody.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::chain::Run;
use super::rules::{Hit, NONE};

/// Who is listed.
#[derive(Debug, Clone, Copy)]
pub struct FunnelPage {
    /// The step, from 0.
    pub step: usize,
    /// Those who reached it, or those who reached the step before and not this one.
    pub reached: bool,
    /// The last of the page before.
    pub after: Option<i64>,
    /// How many.
    pub size: usize,
}

/// One user of a funnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelUser {
    /// The place in the order of pages.
    pub hash: i64,
    /// Who.
    pub user: String,
    /// When the way began.
    pub entry: DateTime<Utc>,
    /// When it got where it led.
    pub last: DateTime<Utc>,
    /// The step it led to.
    pub last_step: usize,
    /// Whether there is time left to get further.
    pub open: bool,
}

/// A page prepared for a pass.
#[derive(Debug)]
pub(super) struct Who {
    page: FunnelPage,
    /// The step before, past optional ones.
    before: Option<usize>,
}

impl Who {
    pub(super) fn new(page: FunnelPage, optional: u32) -> Self {
        let before = (0..page.step).rev().find(|step| optional >> step & 1 == 0);
        Self { page, before }
    }
}

/// Those of a stream that come first after the page before.
#[derive(Debug, Default)]
pub(super) struct Listed {
    hash: i64,
    user: String,
    users: BTreeMap<i64, FunnelUser>,
}

impl Listed {
    /// Whose rows come now.
    pub(super) fn begin(&mut self, hash: i64, user: &str) {
        self.hash = hash;
        self.user.clear();
        self.user.push_str(user);
    }

    /// Lists whose rows these are, if the way is of those that are asked for.
    pub(super) fn add(&mut self, who: &Who, hits: &[Hit], run: &Run) {
        let FunnelPage { step, reached, after, size } = who.page;
        let is = |step: usize| run.reached >> step & 1 == 1;
        let asked = if reached { is(step) } else { !is(step) && who.before.is_some_and(is) };
        if !asked || after.is_some_and(|after| self.hash <= after) || self.users.contains_key(&self.hash) {
            return;
        }
        // One more than a page tells that there is another.
        if self.users.len() > size {
            if self.users.last_key_value().is_some_and(|(last, _)| *last < self.hash) {
                return;
            }
            self.users.pop_last();
        }
        let time = |hit: u32| hits.get(hit as usize).and_then(|hit| DateTime::from_timestamp_micros(hit.time));
        let last_step = run.path.iter().rposition(|hit| *hit != NONE).unwrap_or_default();
        let user = FunnelUser {
            hash: self.hash,
            user: self.user.clone(),
            entry: time(run.path[0]).unwrap_or_default(),
            last: time(run.path[last_step]).unwrap_or_default(),
            last_step,
            open: run.open,
        };
        self.users.insert(self.hash, user);
    }

    /// The first `size` of those of several streams, and whether there are more.
    pub(super) fn page(all: Vec<Self>, size: usize) -> (Vec<FunnelUser>, bool) {
        let mut users: Vec<FunnelUser> = all.into_iter().flat_map(|listed| listed.users.into_values()).collect();
        users.sort_unstable_by_key(|user| user.hash);
        let more = users.len() > size;
        users.truncate(size);
        (users, more)
    }
}

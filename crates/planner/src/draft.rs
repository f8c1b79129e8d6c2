//! A plan in the making: what is done when, and what room that leaves. All that is in it keeps the rules; whether it is
//! all that must be done is for others to see.

use crate::Periods;
use crate::model::{EPSILON, Model};

/// What is done when.
#[derive(Clone)]
pub(crate) struct Draft<'m, 'q> {
    pub(crate) model: &'m Model<'q>,
    /// When each item is done.
    pub(crate) at: Vec<Option<Periods>>,
    /// What each pool has left in each period; below zero where it takes of what it has at any time.
    left: Vec<Vec<f64>>,
    /// What each pool has taken of that.
    over: Vec<f64>,
}

impl<'m, 'q> Draft<'m, 'q> {
    pub(crate) fn new(model: &'m Model<'q>) -> Self {
        let left = model.question.pools.iter().map(|pool| pool.capacity.clone()).collect();
        Self { model, at: vec![None; model.count()], left, over: vec![0.0; model.question.pools.len()] }
    }

    pub(crate) fn is_done(&self, item: usize) -> bool {
        self.at[item].is_some()
    }

    pub(crate) fn value(&self) -> f64 {
        (0..self.at.len()).filter(|item| self.is_done(*item)).map(|item| self.model.value(item)).sum()
    }

    /// What there is left of a pool in a period, for an item that needs no more of what it has at any time.
    pub(crate) fn left(&self, pool: usize, period: usize) -> f64 {
        self.left[pool][period]
    }

    /// The pools that have too little left for an item to be done so.
    pub(crate) fn short(&self, item: usize, way: Periods) -> impl Iterator<Item = usize> + '_ {
        let is_short = move |(pool, amount): &(usize, f64)| {
            let each = amount / way.count() as f64;
            let more: f64 =
                self.left[*pool][way.first..=way.last].iter().map(|left| (each - left.max(0.0)).max(0.0)).sum();
            self.over[*pool] + more > self.model.pool(*pool).anytime + EPSILON
        };
        self.model.work[item].iter().filter(move |of| is_short(of)).map(|(pool, _)| *pool)
    }

    /// Whether what an item waits for, and what waits for it, let it be done so.
    pub(crate) fn is_in_turn(&self, item: usize, way: Periods) -> bool {
        self.model.before[item].iter().all(|other| self.at[*other].is_some_and(|other| other.last <= way.first))
            && self.model.behind[item].iter().all(|other| self.at[*other].is_none_or(|other| way.last <= other.first))
    }

    pub(crate) fn can(&self, item: usize, way: Periods) -> bool {
        self.is_in_turn(item, way) && self.short(item, way).next().is_none()
    }

    pub(crate) fn put(&mut self, item: usize, way: Periods) {
        self.take_room(item, way, 1.0);
        self.at[item] = Some(way);
    }

    pub(crate) fn remove(&mut self, item: usize) -> Option<Periods> {
        let way = self.at[item].take()?;
        self.take_room(item, way, -1.0);
        Some(way)
    }

    pub(crate) fn remove_all(&mut self, items: &[usize]) {
        for item in items {
            self.remove(*item);
        }
    }

    fn take_room(&mut self, item: usize, way: Periods, times: f64) {
        for (pool, amount) in &self.model.work[item] {
            for left in &mut self.left[*pool][way.first..=way.last] {
                let before = (-*left).max(0.0);
                *left -= times * amount / way.count() as f64;
                self.over[*pool] += (-*left).max(0.0) - before;
            }
        }
    }

    /// Does an item as early as can be; whether that went.
    pub(crate) fn place(&mut self, item: usize) -> bool {
        let model = self.model;
        let way = model.ways[item].iter().copied().find(|way| self.can(item, *way));
        if let Some(way) = way {
            self.put(item, way);
        }
        way.is_some()
    }

    /// An item and all that it waits for and is not done, what comes first before.
    pub(crate) fn bundle(&self, item: usize) -> Vec<usize> {
        let mut bundle = Vec::new();
        self.gather(item, &mut bundle);
        bundle
    }

    fn gather(&self, item: usize, bundle: &mut Vec<usize>) {
        if self.is_done(item) || bundle.contains(&item) {
            return;
        }
        self.model.before[item].iter().for_each(|other| self.gather(*other, bundle));
        bundle.push(item);
    }

    /// Does all of these, or none where one cannot be done; whether that went.
    pub(crate) fn place_all(&mut self, items: &[usize]) -> bool {
        for (done, item) in items.iter().enumerate() {
            if !self.place(*item) {
                self.remove_all(&items[..done]);
                return false;
            }
        }
        true
    }

    /// Does what is worth it and can be done of these, the first first, each with what it waits for.
    pub(crate) fn fill(&mut self, items: &[usize]) {
        for item in items {
            if !self.is_done(*item) {
                let bundle = self.bundle(*item);
                if bundle.iter().map(|item| self.model.value(*item)).sum::<f64>() > 0.0 {
                    self.place_all(&bundle);
                }
            }
        }
    }

    /// Leaves out what is worth nothing, need not be done, and nothing that is done waits for.
    pub(crate) fn prune(&mut self) {
        for item in self.model.order.iter().rev() {
            let waited_for = self.model.behind[*item].iter().any(|other| self.is_done(*other));
            if !self.model.needed[*item] && !waited_for && self.model.value(*item) <= 0.0 {
                self.remove(*item);
            }
        }
    }
}

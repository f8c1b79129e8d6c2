//! What a question comes to: for each item the ways in which it can be done, and what is out from the beginning.

use std::collections::VecDeque;

use crate::{Periods, PlanError, Pool, Question, Why, Wish};

/// Work and capacity are equal within this, about a quarter of an hour in a person's life.
pub(crate) const EPSILON: f64 = 1e-6;

/// A question that was looked through.
pub(crate) struct Model<'q> {
    pub(crate) question: &'q Question,
    /// Every item after all it waits for.
    pub(crate) order: Vec<usize>,
    /// What each waits for, and what waits for it.
    pub(crate) before: Vec<Vec<usize>>,
    pub(crate) behind: Vec<Vec<usize>>,
    /// Whether each waits for another, be it by others.
    pub(crate) ahead: Vec<Vec<bool>>,
    /// Each item's work by pool, without those that have none.
    pub(crate) work: Vec<Vec<(usize, f64)>>,
    /// The same by pool: the items it works for.
    pub(crate) workers: Vec<Vec<(usize, f64)>>,
    /// In which periods each can be done, the earliest end first; none where it is out.
    pub(crate) ways: Vec<Vec<Periods>>,
    /// Why it is out from the beginning.
    pub(crate) out: Vec<Option<Why>>,
    /// What must be done, or another that must be waits for it.
    pub(crate) needed: Vec<bool>,
}

impl<'q> Model<'q> {
    pub(crate) fn new(question: &'q Question) -> Result<Self, PlanError> {
        check(question)?;
        let count = question.items.len();
        let (mut before, mut behind) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for (index, item) in question.items.iter().enumerate() {
            before[index].clone_from(&item.after);
            before[index].sort_unstable();
            before[index].dedup();
            before[index].iter().for_each(|other| behind[*other].push(index));
        }
        let order = ordered(&before, &behind)?;
        let mut ahead = vec![vec![false; count]; count];
        for item in &order {
            for other in &before[*item] {
                let of: Vec<usize> = (0..count).filter(|further| ahead[*other][*further]).collect();
                of.into_iter().chain([*other]).for_each(|further| ahead[*item][further] = true);
            }
        }
        let work: Vec<Vec<(usize, f64)>> = question.items.iter().map(|item| merged(&item.work)).collect();
        let mut workers = vec![Vec::new(); question.pools.len()];
        for (item, work) in work.iter().enumerate() {
            for (pool, amount) in work {
                workers[*pool].push((item, *amount));
            }
        }
        let ways = vec![Vec::new(); count];
        let (out, needed) = (vec![None; count], vec![false; count]);
        let mut model = Self { question, order, before, behind, ahead, work, workers, ways, out, needed };
        model.need();
        model.find_ways()?;
        model.check_capacity()?;
        Ok(model)
    }

    pub(crate) fn count(&self) -> usize {
        self.question.items.len()
    }

    /// What doing it adds to the value.
    pub(crate) fn value(&self, item: usize) -> f64 {
        self.question.items[item].value.unwrap_or(0.0)
    }

    pub(crate) fn pool(&self, pool: usize) -> &Pool {
        &self.question.pools[pool]
    }

    /// The items that can be done.
    pub(crate) fn possible(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count()).filter(|item| self.out[*item].is_none())
    }

    /// How much of an item's work for a pool is done within some periods, at least, if it is done.
    fn least_within(&self, item: usize, amount: f64, first: usize, last: usize) -> f64 {
        let share = |way: &Periods| way.between(first, last) as f64 / way.count() as f64;
        amount * self.ways[item].iter().map(share).fold(1.0, f64::min)
    }

    /// What items need of a pool within some periods at least, item by item, if they are done.
    pub(crate) fn least(&self, pool: usize, first: usize, last: usize) -> Vec<(usize, f64)> {
        let of = |(item, amount): &(usize, f64)| (*item, self.least_within(*item, *amount, first, last));
        let possible = self.workers[pool].iter().filter(|(item, _)| self.out[*item].is_none());
        possible.map(of).filter(|(_, least)| *least > 0.0).collect()
    }

    /// What a pool has within some periods.
    pub(crate) fn has(&self, pool: usize, first: usize, last: usize) -> f64 {
        let pool = self.pool(pool);
        pool.capacity[first..=last].iter().sum::<f64>() + pool.anytime
    }

    /// All spans of periods, the shortest first.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let periods = self.question.periods;
        (1..=periods).flat_map(move |length| (0..=periods - length).map(move |first| (first, first + length - 1)))
    }

    /// Marks what must be done, and all it waits for.
    fn need(&mut self) {
        for item in self.order.clone().into_iter().rev() {
            let must = self.question.items[item].wish == Wish::Must;
            self.needed[item] |= must;
            if self.needed[item] {
                self.before[item].clone().into_iter().for_each(|other| self.needed[other] = true);
            }
        }
    }

    /// The ways that capacity and dates leave. Dates of items that wait for one another narrow each other's.
    fn find_ways(&mut self) -> Result<(), PlanError> {
        for item in self.order.clone() {
            if let Some(why) = self.narrow(item) {
                self.refuse_needed(item, &why)?;
                self.ways[item].clear();
                self.out[item] = Some(why);
            }
        }
        // What must be done after it must have room behind it.
        for item in self.order.clone().into_iter().rev().filter(|item| self.needed[*item]) {
            let latest = |other: &usize| self.ways[*other].iter().map(|way| way.first).max().map(|last| (last, *other));
            let behind = self.behind[item].iter().filter(|other| self.needed[**other]);
            if let Some((latest, other)) = behind.filter_map(latest).min() {
                self.ways[item].retain(|way| way.last <= latest);
                if self.ways[item].is_empty() {
                    return Err(PlanError::Dates { item, other: Some(other) });
                }
            }
        }
        Ok(())
    }

    /// Finds the ways of an item whose others have theirs; or why there is none.
    fn narrow(&mut self, item: usize) -> Option<Why> {
        let of = &self.question.items[item];
        if of.wish == Wish::MustNot {
            return Some(Why::MustNot);
        }
        if let Some(other) = self.before[item].iter().find(|other| self.out[**other].is_some()) {
            return Some(Why::Waits(*other));
        }
        let (earliest, latest) = of.within.clone().into_inner();
        let starts = of.lasts.clone().flat_map(|length| {
            (earliest..(latest + 2).saturating_sub(length))
                .map(move |first| Periods { first, last: first + length - 1 })
        });
        let mut lacking = None;
        let mut ways: Vec<Periods> = starts
            .filter(|way| {
                let short = self.short(item, *way);
                lacking = lacking.or(short);
                short.is_none()
            })
            .collect();
        ways.sort_unstable_by_key(|way| (way.last, way.count()));
        if ways.is_empty() {
            // It cannot be within its dates, if no pool is short.
            return Some(lacking.map_or(Why::Dates(None), Why::TooLarge));
        }
        let ends = |other: &usize| self.ways[*other].first().map(|way| (way.last, *other));
        if let Some((end, other)) = self.before[item].iter().filter_map(ends).max() {
            ways.retain(|way| way.first >= end);
            if ways.is_empty() {
                return Some(Why::Dates(Some(other)));
            }
        }
        self.ways[item] = ways;
        None
    }

    /// A pool that has too little for a way, though nothing else is done.
    fn short(&self, item: usize, way: Periods) -> Option<usize> {
        let is_short = |&&(pool, amount): &&(usize, f64)| {
            let (each, of) = (amount / way.count() as f64, self.pool(pool));
            let over: f64 = of.capacity[way.first..=way.last].iter().map(|has| (each - has).max(0.0)).sum();
            over > of.anytime + EPSILON
        };
        self.work[item].iter().find(is_short).map(|(pool, _)| *pool)
    }

    fn refuse_needed(&self, item: usize, why: &Why) -> Result<(), PlanError> {
        if !self.needed[item] {
            return Ok(());
        }
        match *why {
            Why::TooLarge(pool) => Err(PlanError::TooLarge { item, pool }),
            Why::Dates(other) => Err(PlanError::Dates { item, other }),
            Why::MustNot => {
                let waits = self.behind[item].iter().copied().find(|other| self.needed[*other]);
                Err(PlanError::NeedsMustNot { item: waits.unwrap_or(item), other: item })
            }
            // These are not found out by now, or were refused before.
            Why::Waits(_) | Why::Unknown | Why::Worthless | Why::Outdone { .. } => Ok(()),
        }
    }

    /// Refuses what must be done where that needs more of a pool, in some periods, than it has.
    fn check_capacity(&self) -> Result<(), PlanError> {
        for (first, last) in self.spans() {
            for pool in 0..self.question.pools.len() {
                let mut least = self.least(pool, first, last);
                least.retain(|(item, _)| self.needed[*item]);
                let (needs, has) = (least.iter().map(|(_, least)| least).sum::<f64>(), self.has(pool, first, last));
                if needs > has + EPSILON {
                    let items = least.into_iter().map(|(item, _)| item).collect();
                    return Err(PlanError::Capacity { pool, periods: Periods { first, last }, needs, has, items });
                }
            }
        }
        Ok(())
    }
}

/// Refuses what is not within the question.
fn check(question: &Question) -> Result<(), PlanError> {
    let wrong = |what| Err(PlanError::Malformed(what));
    if question.periods == 0 {
        return wrong("there must be a period");
    }
    for pool in &question.pools {
        if pool.capacity.len() != question.periods {
            return wrong("a pool must have a capacity for each period");
        }
        if pool.capacity.iter().chain([&pool.anytime]).any(|has| !has.is_finite() || *has < 0.0) {
            return wrong("a capacity must be finite and not negative");
        }
    }
    for item in &question.items {
        if item.value.is_some_and(|value| !value.is_finite()) {
            return wrong("a value must be finite");
        }
        if item.work.iter().any(|(pool, amount)| *pool >= question.pools.len() || !amount.is_finite() || *amount < 0.0)
        {
            return wrong("work must be of a pool, finite and not negative");
        }
        if item.after.iter().any(|other| *other >= question.items.len()) {
            return wrong("an item must wait for items");
        }
        if item.lasts.is_empty() || *item.lasts.start() == 0 {
            return wrong("an item must last a period at least");
        }
        if item.within.is_empty() || *item.within.end() >= question.periods {
            return wrong("an item must be within the periods");
        }
    }
    Ok(())
}

fn merged(work: &[(usize, f64)]) -> Vec<(usize, f64)> {
    let mut merged: Vec<(usize, f64)> = Vec::new();
    for (pool, amount) in work.iter().filter(|(_, amount)| *amount > 0.0) {
        match merged.iter_mut().find(|(of, _)| of == pool) {
            Some((_, sum)) => *sum += amount,
            None => merged.push((*pool, *amount)),
        }
    }
    merged.sort_unstable_by_key(|(pool, _)| *pool);
    merged
}

/// Every item after all it waits for (Kahn, 1962), or a cycle.
fn ordered(before: &[Vec<usize>], behind: &[Vec<usize>]) -> Result<Vec<usize>, PlanError> {
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut ready: VecDeque<usize> = (0..before.len()).filter(|item| waiting[*item] == 0).collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(item) = ready.pop_front() {
        order.push(item);
        for other in &behind[item] {
            waiting[*other] -= 1;
            if waiting[*other] == 0 {
                ready.push_back(*other);
            }
        }
    }
    let Some(mut at) = waiting.iter().position(|waiting| *waiting > 0) else { return Ok(order) };
    // Whatever still waits, waits for another that does: going on, one comes back.
    let mut way = Vec::new();
    while !way.contains(&at) {
        way.push(at);
        at = before[at].iter().copied().find(|other| waiting[*other] > 0).unwrap_or(at);
    }
    let mut cycle = way.split_off(way.iter().position(|item| *item == at).unwrap_or_default());
    cycle.push(at);
    Err(PlanError::Cycle(cycle))
}

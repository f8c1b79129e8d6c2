//! One user's ways through a funnel whose steps are in order: how far any of them leads. A pure function of the user's
//! events; never reads them.
//!
//! Of all ways that lead to a step only the latest is kept: step by step it is not earlier than any other, so whatever
//! goes on from another goes on from it, within a window and after an exclusion alike. So an event costs the steps that
//! it may reach, however many ways there are.

mod assign;

use std::ops::Range;

use waymark_domain::metrics::{ExclusionEffect, FunnelOrder, WindowScope};

use super::rules::{Hit, MOST_STEPS, NONE, Rules};

/// Which events may be on a way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Only {
    /// Those with these values of the properties that are held; where a way begins with the first entry, those of that.
    pub key: Option<u32>,
    /// Those with this value of the breakdown.
    pub value: Option<u32>,
}

impl Only {
    pub(super) fn takes(self, hit: &Hit) -> bool {
        self.key.is_none_or(|key| key == hit.key) && self.value.is_none_or(|value| value == hit.value)
    }
}

/// Where ways led.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The steps that were reached, as bits.
    pub reached: u32,
    /// Of the way that led furthest first: the event of each step, or [`NONE`].
    pub path: [u32; MOST_STEPS],
    /// Whether there is time left to get further.
    pub open: bool,
    /// Whether an exclusion removes whoever went here.
    pub removed: bool,
    /// The event after those that were looked at.
    pub end: usize,
}

/// An event on ways.
#[derive(Debug, Clone, Copy)]
struct Node {
    hit: u32,
    before: u32,
    step: u32,
}

/// Memory for the ways of one user after the other.
#[derive(Debug, Default)]
pub(super) struct Chains {
    nodes: Vec<Node>,
    order: Vec<usize>,
}

/// The latest way to each step, and until when it may go on.
#[derive(Debug, Clone, Copy)]
struct Levels {
    node: [u32; MOST_STEPS],
    limit: [i64; MOST_STEPS],
}

impl Levels {
    const EMPTY: Self = Self { node: [NONE; MOST_STEPS], limit: [0; MOST_STEPS] };
}

impl Chains {
    /// Follows the ways among `hits[range]`: all of them, or those that begin with the first entry.
    pub(super) fn run(&mut self, rules: &Rules, hits: &[Hit], range: Range<usize>, only: Only, anchored: bool) -> Run {
        self.nodes.clear();
        let mut pass = Pass {
            rules,
            hits,
            nodes: &mut self.nodes,
            order: &mut self.order,
            given: only,
            only,
            anchored,
            begun: false,
            levels: Levels::EMPTY,
            reached: 0,
            furthest: NONE,
            over: false,
            removed: false,
        };
        let mut at = range.start;
        while at < range.end {
            if pass.is_closed(hits[at].time) {
                break;
            }
            let end = rules.moment_end(hits, at, range.end);
            pass.moment(at..end);
            at = end;
            if pass.over || pass.reached >> rules.last() & 1 == 1 {
                break;
            }
        }
        pass.finish(at)
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own that a way may be in")]
struct Pass<'a> {
    rules: &'a Rules,
    hits: &'a [Hit],
    nodes: &'a mut Vec<Node>,
    order: &'a mut Vec<usize>,
    given: Only,
    only: Only,
    anchored: bool,
    /// Whether the first entry was found, where ways begin with it.
    begun: bool,
    levels: Levels,
    reached: u32,
    /// The node at the furthest step, when that was reached first.
    furthest: u32,
    over: bool,
    removed: bool,
}

impl Pass<'_> {
    fn live(&self) -> impl Iterator<Item = usize> {
        (0..self.rules.steps).filter(|level| self.levels.node[*level] != NONE)
    }

    /// Whether the only entry there is has no time left.
    fn is_closed(&self, time: i64) -> bool {
        self.anchored && self.begun && self.live().all(|level| self.levels.limit[level] < time)
    }

    fn steps_of(&self, hit: usize) -> u32 {
        let hit = &self.hits[hit];
        if self.only.takes(hit) { hit.steps } else { 0 }
    }

    fn moment(&mut self, range: Range<usize>) {
        if self.rules.order == FunnelOrder::Strict {
            self.in_sequence(&range);
        } else if range.len() == 1 {
            let steps = self.steps_of(range.start);
            self.take(range.start, steps, None);
        } else {
            self.together(&range);
        }
        if !self.rules.bars.is_empty() {
            self.strike(range);
        }
    }

    /// Takes an event to those of its steps that it reaches; not to one after another unless it may be several.
    fn take(&mut self, hit: usize, steps: u32, before: Option<&Levels>) {
        let mut left = steps;
        let ascending = self.rules.reuse && !self.rules.exclusive;
        while left != 0 {
            let step = if ascending { left.trailing_zeros() } else { left.ilog2() };
            left &= !(1 << step);
            self.advance(step as usize, hit, before);
        }
    }

    /// Events of one moment, which come in any order or none after another.
    fn together(&mut self, range: &Range<usize>) {
        let union = range.clone().fold(0, |union, hit| union | self.steps_of(hit));
        if union == 0 {
            return;
        }
        let several = |hit: usize| self.steps_of(hit).count_ones() > 1;
        if !self.rules.exclusive && !self.rules.reuse && range.clone().any(several) {
            return self.assign(range, union);
        }
        for index in 0..self.rules.steps {
            // From the last step on, none is reached from another of the same moment.
            let step = if self.rules.exclusive { self.rules.last() - index } else { index };
            if union >> step & 1 == 0 {
                continue;
            }
            if step == 0 && self.anchored {
                let mut entries = range.clone().filter(|hit| self.steps_of(*hit) & 1 == 1);
                if let Some(first) = entries.find(|hit| self.rules.entries.holds(self.hits[*hit].time)) {
                    self.advance(0, first, None);
                }
                continue;
            }
            let mut best: Option<usize> = None;
            for hit in range.clone().filter(|hit| self.steps_of(*hit) >> step & 1 == 1) {
                let time = self.hits[hit].time;
                let may = if step == 0 {
                    self.rules.entries.holds(time)
                } else {
                    self.before(&self.levels, step, time).is_some()
                };
                if may && best.is_none_or(|best| self.hits[best].time < time) {
                    best = Some(hit);
                }
            }
            if let Some(hit) = best {
                self.advance(step, hit, None);
            }
        }
    }

    fn link(&mut self, from: Option<(u32, i64)>, steps: &[usize], taken: &[usize]) {
        let (mut node, mut limit) = from.unwrap_or((NONE, 0));
        for (step, hit) in steps.iter().zip(taken) {
            (node, limit) = (self.push(*hit, node, *step), self.limit(*step, self.hits[*hit].time, limit));
        }
        if let Some(step) = steps.last() {
            self.reach(*step, node, limit);
        }
    }

    /// Events one after the other, where others come between: at one moment those first that are no step, then by step.
    fn in_sequence(&mut self, range: &Range<usize>) {
        let mut order = std::mem::take(self.order);
        order.clear();
        order.extend(range.clone());
        if order.len() > 1 {
            order.sort_by_key(|hit| match self.steps_of(*hit) {
                0 => 0,
                steps => steps.trailing_zeros() + 1,
            });
        }
        let mut before = (self.rules.exclusive && order.len() > 1).then_some(self.levels);
        for hit in &order {
            let steps = self.steps_of(*hit);
            let mut allowed = 0_u32;
            for step in (0..self.rules.steps).filter(|step| steps >> step & 1 == 1) {
                // One that may be several steps may be one after the other.
                let optional = (0..step).rev().take_while(|level| self.rules.optional >> level & 1 == 1).count();
                let itself =
                    self.rules.reuse && !self.rules.exclusive && allowed >> (step - optional).saturating_sub(1) != 0;
                if step == 0 || itself || self.before(&self.levels, step, i64::MIN).is_some() {
                    allowed |= 1 << step;
                }
            }
            if allowed == 0 {
                if self.live().next().is_some() {
                    self.levels = Levels::EMPTY;
                    before = before.map(|_| Levels::EMPTY);
                    self.over = self.anchored;
                    if self.over {
                        break;
                    }
                }
                continue;
            }
            self.take(*hit, allowed, before.as_ref());
        }
        *self.order = order;
    }

    /// The step from which an event at `time` reaches another, past steps that may be left out: of several the one whose
    /// way may go on longest.
    fn before(&self, levels: &Levels, step: usize, time: i64) -> Option<usize> {
        let mut best: Option<usize> = None;
        for level in (0..step).rev() {
            if levels.node[level] != NONE
                && time <= levels.limit[level]
                && best.is_none_or(|best| levels.limit[best] < levels.limit[level])
            {
                best = Some(level);
            }
            if self.rules.optional >> level & 1 == 0 {
                break;
            }
        }
        best
    }

    fn advance(&mut self, step: usize, hit: usize, before: Option<&Levels>) {
        let time = self.hits[hit].time;
        if step == 0 {
            if (self.anchored && self.begun) || !self.rules.entries.holds(time) {
                return;
            }
            if self.anchored {
                self.begun = true;
                self.only.key = Some(self.hits[hit].key);
            }
            let node = self.push(hit, NONE, 0);
            return self.reach(0, node, self.limit(0, time, 0));
        }
        let levels = before.unwrap_or(&self.levels);
        let Some(from) = self.before(levels, step, time) else { return };
        let (node, limit) = (levels.node[from], self.limit(step, time, levels.limit[from]));
        let node = self.push(hit, node, step);
        self.reach(step, node, limit);
    }

    fn limit(&self, step: usize, time: i64, limit: i64) -> i64 {
        match self.rules.window.scope {
            WindowScope::Session => i64::MAX,
            WindowScope::Total if step > 0 => limit,
            WindowScope::Total | WindowScope::PerStep => self.rules.window.after(time),
        }
    }

    fn push(&mut self, hit: usize, before: u32, step: usize) -> u32 {
        self.nodes.push(Node { hit: hit as u32, before, step: step as u32 });
        self.nodes.len() as u32 - 1
    }

    fn reach(&mut self, step: usize, node: u32, limit: i64) {
        (self.levels.node[step], self.levels.limit[step]) = (node, limit);
        if self.reached >> step == 0 {
            self.furthest = node;
        }
        self.reached |= 1 << step;
    }

    /// Ends the ways that an exclusion comes between: after the event of one step and before that of another.
    fn strike(&mut self, range: Range<usize>) {
        for hit in range {
            let (mut bits, time) = (self.hits[hit].bars, self.hits[hit].time);
            while bits != 0 {
                let bar = self.rules.bars[bits.trailing_zeros() as usize];
                bits &= bits - 1;
                let mut struck = false;
                for level in bar.after..bar.before {
                    let node = self.levels.node[level];
                    if node == NONE || self.levels.limit[level] < time {
                        continue;
                    }
                    let mut of = self.nodes[node as usize];
                    while of.step as usize > bar.after {
                        of = self.nodes[of.before as usize];
                    }
                    if self.rules.moment_of(self.hits[of.hit as usize].time) < self.rules.moment_of(time) {
                        self.levels.node[level] = NONE;
                        struck = true;
                    }
                }
                if !struck || self.reached >> bar.before != 0 {
                    continue;
                }
                match bar.effect {
                    ExclusionEffect::Drop => {}
                    ExclusionEffect::Remove => self.removed = true,
                    ExclusionEffect::Reset => {
                        self.levels = Levels::EMPTY;
                        (self.begun, self.only) = (false, self.given);
                    }
                }
            }
        }
        self.over |= self.anchored && self.begun && self.live().next().is_none();
    }

    fn finish(self, end: usize) -> Run {
        let mut path = [NONE; MOST_STEPS];
        let mut node = self.furthest;
        while node != NONE {
            let of = self.nodes[node as usize];
            path[of.step as usize] = of.hit;
            node = of.before;
        }
        let completed = self.reached >> self.rules.last() & 1 == 1;
        let open = !completed && self.live().any(|level| self.levels.limit[level] >= self.rules.now);
        Run { reached: self.reached, path, open, removed: self.removed, end }
    }
}

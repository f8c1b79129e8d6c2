//! Events of one moment of which one may be either of several steps: which is which, so that ways lead furthest and may go on
//! longest.

use std::ops::Range;

use waymark_domain::metrics::WindowScope;

use super::{NONE, Pass};

/// How a step may be reached: from the level before these, by these steps and their events.
struct Way {
    first: Option<usize>,
    steps: Vec<usize>,
    hits: Vec<usize>,
}

impl Pass<'_> {
    /// Events of one moment of which one may be either of several steps but not both: each step gets one of its own, by
    /// augmenting paths (Kuhn, 1955).
    pub(super) fn assign(&mut self, range: &Range<usize>, union: u32) {
        let before = self.levels;
        let entry = range
            .clone()
            .find(|hit| self.steps_of(*hit) & 1 == 1 && self.rules.entries.holds(self.hits[*hit].time))
            .filter(|_| self.anchored && !self.begun);
        if let Some(entry) = entry {
            self.only.key = Some(self.hits[entry].key);
        }
        let may_enter = !self.anchored || entry.is_some();
        for target in (0..self.rules.steps).filter(|step| union >> step & 1 == 1) {
            // From the earliest step on, so that as much as can be is of this moment; but the way that may go on longest.
            let mut best: Option<(i64, Way)> = None;
            for from in 0..=target {
                let first = from.checked_sub(1);
                let limit = match first {
                    None if may_enter => i64::MAX,
                    Some(level) if before.node[level] != NONE => before.limit[level],
                    _ => continue,
                };
                let steps = (from..target).filter(|step| self.rules.optional >> step & 1 == 0).chain([target]);
                let steps: Vec<usize> = steps.collect();
                if first.is_none() && steps[0] != 0 {
                    continue;
                }
                let Some(hits) = self.distinct(range, &steps, (limit, entry)) else { continue };
                let goes_on = steps.iter().zip(&hits);
                let end = goes_on.fold(limit, |limit, (step, hit)| self.limit(*step, self.hits[*hit].time, limit));
                if best.as_ref().is_none_or(|(longest, _)| *longest < end) {
                    best = Some((end, Way { first, steps, hits }));
                }
            }
            if let Some((_, Way { first, steps, hits })) = best {
                self.link(first.map(|level| (before.node[level], before.limit[level])), &steps, &hits);
            }
        }
        self.begun |= entry.is_some();
    }

    /// An event for each of the steps, no two the same. The one that says until when the way may go on is as late as it can be:
    /// that of the last step where windows are for steps, else that of the first step of all.
    fn distinct(&self, range: &Range<usize>, wanted: &[usize], bounds: (i64, Option<usize>)) -> Option<Vec<usize>> {
        let deciding = match self.rules.window.scope {
            WindowScope::PerStep => wanted.len() - 1,
            WindowScope::Total | WindowScope::Session => 0,
        };
        let mut candidates = range.clone().rev().filter(|hit| self.fits(*hit, wanted[deciding], deciding, bounds));
        candidates.find_map(|hit| {
            let mut taken = vec![usize::MAX; wanted.len()];
            taken[deciding] = hit;
            for index in (0..wanted.len()).filter(|index| *index != deciding) {
                let mut tried = vec![false; range.len()];
                tried[hit - range.start] = true;
                if !self.place(range, wanted, bounds, index, &mut taken, &mut tried) {
                    return None;
                }
            }
            Some(taken)
        })
    }

    /// Whether an event may be the step that is wanted at `index`.
    fn fits(&self, hit: usize, step: usize, index: usize, (limit, entry): (i64, Option<usize>)) -> bool {
        let time = self.hits[hit].time;
        let enters = entry.map_or_else(|| self.rules.entries.holds(time), |entry| entry == hit);
        // Of a moment none is too late after another: no window is shorter.
        let in_time = time <= limit || (index > 0 && self.rules.window.scope == WindowScope::PerStep);
        self.steps_of(hit) >> step & 1 == 1 && in_time && (step > 0 || enters)
    }

    fn place(
        &self,
        range: &Range<usize>,
        wanted: &[usize],
        bounds: (i64, Option<usize>),
        index: usize,
        taken: &mut [usize],
        tried: &mut [bool],
    ) -> bool {
        for hit in range.clone() {
            if !self.fits(hit, wanted[index], index, bounds) || std::mem::replace(&mut tried[hit - range.start], true) {
                continue;
            }
            let holder = taken.iter().position(|held| *held == hit);
            if holder.is_none_or(|holder| self.place(range, wanted, bounds, holder, taken, tried)) {
                taken[index] = hit;
                return true;
            }
        }
        false
    }
}

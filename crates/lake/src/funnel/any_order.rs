//! One user's ways through a funnel whose steps come in any order: as many different steps as there are within a window.
//! A pure function of the user's events; never reads them.

use std::ops::Range;

use waymark_domain::metrics::{FunnelOrder, WindowScope};

use super::chain::{Only, Run};
use super::rules::{Hit, MOST_STEPS, NONE, Rules};

/// Follows the ways among `hits[range]`: the best of all, or the one that begins with the first entry.
pub(super) fn run(rules: &Rules, hits: &[Hit], range: Range<usize>, only: Only, anchored: bool) -> Run {
    let search = Search { rules, hits, range, only };
    if anchored { search.first() } else { search.best() }
}

struct Search<'a> {
    rules: &'a Rules,
    hits: &'a [Hit],
    range: Range<usize>,
    only: Only,
}

/// The events that have a step so far, one each.
struct Found {
    /// By step.
    owner: [u32; MOST_STEPS],
    /// Those events by when they were found.
    path: [u32; MOST_STEPS],
    count: usize,
}

impl Search<'_> {
    fn steps_of(&self, hit: usize) -> u32 {
        let hit = &self.hits[hit];
        if self.only.takes(hit) { hit.steps } else { 0 }
    }

    /// The steps that a way may begin with.
    fn begins(&self) -> u32 {
        if self.rules.order == FunnelOrder::UnorderedAfterFirst { 1 } else { u32::MAX }
    }

    fn is_entry(&self, hit: usize) -> bool {
        self.steps_of(hit) & self.begins() != 0 && self.rules.entries.holds(self.hits[hit].time)
    }

    fn limit(&self, start: usize) -> i64 {
        match self.rules.window.scope {
            WindowScope::Session => i64::MAX,
            WindowScope::Total | WindowScope::PerStep => self.rules.window.after(self.hits[start].time),
        }
    }

    fn none(&self) -> Run {
        Run { reached: 0, path: [NONE; MOST_STEPS], open: false, removed: false, end: self.range.end }
    }

    fn first(mut self) -> Run {
        let Some(start) = self.range.clone().find(|hit| self.is_entry(*hit)) else { return self.none() };
        self.only.key = Some(self.hits[start].key);
        let from = self.moment_start(start, self.range.start);
        self.from(start, from)
    }

    /// The first event of the moment of another.
    fn moment_start(&self, hit: usize, least: usize) -> usize {
        let at = self.rules.moment_of(self.hits[hit].time);
        (least..hit).rev().take_while(|other| self.rules.moment_of(self.hits[*other].time) == at).last().unwrap_or(hit)
    }

    /// The way that has the most steps, and of these the first. How many different steps are in the window is known of
    /// each entry from that of the one before, so an entry is looked at closely only where it may be better.
    fn best(&self) -> Run {
        let mut best = self.none();
        let mut counts = [0_u32; MOST_STEPS];
        let (mut low, mut high) = (self.range.start, self.range.start);
        let count = |counts: &mut [u32; MOST_STEPS], steps: u32, more: bool| {
            for (_, count) in counts.iter_mut().enumerate().filter(|(step, _)| steps >> step & 1 == 1) {
                *count = if more { *count + 1 } else { *count - 1 };
            }
        };
        let mut open = false;
        for start in self.range.clone().filter(|hit| self.is_entry(*hit)) {
            let (from, limit) = (self.moment_start(start, low), self.limit(start));
            while high < self.range.end && self.hits[high].time <= limit {
                count(&mut counts, self.steps_of(high), true);
                high += 1;
            }
            while low < from {
                count(&mut counts, self.steps_of(low), false);
                low += 1;
            }
            open = limit >= self.rules.now;
            let most = counts.iter().filter(|count| **count > 0).count();
            if most > best.reached.count_ones() as usize {
                let run = self.from(start, from);
                if run.reached > best.reached {
                    best = run;
                }
                if best.reached >> self.rules.last() & 1 == 1 {
                    break;
                }
            }
        }
        best.open = open && best.reached >> self.rules.last() & 1 == 0;
        best.end = self.range.end;
        best
    }

    /// The way that begins with `start`, among events from `from` on.
    fn from(&self, start: usize, from: usize) -> Run {
        let limit = self.limit(start);
        let mut found = Found { owner: [NONE; MOST_STEPS], path: [NONE; MOST_STEPS], count: 0 };
        // What begins after the first step is of another step from then on.
        let later = if self.rules.order == FunnelOrder::UnorderedAfterFirst { !1 } else { u32::MAX };
        self.add(&mut found, start, self.steps_of(start) & self.begins());
        if self.rules.reuse {
            self.add(&mut found, start, self.steps_of(start));
        }
        let mut end = from;
        while end < self.range.end && self.hits[end].time <= limit && found.count < self.rules.steps {
            if end != start {
                self.add(&mut found, end, self.steps_of(end) & later);
            }
            end += 1;
        }
        if found.count == self.rules.steps {
            // What else is of the last moment does not begin anew.
            end = self.rules.moment_end(self.hits, end.saturating_sub(1).max(start), self.range.end);
        }
        let reached = if found.count == MOST_STEPS { u32::MAX } else { (1 << found.count) - 1 };
        let open = found.count < self.rules.steps && limit >= self.rules.now;
        Run { reached, path: found.path, open, removed: false, end: end.max(start + 1) }
    }

    /// Gives an event those of its steps that it may have: all that nothing has, or one, for which others may change
    /// theirs (Kuhn, 1955).
    fn add(&self, found: &mut Found, hit: usize, steps: u32) {
        let free = (0..self.rules.steps).filter(|step| found.owner[*step] == NONE);
        let free = free.fold(0_u32, |bits, step| bits | 1 << step);
        if self.rules.reuse {
            let mut new = steps & free;
            while new != 0 {
                found.take(new.trailing_zeros() as usize, hit);
                new &= new - 1;
            }
            return;
        }
        let mut tried = 0;
        if self.place(found, hit, steps, free, &mut tried) {
            found.path[found.count] = hit as u32;
            found.count += 1;
        }
    }

    fn place(&self, found: &mut Found, hit: usize, steps: u32, free: u32, tried: &mut u32) -> bool {
        if steps & free != 0 {
            found.owner[(steps & free).trailing_zeros() as usize] = hit as u32;
            return true;
        }
        let mut held = steps & !*tried;
        while held != 0 {
            let step = held.trailing_zeros() as usize;
            *tried |= 1 << step;
            let other = found.owner.get(step).copied().unwrap_or(NONE);
            if other != NONE {
                let first = self.rules.order == FunnelOrder::UnorderedAfterFirst;
                // The first step stays with its event.
                let may = self.steps_of(other as usize) & if first { !1 } else { u32::MAX } & !(1 << step);
                if !(first && step == 0) && self.place(found, other as usize, may, free, tried) {
                    found.owner[step] = hit as u32;
                    return true;
                }
            }
            held = steps & !*tried;
        }
        false
    }
}

impl Found {
    fn take(&mut self, step: usize, hit: usize) {
        self.owner[step] = hit as u32;
        self.path[self.count] = hit as u32;
        self.count += 1;
    }
}

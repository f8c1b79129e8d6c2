//! What is counted of one user: the user, each entry or each session, as the settings say. A pure function of the
//! user's events; never reads them.

use std::ops::Range;

use waymark_domain::metrics::{FunnelEntry, FunnelOrder};

use super::any_order;
use super::chain::{Chains, Only, Run};
use super::rules::{Hit, MOST_STEPS, NONE, Rules};

/// Memory for following one user after the other.
#[derive(Debug, Default)]
pub(super) struct Follower {
    chains: Chains,
}

/// All that is known of one user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// How many different values of held properties its events have.
    pub keys: u32,
    /// How many different values of the breakdown.
    pub values: u32,
    /// The session that is not over, or [`NONE`].
    pub open_session: u32,
}

impl Follower {
    /// Tells of each that is counted where it led, and the value of the breakdown that all its events have where they
    /// must have the same.
    pub(super) fn follow(&mut self, rules: &Rules, hits: &[Hit], seen: Seen, mut tell: impl FnMut(Option<u32>, &Run)) {
        if rules.by_value {
            for value in 0..seen.values {
                let only = Only { key: None, value: Some(value) };
                self.units(rules, hits, seen, only, &mut |run| tell(Some(value), run));
            }
        } else {
            self.units(rules, hits, seen, Only::default(), &mut |run| tell(None, run));
        }
    }

    fn units(&mut self, rules: &Rules, hits: &[Hit], seen: Seen, only: Only, tell: &mut impl FnMut(&Run)) {
        let mut tell = |run: &Run| {
            if run.reached != 0 && !run.removed {
                tell(run);
            }
        };
        match rules.entry {
            FunnelEntry::LatestStart => tell(&self.best(rules, hits, seen, only)),
            FunnelEntry::FirstEntry => {
                // Of sessions the first counts that has an entry.
                let runs = segments(rules, hits).map(|range| self.run(rules, hits, range, seen, only, true));
                if let Some(run) = runs.into_iter().find(|run| run.reached != 0) {
                    tell(&run);
                }
            }
            FunnelEntry::EveryEntry => {
                for range in segments(rules, hits) {
                    let mut from = range.start;
                    while from < range.end {
                        let run = self.run(rules, hits, from..range.end, seen, only, true);
                        tell(&run);
                        from = run.end.max(from + 1);
                    }
                }
            }
            FunnelEntry::Session => {
                for range in segments(rules, hits) {
                    tell(&self.run(rules, hits, range, seen, only, true));
                }
            }
        }
    }

    /// The best of all ways; of several that lead as far the first that got there.
    fn best(&mut self, rules: &Rules, hits: &[Hit], seen: Seen, only: Only) -> Run {
        let mut best = Run { reached: 0, path: [NONE; MOST_STEPS], open: false, removed: false, end: hits.len() };
        let mut consider = |run: Run| {
            let (reached, removed) = (best.reached | run.reached, best.removed | run.removed);
            let open = best.open | run.open;
            let furthest = |run: &Run| run.reached.checked_ilog2();
            if furthest(&run) > furthest(&best) {
                best = run;
            }
            (best.reached, best.removed, best.open) = (reached, removed, open);
        };
        for range in segments(rules, hits) {
            for key in 0..seen.keys.max(1) {
                let key = (seen.keys > 1).then_some(key);
                consider(self.run(rules, hits, range.clone(), seen, Only { key, ..only }, false));
            }
        }
        best.open &= best.reached >> rules.last() & 1 == 0;
        best
    }

    fn run(&mut self, rules: &Rules, hits: &[Hit], range: Range<usize>, seen: Seen, only: Only, anchored: bool) -> Run {
        let session = hits[range.start].session;
        let mut run = match rules.order {
            FunnelOrder::Ordered | FunnelOrder::Strict => self.chains.run(rules, hits, range, only, anchored),
            FunnelOrder::Unordered | FunnelOrder::UnorderedAfterFirst => {
                any_order::run(rules, hits, range, only, anchored)
            }
        };
        // What ends with its session has time left while that is not over.
        run.open &= !rules.within_sessions || session == seen.open_session;
        run
    }
}

/// The events of the user, or of each session.
fn segments<'a>(rules: &Rules, hits: &'a [Hit]) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let within = rules.within_sessions;
    let mut from = 0;
    std::iter::from_fn(move || {
        let first = hits.get(from)?;
        let length = hits[from..].iter().take_while(|hit| !within || hit.session == first.session).count();
        let range = from..from + length;
        from = range.end;
        Some(range)
    })
}

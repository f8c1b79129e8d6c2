//! Funnels by brute force: every way there is, one by one, against which what is counted is checked on random streams of
//! events with ties, repetitions and events that may be several steps.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use waymark_domain::metrics::{
    ExclusionEffect, FunnelEntry, FunnelOrder, FunnelWindow, WindowArithmetic, WindowBoundary, WindowScope, WindowUnit,
};

use super::chain::{Only, Run};
use super::follow::{Follower, Seen};
use super::rules::{Bar, Hit, NONE, Rules};
use crate::file::Span;

/// A way: its steps and their events.
type Way = Vec<(usize, usize)>;

/// Where all ways led.
#[derive(Debug, Default)]
struct Led {
    reached: u32,
    open: bool,
    removed: bool,
    end: usize,
    ways: Vec<Way>,
}

struct All<'a> {
    rules: &'a Rules,
    hits: &'a [Hit],
    only: Only,
}

impl All<'_> {
    fn may(&self, hit: usize, step: usize) -> bool {
        self.only.takes(&self.hits[hit]) && self.hits[hit].steps >> step & 1 == 1
    }

    fn time(&self, hit: usize) -> i64 {
        self.hits[hit].time
    }

    fn at(&self, hit: usize) -> i64 {
        self.rules.moment_of(self.time(hit))
    }

    fn limit(&self, way: &Way) -> i64 {
        match self.rules.window.scope {
            WindowScope::Session => i64::MAX,
            WindowScope::Total => self.rules.window.after(self.time(way[0].1)),
            WindowScope::PerStep => self.rules.window.after(self.time(way[way.len() - 1].1)),
        }
    }

    /// Whether a step may follow another, leaving out those between.
    fn follows(&self, from: usize, step: usize) -> bool {
        from < step && (from + 1..step).all(|between| self.rules.optional >> between & 1 == 1)
    }

    /// Adds a way, and all that go on from it within a moment.
    fn extend(&self, ways: &mut Vec<Way>, way: &Way, moment: &Range<usize>) {
        if ways.contains(way) {
            return;
        }
        ways.push(way.clone());
        if self.rules.exclusive {
            return;
        }
        self.go_on(ways, way, moment);
    }

    fn go_on(&self, ways: &mut Vec<Way>, way: &Way, moment: &Range<usize>) {
        let (last, _) = way[way.len() - 1];
        for hit in moment.clone() {
            if !self.rules.reuse && way.iter().any(|(_, used)| *used == hit) || self.time(hit) > self.limit(way) {
                continue;
            }
            for step in (0..self.rules.steps).filter(|step| self.follows(last, *step) && self.may(hit, *step)) {
                self.extend(ways, &[way.clone(), vec![(step, hit)]].concat(), moment);
            }
        }
    }

    fn ordered(&self, range: Range<usize>, anchored: bool) -> Led {
        let mut all = All { rules: self.rules, hits: self.hits, only: self.only };
        let mut led = Led::default();
        let (mut ways, mut begun, mut over): (Vec<Way>, bool, bool) = (Vec::new(), false, false);
        let mut from = range.start;
        while from < range.end {
            let live = |ways: &[Way]| ways.iter().any(|way| all.limit(way) >= self.time(from));
            if anchored && begun && !live(&ways) {
                break;
            }
            let mut end = from + 1;
            while end < range.end && self.at(end) == self.at(from) {
                end += 1;
            }
            let mut sequence: Vec<Range<usize>> = std::iter::once(from..end).collect();
            if self.rules.order == FunnelOrder::Strict {
                let mut order: Vec<usize> = (from..end).collect();
                order.sort_by_key(|hit| {
                    (0..self.rules.steps).find(|step| all.may(*hit, *step)).map_or(0, |step| step + 1)
                });
                sequence = order.into_iter().map(|hit| hit..hit + 1).collect();
            }
            let mut before = ways.clone();
            for part in sequence {
                if self.rules.order == FunnelOrder::Strict {
                    let hit = part.start;
                    let known =
                        |step: usize| step == 0 || ways.iter().any(|way| self.follows(way[way.len() - 1].0, step));
                    if !(0..self.rules.steps).any(|step| all.may(hit, step) && known(step)) {
                        if !ways.is_empty() {
                            ways.clear();
                            before.clear();
                            over |= anchored;
                        }
                        if over {
                            break;
                        }
                        continue;
                    }
                }
                let known = if self.rules.exclusive { before.clone() } else { ways.clone() };
                for way in known {
                    all.go_on(&mut ways, &way, &part);
                }
                for hit in part.clone() {
                    if all.may(hit, 0) && self.rules.entries.holds(self.time(hit)) && !(anchored && begun) {
                        if anchored {
                            begun = true;
                            all.only.key = Some(self.hits[hit].key);
                        }
                        all.extend(&mut ways, &vec![(0, hit)], &part);
                    }
                }
                for way in &ways {
                    led.reached |= 1 << way[way.len() - 1].0;
                    if !led.ways.contains(way) {
                        led.ways.push(way.clone());
                    }
                }
            }
            for hit in from..end {
                for (index, bar) in self.rules.bars.iter().enumerate() {
                    if self.hits[hit].bars >> index & 1 == 0 {
                        continue;
                    }
                    let mut struck = false;
                    for step in bar.after..bar.before {
                        let here = |way: &Way| way[way.len() - 1].0 == step && all.limit(way) >= self.time(hit);
                        let falls = |way: &Way| {
                            let after = way.iter().rev().find(|(step, _)| *step <= bar.after).unwrap();
                            here(way) && self.at(after.1) < self.at(hit)
                        };
                        let fell = ways.iter().any(falls);
                        ways.retain(|way| !falls(way));
                        struck |= fell && !ways.iter().any(here);
                    }
                    if struck && led.reached >> bar.before == 0 {
                        match bar.effect {
                            ExclusionEffect::Drop => {}
                            ExclusionEffect::Remove => led.removed = true,
                            ExclusionEffect::Reset => {
                                ways.clear();
                                begun = false;
                                all.only = self.only;
                            }
                        }
                    }
                }
            }
            from = end;
            if over || anchored && begun && ways.is_empty() || led.reached >> self.rules.last() & 1 == 1 {
                break;
            }
        }
        let completed = led.reached >> self.rules.last() & 1 == 1;
        led.open = !completed && ways.iter().any(|way| all.limit(way) >= self.rules.now);
        led.end = from;
        led
    }

    /// The most steps that the events from `hit` on have, each one or, where it may be several, all of its own.
    fn most(&self, hits: &[usize], taken: u32) -> u32 {
        let Some((hit, rest)) = hits.split_first() else { return taken.count_ones() };
        let first = self.rules.order == FunnelOrder::UnorderedAfterFirst;
        let may = |step: &usize| self.may(*hit, *step) && !(first && *step == 0);
        if self.rules.reuse {
            return self.most(rest, (0..self.rules.steps).filter(may).fold(taken, |bits, step| bits | 1 << step));
        }
        let own = (0..self.rules.steps).filter(|step| may(step) && taken >> step & 1 == 0);
        own.map(|step| self.most(rest, taken | 1 << step)).chain([self.most(rest, taken)]).max().unwrap()
    }

    fn unordered(&self, range: Range<usize>, anchored: bool) -> Led {
        let mut led = Led { end: range.end, ..Led::default() };
        let first = self.rules.order == FunnelOrder::UnorderedAfterFirst;
        let starts = range.clone().filter(|hit| {
            let begins = if first { self.may(*hit, 0) } else { (0..self.rules.steps).any(|step| self.may(*hit, step)) };
            begins && self.rules.entries.holds(self.time(*hit))
        });
        let all = self.rules.steps as u32;
        let mut best = 0;
        for start in starts {
            let only = if anchored { Only { key: Some(self.hits[start].key), ..self.only } } else { self.only };
            let of = All { only, ..*self };
            let limit = of.limit(&vec![(0, start)]);
            let others: Vec<usize> = range
                .clone()
                .filter(|hit| *hit != start && self.at(*hit) >= self.at(start) && self.time(*hit) <= limit)
                .collect();
            let most = |others: &[usize]| {
                let begins = (0..self.rules.steps).filter(|step| of.may(start, *step) && (!first || *step == 0));
                if self.rules.reuse {
                    let own = (0..self.rules.steps).filter(|step| of.may(start, *step));
                    return of.most(others, own.fold(0, |bits, step| bits | 1 << step));
                }
                begins.map(|step| of.most(others, 1 << step)).max().unwrap()
            };
            let count = most(&others);
            best = best.max(count);
            led.open = limit >= self.rules.now;
            if anchored {
                // The first event that completes it, and what is of its moment; or that after the window.
                let done = (0..=others.len()).find(|count| most(&others[..*count]) == all);
                led.end = match done {
                    Some(0) => start,
                    Some(count) => others[count - 1].max(start),
                    None => others.last().copied().unwrap_or(start).max(start),
                };
                if done.is_some() {
                    led.end = (led.end..range.end).take_while(|hit| self.at(*hit) == self.at(led.end)).last().unwrap();
                }
                led.end += 1;
                break;
            }
            if best == all {
                break;
            }
        }
        led.reached = if best == 0 { 0 } else { u32::MAX >> (32 - best) };
        led.open &= best < all;
        led
    }

    fn led(&self, range: Range<usize>, anchored: bool) -> Led {
        match self.rules.order {
            FunnelOrder::Ordered | FunnelOrder::Strict => self.ordered(range, anchored),
            FunnelOrder::Unordered | FunnelOrder::UnorderedAfterFirst => self.unordered(range, anchored),
        }
    }
}

/// What is counted: the value, the steps that were reached, and whether there is time left.
fn counted(rules: &Rules, hits: &[Hit], seen: Seen) -> Vec<(Option<u32>, u32, bool)> {
    let mut sessions: BTreeMap<u32, Range<usize>> = BTreeMap::new();
    for (index, hit) in hits.iter().enumerate() {
        let session = if rules.within_sessions { hit.session } else { 0 };
        sessions.entry(session).or_insert(index..index).end = index + 1;
    }
    let values: Vec<Option<u32>> = if rules.by_value { (0..seen.values).map(Some).collect() } else { vec![None] };
    let mut counted = Vec::new();
    for value in values {
        let open = |session: u32, led: &Led| led.open && (!rules.within_sessions || session == seen.open_session);
        let of = |key| All { rules, hits, only: Only { key, value } };
        let mut add = |led: &Led, open: bool| {
            if led.reached != 0 && !led.removed {
                counted.push((value, led.reached, open));
            }
        };
        match rules.entry {
            FunnelEntry::LatestStart => {
                let (mut all, mut is_open) = (Led::default(), false);
                for (session, range) in &sessions {
                    for key in 0..seen.keys {
                        let led = of(Some(key)).led(range.clone(), false);
                        all.reached |= led.reached;
                        all.removed |= led.removed;
                        is_open |= open(*session, &led);
                    }
                }
                add(&all, is_open && all.reached >> rules.last() & 1 == 0);
            }
            FunnelEntry::FirstEntry => {
                let led = sessions.iter().map(|(session, range)| (*session, of(None).led(range.clone(), true)));
                if let Some((session, led)) = { led }.find(|(_, led)| led.reached != 0) {
                    add(&led, open(session, &led));
                }
            }
            FunnelEntry::EveryEntry | FunnelEntry::Session => {
                for (session, range) in &sessions {
                    let mut from = range.start;
                    while from < range.end {
                        let led = of(None).led(from..range.end, true);
                        add(&led, open(*session, &led));
                        from = if rules.entry == FunnelEntry::Session { range.end } else { led.end.max(from + 1) };
                    }
                }
            }
        }
    }
    counted.sort_unstable();
    counted
}

fn hit() -> impl Strategy<Value = (i64, u32, u32, u32, u32)> {
    // Mostly one step, sometimes several or none.
    let steps = prop_oneof![8 => (0..4_u32).prop_map(|step| 1 << step), 2 => 0..16_u32];
    (0..12_i64, steps, prop_oneof![5 => Just(0_u32), 1 => 1..4_u32], 0..2_u32, 0..2_u32)
}

fn rules() -> impl Strategy<Value = Rules> {
    let entry = prop::sample::select(vec![
        FunnelEntry::LatestStart,
        FunnelEntry::FirstEntry,
        FunnelEntry::EveryEntry,
        FunnelEntry::Session,
    ]);
    let order = prop::sample::select(vec![
        FunnelOrder::Ordered,
        FunnelOrder::Ordered,
        FunnelOrder::Strict,
        FunnelOrder::Unordered,
        FunnelOrder::UnorderedAfterFirst,
    ]);
    let effect = prop::sample::select(vec![ExclusionEffect::Remove, ExclusionEffect::Drop, ExclusionEffect::Reset]);
    let bar = (0..3_usize, 1..4_usize, effect);
    let scope = prop::sample::select(vec![WindowScope::Total, WindowScope::PerStep, WindowScope::Session]);
    (
        (2..5_usize, prop_oneof![3 => Just(0_u32), 1 => 0..16_u32], entry, order),
        (scope, 1..9_u32, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        (prop::collection::vec(bar, 0..3), any::<bool>(), 4..20_i64, prop_oneof![2 => Just(1_i64), 1 => Just(3_i64)]),
    )
        .prop_map(
            |(
                (steps, optional, entry, order),
                (scope, length, inclusive, exclusive, reuse, sessions),
                (bars, by_value, now, moment),
            )| {
                // No moment is longer than the window.
                let length = length.max(moment as u32);
                let any_order = matches!(order, FunnelOrder::Unordered | FunnelOrder::UnorderedAfterFirst);
                let boundary = if inclusive { WindowBoundary::Inclusive } else { WindowBoundary::Exclusive };
                let (unit, arithmetic) = (WindowUnit::Second, WindowArithmetic::Elapsed);
                let scope = if any_order && scope == WindowScope::PerStep { WindowScope::Total } else { scope };
                let window = FunnelWindow { scope, length, unit, arithmetic, boundary };
                let bars =
                    bars.into_iter().filter(|(after, before, _)| after < before && *before < steps && !any_order);
                let exclusive = exclusive && !any_order;
                Rules {
                    steps,
                    optional: if any_order { 0 } else { optional & !1 },
                    entries: Span { min: 0, max: 8_000_000 },
                    entry,
                    order,
                    within_sessions: sessions || scope == WindowScope::Session || entry == FunnelEntry::Session,
                    window: super::rules::Window::new(window, chrono_tz::Tz::UTC),
                    moment: if exclusive { 1 } else { moment * 1_000_000 - i64::from(moment == 1) * 999_999 },
                    exclusive,
                    reuse,
                    bars: bars.map(|(after, before, effect)| Bar { after, before, effect }).collect(),
                    by_value,
                    now: now * 1_000_000,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_counted_is_what_all_ways_lead_to(
        mut rules in rules(), mut rows in prop::collection::vec(hit(), 0..8), keys in 1..3_u32, open in any::<bool>(),
    ) {
        rows.sort_by_key(|row| row.0);
        let mask = (1_u32 << rules.steps) - 1;
        let bars = (1_u32 << rules.bars.len()) - 1;
        let hit = |(time, steps, barred, key, value): (i64, u32, u32, u32, u32)| Hit {
            time: time * 1_000_000,
            steps: steps & mask,
            bars: barred & bars,
            key: key % keys,
            value,
            session: time as u32 / 4,
        };
        let hits: Vec<Hit> = rows.into_iter().map(hit).collect();
        // What is from after now may end the latest way where one before it, which nobody keeps, has time left: it is told to have none.
        rules.now = hits.last().map_or(rules.now, |hit| rules.now.max(hit.time));
        let open_session = if open { hits.last().map_or(NONE, |hit| hit.session) } else { NONE };
        let seen = Seen { keys, values: 2, open_session };
        let mut told = Vec::new();
        let mut ways: Vec<[u32; 32]> = Vec::new();
        Follower::default().follow(&rules, &hits, seen, |value, run: &Run| {
            told.push((value, run.reached, run.open));
            ways.push(run.path);
        });
        told.sort_unstable();
        prop_assert_eq!(told, counted(&rules, &hits, seen));
        for path in ways {
            // A way is of different events unless they may be several steps, in order of time as far as moments tell.
            let events: Vec<&Hit> = path.iter().filter(|hit| **hit != NONE).map(|hit| &hits[*hit as usize]).collect();
            let moments: Vec<i64> = events.iter().map(|hit| rules.moment_of(hit.time)).collect();
            let after = |pair: &[i64]| pair[0] < pair[1] || (!rules.exclusive && pair[0] == pair[1]);
            let in_order = moments.windows(2).all(after);
            prop_assert!(in_order || matches!(rules.order, FunnelOrder::Unordered | FunnelOrder::UnorderedAfterFirst));
            let different = path.iter().filter(|hit| **hit != NONE).collect::<std::collections::BTreeSet<_>>().len();
            prop_assert!(rules.reuse || different == events.len());
        }
    }
}

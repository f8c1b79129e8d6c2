//! Good plans, found by trying: the worthiest for their work first, then others in the place of these. Proves nothing.

use std::time::Instant;

use crate::Periods;
use crate::draft::Draft;
use crate::model::Model;

/// How much less a plan may be worth to be gone on with, in the beginning, as a share.
const HEAT: f64 = 0.0005;
/// How many times as much is worth what is wanted.
const WANTED: f64 = 2.0;
/// Orders that are tried to lay out what is to be done together.
const ORDERS: usize = 60;

/// Numbers that look random and are the same every time: SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        (self.share() * count as f64) as usize
    }
}

/// How to try.
pub(crate) struct Trial {
    /// Determines what is tried.
    pub(crate) seed: u64,
    /// How many times.
    pub(crate) tries: usize,
    /// A value that is not to be beaten.
    pub(crate) enough: f64,
    /// When to stop in any case.
    pub(crate) until: Instant,
}

/// What an item is worth for what it takes of what there is.
pub(crate) fn density(model: &Model<'_>, item: usize) -> f64 {
    let last = model.question.periods - 1;
    let share = |(pool, amount): &(usize, f64)| amount / model.has(*pool, 0, last).max(f64::MIN_POSITIVE);
    model.value(item) / model.work[item].iter().map(share).sum::<f64>().max(1e-9)
}

/// The items that can be done, best first by some worth.
fn sorted_by(model: &Model<'_>, mut worth: impl FnMut(usize) -> f64) -> Vec<usize> {
    let mut items: Vec<(usize, f64)> = model.possible().map(|item| (item, worth(item))).collect();
    items.sort_by(|a, b| b.1.total_cmp(&a.1));
    items.into_iter().map(|(item, _)| item).collect()
}

/// Lays out all that must be and, whether all of it, what is wanted: the most valuable of some orders where not all goes.
/// `None` where no order does all that must be.
pub(crate) fn lay_out<'m, 'q>(
    model: &'m Model<'q>,
    must: impl Fn(usize) -> bool,
    is_wanted: impl Fn(usize) -> bool,
) -> Option<(Draft<'m, 'q>, bool)> {
    let mut chance = Chance(1);
    let work = |item: usize| model.work[item].iter().map(|(_, amount)| amount).sum::<f64>();
    let slack = |item: usize| model.ways[item].len() as f64;
    let mut best: Option<(Draft<'m, 'q>, f64)> = None;
    for order in 0..ORDERS {
        let mut draft = Draft::new(model);
        let items = sorted_by(model, |item| match order {
            0 => work(item),
            1 => -slack(item),
            2 => work(item) / slack(item),
            _ => work(item) * (0.3 + chance.share()),
        });
        let (first, rest): (Vec<usize>, Vec<usize>) = items.into_iter().partition(|item| must(*item));
        if !first.iter().all(|item| draft.place_all(&draft.bundle(*item))) {
            continue;
        }
        let mut is_all = true;
        for item in rest.into_iter().filter(|item| is_wanted(*item)) {
            is_all &= draft.place_all(&draft.bundle(item));
        }
        if is_all {
            return Some((draft, true));
        }
        let value = draft.value();
        if best.as_ref().is_none_or(|(_, most)| value > *most) {
            best = Some((draft, value));
        }
    }
    best.map(|(draft, _)| (draft, false))
}

/// A plan that is worth no less than one that is known, found from it or from what `is_wanted`, which is tried first.
///
/// Something that is left out is done at some time, whatever is in its way is left out, and then what fits is done, the
/// worthiest for its work first. A plan that is worth less is gone on with the less, the longer it was tried (simulated
/// annealing; Kirkpatrick, Gelatt and Vecchi, 1983).
pub(crate) fn improve<'m, 'q>(
    start: Draft<'m, 'q>,
    is_wanted: impl Fn(usize) -> bool,
    Trial { seed, tries, enough, until }: Trial,
) -> Draft<'m, 'q> {
    let model = start.model;
    let mut chance = Chance(seed);
    let wish = |item: usize| density(model, item) * if is_wanted(item) { WANTED } else { 1.0 };
    let worth: Vec<f64> = (0..model.count()).map(wish).collect();
    let mut best = start;
    best.fill(&sorted_by(model, |item| worth[item]));
    let mut highest = best.value();
    let (mut at, mut value) = (best.clone(), highest);
    for tried in 0..tries {
        if highest >= enough || (tried % 16 == 0 && Instant::now() > until) {
            break;
        }
        let mut draft = at.clone();
        let Some(ejected) = insert(&mut draft, &worth, &mut chance) else { break };
        let needed = model.order.iter().copied().filter(|item| model.needed[*item]);
        if !needed.into_iter().all(|item| draft.is_done(item) || draft.place(item)) {
            continue;
        }
        draft.fill(&ejected);
        draft.fill(&sorted_by(model, |item| worth[item] * (0.5 + chance.share())));
        let found = draft.value();
        let heat = HEAT * highest.abs() * (1.0 - tried as f64 / tries as f64).powi(2);
        if found >= value || chance.share() < ((found - value) / heat.max(f64::MIN_POSITIVE)).exp() {
            (at, value) = (draft, found);
            if value > highest {
                (best, highest) = (at.clone(), value);
            }
        }
    }
    best.prune();
    best.fill(&sorted_by(model, |item| worth[item]));
    best
}

/// Does something that is left out, in the place of others, and tells these; `None` if there is nothing left out.
fn insert(draft: &mut Draft<'_, '_>, worth: &[f64], chance: &mut Chance) -> Option<Vec<usize>> {
    let model = draft.model;
    let left_out: Vec<usize> = model.possible().filter(|item| !draft.is_done(*item) && worth[*item] > 0.0).collect();
    if left_out.is_empty() {
        return None;
    }
    let drawn = (0..3).map(|_| left_out[chance.below(left_out.len())]);
    let item = drawn.max_by(|a, b| worth[*a].total_cmp(&worth[*b]))?;
    let bundle = draft.bundle(item);
    let mut ejected = Vec::new();
    for of in &bundle {
        let before = model.before[*of].iter().filter_map(|other| draft.at[*other]).map(|way| way.last).max();
        let ways = model.ways[*of].iter().filter(|way| way.first >= before.unwrap_or_default());
        let ways: Vec<Periods> = ways.copied().collect();
        if ways.is_empty() {
            break;
        }
        let way = ways[chance.below(ways.len())];
        while !draft.can(*of, way) {
            let short: Vec<usize> = draft.short(*of, way).collect();
            let in_the_way = |other: &usize| {
                draft.at[*other].is_some_and(|at| at.between(way.first, way.last) > 0)
                    && model.work[*other].iter().any(|(pool, _)| short.contains(pool))
                    && !bundle.contains(other)
                    && !model.ahead[item][*other]
            };
            let others: Vec<usize> = (0..model.count()).filter(in_the_way).collect();
            if others.is_empty() {
                break;
            }
            let drawn = (0..3).map(|_| others[chance.below(others.len())]);
            let Some(other) = drawn.min_by(|a, b| worth[*a].total_cmp(&worth[*b])) else { break };
            ejected.extend(take_out(draft, other));
        }
        if !draft.can(*of, way) {
            break;
        }
        draft.put(*of, way);
    }
    ejected.sort_by(|a, b| worth[*b].total_cmp(&worth[*a]));
    Some(ejected)
}

/// Takes out an item and all that waits for it, and tells these.
fn take_out(draft: &mut Draft<'_, '_>, item: usize) -> Vec<usize> {
    let mut out = vec![item];
    let mut next = 0;
    while next < out.len() {
        let behind = draft.model.behind[out[next]].iter().copied();
        let more: Vec<usize> = behind.filter(|other| draft.is_done(*other) && !out.contains(other)).collect();
        out.extend(more);
        next += 1;
    }
    draft.remove_all(&out);
    out
}

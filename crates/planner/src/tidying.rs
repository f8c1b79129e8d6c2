//! Of plans that are worth the same the one that people expect: early, and what is worth more first. What is done stays so.

use std::time::Instant;

use crate::Periods;
use crate::draft::Draft;

/// Times that all items are looked at.
const PASSES: usize = 6;

/// The plan laid out anew, the worthiest first where they all find room so, or else by moves: an item goes before others that
/// are worth less, where these find room elsewhere and the sum of values by their periods is less.
pub(crate) fn tidy<'m, 'q>(plan: Draft<'m, 'q>, until: Instant) -> Draft<'m, 'q> {
    let model = plan.model;
    let mut by_value: Vec<usize> = (0..model.count()).filter(|item| plan.is_done(*item)).collect();
    by_value.sort_by(|a, b| model.value(*b).total_cmp(&model.value(*a)));
    let mut anew = Draft::new(model);
    if by_value.iter().all(|item| anew.place_all(&anew.bundle(*item))) {
        return anew;
    }
    let mut plan = plan;
    for _ in 0..PASSES {
        let mut moved = false;
        for item in &by_value {
            if Instant::now() > until {
                return plan;
            }
            if let Some(better) = sooner(&plan, *item) {
                (plan, moved) = (better, true);
            }
        }
        if !moved {
            break;
        }
    }
    plan
}

/// The plan with an item sooner, if that is better.
fn sooner<'m, 'q>(plan: &Draft<'m, 'q>, item: usize) -> Option<Draft<'m, 'q>> {
    let model = plan.model;
    let was = plan.at[item]?;
    let late = delay(plan);
    let ways = model.ways[item].iter().take_while(|way| (way.last, way.first) < (was.last, was.first));
    for way in ways {
        let mut without = plan.clone();
        without.remove(item);
        // One that makes room by itself, or as many as it takes, those of the least value first.
        let mut firsts: Vec<Option<usize>> = in_the_way(&without, item, *way).into_iter().map(Some).collect();
        firsts.push(None);
        let better = (firsts.into_iter().filter_map(|first| moved(&without, item, *way, first)))
            .find(|moved| delay(moved) < late);
        if better.is_some() {
            return better;
        }
    }
    None
}

/// What is worth less than an item and keeps it from being done so, by value.
fn in_the_way(draft: &Draft<'_, '_>, item: usize, way: Periods) -> Vec<usize> {
    let model = draft.model;
    let short: Vec<usize> = draft.short(item, way).collect();
    let is_in_the_way = |other: &usize| {
        draft.at[*other].is_some_and(|at| at.between(way.first, way.last) > 0)
            && model.value(*other) < model.value(item)
            && !model.ahead[item][*other]
            && model.work[*other].iter().any(|(pool, _)| short.contains(pool))
    };
    let mut others: Vec<usize> = (0..model.count()).filter(is_in_the_way).collect();
    others.sort_by(|a, b| model.value(*a).total_cmp(&model.value(*b)));
    others
}

/// The plan with an item done so, and those in its way done at other times.
fn moved<'m, 'q>(without: &Draft<'m, 'q>, item: usize, way: Periods, mut next: Option<usize>) -> Option<Draft<'m, 'q>> {
    let mut draft = without.clone();
    let mut out: Vec<usize> = Vec::new();
    while !draft.can(item, way) {
        let other = next.take().or_else(|| in_the_way(&draft, item, way).first().copied())?;
        draft.remove(other);
        out.push(other);
    }
    draft.put(item, way);
    out.sort_by(|a, b| draft.model.value(*b).total_cmp(&draft.model.value(*a)));
    out.into_iter().all(|other| draft.place(other)).then_some(draft)
}

/// How late everything is: values by the periods they end in, and by a little all periods, so that what is worth nothing moves,
/// too.
fn delay(plan: &Draft<'_, '_>) -> f64 {
    let model = plan.model;
    let most = (0..model.count()).map(|item| model.value(item)).fold(0.0, f64::max);
    let of = |(item, way): (usize, &Option<Periods>)| {
        way.map_or(0.0, |way| (model.value(item).max(0.0) + 1e-6 * most) * (way.last + 1) as f64)
    };
    plan.at.iter().enumerate().map(of).sum()
}

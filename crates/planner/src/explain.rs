//! Why items are left out of a plan, and which capacity keeps them out.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::{Why, Wish};

/// Why each item that is left out is, and the pools and periods that have no room left for one that has a value.
pub(crate) fn explain(best: &Draft<'_, '_>) -> (Vec<Option<Why>>, Vec<(usize, usize)>) {
    let model = best.model;
    let mut why = vec![None; model.count()];
    let mut binding = BTreeSet::new();
    for item in model.order.iter().copied().filter(|item| !best.is_done(*item)) {
        why[item] = Some(match (&model.out[item], model.question.items[item].value) {
            (Some(why), _) => why.clone(),
            (None, None) => Why::Unknown,
            (None, Some(value)) if value <= 0.0 => Why::Worthless,
            (None, Some(_)) => {
                let (outdone, full) = outdone(best, item);
                binding.extend(full);
                outdone
            }
        });
    }
    (why, binding.into_iter().collect())
}

/// What keeps out an item that could be done and is worth something.
fn outdone(best: &Draft<'_, '_>, item: usize) -> (Why, BTreeSet<(usize, usize)>) {
    let model = best.model;
    let mut draft = best.clone();
    let bundle = draft.bundle(item);
    let mut full = BTreeSet::new();
    for of in &bundle {
        for way in &model.ways[*of] {
            for pool in best.short(*of, *way) {
                let each = model.work[*of]
                    .iter()
                    .find(|(of, _)| *of == pool)
                    .map_or(0.0, |(_, amount)| amount / way.count() as f64);
                let periods = (way.first..=way.last).filter(|period| best.left(pool, *period) < each);
                full.extend(periods.map(|period| (pool, period)));
            }
        }
    }
    let pools: BTreeSet<usize> = full.iter().map(|(pool, _)| *pool).collect();
    let free = |other: &usize| {
        best.is_done(*other)
            && !model.needed[*other]
            && !model.behind[*other].iter().any(|behind| best.is_done(*behind))
            && !bundle.iter().any(|of| model.before[*of].contains(other))
            && model.question.items[*other].wish == Wish::May
    };
    let mut others: Vec<usize> = (0..model.count()).filter(free).collect();
    others.sort_by(|a, b| model.value(*a).total_cmp(&model.value(*b)));
    let instead_of = others.into_iter().find(|other| {
        let Some(was) = draft.remove(*other) else { return false };
        let fits = draft.place_all(&bundle);
        if fits {
            draft.remove_all(&bundle);
        }
        draft.put(*other, was);
        fits
    });
    (Why::Outdone { pools: pools.into_iter().collect(), instead_of }, full)
}

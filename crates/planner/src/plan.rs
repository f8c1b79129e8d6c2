//! The best plan that can be found and proven within an effort.
//!
//! A search finds a good one. What the selection without periods is worth at most is a bound for it (see `selection`), and
//! selections that come near the bound are laid out in periods; where one that reaches it can be, it is the best plan. What
//! is still open then, the whole programme decides, if it can within the effort.

use std::time::{Duration, Instant};

use microlp::{Error, Problem, ResumeOptions, SolveOptions, SolveOutcome, TerminationReason};

use crate::draft::Draft;
use crate::explain::explain;
use crate::model::Model;
use crate::search::{Trial, improve, lay_out};
use crate::selection::Selection;
use crate::tidying::tidy;
use crate::whole::Whole;
use crate::{Effort, Periods, PlanError, Question, Why};

/// Two values are one where they differ by less than this share of them: the solver takes a millionth for nothing.
pub(crate) const SAME: f64 = 1e-6;
/// Time that is left for a tidy plan in any case.
const TIDYING: Duration = Duration::from_millis(100);
/// Nodes after which a selection is looked at.
const ROUND: u64 = 2_000;
/// Tries to lay out a selection that was not found to fit, at least.
const TRIES: usize = 4_000;
/// Variables of a whole programme, at most: of larger ones not even the first node is solved in time.
const VARIABLES: usize = 1_500;

/// What is done when, and how good that is.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// When each item is done; `None` where it is left out.
    pub done: Vec<Option<Periods>>,
    /// Why each that is left out is.
    pub why: Vec<Option<Why>>,
    /// What all that is done is worth, as far as that is known.
    pub value: f64,
    /// What no plan is worth more than.
    pub bound: f64,
    /// Why it was not looked for a better one.
    pub ended: Ended,
    /// The work of each pool in each period.
    pub load: Vec<Vec<f64>>,
    /// The pools and periods that keep something out that has a value, as they have no room left for it, in order.
    pub binding: Vec<(usize, usize)>,
}

/// Why no better plan was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is none.
    Optimal,
    /// As much was looked at as the effort was for.
    Nodes,
    /// The time was over. Asked again, the answer may be another one.
    Time,
}

impl Plan {
    /// Whether no plan is worth more.
    pub fn is_optimal(&self) -> bool {
        self.ended == Ended::Optimal
    }

    /// By which share of the bound the best plan may be worth more than this.
    pub fn gap(&self) -> f64 {
        if self.bound > self.value { (self.bound - self.value) / self.bound.abs().max(f64::MIN_POSITIVE) } else { 0.0 }
    }
}

/// The best plan that can be found, and what none is worth more than. Where not all that must be done can be, the error
/// says what is against it.
pub fn plan(question: &Question, effort: Effort) -> Result<Plan, PlanError> {
    plan_from(question, effort, None)
}

/// The same, from a plan of the same items for no more capacity.
pub(crate) fn plan_from(question: &Question, effort: Effort, known: Option<&Plan>) -> Result<Plan, PlanError> {
    let model = Model::new(question)?;
    let mut budget = Budget { until: Instant::now() + effort.time, nodes: effort.nodes, is_late: false };
    let start = match known {
        Some(known) => drafted(&model, known),
        None => begin(&model, &mut budget)?,
    };
    let search = Search::of(&model, &start, &mut budget);
    let Search { mut best, bound, .. } = search;
    best.prune();
    if known.is_none() {
        best = tidy(best, budget.until.max(Instant::now() + TIDYING));
    }
    Ok(answer(&best, bound, &budget))
}

/// What may still be spent.
struct Budget {
    until: Instant,
    nodes: u64,
    is_late: bool,
}

impl Budget {
    fn time(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn is_spent(&mut self) -> bool {
        self.is_late |= self.time().is_zero();
        self.is_late || self.nodes == 0
    }

    /// Solves on, for so many nodes and a share of the time at most.
    fn solve(
        &mut self,
        nodes: u64,
        share: f64,
        work: impl FnOnce(u64, Duration) -> Result<SolveOutcome, Error>,
        before: u64,
    ) -> Result<SolveOutcome, Error> {
        let nodes = nodes.min(self.nodes);
        let time = self.time().mul_f64(share);
        let outcome = work(nodes, time)?;
        // A solve that took no node took some work.
        self.nodes = self.nodes.saturating_sub((outcome.stats().nodes_solved - before).max(1));
        self.is_late |= outcome.termination_reason() == TerminationReason::TimeLimit;
        Ok(outcome)
    }
}

fn options(nodes: u64, time: Duration, hint: Option<Vec<(microlp::Variable, f64)>>) -> SolveOptions {
    let mut options = SolveOptions::default();
    options.node_limit = Some(nodes);
    options.time_limit = Some(time);
    options.warm_start = hint;
    options
}

/// All that must be done.
fn begin<'m, 'q>(model: &'m Model<'q>, budget: &mut Budget) -> Result<Draft<'m, 'q>, PlanError> {
    if let Some((draft, _)) = lay_out(model, |item| model.needed[item], |_| false) {
        return Ok(draft);
    }
    let needed: Vec<usize> = model.possible().filter(|item| model.needed[*item]).collect();
    match together(model, &needed, budget) {
        Together::So(draft) => Ok(*draft),
        Together::Unknown => Err(PlanError::Undecided),
        Together::Never => Err(least(model, needed, budget)),
    }
}

enum Together<'m, 'q> {
    So(Box<Draft<'m, 'q>>),
    Never,
    Unknown,
}

/// Whether some items can all be done, which wait for none but these.
fn together<'m, 'q>(model: &'m Model<'q>, items: &[usize], budget: &mut Budget) -> Together<'m, 'q> {
    if budget.is_spent() {
        return Together::Unknown;
    }
    let whole = Whole::new(model, 0.0, |item| items.contains(&item), |_| true);
    let work = |nodes, time| whole.problem.solve_with(options(nodes, time, None));
    match budget.solve(budget.nodes, 1.0, work, 0) {
        Ok(SolveOutcome::Solution(found)) => match whole.read(model, |of| found.var_value(of)) {
            Some(draft) => Together::So(Box::new(draft)),
            None => Together::Unknown,
        },
        Err(Error::Infeasible) => Together::Never,
        Ok(SolveOutcome::Interrupted(_)) | Err(_) => Together::Unknown,
    }
}

/// Of items that cannot all be done, some of which each is needed for that, and the pool that it is about.
fn least(model: &Model<'_>, mut items: Vec<usize>, budget: &mut Budget) -> PlanError {
    // What waits for others is tried first, so that these are not left without what they wait for.
    for item in model.order.iter().rev() {
        if items.contains(item) && !items.iter().any(|other| model.before[*other].contains(item)) {
            let fewer: Vec<usize> = items.iter().copied().filter(|other| other != item).collect();
            if lay_out(model, |item| fewer.contains(&item), |_| false).is_none()
                && matches!(together(model, &fewer, budget), Together::Never)
            {
                items = fewer;
            }
        }
    }
    let pools = (0..model.question.pools.len())
        .filter(|pool| items.iter().any(|item| model.work[*item].iter().any(|(of, _)| of == pool)));
    let enough = |pool: &usize| {
        let mut question = model.question.clone();
        question.pools[*pool].anytime = f64::from(u32::MAX);
        // With more capacity it is no less sound.
        let Ok(model) = Model::new(&question) else { return false };
        lay_out(&model, |item| items.contains(&item), |_| false).is_some()
    };
    let pool = pools.into_iter().find(enough);
    PlanError::Together { items, pool }
}

/// A plan that is known, as a draft.
fn drafted<'m, 'q>(model: &'m Model<'q>, known: &Plan) -> Draft<'m, 'q> {
    let mut draft = Draft::new(model);
    for item in &model.order {
        known.done[*item].into_iter().for_each(|way| draft.put(*item, way));
    }
    draft
}

/// The best there is so far, and the bound.
struct Search<'m, 'q> {
    model: &'m Model<'q>,
    best: Draft<'m, 'q>,
    value: f64,
    bound: f64,
    /// What values are multiplied by, so that the solver meets numbers about one.
    scale: f64,
}

impl<'m, 'q> Search<'m, 'q> {
    fn of(model: &'m Model<'q>, start: &Draft<'m, 'q>, budget: &mut Budget) -> Self {
        let largest = model.possible().map(|item| model.value(item).abs()).fold(0.0, f64::max);
        let scale = if largest > 0.0 { 1.0 / largest } else { 1.0 };
        let bound = model.possible().map(|item| model.value(item)).filter(|value| *value > 0.0).sum();
        let mut search = Self { model, best: start.clone(), value: start.value(), bound, scale };
        search.improve(search.best.clone(), |_| false, 20 * model.count(), budget);
        if !search.is_done() {
            search.select(budget);
        }
        if !search.is_done() {
            search.decide(budget);
        }
        search
    }

    fn is_done(&self) -> bool {
        self.bound - self.value <= SAME * self.bound.abs()
    }

    fn take(&mut self, mut draft: Draft<'m, 'q>) {
        draft.prune();
        let value = draft.value();
        if value > self.value {
            (self.best, self.value) = (draft, value);
        }
    }

    /// No plan is worth more than so much, as the solver counts.
    fn bounded(&mut self, bound: f64) {
        self.bound = self.bound.min(bound / self.scale).max(self.value);
    }

    /// Looks for something better, so many times.
    fn improve(&mut self, from: Draft<'m, 'q>, wanted: impl Fn(usize) -> bool, tries: usize, budget: &mut Budget) {
        let until = Instant::now() + budget.time().mul_f64(0.4);
        let trial = Trial { seed: 1, tries, enough: self.bound * (1.0 - SAME), until };
        self.take(improve(from, wanted, trial));
        budget.is_late |= Instant::now() > until;
    }

    /// Solves the selection, for a part of the effort, and lays out what it comes to on the way.
    fn select(&mut self, budget: &mut Budget) {
        let selection = Selection::new(self.model, self.scale);
        let hint = selection.hint(|item| self.best.is_done(item));
        let most = budget.nodes / 4;
        let mut work: Box<dyn FnOnce(u64, Duration) -> Result<SolveOutcome, Error> + '_> =
            Box::new(|nodes, time| selection.problem.solve_with(options(nodes, time, Some(hint))));
        let (mut last, mut before) = (None, 0);
        loop {
            let Ok(outcome) = budget.solve(ROUND, 0.5, work, before) else { return };
            before = outcome.stats().nodes_solved;
            outcome.stats().best_bound.into_iter().for_each(|bound| self.bounded(bound));
            let selected = outcome.solution().map(|found| selection.read(|of| found.var_value(of)));
            if let Some(selected) = selected.filter(|selected| last.as_ref() != Some(selected)) {
                self.realise(&selected, budget);
                last = Some(selected);
            }
            if self.is_done() || outcome.is_optimal() || before >= most || budget.is_spent() {
                return;
            }
            work = Box::new(|nodes, time| {
                let mut options = ResumeOptions::default();
                (options.node_limit, options.time_limit) = (Some(nodes), Some(time));
                outcome.resume_with(options)
            });
        }
    }

    /// Lays out a selection, or what can be of it, and what else there is room for.
    fn realise(&mut self, selected: &[bool], budget: &mut Budget) {
        if let Some((draft, is_all)) = lay_out(self.model, |item| self.model.needed[item], |item| selected[item]) {
            self.take(draft.clone());
            if !is_all {
                let tries = TRIES.max(40 * self.model.count());
                self.improve(draft, |item| selected[item], tries, budget);
            }
        }
    }

    /// Solves the whole, from the best that was found.
    fn decide(&mut self, budget: &mut Budget) {
        if budget.is_spent() || Whole::size(self.model) > VARIABLES {
            return;
        }
        let whole = Whole::new(self.model, self.scale, |_| true, |item| self.model.needed[item]);
        let hint = whole.hint(&self.best);
        let problem: &Problem = &whole.problem;
        let work = |nodes, time| problem.solve_with(options(nodes, time, Some(hint)));
        let Ok(outcome) = budget.solve(budget.nodes, 1.0, work, 0) else { return };
        outcome.stats().best_bound.into_iter().for_each(|bound| self.bounded(bound));
        if let Some(found) = outcome.solution() {
            whole.read(self.model, |of| found.var_value(of)).into_iter().for_each(|draft| self.take(draft));
            if outcome.is_optimal() {
                self.bound = self.value.max(found.objective() / self.scale);
            }
        }
    }
}

fn answer(best: &Draft<'_, '_>, bound: f64, budget: &Budget) -> Plan {
    let model = best.model;
    let value = best.value();
    let is_optimal = bound - value <= SAME * bound.abs();
    let ended = match (is_optimal, budget.is_late) {
        (true, _) => Ended::Optimal,
        (false, true) => Ended::Time,
        (false, false) => Ended::Nodes,
    };
    let bound = if is_optimal { value } else { bound };
    let mut load = vec![vec![0.0; model.question.periods]; model.question.pools.len()];
    for item in 0..model.count() {
        let Some(way) = best.at[item] else { continue };
        for (pool, amount) in &model.work[item] {
            load[*pool][way.first..=way.last].iter_mut().for_each(|load| *load += amount / way.count() as f64);
        }
    }
    let (why, binding) = explain(best);
    Plan { done: best.at.clone(), why, value, bound, ended, load, binding }
}

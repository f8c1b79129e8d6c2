//! The whole question as a mixed-integer programme: whether each item is done, and in which of its ways.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use crate::Periods;
use crate::draft::Draft;
use crate::model::Model;

/// The programme and what its variables are.
pub(crate) struct Whole {
    pub(crate) problem: Problem,
    /// Whether each item is done; the only ones with a value, so that they are decided on first.
    done: Vec<Option<Variable>>,
    /// Whether it is done so.
    ways: Vec<Vec<(Periods, Variable)>>,
}

impl Whole {
    /// Of the items that are `wanted`, of which those must be done that `must`.
    pub(crate) fn new(
        model: &Model<'_>,
        scale: f64,
        wanted: impl Fn(usize) -> bool,
        must: impl Fn(usize) -> bool,
    ) -> Self {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let (mut done, mut ways) = (vec![None; model.count()], vec![Vec::new(); model.count()]);
        for item in model.possible().filter(|item| wanted(*item)) {
            let is_done = problem.add_integer_var(model.value(item) * scale, (i32::from(must(item)), 1));
            let mut sum = LinearExpr::empty();
            sum.add(is_done, -1.0);
            for way in &model.ways[item] {
                let so = problem.add_binary_var(0.0);
                sum.add(so, 1.0);
                ways[item].push((*way, so));
            }
            problem.add_constraint(sum, ComparisonOp::Eq, 0.0);
            done[item] = Some(is_done);
        }
        let whole = Self { problem, done, ways };
        whole.in_turn(model).within_capacity(model)
    }

    /// How many variables there would be.
    pub(crate) fn size(model: &Model<'_>) -> usize {
        model.ways.iter().map(Vec::len).sum()
    }

    /// By no period has more begun of what waits than has ended of what it waits for.
    fn in_turn(mut self, model: &Model<'_>) -> Self {
        for item in 0..model.count() {
            for other in &model.before[item] {
                for period in 0..model.question.periods {
                    let begun = self.ways[item].iter().filter(|(way, _)| way.first <= period);
                    let mut sum = LinearExpr::empty();
                    let mut any = false;
                    begun.for_each(|(_, so)| {
                        any = true;
                        sum.add(*so, 1.0);
                    });
                    let ended = self.ways[*other].iter().filter(|(way, _)| way.last <= period);
                    ended.for_each(|(_, so)| sum.add(*so, -1.0));
                    if any {
                        self.problem.add_constraint(sum, ComparisonOp::Le, 0.0);
                    }
                }
            }
        }
        self
    }

    fn within_capacity(mut self, model: &Model<'_>) -> Self {
        for (index, pool) in model.question.pools.iter().enumerate() {
            let mut anytime = LinearExpr::empty();
            for (period, has) in pool.capacity.iter().enumerate() {
                let mut sum = LinearExpr::empty();
                let mut most = 0.0;
                for (item, ways) in self.ways.iter().enumerate() {
                    let Some((_, amount)) = model.work[item].iter().find(|(of, _)| *of == index) else { continue };
                    let mut largest: f64 = 0.0;
                    for (way, so) in ways.iter().filter(|(way, _)| way.between(period, period) > 0) {
                        let each = amount / way.count() as f64;
                        sum.add(*so, each);
                        largest = largest.max(each);
                    }
                    most += largest;
                }
                if most <= *has {
                    continue;
                }
                if pool.anytime > 0.0 {
                    let over = self.problem.add_var(0.0, (0.0, pool.anytime));
                    sum.add(over, -1.0);
                    anytime.add(over, 1.0);
                }
                self.problem.add_constraint(sum, ComparisonOp::Le, *has);
            }
            if pool.anytime > 0.0 {
                self.problem.add_constraint(anytime, ComparisonOp::Le, pool.anytime);
            }
        }
        self
    }

    /// The plan, as far as it keeps the rules to the last digit.
    pub(crate) fn read<'m, 'q>(&self, model: &'m Model<'q>, value: impl Fn(Variable) -> f64) -> Option<Draft<'m, 'q>> {
        let mut draft = Draft::new(model);
        for item in &model.order {
            if let Some((way, _)) = self.ways[*item].iter().find(|(_, so)| value(*so) > 0.5) {
                if !draft.can(*item, *way) {
                    return None;
                }
                draft.put(*item, *way);
            }
        }
        Some(draft)
    }

    /// A plan to begin with. What pools have at any time is left to the solver.
    pub(crate) fn hint(&self, draft: &Draft<'_, '_>) -> Vec<(Variable, f64)> {
        let number = |is: bool| f64::from(u8::from(is));
        let mut hint = Vec::new();
        for (item, is_done) in self.done.iter().enumerate() {
            hint.extend(is_done.map(|is_done| (is_done, number(draft.is_done(item)))));
            hint.extend(self.ways[item].iter().map(|(way, so)| (*so, number(draft.at[item] == Some(*way)))));
        }
        hint
    }
}

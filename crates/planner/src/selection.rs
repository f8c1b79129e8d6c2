//! Which items could be done if work could be cut at will: the question without periods but for dates. Few numbers, so it
//! is solved soon, and its bound holds for the whole; what it selects is the plan, if it can be laid out.

use microlp::{ComparisonOp, LinearExpr, OptimizationDirection, Problem, Variable};

use crate::model::{EPSILON, Model};

/// The programme and what its variables are.
pub(crate) struct Selection {
    pub(crate) problem: Problem,
    /// Whether each item is done.
    done: Vec<Option<Variable>>,
}

impl Selection {
    pub(crate) fn new(model: &Model<'_>, scale: f64) -> Self {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let mut done = vec![None; model.count()];
        for item in model.possible() {
            let least = i32::from(model.needed[item]);
            done[item] = Some(problem.add_integer_var(model.value(item) * scale, (least, 1)));
        }
        for (item, is_done) in done.iter().enumerate() {
            for other in &model.before[item] {
                if let (Some(is_done), Some(other)) = (*is_done, done[*other]) {
                    problem.add_constraint([(is_done, 1.0), (other, -1.0)], ComparisonOp::Le, 0.0);
                }
            }
        }
        for (first, last) in model.spans() {
            for pool in 0..model.question.pools.len() {
                let (least, has) = (model.least(pool, first, last), model.has(pool, first, last));
                if least.iter().map(|(_, least)| least).sum::<f64>() > has + EPSILON {
                    let mut sum = LinearExpr::empty();
                    for (item, least) in least {
                        done[item].into_iter().for_each(|is_done| sum.add(is_done, least));
                    }
                    problem.add_constraint(sum, ComparisonOp::Le, has);
                }
            }
        }
        Self { problem, done }
    }

    /// Whether each item is done.
    pub(crate) fn read(&self, value: impl Fn(Variable) -> f64) -> Vec<bool> {
        self.done.iter().map(|is_done| is_done.is_some_and(|is_done| value(is_done) > 0.5)).collect()
    }

    /// A selection to begin with.
    pub(crate) fn hint(&self, is_done: impl Fn(usize) -> bool) -> Vec<(Variable, f64)> {
        let hint = |(item, of): (usize, &Option<Variable>)| Some(((*of)?, f64::from(u8::from(is_done(item)))));
        self.done.iter().enumerate().filter_map(hint).collect()
    }
}

//! Formulas that teams score by: `(value * 0.7 + reach * 0.3) / effort`. What one may say, how it is kept, and what it comes
//! to. Never knows what the criteria mean.
//!
//! A formula has numbers, criteria, `+ - * / ^`, parentheses, and the functions `min max sqrt log abs`; `log` is natural.
//! `^` binds strongest and to the right, then the sign, then `* /`, then `+ -`, so `-a^2` is `-(a^2)`. `× · ÷ −` are read as
//! `* * / -`, and `Score =` may stand in front.

use std::fmt;

mod parse;
mod steps;
#[cfg(test)]
mod tests;

pub use parse::{DEPTH_MOST, FormulaError, LENGTH_MOST};
use steps::{Function, Op, SIGN, Step};

/// A formula over criteria. Steps on a stack, in the order they are done: so neither a long one nor a deep one costs stack.
#[derive(Debug, Clone)]
pub struct Formula {
    steps: Vec<Step>,
    /// The keys that criteria are told by, by their index.
    keys: Vec<String>,
}

/// Why a formula has no value for some numbers.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("at character {at}: {why}")]
pub struct EvaluationError {
    /// Where in the formula, in characters from 1.
    pub at: usize,
    /// What cannot be done.
    pub why: String,
}

impl Formula {
    /// Reads a formula over criteria with these keys.
    pub fn parse(text: &str, keys: &[&str]) -> Result<Self, FormulaError> {
        parse::steps(text, keys).map(|steps| Self { steps, keys: keys.iter().map(|key| (*key).to_owned()).collect() })
    }

    /// Whether a text can be the key of a criterion: a letter or `_`, then letters, digits and `_` of ASCII; no name
    /// of a function.
    pub fn is_key(text: &str) -> bool {
        let mut characters = text.chars();
        characters.next().is_some_and(parse::begins_name)
            && characters.all(parse::continues_name)
            && text.parse::<Function>().is_err()
    }

    /// Whether it says a criterion.
    pub fn uses(&self, criterion: usize) -> bool {
        self.steps.iter().any(|step| step.op == Op::Criterion(criterion))
    }

    /// What it comes to, where `values` has the value of each criterion. Refused where a step has no finite result, such
    /// as a division by zero.
    pub fn evaluate(&self, values: &[f64]) -> Result<f64, EvaluationError> {
        let mut stack: Vec<f64> = Vec::new();
        for step in &self.steps {
            let taken = stack.len().saturating_sub(step.op.takes());
            let result = match step.op {
                Op::Criterion(index) => values.get(index).copied().unwrap_or(f64::NAN),
                op => op.apply(&stack[taken..]),
            };
            if result.is_nan() {
                return Err(EvaluationError { at: step.at, why: step.op.refusal(&stack[taken..], &self.keys) });
            }
            stack.truncate(taken);
            stack.push(result);
        }
        Ok(stack.pop().unwrap_or(f64::NAN))
    }

    /// What it comes to for many values of each criterion; not a number where [`Self::evaluate`] refuses. All columns are
    /// as long as `results`.
    pub fn evaluate_columns(&self, values: &[&[f64]], results: &mut [f64]) {
        let mut stack: Vec<Vec<f64>> = Vec::new();
        let mut numbers = Vec::new();
        for step in &self.steps {
            let taken = stack.len().saturating_sub(step.op.takes());
            let mut column = match step.op {
                Op::Criterion(index) => values.get(index).map_or_else(Vec::new, |column| column.to_vec()),
                op => {
                    let row = |at: usize| {
                        numbers.clear();
                        numbers.extend(stack[taken..].iter().map(|column| column[at]));
                        op.apply(&numbers)
                    };
                    (0..results.len()).map(row).collect()
                }
            };
            column.resize(results.len(), f64::NAN);
            stack.truncate(taken);
            stack.push(column);
        }
        results.copy_from_slice(&stack.pop().unwrap_or_else(|| vec![f64::NAN; results.len()]));
    }
}

/// What needs no parentheses anywhere.
const WHOLE: u8 = u8::MAX;

/// As it can be read again, with no more parentheses than are needed.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was printed, and how strongly it is held together.
        let mut stack: Vec<(String, u8)> = Vec::new();
        let within = |(text, holds): &(String, u8), least: u8| {
            if *holds < least { format!("({text})") } else { text.clone() }
        };
        for Step { op, .. } in &self.steps {
            let taken = stack.split_off(stack.len().saturating_sub(op.takes()));
            let printed = match (op, taken.as_slice()) {
                // As short as it can be, so that very large and very small ones are not made of zeros.
                (Op::Number(number), _) => {
                    (if (1e-6..1e15).contains(number) { format!("{number}") } else { format!("{number:e}") }, WHOLE)
                }
                (Op::Criterion(index), _) => (self.keys[*index].clone(), WHOLE),
                (Op::Negate, [number]) => (format!("-{}", within(number, SIGN)), SIGN),
                (Op::Binary(operator), [left, right]) => {
                    let (before, after) = operator.binds();
                    let text = format!("{}{}{}", within(left, before), operator.symbol(), within(right, after));
                    // A sign in what is right of a power binds weaker than the power, and is held by nothing.
                    (text, before.min(after))
                }
                (Op::Call(function, _), arguments) => {
                    let arguments: Vec<&str> = arguments.iter().map(|(text, _)| text.as_str()).collect();
                    (format!("{}({})", <&str>::from(function), arguments.join(", ")), WHOLE)
                }
                (Op::Negate | Op::Binary(_), _) => return Err(fmt::Error),
            };
            stack.push(printed);
        }
        f.write_str(stack.last().map_or("", |(text, _)| text))
    }
}

/// What is the same is done the same way; where it stood in the text does not matter.
impl PartialEq for Formula {
    fn eq(&self, other: &Self) -> bool {
        let ops = |formula: &Self| formula.steps.iter().map(|step| step.op).collect::<Vec<_>>();
        self.keys == other.keys && ops(self) == ops(other)
    }
}

//! What a formula does, step by step, to numbers on a stack.

use strum::{EnumString, IntoStaticStr};

#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) op: Op,
    /// The character it stands at, from 1.
    pub(super) at: usize,
}

/// What is done to the numbers on top of the stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Op {
    /// Puts a number.
    Number(f64),
    /// Puts the value of a criterion.
    Criterion(usize),
    Negate,
    Binary(Operator),
    /// Takes so many numbers, puts one.
    Call(Function, usize),
}

/// What stands between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

/// What is called by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Function {
    Min,
    Max,
    Sqrt,
    Log,
    Abs,
}

impl Op {
    /// How many numbers it takes from the stack.
    pub(super) fn takes(self) -> usize {
        match self {
            Self::Number(_) | Self::Criterion(_) => 0,
            Self::Negate => 1,
            Self::Binary(_) => 2,
            Self::Call(_, count) => count,
        }
    }

    /// The result, or not a number where there is none that is finite, or one of the numbers is none.
    pub(super) fn apply(self, taken: &[f64]) -> f64 {
        let fold = |pick: fn(f64, f64) -> f64| taken.iter().copied().reduce(pick).unwrap_or(f64::NAN);
        let result = match (self, taken) {
            _ if taken.iter().any(|number| number.is_nan()) => f64::NAN,
            (Self::Number(number), _) => number,
            (Self::Negate, [number]) => -number,
            (Self::Binary(Operator::Add), [a, b]) => a + b,
            (Self::Binary(Operator::Subtract), [a, b]) => a - b,
            (Self::Binary(Operator::Multiply), [a, b]) => a * b,
            (Self::Binary(Operator::Divide), [a, b]) => a / b,
            (Self::Binary(Operator::Power), [a, b]) => a.powf(*b),
            (Self::Call(Function::Min, _), _) => fold(f64::min),
            (Self::Call(Function::Max, _), _) => fold(f64::max),
            (Self::Call(Function::Sqrt, _), [number]) => number.sqrt(),
            (Self::Call(Function::Log, _), [number]) => number.ln(),
            (Self::Call(Function::Abs, _), [number]) => number.abs(),
            (Self::Criterion(_) | Self::Negate | Self::Binary(_) | Self::Call(..), _) => f64::NAN,
        };
        if result.is_finite() { result } else { f64::NAN }
    }

    /// Why there is no result.
    pub(super) fn refusal(self, taken: &[f64], keys: &[String]) -> String {
        match (self, taken) {
            (Self::Criterion(index), _) => {
                format!("{} has no value", keys.get(index).map_or("the criterion", String::as_str))
            }
            (Self::Binary(Operator::Divide), [_, 0.0]) => "division by zero".to_owned(),
            (Self::Call(Function::Log, _), [number]) => format!("the logarithm of {number}, which must be above 0"),
            (Self::Call(Function::Sqrt, _), [number]) => format!("the root of {number}, which must be 0 or more"),
            (Self::Binary(Operator::Power), [a, b]) => format!("{a} to the power of {b} is no finite number"),
            (Self::Number(_) | Self::Negate | Self::Binary(_) | Self::Call(..), _) => {
                "the result is no finite number".to_owned()
            }
        }
    }
}

impl Operator {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => " + ",
            Self::Subtract => " - ",
            Self::Multiply => " * ",
            Self::Divide => " / ",
            Self::Power => "^",
        }
    }

    /// How strongly it binds what is left and right of it.
    pub(super) const fn binds(self) -> (u8, u8) {
        match self {
            Self::Add | Self::Subtract => (1, 2),
            Self::Multiply | Self::Divide => (3, 4),
            // To the right; and what is right of it may have a sign.
            Self::Power => (8, 5),
        }
    }
}

/// How strongly a sign binds what follows it.
pub(super) const SIGN: u8 = 5;

//! Which numbers an input may have, and what they are called: `high` for 2. The published scales stand in `framework.rs`; a
//! workspace may have its own.

use std::fmt;

use crate::number::rounded;

/// The numbers of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    values: Values,
    /// By their value, the smallest first.
    steps: Vec<Step>,
}

/// A number with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name; one word is said in one way, capitals or not.
    pub word: String,
    /// How much it is.
    pub value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Values {
    /// Those of the steps and no others.
    Steps,
    /// All of these; the least one itself only where it belongs to them.
    Between { least: f64, with_least: bool, most: f64 },
}

/// A number that is not on its scale.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("must be {expected}, got {got}")]
pub struct OffScale {
    /// What the scale has, in words.
    pub expected: String,
    /// The number.
    pub got: f64,
}

/// Why steps are no scale.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScaleError {
    /// None, or one: nothing is more than another.
    #[error("must have at least two steps")]
    TooFew,
    /// A step without a name, or with a name that is another's.
    #[error("must have a name for each step, no two alike, got {0:?}")]
    Word(String),
    /// A number that two steps have.
    #[error("must have another number for each step, got {0} twice")]
    Value(f64),
    /// A number that is none, or not among those of the scale.
    #[error("{0}")]
    OffScale(OffScale),
}

/// As one of something continuous, a change of so much counts as a step.
const STEP_OF_VALUE: f64 = 0.1;

impl Scale {
    /// These numbers and no others, in any order.
    pub fn of_steps(steps: impl IntoIterator<Item = (impl Into<String>, f64)>) -> Result<Self, ScaleError> {
        Self { values: Values::Steps, steps: Vec::new() }.named(steps)
    }

    /// All numbers from `least` to `most`.
    pub const fn from_to(least: f64, most: f64) -> Self {
        Self { values: Values::Between { least, with_least: true, most }, steps: Vec::new() }
    }

    /// All numbers above `least`, up to `most`.
    pub const fn above(least: f64, most: f64) -> Self {
        Self { values: Values::Between { least, with_least: false, most }, steps: Vec::new() }
    }

    /// This with names for some of its numbers, in any order.
    pub fn named(mut self, steps: impl IntoIterator<Item = (impl Into<String>, f64)>) -> Result<Self, ScaleError> {
        self.steps = steps.into_iter().map(|(word, value)| Step { word: word.into(), value }).collect();
        self.steps.sort_by(|a, b| a.value.total_cmp(&b.value));
        if self.steps.len() < 2 {
            return Err(ScaleError::TooFew);
        }
        for (index, step) in self.steps.iter().enumerate() {
            let alike = self.steps[..index].iter().any(|other| alike(&other.word, &step.word));
            if step.word.trim().is_empty() || alike {
                return Err(ScaleError::Word(step.word.clone()));
            }
            if self.steps[..index].iter().any(|other| same(other.value, step.value)) {
                return Err(ScaleError::Value(step.value));
            }
            self.check(step.value).map_err(ScaleError::OffScale)?;
        }
        Ok(self)
    }

    /// The number, if it is on the scale.
    pub fn check(&self, value: f64) -> Result<f64, OffScale> {
        let right = match self.values {
            Values::Steps => self.steps.iter().any(|step| same(step.value, value)),
            Values::Between { least, with_least, most } => {
                (if with_least { value >= least } else { value > least }) && value <= most
            }
        };
        if right && value.is_finite() { Ok(value) } else { Err(OffScale { expected: self.to_string(), got: value }) }
    }

    /// The number that a word stands for.
    pub fn value(&self, word: &str) -> Option<f64> {
        self.step(word).map(|step| step.value)
    }

    /// The number that a word stands for, with the word as the scale has it.
    pub fn step(&self, word: &str) -> Option<&Step> {
        self.steps.iter().find(|step| alike(&step.word, word))
    }

    /// What a number is called, if it has a name.
    pub fn word(&self, value: f64) -> Option<&str> {
        self.steps.iter().find(|step| same(step.value, value)).map(|step| step.word.as_str())
    }

    /// The numbers with names, the smallest first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The least and the largest of all numbers between them; `None` where only steps are right.
    pub fn ends(&self) -> Option<(f64, f64)> {
        match self.values {
            Values::Steps => None,
            Values::Between { least, most, .. } => Some((least, most)),
        }
    }

    /// The least and the largest number; the least may itself be just beyond the scale.
    pub fn bounds(&self) -> (f64, f64) {
        match self.values {
            Values::Steps => {
                let value = |step: Option<&Step>| step.map_or(0.0, |step| step.value);
                (value(self.steps.first()), value(self.steps.last()))
            }
            Values::Between { least, most, .. } => (least, most),
        }
    }

    /// The number a step above, or below: that of the next named step, or where none has a name, a tenth more or less.
    /// `None` at the end of the scale.
    pub fn next(&self, value: f64, up: bool) -> Option<f64> {
        let next = if self.steps.is_empty() {
            Some(if up { value + STEP_OF_VALUE * value.abs() } else { value - STEP_OF_VALUE * value.abs() })
        } else if up {
            self.steps.iter().map(|step| step.value).find(|step| *step > value)
        } else {
            self.steps.iter().rev().map(|step| step.value).find(|step| *step < value)
        };
        next.filter(|next| !same(*next, value) && self.check(*next).is_ok())
    }
}

/// Numbers are compared as they are shown.
fn same(number: f64, other: f64) -> bool {
    // What is further apart than the last of twelve digits need not be printed to be told apart.
    let apart = (number - other).abs();
    if apart > 1e-9 * number.abs().max(other.abs()) {
        return false;
    }
    (rounded(number) + 0.0).total_cmp(&(rounded(other) + 0.0)).is_eq()
}

/// Whether two words are one, capitals or not.
pub(super) fn alike(word: &str, other: &str) -> bool {
    word.trim().to_lowercase() == other.trim().to_lowercase()
}

/// What it has: `0.25 (minimal), 0.5 (low) or 1 (medium)`, `from 0 to 10`, `above 0 and at most 1`.
impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.values {
            Values::Steps => {
                let last = self.steps.len().saturating_sub(1);
                for (index, Step { word, value }) in self.steps.iter().enumerate() {
                    let separator = match index {
                        0 => "",
                        _ if index == last => " or ",
                        _ => ", ",
                    };
                    write!(f, "{separator}{value} ({word})")?;
                }
                Ok(())
            }
            Values::Between { least, with_least: true, most } => write!(f, "from {least} to {most}"),
            Values::Between { least, with_least: false, most } => write!(f, "above {least} and at most {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Scale {
        Scale::of_steps([("S", 1.0), ("M", 2.0), ("L", 5.0), ("XL", 8.0)]).unwrap()
    }

    #[test]
    fn only_what_is_on_a_scale_is_right() {
        assert_eq!(sizes().check(5.0), Ok(5.0));
        assert_eq!(sizes().check(4.0).unwrap_err().to_string(), "must be 1 (S), 2 (M), 5 (L) or 8 (XL), got 4");
        assert_eq!(Scale::above(0.0, 1.0).check(0.0).unwrap_err().to_string(), "must be above 0 and at most 1, got 0");
        assert_eq!(Scale::from_to(0.0, 10.0).check(11.0).unwrap_err().to_string(), "must be from 0 to 10, got 11");
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Scale::from_to(f64::MIN, f64::MAX).check(value).is_err() && sizes().check(value).is_err());
        }
    }

    #[test]
    fn words_stand_for_numbers() {
        assert_eq!((sizes().value("xl"), sizes().value(" M "), sizes().value("XXL")), (Some(8.0), Some(2.0), None));
        assert_eq!((sizes().word(8.0), sizes().word(3.0)), (Some("XL"), None));
    }

    #[test]
    fn a_step_is_to_the_next_name_or_a_tenth() {
        let sizes = sizes();
        assert_eq!((sizes.next(2.0, true), sizes.next(5.0, false)), (Some(5.0), Some(2.0)));
        assert_eq!((sizes.next(8.0, true), sizes.next(1.0, false)), (None, None));
        let share = Scale::above(0.0, 1.0);
        assert_eq!(
            (share.next(0.5, true), share.next(0.5, false), share.next(0.95, true)),
            (Some(0.55), Some(0.45), None)
        );
        assert_eq!(Scale::from_to(0.0, 9.0).next(0.0, true), None, "a tenth of nothing is nothing");
    }

    #[test]
    fn what_is_no_scale_is_refused() {
        let of = |steps: &[(&str, f64)]| Scale::of_steps(steps.iter().copied()).unwrap_err();
        assert_eq!(of(&[("S", 1.0)]), ScaleError::TooFew);
        assert_eq!(of(&[("S", 1.0), ("s ", 2.0)]), ScaleError::Word("s ".into()));
        assert_eq!(of(&[("", 1.0), ("M", 2.0)]), ScaleError::Word(String::new()));
        assert_eq!(of(&[("S", 1.0), ("M", 1.0)]), ScaleError::Value(1.0));
        assert!(matches!(of(&[("S", 1.0), ("M", f64::NAN)]), ScaleError::OffScale(_)));
        assert!(matches!(Scale::above(0.0, 1.0).named([("low", 0.0), ("high", 1.0)]), Err(ScaleError::OffScale(_))));
    }
}

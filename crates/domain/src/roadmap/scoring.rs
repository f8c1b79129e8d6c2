//! A team's own way to score: criteria with weights, or a formula over them. Never knows of initiatives: it gets numbers
//! and gives one.

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{EvaluationError, Formula, Input, OffScale, Scale};
use crate::number::rounded;
use crate::{Range, Violations};

/// One of the things a team looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// What it is called in estimates and formulas; see [`Formula::is_key`].
    pub key: String,
    /// What is asked of an initiative, for people.
    pub question: String,
    /// The factor of a published framework that it takes; what estimates have under its key otherwise.
    pub factor: Option<&'static Input>,
    /// Which numbers it may have, and their names; those that its factor may have where it has no scale of its own.
    pub scale: Scale,
    /// How much it counts; below zero when more of it is worse. Formulas say themselves how much each counts.
    pub weight: f64,
    /// How its numbers are made comparable with others'.
    pub normalisation: Normalisation,
}

/// How numbers of a criterion are made comparable with those of others.
#[derive(Debug, Clone, PartialEq)]
pub enum Normalisation {
    /// As they are.
    None,
    /// From 0 for the least to 1 for the most of what is ranked together; a half where these are the same.
    MinMax,
    /// As a share of the most of what is ranked together.
    ShareOfMost,
    /// Sizes such as S, M, L, XL: a number says which one, from 1, and what counts is what stands there. Between two of
    /// them, as far between.
    Lookup(Vec<f64>),
    /// Money, as a share of this much; more than that is 1, less than nothing 0.
    Money(f64),
}

/// How criteria are put together.
#[derive(Debug, Clone, PartialEq)]
pub enum Combination {
    /// The weighted sum.
    Sum,
    /// The weighted sum by the sum of the weights, so that it is on the scale of the criteria.
    Mean,
    /// A formula.
    Formula(Formula),
}

/// How criteria are put together where it is not by a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Weighing {
    /// The weighted sum.
    Sum,
    /// The weighted mean.
    Mean,
}

/// A way to score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scoring {
    criteria: Vec<Criterion>,
    combination: Combination,
}

/// The least and the most of a criterion among what is ranked together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// Why one item has no score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoringError {
    /// What is not known of it.
    #[error("lacks {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A number that it may not have.
    #[error("{0} {1}")]
    OffScale(String, OffScale),
    /// There is nothing to be a share of.
    #[error("{0} has no share of the most, as the most is not above 0")]
    NoShare(String),
    /// The formula has no value for it.
    #[error("{0}")]
    Formula(#[from] EvaluationError),
    /// Too large to be a number.
    #[error("the score is no finite number")]
    NotFinite,
}

impl Scoring {
    /// Criteria by their weights.
    pub fn weighted(criteria: Vec<Criterion>, weighing: Weighing) -> Result<Self, Violations> {
        let mut violations = checked(&criteria);
        let weights: f64 = criteria.iter().map(|criterion| criterion.weight).sum();
        let combination = match weighing {
            Weighing::Sum => Combination::Sum,
            Weighing::Mean => Combination::Mean,
        };
        // By a sum below zero the best would come last.
        if weighing == Weighing::Mean && rounded(weights) <= 0.0 {
            violations.add(
                "criteria",
                format!(
                    "must have weights whose sum is above 0, as a mean divides by it; their sum is {}",
                    rounded(weights)
                ),
            );
        }
        violations.into_result().map(|()| Self { criteria, combination })
    }

    /// Criteria by a formula.
    pub fn by_formula(criteria: Vec<Criterion>, text: &str) -> Result<Self, Violations> {
        let mut violations = checked(&criteria);
        let keys: Vec<&str> = criteria.iter().map(|criterion| criterion.key.as_str()).collect();
        let formula = violations.check("formula", Formula::parse(text, &keys));
        let combination = formula.map(Combination::Formula).ok_or_else(Violations::new);
        match (violations.into_result(), combination) {
            (Ok(()), Ok(combination)) => Ok(Self { criteria, combination }),
            (Ok(()), Err(violations)) | (Err(violations), _) => Err(violations),
        }
    }

    /// Its criteria.
    pub fn criteria(&self) -> &[Criterion] {
        &self.criteria
    }

    /// How they are put together.
    pub fn combination(&self) -> &Combination {
        &self.combination
    }

    /// Whether a score depends on what else is ranked.
    pub fn is_relative(&self) -> bool {
        self.criteria.iter().any(|c| matches!(c.normalisation, Normalisation::MinMax | Normalisation::ShareOfMost))
    }

    /// The value of each criterion, by what it takes of an estimate.
    pub fn values(&self, of: impl Fn(&str) -> Option<f64>) -> Vec<Option<f64>> {
        self.criteria.iter().map(|criterion| of(criterion.takes())).collect()
    }

    /// The extent of each criterion among items that are ranked together. Only what is known counts.
    pub fn extents<'a>(&self, items: impl IntoIterator<Item = &'a [Option<f64>]>) -> Vec<Extent> {
        let mut extents = vec![Extent { least: f64::INFINITY, most: f64::NEG_INFINITY }; self.criteria.len()];
        for item in items {
            for (extent, value) in extents.iter_mut().zip(item) {
                let Some(value) = value else { continue };
                *extent = Extent { least: extent.least.min(*value), most: extent.most.max(*value) };
            }
        }
        extents
    }

    /// The score of an item, with the value of each criterion, to twelve digits; higher is better. What is missing is
    /// never zero.
    pub fn score(&self, values: &[Option<f64>], extents: &[Extent]) -> Result<f64, ScoringError> {
        let mut missing = Vec::new();
        let mut normal = Vec::with_capacity(self.criteria.len());
        for (index, criterion) in self.criteria.iter().enumerate() {
            match values.get(index).copied().flatten() {
                None => missing.push(criterion.takes().to_owned()),
                Some(value) => {
                    let value = criterion.on_scale(value);
                    normal.push(value.and_then(|value| criterion.normal(value, extents.get(index))));
                }
            }
        }
        if !missing.is_empty() {
            return Err(ScoringError::Missing(missing));
        }
        let normal: Vec<f64> = normal.into_iter().collect::<Result<_, _>>()?;
        let score = match &self.combination {
            Combination::Formula(formula) => formula.evaluate(&normal)?,
            Combination::Sum => self.sum(|index| normal[index]),
            Combination::Mean => self.sum(|index| normal[index]) / self.weights(),
        };
        if score.is_finite() { Ok(rounded(score)) } else { Err(ScoringError::NotFinite) }
    }

    /// The score of ranges: by the likely values, and at the ends when every criterion goes against it or for it at once,
    /// each by what it does alone. An end that has no score counts as the likely one.
    pub fn score_of_ranges(&self, ranges: &[Range], extents: &[Extent]) -> Result<Range, ScoringError> {
        let likely: Vec<Option<f64>> = ranges.iter().map(|range| Some(range.likely())).collect();
        let score = self.score(&likely, extents)?;
        let with = |index: usize, value: f64| {
            let mut values = likely.clone();
            values[index] = Some(value);
            Some((self.score(&values, extents).ok()?, value))
        };
        let (mut against, mut in_favour) = (likely.clone(), likely.clone());
        for (index, range) in ranges.iter().enumerate().filter(|(_, range)| range.low() < range.high()) {
            let end = |value| with(index, value).unwrap_or((score, range.likely()));
            let (low, high) = (end(range.low()), end(range.high()));
            let (worse, better) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            (against[index], in_favour[index]) = (Some(worse.1), Some(better.1));
        }
        let end = |values: &[Option<f64>]| self.score(values, extents).unwrap_or(score);
        let (low, high) = (end(&against).min(score), end(&in_favour).max(score));
        Range::new(low, score, high).map_err(|_| ScoringError::NotFinite)
    }

    /// The scores of many draws of each criterion, all columns as long as `scores`; not rounded, and not a number where
    /// there is none. The extents stay those that they are given.
    pub fn score_columns(&self, columns: &[&[f64]], extents: &[Extent], scores: &mut [f64]) {
        let normal = |(index, criterion): (usize, &Criterion)| -> Vec<f64> {
            let column = columns.get(index).copied().unwrap_or_default();
            let number = |at| column.get(at).and_then(|value| criterion.normal(*value, extents.get(index)).ok());
            (0..scores.len()).map(|at| number(at).unwrap_or(f64::NAN)).collect()
        };
        let normal: Vec<Vec<f64>> = self.criteria.iter().enumerate().map(normal).collect();
        let by = match &self.combination {
            Combination::Formula(formula) => {
                let normal: Vec<&[f64]> = normal.iter().map(Vec::as_slice).collect();
                return formula.evaluate_columns(&normal, scores);
            }
            Combination::Sum => 1.0,
            Combination::Mean => self.weights(),
        };
        for (draw, score) in scores.iter_mut().enumerate() {
            *score = self.sum(|index| normal[index][draw]) / by;
        }
    }

    fn sum(&self, of: impl Fn(usize) -> f64) -> f64 {
        self.criteria.iter().enumerate().map(|(index, criterion)| criterion.weight * of(index)).sum()
    }

    fn weights(&self) -> f64 {
        self.criteria.iter().map(|criterion| criterion.weight).sum()
    }
}

impl Criterion {
    /// What it takes of an estimate, as that calls it.
    pub fn takes(&self) -> &str {
        self.factor.map_or(self.key.as_str(), |input| input.key)
    }

    /// The factor that it takes as that is estimated, by no scale of its own.
    pub fn factor_alone(&self) -> Option<&'static Input> {
        self.factor.filter(|input| *input.room() == self.scale)
    }

    fn on_scale(&self, value: f64) -> Result<f64, ScoringError> {
        self.scale.check(value).map_err(|off| ScoringError::OffScale(self.takes().to_owned(), off))
    }

    /// Its number, made comparable.
    fn normal(&self, value: f64, extent: Option<&Extent>) -> Result<f64, ScoringError> {
        // Alone, it is all there is.
        let Extent { least, most } = extent.copied().unwrap_or(Extent { least: value, most: value });
        Ok(match &self.normalisation {
            Normalisation::None => value,
            Normalisation::MinMax if least < most => (value - least) / (most - least),
            Normalisation::MinMax => 0.5,
            Normalisation::ShareOfMost if most > 0.0 => value / most,
            Normalisation::ShareOfMost => return Err(ScoringError::NoShare(self.key.clone())),
            Normalisation::Lookup(numbers) => looked_up(numbers, value),
            Normalisation::Money(most) => (value / most).clamp(0.0, 1.0),
        })
    }
}

/// The number at a place from 1, or as far between two; at the ends for places beyond them.
fn looked_up(numbers: &[f64], place: f64) -> f64 {
    let at = (place - 1.0).clamp(0.0, numbers.len().saturating_sub(1) as f64);
    let number = |index: f64| numbers.get(index as usize).copied().unwrap_or(f64::NAN);
    let (below, part) = (number(at.floor()), at.fract());
    if part == 0.0 { below } else { below + part * (number(at.ceil()) - below) }
}

fn checked(criteria: &[Criterion]) -> Violations {
    let mut violations = Violations::new();
    if criteria.is_empty() {
        violations.add("criteria", "must have at least one");
    }
    for (index, criterion) in criteria.iter().enumerate() {
        let at = |field: &str| format!("criteria[{index}].{field}");
        if !Formula::is_key(&criterion.key) {
            violations.add(
                at("key"),
                "must be a letter or _, then letters, digits or _, and no name of a function (min, max, sqrt, log, abs)",
            );
        }
        if criteria[..index].iter().any(|other| other.key == criterion.key) {
            violations.add(at("key"), format!("must not be another criterion's: {}", criterion.key));
        }
        if !criterion.weight.is_finite() {
            violations.add(at("weight"), "must be a finite number");
        }
        match &criterion.normalisation {
            Normalisation::None | Normalisation::MinMax | Normalisation::ShareOfMost => {}
            Normalisation::Lookup(numbers) => {
                if numbers.len() < 2 || numbers.iter().any(|number| !number.is_finite()) {
                    violations.add(at("lookup"), "must have at least two finite numbers");
                }
            }
            Normalisation::Money(most) => {
                if !(most.is_finite() && *most > 0.0) {
                    violations.add(at("money_most"), format!("must be a finite number above 0, got {most}"));
                }
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests;

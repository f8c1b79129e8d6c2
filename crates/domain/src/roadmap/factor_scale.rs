//! Factor scales: what a workspace calls how much of a factor, and the scales that hold in one.

use std::collections::BTreeMap;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::{Input, Scale, Step};
use crate::{Meta, Resource, Violations};

/// The words of a workspace for a factor.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorScale {
    /// Standard fields.
    pub meta: Meta<Self>,
    /// The factor.
    pub input: &'static Input,
    /// The numbers that it may have, and what they are called.
    pub scale: Scale,
    /// What the words mean and where the scale comes from.
    pub description: String,
}

/// What happens to factor scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "the variants are the verbs of the contract's events")]
pub enum FactorScaleEvent {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl Resource for FactorScale {
    const SERVICE: &'static str = "roadmap";
    const KIND: &'static str = "FactorScale";
    const COLLECTION: &'static str = "factorScales";
    type Event = FactorScaleEvent;
    fn meta(&self) -> &Meta<Self> {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta<Self> {
        &mut self.meta
    }
}

impl FactorScale {
    /// The factor with this key, if a workspace may have words for it.
    pub fn input(key: &str) -> Result<&'static Input, String> {
        match Input::of(key) {
            Some(input) if input.category => Err(format!("{key} has categories, which are the same everywhere")),
            Some(input) => Ok(input),
            None => {
                let known: Vec<&str> = Input::all().filter(|input| !input.category).map(|input| input.key).collect();
                Err(format!("{key:?} is no factor of a published framework; those are {}", known.join(", ")))
            }
        }
    }

    /// The scale that steps are of a factor, the least of them first.
    pub fn scale(input: &Input, steps: Vec<Step>) -> Result<Scale, Violations> {
        let mut violations = Violations::new();
        let mut below: Option<&Step> = None;
        for (index, step) in steps.iter().enumerate() {
            let field = format!("steps[{index}].value");
            if let Err(off) = input.room().check(step.value) {
                violations.add(field, format!("of {:?} {off}", step.word));
            } else if let Some(below) = below.filter(|below| step.value <= below.value) {
                let Step { word, value } = below;
                let problem =
                    format!("of {:?} must be more than that of {word:?}, {value}, got {}", step.word, step.value);
                violations.add(field, problem);
            }
            below = Some(step);
        }
        violations.into_result()?;
        let steps = steps.into_iter().map(|Step { word, value }| (word, value));
        let scale =
            if input.room() == input.scale() { input.room().clone().named(steps) } else { Scale::of_steps(steps) };
        scale.map_err(|error| Violations::one("steps", error.to_string()))
    }
}

/// The scales that hold in a workspace: its own, and the published ones of factors of which it has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scales(BTreeMap<&'static str, Scale>);

impl FromIterator<FactorScale> for Scales {
    fn from_iter<I: IntoIterator<Item = FactorScale>>(own: I) -> Self {
        Self(own.into_iter().map(|of| (of.input.key, of.scale)).collect())
    }
}

impl Scales {
    /// The scale of a factor.
    pub fn of(&self, input: &'static Input) -> &Scale {
        self.0.get(input.key).unwrap_or_else(|| input.scale())
    }

    /// What a word stands for where how much of a factor is asked.
    pub fn step(&self, input: &'static Input, word: &str) -> Result<&Step, String> {
        let scale = self.of(input);
        scale.step(word).ok_or_else(|| {
            let words: Vec<&str> = scale.steps().iter().map(|step| step.word.as_str()).collect();
            match words.split_last() {
                Some((last, others)) => {
                    format!("{word:?} is no word of the scale of {}: use {} or {last}", input.key, others.join(", "))
                }
                None => format!(
                    "{word:?} means nothing, as {} has no words here: give a number, or make a factor scale of it",
                    input.key
                ),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(key: &str, steps: &[(&str, f64)]) -> Result<Scale, Violations> {
        let steps = steps.iter().map(|(word, value)| Step { word: (*word).to_owned(), value: *value });
        FactorScale::scale(FactorScale::input(key).unwrap(), steps.collect())
    }

    #[test]
    fn a_scale_has_the_numbers_of_its_factor() {
        let impact = scale("impact", &[("small", 1.0), ("big", 8.0)]).unwrap();
        assert!(impact.check(8.0).is_ok() && impact.check(2.0).is_err(), "steps and no others");
        let effort = scale("effort", &[("S", 0.5), ("M", 2.0)]).unwrap();
        assert!(effort.check(0.7).is_ok() && effort.check(0.0).is_err(), "whatever is between, too");
        assert_eq!(effort.next(0.5, true), Some(2.0));
    }

    #[test]
    fn what_is_no_scale_is_refused_by_its_step() {
        let refused = |key: &str, steps: &[(&str, f64)]| scale(key, steps).unwrap_err().to_string();
        let falling = refused("impact", &[("low", 1.0), ("medium", 3.0), ("high", 0.2)]);
        assert!(
            falling.contains("steps[2].value: of \"high\" must be more than that of \"medium\", 3, got 0.2"),
            "{falling}"
        );
        assert!(refused("impact", &[("low", 1.0), ("high", 1.0)]).contains("steps[1].value"));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let problem = refused("impact", &[("none", wrong), ("high", 1.0)]);
            assert!(problem.contains("steps[0].value: of \"none\" must be above 0"), "{problem}");
        }
        assert!(refused("confidence", &[("sure", 0.9), ("surer", 1.1)]).contains("above 0 and at most 1, got 1.1"));
        assert!(refused("effort", &[("S", 1.0), ("s ", 2.0)]).contains("a name for each step"));
    }

    #[test]
    fn factors_with_categories_and_unknown_ones_have_no_scale() {
        assert!(FactorScale::input("moscow").unwrap_err().contains("categories"));
        assert!(FactorScale::input("joy").unwrap_err().contains("those are reach, impact, confidence"));
        assert_eq!(FactorScale::input("wsjf.job_size").map(Input::label), Ok("wsjf-job-size".to_owned()));
    }
}

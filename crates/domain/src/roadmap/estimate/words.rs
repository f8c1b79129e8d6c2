//! Words of estimates: they become numbers by the scales of the workspace when an estimate is written, and stay what they
//! were whatever becomes of the scales.

use super::{Amount, Estimate, Factor};
use crate::Violations;
use crate::roadmap::scale::alike;
use crate::roadmap::{Input, OffScale, Scales};

/// What a caller says of a factor, beside what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// What it was, whether or not its word is said again.
    AsBefore,
    /// A number: there is no word, or one that belongs to what it was.
    Number,
    /// A word, beside the number that it was.
    Word(String),
    /// A word with a number.
    Both(String),
}

impl Factor {
    fn said(&self, before: Option<&Self>) -> Said {
        let is_word = |word: &str| before.and_then(|of| of.word.as_deref()).is_some_and(|before| alike(before, word));
        let is_amount = before.is_some_and(|before| before.amount == self.amount);
        match &self.word {
            None if is_amount => Said::AsBefore,
            None => Said::Number,
            Some(word) => match (is_word(word), is_amount) {
                (true, true) => Said::AsBefore,
                (true, false) => Said::Number,
                (false, true) => Said::Word(word.clone()),
                (false, false) => Said::Both(word.clone()),
            },
        }
    }

    /// Whether its numbers are on the published scale, as they are on those of all workspaces where any number is right.
    fn is_published(&self, input: &Input) -> bool {
        self.amount.check(input.scale()).is_ok()
    }

    /// Takes the number that a word stands for; where there is none, or a number is on no scale, says so of which field.
    fn settle(
        &mut self,
        before: Option<&Self>,
        input: &'static Input,
        scales: &Scales,
    ) -> Result<(), (&'static str, String)> {
        let of_word = |problem: String| (".word", problem);
        match self.said(before) {
            Said::AsBefore => self.word = self.word.take().and(before.and_then(|before| before.word.clone())),
            Said::Number => {
                if !self.is_published(input) {
                    self.amount.check(scales.of(input)).map_err(|off: OffScale| ("", off.to_string()))?;
                }
                self.word = None;
            }
            Said::Word(word) => {
                let step = scales.step(input, &word).map_err(of_word)?;
                (self.amount, self.word) = (Amount::Point(step.value), Some(step.word.clone()));
            }
            Said::Both(word) => {
                let step = scales.step(input, &word).map_err(of_word)?;
                if self.amount != Amount::Point(step.value) {
                    let (word, value) = (&step.word, step.value);
                    return Err(of_word(format!(
                        "{word} is {value}, not {}: leave out the word or the value",
                        self.amount
                    )));
                }
                self.word = Some(step.word.clone());
            }
        }
        Ok(())
    }
}

impl Estimate {
    /// Whether the scales of the workspace have a say in what is new of it. Numbers that are right in any workspace need
    /// none.
    pub fn asks_scales(&self, old: Option<&Self>) -> bool {
        let asks = |(key, factor): (&String, &Factor)| {
            let Some(input) = Input::of(key) else { return false };
            match factor.said(old.and_then(|old| old.factors.get(key))) {
                Said::AsBefore => false,
                Said::Number => !factor.is_published(input),
                Said::Word(_) | Said::Both(_) => true,
            }
        };
        !self.worded.is_empty() || self.factors.iter().any(asks)
    }

    /// This with a number for each word, and no number that is on no scale; `old` is what it was.
    pub fn on_scales(mut self, old: Option<&Self>, scales: &Scales) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        for (key, factor) in &mut self.factors {
            if let Some(input) = Input::of(key) {
                let settled = factor.settle(old.and_then(|old| old.factors.get(key)), input, scales);
                if let Err((field, problem)) = settled {
                    violations.add(format!("{key}{field}"), problem);
                }
            }
        }
        for (key, super::Worded { word, source }) in std::mem::take(&mut self.worded) {
            let step = Input::of(&key).map(|input| scales.step(input, &word));
            let step = step.and_then(|step| violations.check(&format!("{key}.word"), step));
            if let Some(step) = step {
                let (amount, word) = (Amount::Point(step.value), Some(step.word.clone()));
                self.factors.insert(key, Factor { amount, word, source });
            }
        }
        violations.into_result().map(|()| self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Meta;
    use crate::roadmap::estimate::{Basis, FactorSource, ReachPeriod, Worded};
    use crate::roadmap::{FactorScale, Scale};

    fn source() -> FactorSource {
        FactorSource { basis: Basis::Guess("gut".into()), by: String::new(), time: None }
    }

    fn meta<T: crate::Resource>(name: &str) -> Meta<T> {
        let time = chrono::DateTime::UNIX_EPOCH;
        Meta {
            name: name.parse().unwrap(),
            uid: uuid::Uuid::nil(),
            display_name: "E".into(),
            labels: BTreeMap::new(),
            version: 1,
            create_time: time,
            update_time: time,
            delete_time: None,
        }
    }

    /// Of the impact, a value, a word, or both.
    fn impact(value: Option<f64>, word: Option<&str>) -> Estimate {
        let mut estimate = Estimate {
            meta: meta("workspaces/w/estimates/e"),
            initiative: "workspaces/w/initiatives/i".parse().unwrap(),
            reach_period: ReachPeriod::Quarter,
            factors: BTreeMap::new(),
            worded: BTreeMap::new(),
            currency: String::new(),
            need: None,
        };
        let word = word.map(str::to_owned);
        match (value, word) {
            (Some(value), word) => {
                let factor = Factor { amount: Amount::Point(value), word, source: source() };
                estimate.factors.insert("impact".into(), factor);
            }
            (None, Some(word)) => {
                estimate.worded.insert("impact".into(), Worded { word, source: source() });
            }
            (None, None) => {}
        }
        estimate
    }

    /// With `big` for 8 instead of the published words.
    fn own() -> Scales {
        let scale = Scale::of_steps([("small", 2.0), ("big", 8.0)]).unwrap();
        let input = FactorScale::input("impact").unwrap();
        let meta = meta("workspaces/w/factorScales/impact");
        [FactorScale { meta, input, scale, description: String::new() }].into_iter().collect()
    }

    /// What becomes of what is said when `old` was known.
    fn settled(old: Option<&Estimate>, new: &Estimate, scales: &Scales) -> Result<(f64, Option<String>), String> {
        let settled = new.clone().on_scales(old, scales).map_err(|violations| violations.to_string())?;
        assert!(settled.worded.is_empty());
        let Factor { amount, word, .. } = settled.factors["impact"].clone();
        // What asks no scale is the same by any.
        let by_others = new.clone().on_scales(old, &Scales::default());
        assert!(new.asks_scales(old) || by_others.is_ok_and(|by| by.factors["impact"].word == word));
        Ok((amount.likely(), word))
    }

    #[expect(clippy::unnecessary_wraps, reason = "as what it is compared with")]
    fn by(value: f64, word: &str) -> Result<(f64, Option<String>), String> {
        Ok((value, Some(word.to_owned())))
    }

    #[test]
    fn a_word_is_the_value_it_has_when_it_is_written() {
        let published = Scales::default();
        assert_eq!(settled(None, &impact(None, Some(" HIGH ")), &published), by(2.0, "high"));
        assert_eq!(settled(None, &impact(None, Some("Big")), &own()), by(8.0, "big"));
        let unknown = settled(None, &impact(None, Some("huge")), &published).unwrap_err();
        let words = "minimal, low, medium, high or massive";
        assert!(unknown.contains("impact.word") && unknown.contains(words), "{unknown}");
        let gone = settled(None, &impact(None, Some("high")), &own()).unwrap_err();
        assert!(gone.contains("use small or big"), "{gone}");
        let none = Scales::default().step(FactorScale::input("reach").unwrap(), "many").unwrap_err();
        assert!(none.contains("reach has no words here"), "{none}");
    }

    #[test]
    fn numbers_are_those_of_the_published_scale_or_of_the_workspace() {
        let published = Scales::default();
        assert_eq!(settled(None, &impact(Some(3.0), None), &own()), Ok((3.0, None)));
        assert!(!impact(Some(3.0), None).asks_scales(None), "nothing is read for what is right anywhere");
        assert_eq!(settled(None, &impact(Some(8.0), None), &own()), Ok((8.0, None)));
        assert!(settled(None, &impact(Some(8.0), None), &published).unwrap_err().contains("3 (massive), got 8"));
        assert!(settled(None, &impact(Some(7.0), None), &own()).unwrap_err().contains("2 (small) or 8 (big), got 7"));
    }

    #[test]
    fn what_was_known_stays_when_the_scale_changes() {
        let (published, old) = (Scales::default(), impact(Some(8.0), Some("big")));
        for said in [impact(Some(8.0), Some("big")), impact(Some(8.0), Some("BIG"))] {
            assert!(!said.asks_scales(Some(&old)));
            assert_eq!(settled(Some(&old), &said, &published), by(8.0, "big"));
        }
        assert_eq!(
            settled(Some(&old), &impact(Some(8.0), None), &published),
            Ok((8.0, None)),
            "as one who knows no words"
        );
        assert!(settled(Some(&old), &impact(None, Some("big")), &published).is_err(), "said anew it is looked up anew");
    }

    #[test]
    fn of_a_value_and_a_word_that_counts_which_is_new() {
        let old = impact(Some(8.0), Some("big"));
        assert_eq!(settled(Some(&old), &impact(Some(8.0), Some("small")), &own()), by(2.0, "small"));
        assert_eq!(settled(Some(&old), &impact(Some(2.0), Some("big")), &own()), Ok((2.0, None)));
        assert_eq!(settled(Some(&old), &impact(Some(2.0), Some("small")), &own()), by(2.0, "small"));
        assert_eq!(settled(None, &impact(Some(2.0), Some("Small")), &own()), by(2.0, "small"));
        for old in [None, Some(&impact(Some(3.0), None))] {
            let problem = settled(old, &impact(Some(2.0), Some("big")), &own()).unwrap_err();
            assert!(problem.contains("big is 8, not 2: leave out the word or the value"), "{problem}");
        }
    }
}

//! Must, should, could, won't (Dai Clegg, 1994), and whether so much must be done that nothing can give (DSDM Agile Project
//! Framework, chapter 10, 2014: at most 60 % of the effort).

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::number::rounded;

/// How much of the effort must-haves may be before a plan has no slack.
pub const MUST_MOST: f64 = 0.6;

/// How much something is needed for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Moscow {
    /// Without it there is no release.
    Must,
    /// Painful to leave out, but there is a way around.
    Should,
    /// Wanted, and the first to go.
    Could,
    /// Not this time.
    Wont,
}

impl Moscow {
    /// The category with this number.
    pub fn of(value: f64) -> Option<Self> {
        [Self::Must, Self::Should, Self::Could, Self::Wont].into_iter().find(|of| of.value().total_cmp(&value).is_eq())
    }

    /// Its number on the scale of the framework; more is needed more.
    pub const fn value(self) -> f64 {
        match self {
            Self::Must => 4.0,
            Self::Should => 3.0,
            Self::Could => 2.0,
            Self::Wont => 1.0,
        }
    }
}

/// The effort of what is planned, by how much it is needed. What will not be done this time costs nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MoscowEffort {
    /// The share of what must be done, 0 to 1.
    pub must: f64,
    /// Of what should.
    pub should: f64,
    /// Of what could.
    pub could: f64,
}

impl MoscowEffort {
    /// The shares, of items with their effort in any one unit; `None` when nothing is planned that costs anything.
    pub fn of(items: impl IntoIterator<Item = (Moscow, f64)>) -> Option<Self> {
        let mut sums = [0.0; 3];
        for (category, effort) in items {
            match category {
                Moscow::Must => sums[0] += effort,
                Moscow::Should => sums[1] += effort,
                Moscow::Could => sums[2] += effort,
                Moscow::Wont => {}
            }
        }
        let all: f64 = sums.iter().sum();
        let [must, should, could] = sums.map(|sum| rounded(sum / all));
        (all > 0.0).then_some(Self { must, should, could })
    }

    /// What to say when too much must be done.
    pub fn warning(&self) -> Option<String> {
        (self.must > MUST_MOST).then(|| {
            let percent = |share: f64| rounded(share * 100.0);
            format!(
                "must-haves are {:.1} % of the effort, more than {} %: what cannot give leaves no room when something \
                 takes longer, so make some of them should-haves",
                percent(self.must),
                percent(MUST_MOST)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(must: f64, should: f64, could: f64, wont: f64) -> Option<MoscowEffort> {
        let efforts = [(Moscow::Must, must), (Moscow::Should, should), (Moscow::Could, could), (Moscow::Wont, wont)];
        MoscowEffort::of(efforts)
    }

    #[test]
    fn sixty_percent_pass_and_more_warns() {
        let right = shares(60.0, 20.0, 20.0, 500.0).unwrap();
        assert_eq!((right.must, right.should, right.could), (0.6, 0.2, 0.2));
        assert_eq!(right.warning(), None);
        let warning = shares(61.0, 20.0, 19.0, 0.0).unwrap().warning().unwrap();
        assert!(warning.starts_with("must-haves are 61.0 % of the effort, more than 60 %"), "{warning}");
        // Three times 0.2 is 0.6, whatever the last digit says.
        assert_eq!(shares(0.1 + 0.2 + 0.3, 0.2, 0.2, 0.0).unwrap().warning(), None);
        assert_eq!(shares(0.0, 0.0, 0.0, 9.0), None);
    }

    #[test]
    fn categories_are_those_of_the_scale() {
        let scale = crate::roadmap::Framework::Moscow.inputs()[0].scale();
        let words =
            [("must", Moscow::Must), ("should", Moscow::Should), ("could", Moscow::Could), ("won't", Moscow::Wont)];
        assert!(words.into_iter().all(|(word, category)| scale.value(word) == Some(category.value())));
    }
}

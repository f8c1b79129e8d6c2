//! What initiatives are scored by, whatever it is: a published framework, or a model of a team's own. So orders,
//! comparisons and trials of an order are written once for both.

use super::{
    Combination, Criterion, Estimate, Extent, Framework, Input, Normalisation, Scale, Scales, Scoring, ScoringError,
};
use crate::Range;

/// A framework, or a model among what is ranked together.
#[derive(Debug, Clone, PartialEq)]
pub enum Scorer {
    /// A published framework.
    Framework(Framework),
    /// A team's own model.
    Model {
        /// What it is called.
        label: String,
        /// The way to score.
        scoring: Scoring,
        /// The least and the most of each criterion among what is ranked together.
        extents: Vec<Extent>,
    },
}

/// One of the things that a score is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis<'a> {
    /// What it is called in estimates.
    pub key: &'a str,
    /// Which numbers it may have.
    pub scale: &'a Scale,
    /// Whether more of it raises the score; less does otherwise.
    pub raises: bool,
    /// How the score depends on it.
    pub course: Course,
}

/// How a score depends on one of the things that it is made of, all else as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// In a straight line.
    Line,
    /// In a straight line in one over it.
    Inverse,
    /// Otherwise.
    Other,
}

/// Why an estimate has no score.
#[derive(Debug, Clone, PartialEq)]
pub enum Unscored {
    /// Factors that nobody has given.
    Missing(Vec<String>),
    /// What is known has no score: why.
    Without(String),
}

impl From<ScoringError> for Unscored {
    fn from(error: ScoringError) -> Self {
        match error {
            ScoringError::Missing(factors) => Self::Missing(factors),
            ScoringError::OffScale(..)
            | ScoringError::NoShare(_)
            | ScoringError::Formula(_)
            | ScoringError::NotFinite => Self::Without(error.to_string()),
        }
    }
}

impl Scorer {
    /// A model, before it is known what is ranked together.
    pub fn model(label: String, scoring: Scoring) -> Self {
        Self::Model { label, scoring, extents: Vec::new() }
    }

    /// This for items that are ranked together: estimates, or what is known of them.
    #[must_use]
    pub fn among<K: Known>(mut self, items: &[K]) -> Self {
        if let Self::Model { scoring, extents, .. } = &mut self
            && scoring.is_relative()
        {
            let values: Vec<_> = items.iter().map(|item| scoring.values(|key| item.likely(key))).collect();
            *extents = scoring.extents(values.iter().map(Vec::as_slice));
        }
        self
    }

    /// What its score is called where one is told.
    pub fn label(&self) -> &str {
        match self {
            Self::Framework(framework) => framework.label(),
            Self::Model { label, .. } => label,
        }
    }

    /// What a score is made of, in the order in which it takes values; by the scales of the workspace where none is its own.
    pub fn axes<'a>(&'a self, scales: &'a Scales) -> Vec<Axis<'a>> {
        match self {
            Self::Framework(framework) => framework.inputs().iter().map(|input| Axis::of(input, scales)).collect(),
            Self::Model { scoring, .. } => Axis::all_of(scoring, scales),
        }
    }

    /// What its axes are called, without a look at how a score depends on them.
    fn keys(&self) -> Vec<&str> {
        match self {
            Self::Framework(framework) => framework.inputs().iter().map(|input| input.key).collect(),
            Self::Model { scoring, .. } => scoring.criteria().iter().map(Criterion::takes).collect(),
        }
    }

    /// The factors that are not known of an item.
    pub fn missing(&self, item: &impl Known) -> Vec<String> {
        self.keys().into_iter().filter(|key| item.likely(key).is_none()).map(str::to_owned).collect()
    }

    /// How many times as much as is given in an estimate a score takes of an axis, whose scale is of what is given.
    pub fn unit(&self, estimate: &Estimate, key: &str) -> f64 {
        match self {
            Self::Framework(_) => estimate.unit(key),
            // Scales of models are of what scores take.
            Self::Model { .. } => 1.0,
        }
    }

    /// What it takes of an estimate, in the order of the axes.
    pub fn ranges(&self, estimate: &Estimate) -> Result<Vec<Range>, Unscored> {
        let ranges: Option<Vec<Range>> = self.keys().into_iter().map(|key| estimate.range(key)).collect();
        ranges.ok_or_else(|| Unscored::Missing(self.missing(estimate)))
    }

    /// The likely score of what is known of an item.
    pub fn score_of(&self, item: &impl Known) -> Result<f64, Unscored> {
        match self {
            Self::Model { scoring, extents, .. } => {
                Ok(scoring.score(&scoring.values(|key| item.likely(key)), extents)?)
            }
            Self::Framework(framework) => {
                let values: Option<Vec<f64>> = framework.inputs().iter().map(|input| item.likely(input.key)).collect();
                values.and_then(|values| framework.score(&values)).ok_or_else(|| Unscored::Missing(self.missing(item)))
            }
        }
    }

    /// What an item is worth, whatever work it is: by a framework the likely score without its division by effort, job size or
    /// duration, and of categories how many are below; by a model its score.
    pub fn worth(&self, item: &impl Known) -> Result<f64, Unscored> {
        let Self::Framework(framework) = self else { return self.score_of(item) };
        let inputs = framework.inputs();
        // A score falls in a straight line in one over what it is divided by.
        let is_work = |input: &Input| input.straight && !input.raises;
        let values = inputs.iter().map(|input| if is_work(input) { Some(1.0) } else { item.likely(input.key) });
        let score = values.collect::<Option<Vec<f64>>>().and_then(|values| framework.score(&values));
        let missing = || {
            let unknown = inputs.iter().filter(|input| !is_work(input) && item.likely(input.key).is_none());
            Unscored::Missing(unknown.map(|input| input.key.to_owned()).collect())
        };
        let last: f64 = inputs.iter().filter(|input| input.category).map(|input| input.scale().bounds().0).sum();
        Ok(score.ok_or_else(missing)? - last)
    }

    /// The score of a number for each axis.
    pub fn score(&self, values: &[f64]) -> Option<f64> {
        match self {
            Self::Framework(framework) => framework.score(values),
            Self::Model { scoring, extents, .. } => {
                let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
                scoring.score(&values, extents).ok()
            }
        }
    }

    /// The score of an estimate: by the likely values, and at the ends when every factor goes against it or for it at
    /// once.
    pub fn score_of_estimate(&self, estimate: &Estimate) -> Result<Range, Unscored> {
        let ranges = self.ranges(estimate)?;
        match self {
            Self::Framework(framework) => {
                let no_number = || Unscored::Without(ScoringError::NotFinite.to_string());
                framework.score_of_ranges(&ranges).ok_or_else(no_number)
            }
            Self::Model { scoring, extents, .. } => Ok(scoring.score_of_ranges(&ranges, extents)?),
        }
    }

    /// The scores of many draws of each axis, all columns as long as `scores`; not rounded, and not a number where there
    /// is none.
    pub fn score_columns(&self, columns: &[&[f64]], scores: &mut [f64]) {
        match self {
            Self::Framework(framework) => framework.score_columns(columns, scores),
            Self::Model { scoring, extents, .. } => scoring.score_columns(columns, extents, scores),
        }
    }
}

/// Something of which factors are known.
pub trait Known {
    /// The likely value of a factor as scores take it.
    fn likely(&self, key: &str) -> Option<f64>;
}

/// Something of which nothing is known.
#[derive(Debug, Clone, Copy)]
pub struct Unknown;

impl Known for Unknown {
    fn likely(&self, _: &str) -> Option<f64> {
        None
    }
}

impl Known for Estimate {
    fn likely(&self, key: &str) -> Option<f64> {
        self.range(key).map(|range| range.likely())
    }
}

impl<'a> Axis<'a> {
    fn of(input: &'static Input, scales: &'a Scales) -> Self {
        let course = match (input.straight, input.raises) {
            (false, _) => Course::Other,
            (true, true) => Course::Line,
            (true, false) => Course::Inverse,
        };
        Self { key: input.key, scale: scales.of(input), raises: input.raises, course }
    }

    fn all_of(scoring: &'a Scoring, scales: &'a Scales) -> Vec<Self> {
        let axis = |(index, criterion): (usize, &'a Criterion)| {
            let (raises, weighed) = match scoring.combination() {
                Combination::Sum | Combination::Mean => (criterion.weight >= 0.0, true),
                Combination::Formula(_) => (rises(scoring, index), false),
            };
            let course = match criterion.normalisation {
                Normalisation::None | Normalisation::MinMax | Normalisation::ShareOfMost if weighed => Course::Line,
                Normalisation::None
                | Normalisation::MinMax
                | Normalisation::ShareOfMost
                | Normalisation::Lookup(_)
                | Normalisation::Money(_) => Course::Other,
            };
            let scale = criterion.factor_alone().map_or(&criterion.scale, |input| scales.of(input));
            Self { key: criterion.takes(), scale, raises, course }
        };
        scoring.criteria().iter().enumerate().map(axis).collect()
    }
}

/// Whether a formula is more at the upper end of a criterion's scale than at the lower one, with the others in the middle
/// of theirs. Where it has no value there it is taken to be.
fn rises(scoring: &Scoring, index: usize) -> bool {
    let at = |end: fn((f64, f64)) -> f64| {
        let middle = |(low, high): (f64, f64)| low.midpoint(high);
        let value = |(other, criterion): (usize, &Criterion)| {
            Some(if other == index { end(criterion.scale.bounds()) } else { middle(criterion.scale.bounds()) })
        };
        let values: Vec<Option<f64>> = scoring.criteria().iter().enumerate().map(value).collect();
        scoring.score(&values, &[]).ok()
    };
    at(|(low, _)| low).zip(at(|(_, high)| high)).is_none_or(|(low, high)| low <= high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criterion(key: &str, weight: f64) -> Criterion {
        let (key, scale) = (key.to_owned(), Scale::from_to(1.0, 10.0));
        Criterion {
            key,
            question: String::new(),
            factor: Input::of("effort"),
            scale,
            weight,
            normalisation: Normalisation::None,
        }
    }

    fn axes(scoring: Scoring) -> Vec<(bool, Course)> {
        let scorer = Scorer::model("ours".into(), scoring);
        scorer.axes(&Scales::default()).iter().map(|axis| (axis.raises, axis.course)).collect()
    }

    struct Of(Vec<(&'static str, f64)>);

    impl Known for Of {
        fn likely(&self, key: &str) -> Option<f64> {
            self.0.iter().find(|(of, _)| *of == key).map(|(_, value)| *value)
        }
    }

    #[test]
    fn worth_is_no_less_for_more_work() {
        let worth = |framework, known: &[(&'static str, f64)]| Scorer::Framework(framework).worth(&Of(known.to_vec()));
        let rice = [("reach", 5000.0), ("impact", 2.0), ("confidence", 0.8), ("effort", 2.0)];
        assert_eq!(worth(Framework::Rice, &rice), Ok(8000.0));
        assert_eq!(worth(Framework::Rice, &rice[..3]), Ok(8000.0), "nobody needs to know the effort");
        assert_eq!(worth(Framework::Rice, &rice[1..]), Err(Unscored::Missing(vec!["reach".into()])));
        let wsjf = [("wsjf.value", 8.0), ("wsjf.time_criticality", 4.0), ("wsjf.risk_reduction", 3.0)];
        assert_eq!(worth(Framework::Wsjf, &wsjf), Ok(15.0));
        let need = [("need.importance", 9.5), ("need.satisfaction", 3.2)];
        assert_eq!(worth(Framework::Opportunity, &need), Ok(15.8));
        let [must, never] = [4.0, 1.0].map(|category| worth(Framework::Moscow, &[("moscow", category)]));
        assert_eq!((must, never), (Ok(3.0), Ok(0.0)), "won't is worth nothing");
        let ours = Scorer::model("ours".into(), Scoring::by_formula(vec![criterion("a", 1.0)], "a - 10").unwrap());
        assert_eq!(ours.worth(&Of(vec![("effort", 4.0)])), Ok(-6.0), "what a team says counts as it is");
    }

    #[test]
    fn how_a_score_depends_on_a_criterion_is_known_of_weights_and_tried_of_formulas() {
        let weighted = Scoring::weighted(vec![criterion("a", 2.0), criterion("b", -1.0)], super::super::Weighing::Sum);
        assert_eq!(axes(weighted.unwrap()), [(true, Course::Line), (false, Course::Line)]);
        let formula = Scoring::by_formula(vec![criterion("a", 1.0), criterion("b", 1.0)], "a / b");
        assert_eq!(axes(formula.unwrap()), [(true, Course::Other), (false, Course::Other)]);
        let published = Scorer::Framework(Framework::Opportunity);
        assert!(published.axes(&Scales::default()).iter().all(|axis| axis.course == Course::Other));
        let (rice, scales) = (Scorer::Framework(Framework::Rice), Scales::default());
        let courses: Vec<Course> = rice.axes(&scales).iter().map(|axis| axis.course).collect();
        assert_eq!(courses, [Course::Line, Course::Line, Course::Line, Course::Inverse]);
    }
}

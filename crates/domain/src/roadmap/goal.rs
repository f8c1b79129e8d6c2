//! How far a number has come on its way from a start to a target, and how such scores are put together. Pure arithmetic;
//! what the number is of is for `key_result` to say.

use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::number::rounded;

/// Where a number starts and where it is to come to: two finite numbers that differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    start: f64,
    target: f64,
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// More is better.
    Increase,
    /// Less is better.
    Decrease,
}

/// Why two numbers are no goal.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum GoalError {
    /// Not a number, or endless.
    #[error("must be a finite number")]
    NotFinite,
    /// There is no way to go.
    #[error("must differ from start, which is {0} too: nothing would change when it is reached")]
    NoDistance(f64),
    /// The direction that was stated is the other one.
    #[error(
        "is {}, though the target {target} is {} the start {start}; state {} or leave it out",
        <&str>::from(*.stated), .stated.opposite().relation(), <&str>::from(.stated.opposite())
    )]
    Contradiction {
        /// What was stated.
        stated: Direction,
        /// Where it starts.
        start: f64,
        /// Where it is to come to.
        target: f64,
    },
}

impl Direction {
    fn opposite(self) -> Self {
        match self {
            Self::Increase => Self::Decrease,
            Self::Decrease => Self::Increase,
        }
    }

    /// Where the target is, seen from the start.
    fn relation(self) -> &'static str {
        match self {
            Self::Increase => "above",
            Self::Decrease => "below",
        }
    }
}

impl Goal {
    /// The goal, if the numbers differ by the digits that are compared.
    pub fn new(start: f64, target: f64) -> Result<Self, GoalError> {
        if !start.is_finite() || !target.is_finite() {
            return Err(GoalError::NotFinite);
        }
        if rounded(start) - rounded(target) == 0.0 {
            return Err(GoalError::NoDistance(start));
        }
        Ok(Self { start, target })
    }

    /// The same, if `stated` is the way that the numbers say, or nothing.
    pub fn towards(self, stated: Option<Direction>) -> Result<Self, GoalError> {
        match stated.filter(|stated| *stated != self.direction()) {
            Some(stated) => Err(GoalError::Contradiction { stated, start: self.start, target: self.target }),
            None => Ok(self),
        }
    }

    /// Where it starts.
    pub fn start(&self) -> f64 {
        self.start
    }

    /// Where it is to come to.
    pub fn target(&self) -> f64 {
        self.target
    }

    /// Which way is good.
    pub fn direction(&self) -> Direction {
        if self.target > self.start { Direction::Increase } else { Direction::Decrease }
    }

    /// How far a finite value has come: (value - start) / (target - start), not below 0 and not above 1 (Doerr, Measure
    /// What Matters, 2018, grades key results so).
    pub fn score(&self, value: f64) -> Score {
        let share = |scale: f64| (value * scale - self.start * scale) / (self.target * scale - self.start * scale);
        // Between numbers that are too far apart for their distance half of it is taken.
        let whole = (self.target - self.start).is_finite();
        Score::of(share(if whole { 1.0 } else { 0.5 }))
    }
}

/// How far something has come: 0 to 1, with the digits that are compared and shown.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Score(f64);

/// What a score means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ScoreBand {
    /// Below 0.4.
    Red,
    /// From 0.4 to below 0.7.
    Yellow,
    /// 0.7 or more.
    Green,
}

impl Score {
    /// The score nearest to a number.
    pub fn of(number: f64) -> Self {
        // Minus zero is printed as such.
        Self(rounded(number.clamp(0.0, 1.0)) + 0.0)
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// What it means (the bands of Google's OKR playbook).
    pub fn band(self) -> ScoreBand {
        match self.0 {
            score if score < 0.4 => ScoreBand::Red,
            score if score < 0.7 => ScoreBand::Yellow,
            _ => ScoreBand::Green,
        }
    }
}

/// The mean of scores by their weights, which are above 0; `None` when there are none.
pub fn mean(scores: impl IntoIterator<Item = (Score, f64)>) -> Option<Score> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (Score(score), weight) in scores {
        sum += score * weight;
        weights += weight;
    }
    (weights > 0.0).then(|| Score::of(sum / weights))
}

/// How far an objective has come: by what it is measured by itself, by what serves it, and by both.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Standing {
    /// The mean of its own key results by their weights.
    pub own: Option<Score>,
    /// The mean of the objectives directly below it, each counting alike.
    pub inherited: Option<Score>,
    /// The mean of both together, where each objective below counts as a key result of weight 1.
    pub score: Option<Score>,
}

impl Standing {
    /// The standing of an objective whose key results have these scores and weights, and those below it these scores. What
    /// has no score is in none of the means.
    pub fn of(key_results: &[(Option<Score>, f64)], below: &[Option<Score>]) -> Self {
        let own = || key_results.iter().filter_map(|(score, weight)| Some(((*score)?, *weight)));
        let inherited = || below.iter().filter_map(|score| Some(((*score)?, 1.0)));
        Self { own: mean(own()), inherited: mean(inherited()), score: mean(own().chain(inherited())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn goal(start: f64, target: f64) -> Goal {
        Goal::new(start, target).unwrap()
    }

    fn score(start: f64, target: f64, value: f64) -> f64 {
        goal(start, target).score(value).value()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "scores are equal to the bit")]
    fn published_and_worked_values() {
        // Atlassian, OKRs: how to score them: three of six features are a score of .5.
        assert_eq!(score(0.0, 6.0, 3.0), 0.5);
        // Falling targets: from 12 errors to 4, now 6.
        assert_eq!(score(12.0, 4.0, 6.0), 0.75);
        assert_eq!([score(12.0, 4.0, 14.0), score(12.0, 4.0, 3.0)], [0.0, 1.0]);
        assert_eq!([score(0.1, 0.4, 0.2), score(-5.0, 5.0, 0.0)], [0.333_333_333_333, 0.5]);
        // Numbers whose distance no double holds.
        assert_eq!([score(-1.5e308, 1.5e308, 0.0), score(1.5e308, -1.5e308, -1.5e308)], [0.5, 1.0]);
        assert_eq!(score(0.0, 5e-324, 1e308), 1.0);
        assert!(score(5.0, 1.0, 6.0).is_sign_positive(), "no minus zero");
    }

    #[test]
    fn bands_divide_by_the_digits_that_are_shown() {
        let band = |number: f64| Score::of(number).band();
        assert_eq!([band(0.0), band(0.399_999_999_9), band(0.4)], [ScoreBand::Red, ScoreBand::Red, ScoreBand::Yellow]);
        assert_eq!([band(0.699_999_9), band(0.7), band(1.0)], [ScoreBand::Yellow, ScoreBand::Green, ScoreBand::Green]);
        // 0.7 by another way: the noise of the last digits decides nothing.
        assert_eq!(goal(0.0, 3.0).score(0.7 * 3.0).band(), ScoreBand::Green);
        assert_eq!(goal(0.0, 0.3).score(0.1 + 0.02).band(), ScoreBand::Yellow);
    }

    #[test]
    fn a_goal_goes_somewhere_and_says_nothing_else() {
        assert_eq!(Goal::new(3.0, 3.0), Err(GoalError::NoDistance(3.0)));
        assert_eq!(Goal::new(0.3, 0.1 + 0.2), Err(GoalError::NoDistance(0.3)));
        assert_eq!(Goal::new(0.0, -0.0), Err(GoalError::NoDistance(0.0)));
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!([Goal::new(wrong, 1.0), Goal::new(1.0, wrong)], [Err(GoalError::NotFinite); 2]);
        }
        assert_eq!(goal(1.0, 5.0).towards(Some(Direction::Increase)), Ok(goal(1.0, 5.0)));
        assert_eq!(goal(5.0, 1.0).towards(None).unwrap().direction(), Direction::Decrease);
        let refused = goal(5.0, 1.0).towards(Some(Direction::Increase)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "is INCREASE, though the target 1 is below the start 5; state DECREASE or leave it out"
        );
    }

    #[test]
    fn a_mean_is_of_what_is_known() {
        let of = |scores: &[(f64, f64)]| mean(scores.iter().map(|(s, w)| (Score::of(*s), *w))).map(Score::value);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0.5, 1.0), (1.0, 1.0)]), Some(0.75));
        assert_eq!(of(&[(0.0, 3.0), (1.0, 1.0)]), Some(0.25));
    }

    #[test]
    fn what_is_below_counts_as_a_key_result_of_weight_1() {
        let score = |number| Some(Score::of(number));
        let standing = Standing::of(&[(score(1.0), 2.0), (None, 9.0)], &[score(0.1), None]);
        assert_eq!((standing.own, standing.inherited, standing.score), (score(1.0), score(0.1), score(0.7)));
        assert_eq!(standing.score.map(Score::band), Some(ScoreBand::Green), "(2 × 1 + .1) / 3");
        let alone = Standing::of(&[], &[score(0.2), score(0.4)]);
        assert_eq!((alone.own, alone.inherited, alone.score), (None, score(0.3), score(0.3)));
        assert_eq!(Standing::of(&[(None, 1.0)], &[None]), Standing::default(), "nothing is known, and that is no zero");
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![-1e6..1e6, prop::num::f64::NORMAL, prop::num::f64::SUBNORMAL]
    }

    fn any_goal() -> impl Strategy<Value = Goal> {
        (number(), number()).prop_filter_map("no distance", |(start, target)| Goal::new(start, target).ok())
    }

    proptest! {
        #[test]
        fn a_score_is_between_0_and_1_and_reached_at_the_ends(goal in any_goal(), value in number()) {
            let score = goal.score(value).value();
            prop_assert!((0.0..=1.0).contains(&score), "{score}");
            prop_assert_eq!(goal.score(goal.start()).value().to_bits(), 0.0_f64.to_bits());
            prop_assert_eq!(goal.score(goal.target()).value().to_bits(), 1.0_f64.to_bits());
        }

        #[test]
        fn more_of_what_is_good_is_never_less(goal in any_goal(), a in number(), b in number()) {
            let (worse, better) = match goal.direction() {
                Direction::Increase => (a.min(b), a.max(b)),
                Direction::Decrease => (a.max(b), a.min(b)),
            };
            prop_assert!(goal.score(worse) <= goal.score(better));
        }

        #[test]
        fn a_mirrored_goal_scores_alike(goal in any_goal(), value in number()) {
            let mirrored = Goal::new(-goal.start(), -goal.target()).unwrap();
            prop_assert_eq!(goal.score(value), mirrored.score(-value));
            prop_assert_ne!(goal.direction(), mirrored.direction());
        }

        #[test]
        fn the_unit_does_not_matter(start in -1e6..1e6, way in 0.01..1e6, at in -0.5..1.5, scale in 1e-6..1e6) {
            let value = start + at * way;
            let (one, other) = (score(start, start + way, value), score(start * scale, (start + way) * scale, value * scale));
            prop_assert!((one - other).abs() < 1e-6, "{one} {other}");
        }

        #[test]
        fn a_mean_lies_between_and_only_proportions_of_weights_matter(
            scores in prop::collection::vec((0.0..=1.0, 0.01..100.0), 1..20), scale in 0.01..100.0,
        ) {
            let of = |scale: f64| mean(scores.iter().map(|(s, w)| (Score::of(*s), w * scale))).unwrap().value();
            let ends = scores.iter().fold((1.0_f64, 0.0_f64), |(low, high), (s, _)| (low.min(*s), high.max(*s)));
            prop_assert!(ends.0 - 1e-9 <= of(1.0) && of(1.0) <= ends.1 + 1e-9);
            prop_assert!((of(1.0) - of(scale)).abs() < 1e-9);
        }
    }
}

//! How little must change for an order to change: the nearest value of one input at which a score gets to another.

use crate::Interval;

/// The scores at which something changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbours {
    /// The score above that is passed when the score rises.
    pub above: Option<f64>,
    /// The score below that is passed when the score falls.
    pub below: Option<f64>,
}

/// How far from a value the nearest ones are looked for in equal pieces; in the piece it is found by halving.
const PIECES: u32 = 64;

impl Neighbours {
    /// Those of the item at `place`, from 0, of scores that are sorted, best first, when only the first `top` and their
    /// order matter: of these the next better and the next worse one, of the others the last of these.
    pub fn of(place: usize, scores: &[f64], top: usize) -> Self {
        let at = |index: Option<usize>| index.and_then(|index| scores.get(index)).copied();
        if place < top {
            Self { above: at(place.checked_sub(1)), below: at(place.checked_add(1)) }
        } else {
            Self { above: at(top.checked_sub(1)), below: None }
        }
    }

    /// Whether a score is past one of them; to get as far is not to pass.
    pub fn passed(&self, score: f64) -> bool {
        self.above.is_some_and(|above| score > above) || self.below.is_some_and(|below| score < below)
    }

    /// The nearest value to `value` within `bounds` beyond which one of them is passed; `None` when there is none. The
    /// lower one of two that are as near. `score` of a value may be not finite, which passes nothing.
    ///
    /// Found for certain where the score goes one way; where it turns, what passes and comes back within a 64th of the
    /// way to the bound may be missed.
    pub fn nearest(&self, value: f64, bounds: Interval, score: impl Fn(f64) -> f64) -> Option<f64> {
        let passes = |at: f64| Some(score(at)).filter(|score| score.is_finite()).is_some_and(|s| self.passed(s));
        let towards = |bound: f64| {
            let piece = (bound - value) / f64::from(PIECES);
            let end = (1..=PIECES)
                .map(|index| if index == PIECES { bound } else { value + f64::from(index) * piece })
                .find(|at| passes(*at))?;
            let (mut before, mut past) = (end - piece, end);
            // Until there is no number between the two.
            loop {
                let middle = f64::midpoint(before, past);
                if [before, past].contains(&middle) {
                    return Some(past);
                }
                if passes(middle) { past = middle } else { before = middle }
            }
        };
        let found = [towards(bounds.low), towards(bounds.high)];
        found.into_iter().flatten().min_by(|a, b| (a - value).abs().total_cmp(&(b - value).abs()))
    }
}

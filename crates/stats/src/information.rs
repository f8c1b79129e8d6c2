//! What it is worth to find out one input before the best are chosen: the expected value of partial perfect information
//! (Raiffa and Schlaifer, 1961). Never says what finding out costs.

use crate::draws::{Sampler, Stream};
use crate::{Spread, StatsError};

/// How a score depends on one of its inputs, when the others stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependence {
    /// A straight line, as of a sum or a product.
    Linear,
    /// A straight line in one over the input, as of what a score is divided by.
    Inverse,
    /// Any other way.
    Other,
}

/// What one input is worth finding out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// The item, by its index.
    pub item: usize,
    /// The input of it, by its index.
    pub input: usize,
    /// How much higher the scores of the chosen are together, in the mean, in units of the score.
    pub worth: f64,
}

/// So many draws of the other inputs stand for all, where they must be drawn.
const COMPANIONS: usize = 256;
/// How many values of the input are looked at then; more where one computation does for each.
const VALUES: usize = 64;
/// Draws that a mean score is taken from, where it must be drawn.
const DRAWS: usize = 16_384;

/// What each input is worth finding out when the `top` items with the highest mean scores are chosen; inputs that would
/// change no choice are left out. The largest first.
///
/// The inputs are independent, so a number that is found out moves the expected score of its own item alone: the choice
/// changes when that passes the best that is not chosen, or the last that is, and the worth is the mean of by how much.
/// That is an integral over one number. The expected score given the number needs no draws when the score is a straight
/// line in each input or in one over it, as the means of these stand for the other inputs then; `dependences` says so for
/// the inputs of all items. Else the others are drawn, by `seed`, the same ones for all values.
///
/// `score` is as in [`crate::try_order`]. An item whose mean score is not finite is left out. Refused when an item has
/// another number of inputs than there are dependences.
pub fn worth_finding_out<F>(
    items: &[Vec<Spread>],
    dependences: &[Dependence],
    score: F,
    top: usize,
    seed: u64,
) -> Result<Vec<Worth>, StatsError>
where
    F: Fn(usize, &[&[f64]], &mut [f64]),
{
    for inputs in items {
        if inputs.len() != dependences.len() {
            return Err(StatsError::Unpaired { left: inputs.len(), right: dependences.len() });
        }
    }
    let mut expected: Vec<Expected<'_, F>> = items
        .iter()
        .enumerate()
        .map(|(item, inputs)| Expected::new(item, inputs, dependences, &score, seed))
        .filter(|expected| expected.mean.is_finite())
        .collect();
    expected.sort_by(|a, b| b.mean.total_cmp(&a.mean).then(a.item.cmp(&b.item)));
    // Nothing to choose from.
    if top == 0 || top >= expected.len() {
        return Ok(Vec::new());
    }
    let (last_chosen, first_left) = (expected[top - 1].mean, expected[top].mean);
    let mut found = Vec::new();
    for (place, of) in expected.iter().enumerate() {
        for (input, spread) in items[of.item].iter().enumerate().filter(|(_, spread)| !spread.is_point()) {
            let gain = |mean: f64| if place < top { first_left - mean } else { mean - last_chosen };
            let worth = of.given(input, spread).map(|(mean, weight)| weight * gain(mean).max(0.0)).sum::<f64>();
            if worth > 0.0 && worth.is_finite() {
                found.push(Worth { item: of.item, input, worth });
            }
        }
    }
    found.sort_by(|a, b| b.worth.total_cmp(&a.worth).then((a.item, a.input).cmp(&(b.item, b.input))));
    Ok(found)
}

/// The expected score of an item.
struct Expected<'a, F> {
    item: usize,
    mean: f64,
    /// What stands for each input: numbers that are drawn, or one that they are as good as in the mean.
    companions: Vec<Vec<f64>>,
    score: &'a F,
}

impl<'a, F: Fn(usize, &[&[f64]], &mut [f64])> Expected<'a, F> {
    fn new(item: usize, inputs: &[Spread], dependences: &[Dependence], score: &'a F, seed: u64) -> Self {
        let drawn = dependences.contains(&Dependence::Other);
        let stand_in = |(index, (spread, dependence)): (usize, (&Spread, &Dependence))| match dependence {
            Dependence::Inverse if !drawn => vec![1.0 / spread.mean_of(|value| 1.0 / value)],
            Dependence::Linear if !drawn => vec![spread.mean_of(|value| value)],
            Dependence::Linear | Dependence::Inverse | Dependence::Other => {
                let mut draws = vec![0.0; DRAWS];
                Sampler::new(spread).fill(&mut Stream::new(seed, [item as u64, index as u64, u64::MAX]), &mut draws);
                draws
            }
        };
        let mut companions: Vec<Vec<f64>> = inputs.iter().zip(dependences).enumerate().map(stand_in).collect();
        let columns: Vec<&[f64]> = companions.iter().map(Vec::as_slice).collect();
        let mean = mean(&scores(score, item, &columns));
        for draws in &mut companions {
            draws.truncate(COMPANIONS);
        }
        Self { item, mean, companions, score }
    }

    /// The expected score for values of one input, with their weights.
    fn given(&self, input: usize, spread: &Spread) -> impl Iterator<Item = (f64, f64)> {
        let drawn = self.companions[input].len();
        let nodes = spread.nodes(if drawn > 1 { VALUES } else { VALUES * 8 });
        let columns: Vec<Vec<f64>> = (self.companions.iter().enumerate())
            .map(|(index, draws)| {
                if index == input {
                    nodes.iter().flat_map(|(value, _)| std::iter::repeat_n(*value, drawn)).collect()
                } else {
                    draws.repeat(nodes.len())
                }
            })
            .collect();
        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let means: Vec<f64> = scores(self.score, self.item, &columns).chunks(drawn).map(mean).collect();
        // The others that were drawn are as far off for all values, nearly, so that much is taken away again.
        let off = nodes.iter().zip(&means).map(|((_, weight), mean)| weight * mean).sum::<f64>() - self.mean;
        nodes.into_iter().zip(means).map(move |((_, weight), mean)| (mean - off, weight))
    }
}

fn scores<F: Fn(usize, &[&[f64]], &mut [f64])>(score: &F, item: usize, columns: &[&[f64]]) -> Vec<f64> {
    let mut scores = vec![f64::NAN; columns.first().map_or(1, |column| column.len())];
    score(item, columns, &mut scores);
    scores
}

/// Of those that are finite.
fn mean(scores: &[f64]) -> f64 {
    let finite = || scores.iter().filter(|score| score.is_finite());
    finite().sum::<f64>() / finite().count() as f64
}

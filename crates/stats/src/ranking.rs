//! How sure an order by score is, where the inputs of scores are spreads: the order of each of many draws of all inputs.
//! Never says how a score is made.

use std::num::NonZeroUsize;

use crate::draws::{Sampler, Stream};
use crate::{Interval, Spread, StatsError};

/// How an order is put to the test.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Determines every draw: the same seed gives the same answer to the bit.
    pub seed: u64,
    /// How many times all inputs are drawn.
    pub draws: u32,
    /// How many of the best are chosen.
    pub top: usize,
    /// How many threads draw; the answer does not depend on it.
    pub threads: NonZeroUsize,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sureness {
    /// Of each item, in the order given.
    pub items: Vec<Standing>,
    /// How much less the scores of the first `top` items given are together than those of the best `top` of a draw, in
    /// the mean: what is expected to be lost by keeping to the order given.
    pub regret: f64,
    /// The standard error of that mean.
    pub regret_error: f64,
}

/// Where an item stood in the draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// In which share of the draws it was among the best `top`.
    pub in_top: f64,
    /// Its mean rank, from 1.
    pub expected_rank: f64,
    /// The ranks that 5 % of draws were before, and 5 % behind.
    pub ranks: Interval,
    /// The mean of its scores, of draws in which it had one; `None` if there were none.
    pub mean_score: Option<f64>,
    /// In how many draws it had no score, as that was not finite: it was last then.
    pub undefined: u32,
}

/// Draws of one place of the generator; the scores of so many stay in a processor's cache.
const BLOCK: usize = 256;
/// Items whose scores are computed before they are handed on.
const TILE: usize = 8;
/// The bits of a key that say which item it is of; those above are the score's, to eleven digits.
const ITEM: u64 = 0xffff;
/// Ranks are counted per item and place, so memory grows with the square.
pub const MOST_ITEMS: usize = 4_000;

/// Puts an order to the test. `items` are in the order that is tested, each with its inputs, independent of one another.
/// `score` is called with an item's index, a column of draws for each of its inputs, and room for its score in each
/// draw. Of items with equal scores the one given first ranks first.
///
/// Refused are more than [`MOST_ITEMS`] items and no draws.
pub fn try_order<F>(items: &[Vec<Spread>], score: F, trial: &Trial) -> Result<Sureness, StatsError>
where
    F: Fn(usize, &[&[f64]], &mut [f64]) + Sync,
{
    if items.len() > MOST_ITEMS {
        return Err(StatsError::OutOfRange { what: "items", range: "at most 4,000", got: items.len() as f64 });
    }
    if trial.draws == 0 {
        return Err(StatsError::TooFew { what: "a simulation", needed: 1, got: 0 });
    }
    let samplers: Vec<Vec<Sampler>> = items.iter().map(|inputs| inputs.iter().map(Sampler::new).collect()).collect();
    let blocks = (trial.draws as usize).div_ceil(BLOCK);
    let threads = trial.threads.get().min(blocks);
    let work = |first: usize| {
        let mut worker = Worker::new(&samplers, &score, trial);
        (first..blocks).step_by(threads).for_each(|block| worker.block(block));
        worker
    };
    let workers: Vec<Worker<'_, F>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(move || work(first))).collect();
        let mut workers = vec![work(0)];
        workers.extend(others.into_iter().map(|other| other.join().unwrap_or_else(|e| std::panic::resume_unwind(e))));
        workers
    });
    Ok(together(workers, trial))
}

/// What one thread has found out.
struct Worker<'a, F> {
    samplers: &'a [Vec<Sampler>],
    score: &'a F,
    trial: &'a Trial,
    /// How often an item had a rank: item by item.
    ranked: Vec<u32>,
    undefined: Vec<u32>,
    sums: Vec<Sums>,
    /// The scores of a block as numbers that sort the best first, draw by draw.
    keys: Vec<u64>,
}

/// Sums over a block. Added up block by block, so that they do not depend on who did which.
struct Sums {
    block: usize,
    scores: Vec<f64>,
    regret: f64,
    squared_regret: f64,
}

impl<'a, F: Fn(usize, &[&[f64]], &mut [f64])> Worker<'a, F> {
    fn new(samplers: &'a [Vec<Sampler>], score: &'a F, trial: &'a Trial) -> Self {
        let count = samplers.len();
        let (ranked, undefined) = (vec![0; count * count], vec![0; count]);
        Self { samplers, score, trial, ranked, undefined, sums: Vec::new(), keys: vec![0; count * BLOCK] }
    }

    fn block(&mut self, block: usize) {
        let draws = (self.trial.draws as usize - block * BLOCK).min(BLOCK);
        let scores = self.draw(block, draws);
        let mut sums = Sums { block, scores, regret: 0.0, squared_regret: 0.0 };
        let count = self.samplers.len();
        let top = self.trial.top.min(count);
        for row in self.keys.chunks_mut(count.max(1)).take(draws) {
            let kept: f64 = row[..top].iter().map(|key| decoded(*key)).sum();
            row.sort_unstable();
            let best: f64 = row[..top].iter().map(|key| decoded(*key)).sum();
            // Added up in another order, equal sums differ in the last digit.
            let regret = if best - kept > 1e-10 * best.abs() { best - kept } else { 0.0 };
            sums.regret += regret;
            sums.squared_regret += regret * regret;
            for (rank, key) in row.iter().enumerate() {
                self.ranked[(key & ITEM) as usize * count + rank] += 1;
            }
        }
        self.sums.push(sums);
    }

    /// Draws the inputs of a block, and keeps the keys of the scores. The sums of the scores of each item.
    fn draw(&mut self, block: usize, draws: usize) -> Vec<f64> {
        let count = self.samplers.len();
        let inputs = self.samplers.iter().map(Vec::len).max().unwrap_or(0);
        let mut columns = vec![[0.0; BLOCK]; inputs];
        let mut tile = [[0; BLOCK]; TILE];
        let mut sums = Vec::with_capacity(count);
        for first in (0..count).step_by(TILE) {
            let last = count.min(first + TILE);
            for item in first..last {
                for (index, (sampler, column)) in self.samplers[item].iter().zip(&mut columns).enumerate() {
                    let place = [item as u64, index as u64, block as u64];
                    sampler.fill(&mut Stream::new(self.trial.seed, place), &mut column[..draws]);
                }
                let mut scores = [f64::NAN; BLOCK];
                let columns: Vec<&[f64]> = columns[..self.samplers[item].len()].iter().map(|c| &c[..draws]).collect();
                (self.score)(item, &columns, &mut scores[..draws]);
                let mut sum = 0.0;
                for (score, key) in scores[..draws].iter().zip(&mut tile[item - first]) {
                    let finite = score.is_finite();
                    self.undefined[item] += u32::from(!finite);
                    sum += if finite { *score } else { 0.0 };
                    *key = encoded(*score, item);
                }
                sums.push(sum);
            }
            for (draw, row) in self.keys.chunks_mut(count).take(draws).enumerate() {
                for (key, scores) in row[first..last].iter_mut().zip(&tile) {
                    *key = scores[draw];
                }
            }
        }
        sums
    }
}

/// A score as a number that is sorted the other way round, with the item in its lowest bits. What is not finite is last.
fn encoded(score: f64, item: usize) -> u64 {
    let bits = (score + 0.0).to_bits();
    let rising = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    let rising = if score.is_finite() { rising } else { 0 };
    !(rising | ITEM) | item as u64
}

/// The score in a key, to eleven digits; what is not finite counts as nothing.
fn decoded(key: u64) -> f64 {
    let rising = !(key | ITEM);
    match rising >> 63 {
        _ if rising == 0 => 0.0,
        0 => f64::from_bits(!(rising | ITEM)),
        _ => f64::from_bits(rising & !(1 << 63)),
    }
}

fn together<F>(workers: Vec<Worker<'_, F>>, trial: &Trial) -> Sureness {
    let mut workers = workers.into_iter();
    let Some(mut all) = workers.next() else {
        return Sureness { items: Vec::new(), regret: 0.0, regret_error: 0.0 };
    };
    for other in workers {
        all.ranked.iter_mut().zip(other.ranked).for_each(|(count, more)| *count += more);
        all.undefined.iter_mut().zip(other.undefined).for_each(|(count, more)| *count += more);
        all.sums.extend(other.sums);
    }
    all.sums.sort_by_key(|sums| sums.block);
    let draws = f64::from(trial.draws);
    let items = (0..all.undefined.len()).map(|item| {
        let counts = &all.ranked[item * all.undefined.len()..][..all.undefined.len()];
        let undefined = all.undefined[item];
        let defined = trial.draws - undefined;
        let sum: f64 = all.sums.iter().map(|sums| sums.scores[item]).sum();
        Standing {
            in_top: counts.iter().take(trial.top).map(|count| f64::from(*count)).sum::<f64>() / draws,
            expected_rank: counts.iter().zip(1_u32..).map(|(c, rank)| f64::from(*c) * f64::from(rank)).sum::<f64>()
                / draws,
            ranks: Interval { low: passed(counts, 0.05 * draws), high: passed(counts, 0.95 * draws) },
            mean_score: (defined > 0).then(|| sum / f64::from(defined)),
            undefined,
        }
    });
    let items = items.collect();
    let regret = all.sums.iter().map(|sums| sums.regret).sum::<f64>() / draws;
    let squared = all.sums.iter().map(|sums| sums.squared_regret).sum::<f64>() / draws;
    Sureness { items, regret, regret_error: ((squared - regret * regret).max(0.0) / draws).sqrt() }
}

/// The first rank by which more than `draws` are counted, or all.
fn passed(counts: &[u32], draws: f64) -> f64 {
    let mut so_far = 0.0;
    let rank = counts.iter().position(|count| {
        so_far += f64::from(*count);
        so_far > draws
    });
    (rank.unwrap_or(counts.len().saturating_sub(1)) + 1) as f64
}

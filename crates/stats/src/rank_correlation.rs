//! How alike two orders of the same items are, and which items they disagree on most. Ties are told from an order: equal
//! numbers share a rank.

use crate::StatsError;

/// What an item ranks in several orders.
#[derive(Debug, Clone, PartialEq)]
pub struct Disagreement {
    /// The item, by its index.
    pub item: usize,
    /// Its rank in each order, from 1 for the largest number; those that share a rank have the mean of their places.
    pub ranks: Vec<f64>,
    /// The largest rank less the smallest one.
    pub spread: f64,
}

/// Kendall's tau-b: pairs that are ordered alike less pairs that are ordered the other way round, as a share of the
/// pairs that are no ties (Kendall, 1945); by merge sort in O(n log n) (Knight, 1966). From -1 to 1; 1 when the orders
/// are the same.
///
/// The two slices have a number for each item. Refused when they are of different lengths, when a number is not finite,
/// or when all numbers of one are equal, as there is no order then.
pub fn kendall_tau_b(a: &[f64], b: &[f64]) -> Result<f64, StatsError> {
    let n = paired(a, b)?;
    // Zeros of both signs are one number, as they are where numbers are compared.
    let mut pairs: Vec<(f64, f64)> = a.iter().zip(b).map(|(a, b)| (a + 0.0, b + 0.0)).collect();
    pairs.sort_unstable_by(|x, y| x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)));
    let (tied_a, tied_both) = (ties(&pairs, |x, y| same(x.0, y.0)), ties(&pairs, |x, y| x == y));
    let mut b: Vec<f64> = pairs.into_iter().map(|pair| pair.1).collect();
    let swaps = sort_counting(&mut b);
    let tied_b = ties(&b, |x, y| same(*x, *y));
    let all = n * (n - 1) / 2;
    // Of the pairs tied in neither, those that were not swapped are alike.
    let alike_less_opposed = (all + tied_both) as f64 - (tied_a + tied_b) as f64 - 2.0 * swaps as f64;
    let tau = alike_less_opposed / ((all - tied_a) as f64).sqrt() / ((all - tied_b) as f64).sqrt();
    Ok(tau.clamp(-1.0, 1.0))
}

/// Spearman's rho: the correlation of the ranks, where those that are tied have the mean of their places (Spearman,
/// 1904). From -1 to 1. Refused as [`kendall_tau_b`] is.
pub fn spearman_rho(a: &[f64], b: &[f64]) -> Result<f64, StatsError> {
    let n = i128::from(paired(a, b)?);
    // Twice a mean of places is a whole number, and so are the sums of these: nothing is lost before the last step.
    let twice = |values: &[f64]| ranks(values).into_iter().map(|rank| (2.0 * rank) as i128).collect::<Vec<_>>();
    let (a, b) = (twice(a), twice(b));
    let mean = n + 1;
    let about = |x: &[i128], y: &[i128]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<i128>() as f64;
    let rho = about(&a, &b) / about(&a, &a).sqrt() / about(&b, &b).sqrt();
    Ok(rho.clamp(-1.0, 1.0))
}

/// The rank of each number, from 1 for the largest; equal ones have the mean of their places.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let falling = |x: &usize, y: &usize| (values[*y] + 0.0).total_cmp(&(values[*x] + 0.0));
    order.sort_by(falling);
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|x, y| falling(x, y).is_eq()) {
        let mean = before as f64 + (tied.len() + 1) as f64 / 2.0;
        for item in tied {
            ranks[*item] = mean;
        }
        before += tied.len();
    }
    ranks
}

/// The `most` items that several orders disagree on most, the largest spread first, of equal ones the first item;
/// none that all orders agree on. Each order has a number for each item; refused when their lengths differ or a number
/// is not finite.
pub fn disagreements(orders: &[&[f64]], most: usize) -> Result<Vec<Disagreement>, StatsError> {
    let Some(first) = orders.first() else { return Ok(Vec::new()) };
    for order in orders {
        alike(first, order)?;
    }
    let all: Vec<Vec<f64>> = orders.iter().map(|order| ranks(order)).collect();
    let of = |item: usize| {
        let ranks: Vec<f64> = all.iter().map(|order| order[item]).collect();
        let (least, largest) = ranks.iter().fold((f64::MAX, 0.0_f64), |(l, h), rank| (l.min(*rank), h.max(*rank)));
        Disagreement { item, spread: largest - least, ranks }
    };
    let mut found: Vec<Disagreement> = (0..first.len()).map(of).filter(|found| found.spread > 0.0).collect();
    found.sort_by(|x, y| y.spread.total_cmp(&x.spread));
    found.truncate(most);
    Ok(found)
}

/// How many pairs there are, if the two are orders of the same items.
fn paired(a: &[f64], b: &[f64]) -> Result<u64, StatsError> {
    alike(a, b)?;
    if a.len() < 2 {
        return Err(StatsError::TooFew { what: "a rank correlation", needed: 2, got: a.len() as u64 });
    }
    let constant = |values: &[f64]| values.iter().all(|value| (value - values[0]).abs() == 0.0);
    if constant(a) || constant(b) {
        return Err(StatsError::NoOrder);
    }
    Ok(a.len() as u64)
}

fn alike(a: &[f64], b: &[f64]) -> Result<(), StatsError> {
    if a.len() != b.len() {
        return Err(StatsError::Unpaired { left: a.len(), right: b.len() });
    }
    a.iter().chain(b).try_for_each(|value| crate::error::finite("a value that is ranked", *value).map(drop))
}

/// Of numbers without a zero below zero.
fn same(x: f64, y: f64) -> bool {
    x.total_cmp(&y).is_eq()
}

/// How many pairs of sorted values are equal.
fn ties<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> u64 {
    sorted.chunk_by(equal).map(|tied| (tied.len() * (tied.len() - 1) / 2) as u64).sum()
}

/// Sorts, and counts the pairs that were the wrong way round: bottom-up merges.
fn sort_counting(values: &mut Vec<f64>) -> u64 {
    let (mut swaps, mut width) = (0, 1);
    let mut merged = Vec::with_capacity(values.len());
    while width < values.len() {
        for both in values.chunks(2 * width) {
            let (mut left, mut right) = both.split_at(width.min(both.len()));
            while let ([l, more_left @ ..], [r, more_right @ ..]) = (left, right) {
                if r < l {
                    swaps += left.len() as u64;
                    merged.push(*r);
                    right = more_right;
                } else {
                    merged.push(*l);
                    left = more_left;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(values, &mut merged);
        merged.clear();
        width *= 2;
    }
    swaps
}

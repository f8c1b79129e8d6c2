//! What it costs to try an order of 1,000 items by RICE with 10,000 draws, beside the loop that one would write first: one
//! thread, inverse transforms, a sort of indices for each draw. `make bench` runs it; the exit status is 1 when a target is
//! missed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use waymark_stats::{Dependence, Ends, Shape, Spread, Sureness, Trial, try_order, worth_finding_out};

const ITEMS: usize = 1_000;
const DRAWS: u32 = 10_000;
const TOP: usize = 20;
/// What issue and documentation promise, on two cores.
const TARGET: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let ranges = ranges();
    let items = |shape, ends| {
        let spread = |[low, likely, high]: &[f64; 3]| Spread::range(*low, *likely, *high, shape, ends).unwrap();
        ranges.iter().map(|item| item.iter().map(spread).map(|s| s.within(0.01, 1e12)).collect()).collect::<Vec<_>>()
    };
    let (bare, loops) = timed(|| bare(&ranges));
    println!("{ITEMS} items by RICE, {DRAWS} draws of four ranges each, the best {TOP}");
    println!("  bare loop, one thread     {bare:>8.0?}");
    let mut met = true;
    for (name, shape, ends) in [
        ("triangular, bounds", Shape::Triangular, Ends::Bounds),
        ("triangular, tenths", Shape::Triangular, Ends::Tenths),
        ("PERT, bounds", Shape::Pert, Ends::Bounds),
        ("PERT, tenths", Shape::Pert, Ends::Tenths),
    ] {
        let items: Vec<Vec<Spread>> = items(shape, ends);
        for threads in [1, 2] {
            let trial = Trial { seed: 1, draws: DRAWS, top: TOP, threads: NonZeroUsize::new(threads).unwrap() };
            let (time, sureness) = timed(|| try_order(&items, rice, &trial).unwrap());
            let ratio = time.as_secs_f64() / bare.as_secs_f64();
            println!("  {name:<20} {threads} threads {time:>8.0?}  {ratio:.2} of the bare loop");
            met &= threads == 1 || time < TARGET;
            if (shape, ends) == (Shape::Triangular, Ends::Bounds) {
                agree(&sureness, &loops);
            }
        }
        let lines = [Dependence::Linear, Dependence::Linear, Dependence::Linear, Dependence::Inverse];
        let (time, worth) = timed(|| worth_finding_out(&items, &lines, rice, TOP, 1).unwrap());
        println!("  {name:<20} worth {time:>8.0?}  of {} inputs", worth.len());
        met &= time < TARGET;
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn rice(_: usize, inputs: &[&[f64]], scores: &mut [f64]) {
    for (draw, score) in scores.iter_mut().enumerate() {
        *score = inputs[0][draw] * inputs[1][draw] * inputs[2][draw] / inputs[3][draw];
    }
}

/// Low, likely and high of reach, impact, confidence and effort; the best first, by the likely ones.
fn ranges() -> Vec<[[f64; 3]; 4]> {
    let mut uniform = SplitMix(3);
    let mut range = |least: f64, most: f64| {
        let mut ends = [0.0; 3].map(|_| least + (most - least) * uniform.next());
        ends.sort_by(f64::total_cmp);
        ends
    };
    let item = |_| [range(100.0, 9000.0), range(0.25, 3.0), range(0.3, 1.0), range(0.5, 12.0)];
    let mut items: Vec<_> = (0..ITEMS).map(item).collect();
    let score = |item: &[[f64; 3]; 4]| item[0][1] * item[1][1] * item[2][1] / item[3][1];
    items.sort_by(|a, b| score(b).total_cmp(&score(a)));
    items
}

/// How often each item was among the best.
fn bare(items: &[[[f64; 3]; 4]]) -> Vec<u32> {
    let mut uniform = SplitMix(7);
    let mut chosen = vec![0; items.len()];
    for _ in 0..DRAWS {
        let mut draw = |[low, likely, high]: [f64; 3]| {
            let (u, peak) = (uniform.next(), (likely - low) / (high - low));
            if u < peak {
                low + (u * (high - low) * (likely - low)).sqrt()
            } else {
                high - ((1.0 - u) * (high - low) * (high - likely)).sqrt()
            }
        };
        let mut scores = Vec::with_capacity(items.len());
        for [reach, impact, confidence, effort] in items {
            scores.push(draw(*reach) * draw(*impact) * draw(*confidence) / draw(*effort));
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.into_iter().take(TOP).for_each(|item| chosen[item] += 1);
    }
    chosen
}

/// Both must have found out the same, but for chance: five standard errors.
fn agree(sureness: &Sureness, loops: &[u32]) {
    for (standing, chosen) in sureness.items.iter().zip(loops) {
        let other = f64::from(*chosen) / f64::from(DRAWS);
        assert!((standing.in_top - other).abs() < 5.0 * (0.5 / f64::from(DRAWS)).sqrt(), "{standing:?} {other}");
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

//! How good a plan of 200 items in 8 periods is and how long it takes, for capacities that are tight and loose and work
//! that is fine and coarse; beside the plan that one would write first, the worthiest for their work as early as they fit.
//! `make bench` runs it; the exit status is 1 when a target is missed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use waymark_planner::{Effort, Item, Pool, Question, Wish, one_more, plan};

const ITEMS: usize = 200;
const PERIODS: usize = 8;
/// What issue and documentation promise.
const TARGET: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut met = true;
    for (name, pools, share, largest, pinned) in [
        ("6 pools, half fits", 6, 0.5, 6.0, 0),
        ("6 pools, a fifth fits", 6, 0.2, 6.0, 0),
        ("6 pools, most fits", 6, 0.9, 6.0, 0),
        ("6 pools, coarse work", 6, 0.5, 16.0, 0),
        ("6 pools, a third dated", 6, 0.5, 6.0, 3),
        ("1 pool", 1, 0.5, 6.0, 0),
        ("12 pools", 12, 0.7, 6.0, 4),
    ] {
        let question = question(pools, share, largest, pinned);
        let start = Instant::now();
        let found = plan(&question, Effort::default()).unwrap();
        let time = start.elapsed();
        let start = Instant::now();
        let more = one_more(&question, &found, Effort { time: Duration::from_secs(2), ..Effort::default() });
        let solved = more.iter().filter(|more| more.worth.is_some()).count();
        println!(
            "{name:<24} {time:>8.0?}  {:?}, gap {:.4} %, {:.2} times the first-fit plan; one more: {solved} of {pools} in {:.0?}",
            found.ended,
            found.gap() * 100.0,
            found.value / first_fit(&question),
            start.elapsed(),
        );
        met &= time < TARGET + Duration::from_millis(200);
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Items of one to `largest` person-months, a quarter of two pools, a third waiting for others; the capacity is a share of
/// what all together need.
fn question(pools: usize, share: f64, largest: f64, pinned: usize) -> Question {
    let mut chance = SplitMix(5);
    let mut items: Vec<Item> = Vec::new();
    let mut needed = vec![0.0; pools];
    for index in 0..ITEMS {
        let months = |chance: &mut SplitMix| (chance.next() * largest * 4.0).ceil() / 4.0;
        let first = (chance.next() * pools as f64) as usize;
        let mut work = vec![(first, months(&mut chance))];
        if pools > 1 && chance.next() < 0.25 {
            work.push(((first + 1) % pools, months(&mut chance)));
        }
        for (pool, amount) in &work {
            needed[*pool] += amount;
        }
        let value = (chance.next() * 3.0).exp() * 100.0 * work.iter().map(|(_, amount)| amount).sum::<f64>().sqrt();
        let mut item = Item::of(PERIODS, Some(value.round()), work);
        if index > 0 && chance.next() < 0.33 {
            item.after.push((chance.next() * index as f64) as usize);
        }
        if pinned > 0 && index % pinned == 0 {
            let first = (chance.next() * PERIODS as f64) as usize;
            item.within = first..=(first + 2).min(PERIODS - 1);
        }
        if index % 40 == 0 && pools < 12 {
            item.wish = Wish::Must;
            item.within = 0..=PERIODS - 1;
            item.after.clear();
        }
        items.push(item);
    }
    let capacity = |pool: usize| needed[pool] * share / PERIODS as f64;
    for item in &mut items {
        // Two periods at most, or as many as the largest part of it takes.
        let longest = item.work.iter().map(|(pool, amount)| (amount / capacity(*pool)).ceil() as usize).max().unwrap();
        item.lasts = 1..=longest.clamp(2, PERIODS);
    }
    let pools = (0..pools).map(|pool| Pool::of(vec![capacity(pool); PERIODS])).collect();
    Question { periods: PERIODS, pools, items }
}

/// The value of the worthiest for their work, each in the first period it fits in.
fn first_fit(question: &Question) -> f64 {
    let density = |item: &Item| item.value.unwrap() / item.work.iter().map(|(_, amount)| amount).sum::<f64>();
    let mut order: Vec<usize> = (0..question.items.len()).collect();
    order.sort_by(|a, b| density(&question.items[*b]).total_cmp(&density(&question.items[*a])));
    order.sort_by_key(|item| question.items[*item].wish != Wish::Must);
    let mut left: Vec<Vec<f64>> = question.pools.iter().map(|pool| pool.capacity.clone()).collect();
    let mut at = vec![None; order.len()];
    let mut value = 0.0;
    // What waits is tried again when what it waits for is done.
    for _ in 0..4 {
        for index in &order {
            let item = &question.items[*index];
            let Some(earliest) = item.after.iter().try_fold(0, |first: usize, other| Some(first.max(at[*other]?)))
            else {
                continue;
            };
            let fits = |period: &usize| item.work.iter().all(|(pool, amount)| left[*pool][*period] >= *amount);
            let Some(period) = item.within.clone().filter(|period| *period >= earliest).find(fits) else { continue };
            if at[*index].is_none() {
                at[*index] = Some(period);
                item.work.iter().for_each(|(pool, amount)| left[*pool][period] -= amount);
                value += item.value.unwrap();
            }
        }
    }
    value
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

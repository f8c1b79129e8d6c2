//! What a series is usually next: a season, a trend and a level, each by medians, so that a few bad days do not move it, and
//! around it what was missed before.
//!
//! The forecast. Of the last eight seasons each has a level, its median. What an interval of the season is beside the level
//! is the median of that over the seasons, as a ratio where nothing is below zero and as a difference elsewhere. What is
//! left without it has a slope (Theil, 1950; Sen, 1968: the median of the slopes between seasons), and the next level is the
//! median of the last season carried on by that slope.
//!
//! The interval around it. Each value that has enough before it is forecast from what was before it alone. How far it was
//! off, beside the square root of the forecast (the variance of a count, and of a sum over events that happen one by one, grows
//! as its mean does), ranks it among the others: the interval reaches as far as the rank that a share of `alarms` passed. So
//! it holds whatever the errors are distributed like, as long as the next is like those before (split conformal prediction:
//! Vovk, Gammerman and Shafer, 2005; Lei and others, 2018).

use crate::error::finite;
use crate::{Interval, StatsError};

/// Seasons that a forecast looks back on.
const SEASONS: usize = 8;
/// Seasons that it needs.
const LEAST_SEASONS: usize = 3;
/// Intervals that the level is taken from, where a season is shorter.
const LEVEL: usize = 5;
/// Errors that are looked back on, unless a rare alarm needs more: what was in other years says little.
const ERRORS: usize = 400;

/// What the next value of a series would be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The forecast.
    pub value: f64,
    /// Where the next value is, but for a share of `alarms`.
    pub interval: Interval,
    /// How many of the values before were tried: held against the interval that those before them would have given.
    pub tried: u32,
    /// How many of them were outside.
    pub alarmed: u32,
}

/// How many values are needed for an interval that a share of `alarms` is outside of.
pub fn usual_needs(season: usize, alarms: f64) -> usize {
    least(season) + errors(alarms)
}

/// What follows on `history`, the values of equally long intervals, oldest first, which repeat themselves after `season` of
/// them: 7 for days that go by weeks, 1 for what has no season. `alarms` is the share of intervals that may be outside
/// though nothing happened, above 0 and at most .5. Costs a sort of eight seasons for each value.
pub fn usual(history: &[f64], season: usize, alarms: f64) -> Result<Usual, StatsError> {
    if !(alarms > 0.0 && alarms <= 0.5) {
        return Err(StatsError::OutOfRange {
            what: "a share of false alarms",
            range: "above 0, at most .5",
            got: alarms,
        });
    }
    if season == 0 {
        return Err(StatsError::OutOfRange { what: "a season", range: "at least 1", got: 0.0 });
    }
    for &value in history {
        finite("a value", value)?;
    }
    let needed = usual_needs(season, alarms);
    if history.len() < needed {
        let (needed, got) = (needed as u64, history.len() as u64);
        return Err(StatsError::TooFew { what: "what is usual", needed, got });
    }
    let ratios = history.iter().all(|value| *value >= 0.0);
    let first = history.len().saturating_sub(ERRORS.max(2 * errors(alarms))).max(least(season));
    let mut scores = Vec::with_capacity(history.len() - first);
    let (mut tried, mut alarmed) = (0, 0);
    for at in first..history.len() {
        let forecast = forecast(&history[..at], season, ratios);
        let score = (history[at] - forecast).abs() / scale(forecast, ratios);
        if scores.len() >= errors(alarms) {
            tried += 1;
            alarmed += u32::from(score > reach(&scores, alarms));
        }
        scores.push(score);
    }
    let value = forecast(history, season, ratios);
    let reach = reach(&scores, alarms) * scale(value, ratios);
    let low = value - reach;
    let interval = Interval { low: if ratios { low.max(0.0) } else { low }, high: value + reach };
    Ok(Usual { value, interval, tried, alarmed })
}

fn least(season: usize) -> usize {
    (LEAST_SEASONS * season).max(LEVEL)
}

/// So many errors that one of them may be left outside.
fn errors(alarms: f64) -> usize {
    (1.0 / alarms).ceil() as usize - 1
}

/// The error that a share of `alarms` is beyond, the next one counted in.
fn reach(scores: &[f64], alarms: f64) -> f64 {
    let mut sorted = scores.to_vec();
    let rank = ((scores.len() + 1) as f64 * (1.0 - alarms)).ceil() as usize;
    let at = rank.clamp(1, sorted.len()) - 1;
    *sorted.select_nth_unstable_by(at, f64::total_cmp).1
}

/// What errors are beside: a count of nothing is as uncertain as one of 1.
fn scale(forecast: f64, ratios: bool) -> f64 {
    if ratios { forecast.max(1.0).sqrt() } else { 1.0 }
}

fn forecast(history: &[f64], season: usize, ratios: bool) -> f64 {
    let seasons = (history.len() / season).min(SEASONS);
    let recent = &history[history.len() - seasons * season..];
    let blocks: Vec<&[f64]> = recent.chunks_exact(season).collect();
    let levels: Vec<f64> = blocks.iter().map(|block| median(block.to_vec())).collect();
    // Where a level is zero, nothing is a ratio of it.
    let ratios = ratios && levels.iter().all(|level| *level > 0.0);
    let profile: Vec<f64> = (0..season)
        .map(|phase| {
            let beside = blocks.iter().zip(&levels);
            median(
                beside.map(|(block, level)| if ratios { block[phase] / level } else { block[phase] - level }).collect(),
            )
        })
        .collect();
    let slope = slope(&levels) / season as f64;
    let last = recent.len().saturating_sub(season.max(LEVEL));
    let carried = recent.iter().enumerate().skip(last).filter_map(|(at, value)| {
        let beside = profile[at % season];
        let left = match (ratios, beside > 0.0) {
            (true, true) => value / beside,
            (true, false) => return None,
            (false, _) => value - beside,
        };
        Some(left + slope * (recent.len() - at) as f64)
    });
    let level = median(carried.collect());
    if ratios { (level * profile[0]).max(0.0) } else { level + profile[0] }
}

/// The median of the slopes between all pairs.
fn slope(levels: &[f64]) -> f64 {
    let pairs = levels.iter().enumerate().flat_map(|(at, from)| {
        levels.iter().enumerate().skip(at + 1).map(move |(to, level)| (level - from) / (to - at) as f64)
    });
    median(pairs.collect())
}

/// Zero of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let at = values.len() / 2;
    let upper = *values.select_nth_unstable_by(at, f64::total_cmp).1;
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = values[..at].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers in [0, 1) that look random, from a seed (SplitMix64).
    fn random(seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    /// About a Poisson number: a sum of twelve uniform ones is about normal.
    fn count(mean: f64, draws: &mut impl Iterator<Item = f64>) -> f64 {
        let normal: f64 = draws.take(12).sum::<f64>() - 6.0;
        (mean + normal * mean.sqrt()).round().max(0.0)
    }

    /// Days of a product that is used on weekdays, and grows.
    fn days(number: usize, seed: u64) -> Vec<f64> {
        let week = [1.0, 1.1, 1.05, 1.0, 0.9, 0.4, 0.3];
        let mut draws = random(seed);
        (0..number).map(|day| count((500.0 + day as f64 * 2.0) * week[day % 7], &mut draws)).collect()
    }

    #[test]
    fn what_goes_by_weeks_and_grows_is_forecast() {
        let exact: Vec<f64> = (0..140)
            .map(|day| (500.0 + f64::from(day) * 2.0) * [1.0, 1.1, 1.05, 1.0, 0.9, 0.4, 0.3][day as usize % 7])
            .collect();
        for cut in 100..140 {
            let found = usual(&exact[..cut], 7, 0.05).unwrap();
            let off = (found.value / exact[cut] - 1.0).abs();
            assert!(off < 0.02, "day {cut}: {} instead of {}", found.value, exact[cut]);
        }
    }

    #[test]
    fn false_alarms_are_as_rare_as_was_asked_for() {
        for alarms in [0.02, 0.1] {
            let all = (0..20).map(|seed| usual(&days(350, seed), 7, alarms).unwrap());
            let (alarmed, tried) = all.fold((0, 0), |(a, t), found| (a + found.alarmed, t + found.tried));
            let rate = f64::from(alarmed) / f64::from(tried);
            assert!((alarms * 0.6..alarms * 1.4).contains(&rate), "{rate} where {alarms} were asked for");
        }
    }

    #[test]
    fn what_is_said_of_false_alarms_is_what_they_are() {
        let history = days(260, 11);
        let outside =
            (200..260).filter(|cut| !usual(&history[..*cut], 7, 0.1).unwrap().interval.contains(history[*cut]));
        let (outside, said) = (outside.count() as u32, usual(&history, 7, 0.1).unwrap().alarmed);
        let before = usual(&history[..200], 7, 0.1).unwrap().alarmed;
        assert_eq!(outside, said - before, "it is the same interval that the next day is held against");
    }

    #[test]
    fn a_day_that_is_not_usual_is_outside_and_moves_nothing() {
        let mut history = days(200, 7);
        let before = usual(&history, 7, 0.02).unwrap();
        assert!(!before.interval.contains(before.value * 0.6) && !before.interval.contains(before.value * 1.5));
        // A failure and a campaign, a month and two weeks before.
        history[170] = 0.0;
        history[186] *= 5.0;
        let after = usual(&history, 7, 0.02).unwrap();
        assert!((after.value / before.value - 1.0).abs() < 0.06, "{} and {}", after.value, before.value);
    }

    #[test]
    fn a_new_level_is_usual_after_a_week() {
        let mut history = days(200, 3);
        for value in &mut history[193..] {
            *value *= 2.0;
        }
        let next = usual(&history, 7, 0.05).unwrap();
        let before = usual(&history[..193], 7, 0.05).unwrap();
        assert!(next.value > before.value * 1.6, "{} after {}", next.value, before.value);
    }

    #[test]
    fn what_never_changes_is_all_that_is_usual() {
        let found = usual(&[4.0; 60], 7, 0.05).unwrap();
        assert_eq!((found.value, found.interval), (4.0, Interval { low: 4.0, high: 4.0 }));
        let nothing = usual(&[0.0; 60], 7, 0.05).unwrap();
        assert_eq!((nothing.value, nothing.alarmed), (0.0, 0));
    }

    #[test]
    fn too_little_and_what_is_no_number_are_refused() {
        assert_eq!(usual_needs(7, 0.02), 21 + 49);
        assert_eq!(usual(&[1.0; 69], 7, 0.02), Err(StatsError::TooFew { what: "what is usual", needed: 70, got: 69 }));
        for (history, season, alarms) in
            [(vec![1.0; 99], 0, 0.1), (vec![f64::NAN; 99], 7, 0.1), (vec![1.0; 99], 7, 0.0)]
        {
            assert!(matches!(usual(&history, season, alarms), Err(StatsError::OutOfRange { .. })));
        }
        assert!(usual(&[1.0; 99], 7, f64::NAN).is_err());
    }

    proptest! {
        /// The unit does not matter, nor whether it is profit or loss.
        #[test]
        fn whatever_came_before_there_is_an_interval_around_the_forecast(
            history in prop::collection::vec(-1e6..1e6_f64, 60..120),
            season in 1_usize..9,
        ) {
            let found = usual(&history, season, 0.1).unwrap();
            prop_assert!(found.value.is_finite() && found.interval.contains(found.value));
            prop_assert!(found.alarmed <= found.tried);
            let counts: Vec<f64> = history.iter().map(|value| value.abs()).collect();
            let found = usual(&counts, season, 0.1).unwrap();
            prop_assert!(found.interval.low >= 0.0 && found.interval.contains(found.value));
            let double: Vec<f64> = history.iter().map(|value| value * 2.0).collect();
            if history.iter().any(|value| *value < 0.0) {
                let (one, two) = (usual(&history, season, 0.1).unwrap(), usual(&double, season, 0.1).unwrap());
                prop_assert!((one.value * 2.0 - two.value).abs() <= 1e-6 * two.value.abs().max(1.0));
            }
        }
    }
}

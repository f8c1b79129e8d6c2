//! A daily series before a change compared with the series after it. Never claims causation and never says whether a
//! goal was met.
//!
//! Days are the observations, so whatever makes days differ (more users, heavy users, weekdays) is in the variance:
//! over-dispersed counts need no extra model. Neighbouring days are alike, which makes `n` days worth fewer than `n`
//! independent ones; the comparison therefore uses the effective sample size `n (1 − r) / (1 + r)` (Bayley and
//! Hammersley, 1946) with `r` the lag-one autocorrelation.

use crate::error::finite;
use crate::{Effect, ExactSum, Level, Sample, StatsError, difference, mean, relative_difference};

/// Beyond this the correction says only "almost one observation"; an estimate from a few weeks cannot tell 0.95 from 1.
const STRONGEST_AUTOCORRELATION: f64 = 0.95;
/// Welch's degrees of freedom need more than one observation a side.
const SMALLEST_EFFECTIVE_SIZE: f64 = 2.0;

/// The change between two windows of daily values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrePost {
    /// Mean of a day before.
    pub pre_mean: f64,
    /// Mean of a day after.
    pub post_mean: f64,
    /// Mean after minus mean before.
    pub absolute: Effect,
    /// The change as a share of the mean before; absent when that mean is zero.
    pub relative: Option<Effect>,
    /// The lag-one autocorrelation that was corrected for, from 0 to 0.95.
    pub autocorrelation: f64,
    /// Days before, as independent ones.
    pub pre_effective_size: f64,
    /// Days after, as independent ones.
    pub post_effective_size: f64,
}

/// Compares the daily values `pre` with the daily values `post`, both in order of time and without gaps (a day without
/// events is 0).
///
/// Welch's comparison on effective sample sizes. The autocorrelation is pooled over both windows about their own means,
/// corrected for its small-sample bias, and taken as 0 when negative, so the standard error is never smaller than that
/// of independent days.
pub fn pre_post(pre: &[f64], post: &[f64], level: Level) -> Result<PrePost, StatsError> {
    for (what, window) in [("the days before", pre), ("the days after", post)] {
        if window.len() < 2 {
            return Err(StatsError::TooFew { what, needed: 2, got: window.len() as u64 });
        }
        for &value in window {
            finite("a daily value", value)?;
        }
    }
    let autocorrelation = lag_one_autocorrelation(&[pre, post]).clamp(0.0, STRONGEST_AUTOCORRELATION);
    let shrink = (1.0 - autocorrelation) / (1.0 + autocorrelation);
    let effective = |days: &[f64]| (days.len() as f64 * shrink).max(SMALLEST_EFFECTIVE_SIZE);
    let before = Sample::from_values(pre)?.with_effective_size(effective(pre));
    let after = Sample::from_values(post)?.with_effective_size(effective(post));
    let relative = match relative_difference(&before, &after, level) {
        Ok(effect) => Some(effect),
        Err(StatsError::ZeroBaseline) => None,
        Err(error) => return Err(error),
    };
    Ok(PrePost {
        pre_mean: before.mean(),
        post_mean: after.mean(),
        absolute: difference(&before, &after, level)?,
        relative,
        autocorrelation,
        pre_effective_size: before.size(),
        post_effective_size: after.size(),
    })
}

/// The lag-one autocorrelation pooled over `windows`, each about its own mean, with its first-order bias removed. Zero
/// when the windows are constant or hold no more than `2k + 2` values together, `k` being how many they are.
///
/// For one window of `n` values the bias is `−(1 + 4r)/n` (Marriott and Pope, 1954; Shaman and Stine, 1988): `−(1 +
/// 2r)/n` since the window has a mean to be estimated and one pair fewer than values, `−2r/n` since a ratio is not
/// linear. The former comes once per window, the latter once: over `n` values in all it is `−(k (1 + 2r) + 2r)/n`,
/// which is solved for `r`.
pub fn lag_one_autocorrelation(windows: &[&[f64]]) -> f64 {
    let (mut products, mut squares, mut count) = (ExactSum::default(), ExactSum::default(), 0.0);
    for window in windows {
        let mean = mean(window);
        squares.extend(window.iter().map(|value| (value - mean).powi(2)));
        products.extend(window.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)));
        count += window.len() as f64;
    }
    let (products, squares) = (products.value(), squares.value());
    let k = windows.len() as f64;
    let divisor = count - 2.0 * k - 2.0;
    if squares == 0.0 || divisor <= 0.0 {
        return 0.0;
    }
    (((products / squares) * count + k) / divisor).clamp(-1.0, 1.0)
}

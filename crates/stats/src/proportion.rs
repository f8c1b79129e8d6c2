//! Intervals for proportions and for the difference of two, and a test of whether two differ.

use statrs::function::factorial::ln_binomial;

use crate::interval::normal_quantile;
use crate::{Interval, Level, StatsError};

/// The score interval (Wilson, 1927): the proportions that a test of the observed one would not reject. It contains the
/// observed one, lies in [0, 1] by itself, and does not shrink to a point where all or none succeed.
pub fn wilson(successes: u64, size: u64, level: Level) -> Result<Interval, StatsError> {
    check(successes, size)?;
    let (z, n) = (normal_quantile(level), size as f64);
    let p = successes as f64 / n;
    let scale = 1.0 + z * z / n;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let interval = Interval::around((p + z * z / (2.0 * n)) / scale, half);
    // What holds by the formula holds to the last digit.
    Ok(Interval { low: interval.low.clamp(0.0, p), high: interval.high.clamp(p, 1.0) })
}

/// The interval of the treatment's proportion minus the control's, both given as successes and size, from their Wilson
/// intervals (Newcombe, 1998, method 10). Unlike `difference` on samples it is honest where a proportion is 0 or 1. It
/// contains the observed difference.
pub fn proportion_difference(control: (u64, u64), treatment: (u64, u64), level: Level) -> Result<Interval, StatsError> {
    let (a, b) = (wilson(control.0, control.1, level)?, wilson(treatment.0, treatment.1, level)?);
    let share = |(successes, size): (u64, u64)| successes as f64 / size as f64;
    let (p_a, p_b) = (share(control), share(treatment));
    let below = (p_b - b.low).hypot(a.high - p_a);
    let above = (b.high - p_b).hypot(p_a - a.low);
    Ok(Interval { low: p_b - p_a - below, high: p_b - p_a + above })
}

/// The p-value against one proportion in both groups, given as successes and size: twice the probability of a table at
/// least as far to the observed side when the totals are what they are (Fisher, 1935), at most 1. It is exact, hence
/// never too small, however small the groups and however rare the successes; tests by the normal curve are off by
/// orders of magnitude in the far tails that many comparisons look at.
pub fn fisher_exact(control: (u64, u64), treatment: (u64, u64)) -> Result<f64, StatsError> {
    check(control.0, control.1)?;
    check(treatment.0, treatment.1)?;
    let [a, b] = [treatment.0, treatment.1 - treatment.0];
    let [c, d] = [control.0, control.1 - control.0];
    let table = ln_binomial(a + b, a) + ln_binomial(c + d, c) - ln_binomial(a + b + c + d, a + c);
    let [a, b, c, d] = [a, b, c, d].map(|cell| cell as f64);
    let further = if a * d >= b * c { tail(a, b, c, d) } else { tail(b, a, d, c) };
    Ok((2.0 * table.exp() * further).min(1.0))
}

/// The probability of a table and of all that are further to its side, as a multiple of its own: each has one more of
/// `a` and `d`, one less of `b` and `c` than the one before.
fn tail(mut a: f64, mut b: f64, mut c: f64, mut d: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    // The terms fall faster and faster, so what follows one that no longer counts does not either; and with an empty
    // cell they end.
    while term > sum * f64::EPSILON {
        (a, d) = (a + 1.0, d + 1.0);
        term *= b * c / (a * d);
        (b, c) = (b - 1.0, c - 1.0);
        sum += term;
    }
    sum
}

fn check(successes: u64, size: u64) -> Result<(), StatsError> {
    if size == 0 {
        return Err(StatsError::TooFew { what: "a proportion", needed: 1, got: 0 });
    }
    if successes > size {
        return Err(StatsError::OutOfRange {
            what: "successes",
            range: "at most the number of trials",
            got: successes as f64,
        });
    }
    Ok(())
}

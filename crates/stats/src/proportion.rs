//! Intervals for a proportion of few observations. Never compares two proportions: that is `compare` on `Sample::proportion`.

use crate::interval::normal_quantile;
use crate::{Interval, Level, StatsError};

/// The adjusted Wald interval (Agresti and Coull, 1998): z²/2 successes and as many failures are added before the plain formula.
/// It keeps its coverage from about five observations on, which is what usability studies have. Cut to [0, 1].
pub fn adjusted_wald(successes: u64, size: u64, level: Level) -> Result<Interval, StatsError> {
    if size == 0 {
        return Err(StatsError::TooFew { what: "a proportion", needed: 1, got: 0 });
    }
    if successes > size {
        return Err(StatsError::OutOfRange { what: "successes", range: "at most the number of trials", got: successes as f64 });
    }
    let z = normal_quantile(level);
    let n = size as f64 + z * z;
    let p = (successes as f64 + z * z / 2.0) / n;
    let wide = Interval::around(p, z * (p * (1.0 - p) / n).sqrt());
    Ok(Interval { low: wide.low.max(0.0), high: wide.high.min(1.0) })
}

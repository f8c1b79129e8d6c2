//! A sample reduced to what a comparison needs: size, mean and variance. Never keeps the observations.

use crate::error::finite;
use crate::interval::t_interval;
use crate::{Interval, Level, StatsError};

/// Size, mean and variance of independent observations. The variance is the unbiased one, divided by `size − 1`, except
/// for yes-or-no observations ([`Sample::proportion`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    size: f64,
    mean: f64,
    variance: f64,
}

impl Sample {
    /// From sufficient statistics: `size` observations, their sum and the sum of their squares.
    pub fn from_sums(size: u64, sum: f64, sum_of_squares: f64) -> Result<Self, StatsError> {
        at_least_two(size)?;
        let n = size as f64;
        let sum = finite("a sum", sum)?;
        // Rounding may leave a constant sample with a tiny negative rest.
        let variance = ((finite("a sum of squares", sum_of_squares)? - sum * sum / n) / (n - 1.0)).max(0.0);
        Ok(Self { size: n, mean: sum / n, variance })
    }

    /// From the observations, in two passes, which loses no digits on large means with small spread.
    pub fn from_values(values: &[f64]) -> Result<Self, StatsError> {
        at_least_two(values.len() as u64)?;
        let n = values.len() as f64;
        let mean = finite("a value", values.iter().sum::<f64>() / n)?;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Ok(Self { size: n, mean, variance })
    }

    /// `successes` out of `size` yes-or-no observations. The variance is `p (1 − p)`, the likeliest rather than the
    /// unbiased one (which is `n / (n − 1)` times as large), as is usual for proportions.
    pub fn proportion(successes: u64, size: u64) -> Result<Self, StatsError> {
        at_least_two(size)?;
        if successes > size {
            return Err(StatsError::OutOfRange {
                what: "successes",
                range: "at most the number of trials",
                got: successes as f64,
            });
        }
        let mean = successes as f64 / size as f64;
        Ok(Self { size: size as f64, mean, variance: mean * (1.0 - mean) })
    }

    /// The same mean and variance as if only `size` observations were independent.
    pub(crate) fn with_effective_size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    /// Number of (effectively) independent observations.
    pub fn size(&self) -> f64 {
        self.size
    }

    /// Arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Variance of one observation.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Variance of the mean.
    pub fn variance_of_mean(&self) -> f64 {
        self.variance / self.size
    }

    /// Student's interval for the mean.
    pub fn mean_interval(&self, level: Level) -> Result<Interval, StatsError> {
        t_interval(self.mean, self.variance_of_mean().sqrt(), self.size - 1.0, level)
    }
}

fn at_least_two(size: u64) -> Result<(), StatsError> {
    if size < 2 { Err(StatsError::TooFew { what: "a variance", needed: 2, got: size }) } else { Ok(()) }
}

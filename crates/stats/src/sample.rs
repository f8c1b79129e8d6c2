//! A sample reduced to what a comparison needs: size, mean and variance. Never keeps the observations.

use crate::error::finite;
use crate::{ExactSum, StatsError, mean};

/// Size, mean and variance of independent observations. The variance is the unbiased one, divided by `size − 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    size: f64,
    mean: f64,
    variance: f64,
}

impl Sample {
    /// From the observations, in two passes, which loses no digits on large means with small spread.
    pub fn from_values(values: &[f64]) -> Result<Self, StatsError> {
        if values.len() < 2 {
            return Err(StatsError::TooFew { what: "a variance", needed: 2, got: values.len() as u64 });
        }
        let n = values.len() as f64;
        let mean = finite("a value", mean(values))?;
        let squares: ExactSum = values.iter().map(|value| (value - mean).powi(2)).collect();
        let variance = squares.value() / (n - 1.0);
        Ok(Self { size: n, mean, variance })
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

    /// Variance of the mean.
    pub fn variance_of_mean(&self) -> f64 {
        self.variance / self.size
    }
}

//! Sample ratio mismatch: whether units arrived in the proportions they were assigned. Never explains a mismatch.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::StatsError;

/// Pearson's goodness of fit of observed group sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioMismatch {
    /// The statistic.
    pub chi_squared: f64,
    /// Groups minus one.
    pub degrees_of_freedom: f64,
    /// Probability of sizes at least this uneven when assignment works.
    pub p_value: f64,
}

/// Compares `observed` group sizes with `weights` (any positive scale) by Pearson's chi-squared test (1900).
pub fn sample_ratio_mismatch(observed: &[u64], weights: &[f64]) -> Result<RatioMismatch, StatsError> {
    if observed.len() != weights.len() {
        return Err(StatsError::Mismatched {
            left: "observed",
            right: "weights",
            left_length: observed.len(),
            right_length: weights.len(),
        });
    }
    if observed.len() < 2 {
        return Err(StatsError::TooFew { what: "a ratio of groups", needed: 2, got: observed.len() as u64 });
    }
    if let Some(&got) = weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
        return Err(StatsError::OutOfRange { what: "a weight", range: "a finite number more than 0", got });
    }
    let total = observed.iter().map(|&count| count as f64).sum::<f64>();
    if total == 0.0 {
        return Err(StatsError::TooFew { what: "a ratio of groups", needed: 1, got: 0 });
    }
    let scale = total / weights.iter().sum::<f64>();
    let chi_squared = observed
        .iter()
        .zip(weights)
        .map(|(&count, weight)| (count as f64 - weight * scale).powi(2) / (weight * scale))
        .sum();
    let degrees_of_freedom = observed.len() as f64 - 1.0;
    let distribution = ChiSquared::new(degrees_of_freedom).map_err(|_| StatsError::OutOfRange {
        what: "degrees of freedom",
        range: "more than 0",
        got: degrees_of_freedom,
    })?;
    Ok(RatioMismatch { chi_squared, degrees_of_freedom, p_value: distribution.sf(chi_squared) })
}

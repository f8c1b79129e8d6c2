//! Two samples compared: the difference of their means, absolute and relative. Never decides whether a change is good.

use crate::interval::{t_interval, t_two_sided_p};
use crate::{Interval, Level, Sample, StatsError};

/// An estimated change with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The point estimate.
    pub estimate: f64,
    /// Standard error of the estimate.
    pub standard_error: f64,
    /// Welch–Satterthwaite degrees of freedom.
    pub degrees_of_freedom: f64,
    /// Two-sided interval at the level that was asked for.
    pub interval: Interval,
    /// Two-sided p-value against no change.
    pub p_value: f64,
}

/// Mean of `treatment` minus mean of `control` (Welch, 1947).
pub fn difference(control: &Sample, treatment: &Sample, level: Level) -> Result<Effect, StatsError> {
    let variance = control.variance_of_mean() + treatment.variance_of_mean();
    effect(treatment.mean() - control.mean(), variance, welch_satterthwaite(control, treatment), level)
}

/// The same difference as a share of the control's mean, by the delta method:
/// `SE² = vB / (nB mA²) + vA mB² / (nA mA⁴)` with A the control and B the treatment (Deng, Knoblich and Lu, 2018).
pub fn relative_difference(control: &Sample, treatment: &Sample, level: Level) -> Result<Effect, StatsError> {
    let (mean_a, mean_b) = (control.mean(), treatment.mean());
    if mean_a == 0.0 {
        return Err(StatsError::ZeroBaseline);
    }
    let variance =
        treatment.variance_of_mean() / mean_a.powi(2) + control.variance_of_mean() * mean_b.powi(2) / mean_a.powi(4);
    // A negative baseline turns the sign of a ratio; a share of its size keeps "up" meaning up.
    effect((mean_b - mean_a) / mean_a.abs(), variance, welch_satterthwaite(control, treatment), level)
}

fn effect(estimate: f64, variance: f64, degrees_of_freedom: f64, level: Level) -> Result<Effect, StatsError> {
    let standard_error = variance.sqrt();
    let interval = t_interval(estimate, standard_error, degrees_of_freedom, level)?;
    // Two constant samples leave no doubt: they are the same, or they are not.
    let p_value = if standard_error > 0.0 {
        t_two_sided_p(estimate / standard_error, degrees_of_freedom)?
    } else if estimate == 0.0 {
        1.0
    } else {
        0.0
    };
    Ok(Effect { estimate, standard_error, degrees_of_freedom, interval, p_value })
}

fn welch_satterthwaite(a: &Sample, b: &Sample) -> f64 {
    let (var_a, var_b) = (a.variance_of_mean(), b.variance_of_mean());
    // A share instead of the raw variances: their squares would underflow for tiny ones and the quotient is the same.
    let total = var_a + var_b;
    if total == 0.0 {
        return a.size() + b.size() - 2.0;
    }
    let (share_a, share_b) = (var_a / total, var_b / total);
    1.0 / (share_a.powi(2) / (a.size() - 1.0) + share_b.powi(2) / (b.size() - 1.0))
}

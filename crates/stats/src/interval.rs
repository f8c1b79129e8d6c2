//! Confidence levels, quantiles and two-sided intervals around an estimate. Never estimates anything itself.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::StatsError;
use crate::error::finite;

/// A two-sided confidence level, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Level(f64);

impl Level {
    /// 95 %, the usual default.
    pub const P95: Self = Self(0.95);
    /// A level such as `0.95`.
    pub fn new(level: f64) -> Result<Self, StatsError> {
        if level > 0.0 && level < 1.0 {
            Ok(Self(level))
        } else {
            Err(StatsError::OutOfRange {
                what: "a confidence level",
                range: "between 0 and 1, for instance 0.95",
                got: level,
            })
        }
    }

    /// The level as a number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The probability below the upper end: 0.975 for 95 %.
    fn upper(self) -> f64 {
        0.5 + self.0 / 2.0
    }
}

/// A closed interval with `low <= high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// `estimate ± half_width`.
    pub(crate) fn around(estimate: f64, half_width: f64) -> Self {
        Self { low: estimate - half_width, high: estimate + half_width }
    }

    /// Whether `value` lies within, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// High minus low.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

/// The two-sided standard normal quantile of a level: 1.95996 for 95 %.
pub fn normal_quantile(level: Level) -> f64 {
    Normal::standard().inverse_cdf(level.upper())
}

/// The two-sided quantile of Student's t with `degrees_of_freedom` (fractional ones allowed, as Welch's are).
pub fn t_quantile(level: Level, degrees_of_freedom: f64) -> Result<f64, StatsError> {
    Ok(students_t(degrees_of_freedom)?.inverse_cdf(level.upper()))
}

/// The probability of a statistic at least as far from zero as `t`, both tails.
pub(crate) fn t_two_sided_p(t: f64, degrees_of_freedom: f64) -> Result<f64, StatsError> {
    Ok((2.0 * students_t(degrees_of_freedom)?.sf(t.abs())).min(1.0))
}

/// `estimate ± t · standard_error` (Student, 1908), for samples whose variance was estimated too.
pub fn t_interval(
    estimate: f64,
    standard_error: f64,
    degrees_of_freedom: f64,
    level: Level,
) -> Result<Interval, StatsError> {
    let standard_error = non_negative(standard_error)?;
    Ok(Interval::around(finite("an estimate", estimate)?, t_quantile(level, degrees_of_freedom)? * standard_error))
}

fn non_negative(standard_error: f64) -> Result<f64, StatsError> {
    if finite("a standard error", standard_error)? < 0.0 {
        return Err(StatsError::OutOfRange { what: "a standard error", range: "zero or more", got: standard_error });
    }
    Ok(standard_error)
}

fn students_t(degrees_of_freedom: f64) -> Result<StudentsT, StatsError> {
    let error = StatsError::OutOfRange { what: "degrees of freedom", range: "more than 0", got: degrees_of_freedom };
    if !degrees_of_freedom.is_finite() {
        return Err(error);
    }
    StudentsT::new(0.0, 1.0, degrees_of_freedom).map_err(|_| error)
}

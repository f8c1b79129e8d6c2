//! A most likely value and how far it may be off.

/// Why three numbers are no range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// Not a number, or endless.
    #[error("must be made of finite numbers")]
    NotFinite,
    /// Not in order.
    #[error("must have low <= likely <= high, got {low}, {likely}, {high}")]
    Disordered {
        /// The low end given.
        low: f64,
        /// The most likely value given.
        likely: f64,
        /// The high end given.
        high: f64,
    },
}

/// Finite numbers with `low <= likely <= high`. In estimates the ends are the values the estimator holds for 10 %
/// likely to be passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    low: f64,
    likely: f64,
    high: f64,
}

impl Range {
    /// The range, if the numbers make one.
    pub fn new(low: f64, likely: f64, high: f64) -> Result<Self, RangeError> {
        if !(low.is_finite() && likely.is_finite() && high.is_finite()) {
            return Err(RangeError::NotFinite);
        }
        if low > likely || likely > high {
            return Err(RangeError::Disordered { low, likely, high });
        }
        Ok(Self { low, likely, high })
    }

    /// The low end.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The most likely value.
    pub fn likely(&self) -> f64 {
        self.likely
    }

    /// The high end.
    pub fn high(&self) -> f64 {
        self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_in_order_and_finite() {
        assert!(Range::new(1.0, 1.0, 1.0).is_ok());
        assert!(matches!(Range::new(2.0, 1.0, 3.0), Err(RangeError::Disordered { .. })));
        assert!(matches!(Range::new(0.0, 4.0, 3.0), Err(RangeError::Disordered { .. })));
        assert_eq!(Range::new(f64::NAN, 1.0, 3.0), Err(RangeError::NotFinite));
        assert_eq!(Range::new(0.0, 1.0, f64::INFINITY), Err(RangeError::NotFinite));
    }
}

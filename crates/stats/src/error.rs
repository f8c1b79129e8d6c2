//! Why a statistic could not be computed. Never a product rule: only what the mathematics needs.

/// A precondition of a formula that the given numbers do not meet.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// Fewer observations than the formula needs.
    #[error("{what} needs at least {needed} observations, got {got}: gather more data before asking for an interval")]
    TooFew {
        /// What was to be computed.
        what: &'static str,
        /// The smallest number of observations that defines it.
        needed: u64,
        /// How many there were.
        got: u64,
    },
    /// A number outside the range in which it means something.
    #[error("{what} must be {range}, got {got}")]
    OutOfRange {
        /// The argument.
        what: &'static str,
        /// The accepted range, in words.
        range: &'static str,
        /// The offending value.
        got: f64,
    },
    /// All are tied.
    #[error("a rank correlation needs numbers that are not all equal: there is no order to compare")]
    NoOrder,
    /// What goes together is not as many.
    #[error("both sides must have as many numbers, got {left} and {right}")]
    Unpaired {
        /// How many there are on one side.
        left: usize,
        /// How many on the other.
        right: usize,
    },
    /// A relative change has no meaning because the baseline mean is zero.
    #[error("a relative change needs a baseline mean other than zero: report the absolute change instead")]
    ZeroBaseline,
}

/// Refuses NaN and infinities, which would otherwise travel silently into an answer.
pub(crate) fn finite(what: &'static str, value: f64) -> Result<f64, StatsError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(StatsError::OutOfRange { what, range: "a finite number", got: value })
    }
}

//! Many comparisons at once: which of them to believe, and how wide the intervals of those are. Never makes the
//! comparisons.

use crate::{Level, StatsError};

/// P-values adjusted for being many, in the order given: keeping those of at most `q` keeps on average at most a share
/// `q` of findings that are none (Benjamini and Hochberg, 1995). The i-th smallest of m becomes `p · m / i`, or that of
/// a larger one where that is less, so a smaller p-value never has the larger adjusted one. Both are probabilities,
/// from 0 to 1. The promise is for comparisons that are independent or err in the same direction (Benjamini and
/// Yekutieli, 2001).
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if let Some(&got) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(StatsError::OutOfRange { what: "a p-value", range: "from 0 to 1", got });
    }
    let mut ascending: Vec<usize> = (0..p_values.len()).collect();
    ascending.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (below, index) in ascending.into_iter().enumerate().rev() {
        // In this order of operations no rounding makes an adjusted value less than its p-value.
        least = least.min(p_values[index] * (p_values.len() as f64 / (below + 1) as f64));
        adjusted[index] = least;
    }
    Ok(adjusted)
}

/// The level for the intervals of the `selected` ones among `tested` comparisons: `1 − (1 − level) · selected / tested`
/// (Benjamini and Yekutieli, 2005). At the plain level those that look large by chance would miss more often than the
/// level says, since it is them who are selected; at this one the share of selected intervals that miss is on average
/// what the level allows.
pub fn selected_level(level: Level, selected: usize, tested: usize) -> Result<Level, StatsError> {
    if selected == 0 || selected > tested {
        let range = "from 1 to how many were tested";
        return Err(StatsError::OutOfRange { what: "how many were selected", range, got: selected as f64 });
    }
    Level::new(1.0 - (1.0 - level.get()) * selected as f64 / tested as f64)
}

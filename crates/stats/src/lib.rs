//! Statistics of product measurement, as pure functions of plain numbers.
//!
//! The crate answers "how much did it change, and how sure are we": intervals for means and proportions, comparisons of
//! two samples in absolute and relative terms, what to believe of many comparisons, sample ratio mismatch, and a
//! pre/post comparison of daily series. It knows nothing of products, experiments or verdicts: a caller compares the
//! numbers with what was predicted. It never does I/O and never draws a random number.
//!
//! ```
//! use waymark_stats::{Level, Sample, relative_difference};
//!
//! let control = Sample::from_sums(3407, 1396.87, 52377.9767)?;
//! let treatment = Sample::from_sums(3461, 2422.7, 134698.29)?;
//! let effect = relative_difference(&control, &treatment, Level::P95)?;
//! assert!((effect.estimate - 0.70732).abs() < 1e-5 && effect.interval.contains(0.0));
//! # Ok::<(), waymark_stats::StatsError>(())
//! ```

mod compare;
mod error;
mod interval;
mod many;
mod prepost;
mod proportion;
mod ratio;
mod sample;

pub use compare::{Effect, difference, relative_difference};
pub use error::StatsError;
pub use interval::{Interval, Level, normal_interval, normal_quantile, t_interval, t_quantile};
pub use many::{benjamini_hochberg, selected_level};
pub use prepost::{PrePost, lag_one_autocorrelation, pre_post};
pub use proportion::{adjusted_wald, fisher_exact, proportion_difference, wilson};
pub use ratio::{RatioMismatch, sample_ratio_mismatch};
pub use sample::Sample;

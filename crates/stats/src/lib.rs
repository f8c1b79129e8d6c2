//! Statistics of product measurement, as pure functions of plain numbers.
//!
//! The crate answers "how much did it change, and how sure are we": intervals for proportions, comparisons of two samples
//! in absolute and relative terms, what to believe of many comparisons, a pre/post comparison of daily series, and sums
//! without rounding error, and what a series is usually next. And "how sure is an order": how alike two are, how often one holds when its inputs are drawn
//! from what is known of them, what would change it, what it is worth to find out. It knows nothing of products,
//! experiments or verdicts: a caller compares the numbers with what was predicted. It never does I/O, and draws no
//! number but by a seed that it is given.
//!
//! ```
//! use waymark_stats::{Level, Sample, relative_difference};
//!
//! let control = Sample::from_values(&[3.0, 4.0, 1.0, 2.0])?;
//! let treatment = Sample::from_values(&[4.0, 5.0, 2.0, 4.0])?;
//! let effect = relative_difference(&control, &treatment, Level::P95)?;
//! assert!((effect.estimate - 0.5).abs() < 1e-12 && effect.interval.contains(0.0));
//! # Ok::<(), waymark_stats::StatsError>(())
//! ```

mod compare;
mod draws;
mod error;
mod information;
mod interval;
mod many;
mod prepost;
mod proportion;
mod rank_correlation;
mod ranking;
mod sample;
mod spread;
mod sum;
mod tipping;
mod usual;

pub use compare::{Effect, difference, relative_difference};
pub use error::StatsError;
pub use information::{Dependence, Worth, worth_finding_out};
pub use interval::{Interval, Level, normal_quantile, t_interval, t_quantile};
pub use many::{benjamini_hochberg, selected_level};
pub use prepost::{PrePost, lag_one_autocorrelation, pre_post};
pub use proportion::{fisher_exact, proportion_difference, wilson};
pub use rank_correlation::{Disagreement, disagreements, kendall_tau_b, ranks, spearman_rho};
pub use ranking::{MOST_ITEMS, Standing, Sureness, Trial, try_order};
pub use sample::Sample;
pub use spread::{Ends, Shape, Spread};
pub use sum::{ExactSum, mean};
pub use tipping::Neighbours;
pub use usual::{Usual, usual, usual_needs};

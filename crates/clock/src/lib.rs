//! The time and new identifiers, as values that are passed in, so that tests hold the first still and repeat the
//! second. This is the one place that reads the wall clock and the random source.

mod clock;
mod ids;

pub use clock::{Clock, ManualClock};
pub use ids::Ids;

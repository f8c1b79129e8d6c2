//! The tables of the service, and the writes that have to look at more than one row.

mod estimates;
mod initiatives;
mod metrics;
mod objectives;
mod products;

pub use estimates::{Estimates, reprioritize};
pub use initiatives::{Initiatives, RANK, on_the_way, place};
pub use metrics::Metrics;
pub use objectives::Objectives;
pub use products::Products;

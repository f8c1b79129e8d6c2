//! The tables of the service, and the writes that have to look at more than one row.

mod estimates;
mod initiatives;
mod metrics;
mod objectives;
mod priorities;
mod products;

pub use estimates::Estimates;
pub use initiatives::{Initiatives, RANK, on_the_way, place};
pub use metrics::Metrics;
pub use objectives::Objectives;
pub use priorities::reprioritize;
pub use products::Products;

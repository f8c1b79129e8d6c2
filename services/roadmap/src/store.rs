//! The tables of the service, and the writes that have to look at more than one row.

mod decisions;
mod estimates;
mod initiatives;
mod metrics;
mod objectives;
mod priorities;
mod products;

pub use decisions::{
    DUE, Decisions, NOT_BUILT_SINCE, must_decline, new_name, not_to_build, supersede, taken_up_again, write_down,
};
pub use estimates::Estimates;
pub use initiatives::{Initiatives, RANK, on_the_way, place};
pub use metrics::Metrics;
pub use objectives::Objectives;
pub use priorities::reprioritize;
pub use products::Products;

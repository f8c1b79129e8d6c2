//! The tables of the service, and the writes that have to look at more than one row.

mod check_ins;
mod decisions;
mod estimates;
mod goals;
mod initiatives;
mod key_results;
mod metrics;
mod objectives;
mod priorities;
mod products;
mod progress;
mod scoring_models;
mod snapshots;

pub use check_ins::CheckIns;
pub use decisions::{
    DUE, Decisions, NOT_BUILT_SINCE, must_decline, new_name, not_to_build, supersede, taken_up_again, write_down,
};
pub use estimates::Estimates;
pub use goals::Goals;
pub use initiatives::{
    DECLINED, FACTORS, Initiatives, OWNER, PLACE, PRODUCT, RANK, START, STATE, UNDATED, on_the_way, rank_column,
};
pub use key_results::KeyResults;
pub use metrics::Metrics;
pub use objectives::{Objectives, period};
pub use priorities::reprioritize;
pub use products::Products;
pub use progress::reading;
pub use scoring_models::ScoringModels;
pub use snapshots::{REVISION, Snapshots};

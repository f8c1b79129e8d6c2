//! The tables of the service, and the writes that have to look at more than one row.

mod audiences;
mod branch;
mod check_ins;
mod decisions;
mod estimates;
mod factor_scales;
mod goals;
mod initiatives;
mod key_results;
mod merging;
mod metrics;
mod objectives;
mod priorities;
mod products;
mod progress;
mod scenarios;
mod scoring_models;
mod snapshots;
mod workspaces;

pub use audiences::{Audiences, sight};
pub use branch::Branch;
pub use check_ins::CheckIns;
pub use decisions::{
    DUE, Decisions, NOT_BUILT_SINCE, must_decline, new_name, not_to_build, supersede, taken_up_again, write_down,
};
pub use estimates::Estimates;
pub use factor_scales::{FactorScales, scales, scales_now};
pub use goals::{Goals, Serving};
pub use initiatives::{
    DECLINED, FACTORS, Initiatives, OWNER, PLACE, PRODUCT, RANK, START, STATE, UNDATED, on_the_way, rank_column,
};
pub use key_results::KeyResults;
pub use merging::{Merging, differences, merge, text};
pub use metrics::Metrics;
pub use objectives::{Objectives, period};
pub use priorities::{bring_back, reprioritize};
pub use products::Products;
pub use progress::reading;
pub use scenarios::{SCENARIO, Scenarios, Variants};
pub use scoring_models::ScoringModels;
pub use snapshots::{REVISION, Snapshots};
pub use workspaces::{Workspaces, enter};

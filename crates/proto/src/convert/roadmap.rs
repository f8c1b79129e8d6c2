//! Conversions of the roadmap's resources.

mod audience;
mod decision;
mod estimate;
mod initiative;
mod initiative_parts;
mod key_result;
mod scenario;
mod score;
mod scoring_model;
mod strategy;
#[cfg(test)]
mod tests;
mod workspace;

pub use score::Scored;

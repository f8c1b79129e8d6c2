//! Conversions of the roadmap's resources.

mod estimate;
mod initiative;
mod initiative_parts;
mod score;
mod strategy;
#[cfg(test)]
mod tests;

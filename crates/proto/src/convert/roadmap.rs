//! Conversions of the roadmap's resources.

mod strategy;

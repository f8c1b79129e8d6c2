//! placeholder
pub mod actor;
pub use actor::Actor;

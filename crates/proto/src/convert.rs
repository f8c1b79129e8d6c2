//! Conversions between messages and the domain, a module per service.

mod shared;
mod standard;

pub mod discovery;
pub mod metrics;
pub mod roadmap;

pub use shared::{evidence, range};
use shared::{name_if_set, whole};
use standard::time_while;
pub use standard::{meta, set_meta, time, timestamp};

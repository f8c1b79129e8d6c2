//! Conversions between messages and the domain, a module per service.

mod plain;
mod shared;
mod standard;

pub mod discovery;
pub mod metrics;
pub mod roadmap;

use plain::plain;
pub use shared::{date, evidence, range};
use shared::{name_if_set, sibling, whole};
use standard::time_while;
pub use standard::{meta, set_meta, time, timestamp};

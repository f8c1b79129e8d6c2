//! Conversions of the metrics service's resources and requests.

mod friction;
mod funnel;
mod import;
mod intake;
mod measure;
mod metric;
mod outcome;
mod prediction;
mod retention;
mod tracking;
mod trend;

pub use friction::asked;
pub use funnel::funnel;
pub use import::report;
pub use intake::{held, product_event, properties, rejected};
pub use measure::{measure, typed_value};
pub use outcome::outcome;
pub use prediction::{prediction, promise};
pub use retention::{activity, retention, stickiness};
pub use trend::settings;

//! The tables of the service, and the writes that have to look at more than one row.

mod estimates;
mod initiatives;
mod products;

pub use estimates::Estimates;
pub use initiatives::{Initiatives, open_initiatives};
pub use products::Products;

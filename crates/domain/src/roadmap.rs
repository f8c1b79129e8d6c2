//! Decide and deliver: products, initiatives, estimates.

pub mod product;

pub use product::{Product, ProductEvent, ProductLifecycle};

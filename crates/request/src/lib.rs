//! What a caller may ask, whatever carries the request: who asks and under which id, and the small languages of the
//! contract: filters, orders, page tokens, field masks.
//!
//! This crate knows the contract's messages and the domain's terms; no transport, no database, no clock.

pub mod actor;
pub mod call;
pub mod failure;
pub mod filter;
pub mod mask;
pub mod order;
pub mod page;

pub use actor::Actor;
pub use call::{Call, CallError, Causation, Origin, Readable, Written};
pub use failure::row_failure;
pub use filter::{Comparison, Filter, FilterError, Operator};
pub use order::{Order, OrderError};
pub use page::{PageError, PageToken};

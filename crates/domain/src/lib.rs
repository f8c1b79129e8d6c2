//! The rules of the product-management loop, as pure values.
//!
//! This crate holds names, resources, the decisions that change them and the reasons a change is refused. It never does
//! I/O, never reads a clock, never draws a random number and knows neither the wire nor a database: time and identity
//! arrive as arguments, so every decision can be replayed and property-tested.

pub mod change;
pub mod discovery;
pub mod evidence;
pub mod failure;
pub mod merge;
pub mod meta;
pub mod metrics;
pub mod name;
pub mod number;
pub mod range;
pub mod reading;
pub mod reason;
pub mod roadmap;
pub mod text;
pub mod verdict;

pub use change::Change;
pub use evidence::{Evidence, Risk};
pub use failure::{Failure, FailureKind, Violation, Violations};
pub use meta::{Meta, Name, Resource};
pub use name::{AnyName, FullName, ResourceId, WorkspaceId};
pub use range::{Range, RangeError};
pub use reading::{Period, Reading, ReadingError, Side};
pub use reason::Reason;
pub use verdict::Verdict;

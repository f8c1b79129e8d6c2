//! The edge: what every RPC does the same way. Opening a request, answering it, turning failures into statuses, and the
//! small languages of the contract: filters, orders, page tokens, field masks.
//!
//! This crate knows the wire and the domain's terms; it never touches a database, a clock or a socket.

pub mod actor;
pub mod call;
pub mod filter;
pub mod mask;
pub mod order;
pub mod page;
pub mod request;
pub mod status;

pub use actor::Actor;
pub use call::{Call, Written, answer, open, or_status, written};
pub use filter::{Comparison, Filter, FilterError, Operator};
pub use order::{Order, OrderError};
pub use page::{PageError, PageToken};
pub use request::{batch_rows, parse, required};
pub use status::{row_failure, status};

//! The edge: what every RPC does the same way. Opening a request, answering it, turning failures into statuses.
//!
//! This crate knows the wire and the domain's terms; it never touches a database, a clock or a socket.

pub mod call;
pub mod request;
pub mod status;

pub use call::{answer, asked, open, or_status, origin, sight, written};
pub use request::{parse, required};
pub use status::status;

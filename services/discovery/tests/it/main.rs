//! The discovery service as its callers see it: over gRPC, on SQLite and on PostgreSQL, with a clock that stands still.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod branches;
mod breached;
mod consume;
mod doubles;
mod found;
mod research;
mod standard;
mod support;
mod tree;

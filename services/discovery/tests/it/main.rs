//! The discovery service as its callers see it: over gRPC, on SQLite and on PostgreSQL, with a clock that stands still.

mod consume;
mod research;
mod standard;
mod support;
mod tree;

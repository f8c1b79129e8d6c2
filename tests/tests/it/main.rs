//! All tests across services in one binary, since linking it is what costs: stories, faults and conformance on real
//! parts.
//!
//! Rules of one service are tested in that service; here is only what needs several parts or a real process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audiences;
mod broker;
mod conformance;
mod faults;
mod loop_story;
mod mirrors;
mod real_data;
mod retention;
mod schema;
mod separation;
mod services;
mod support;
mod workspaces;

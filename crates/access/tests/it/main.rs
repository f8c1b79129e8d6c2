//! Authentication from outside: tokens of all kinds, issuers that misbehave, files that change.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod certificates;
mod files;
mod hostile;
mod issuers;
mod joserfc;
mod keys;
mod policies;
mod server;
mod tokens;
mod world;

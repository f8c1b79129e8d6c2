//! State and log commit together. A [`Store`] is a service's database; a [`Write`] is one change of one workspace;
//! nothing is saved but through [`Write::put`], which takes a [`Change`](waymark_domain::Change) and writes state and
//! log rows alike.
//!
//! The workspace's revision row is locked first and bumped once per write, so revisions are in commit order without
//! gaps, and whatever a write reads cannot change before it commits. There is no retry loop, because there is nothing
//! to conflict with. A write that reads nothing needs no lock to decide, so it is sent as one statement
//! ([`Store::write_blind`]).
//!
//! This crate knows tables and columns, never what the resources mean.

mod blind;
mod checked;
mod consuming;
mod db;
mod dead_letter;
mod error;
mod group;
mod heads;
mod history;
mod lease;
mod list;
mod log;
pub mod migrate;
mod publishing;
mod put;
mod reaction;
mod repository;
mod sql;
mod statement;
mod sweep;
mod table;
mod workspaces;
mod write;

pub use db::{Store, StoreOptions};
pub use dead_letter::DeadLetter;
pub use error::Error;
pub use heads::Heads;
pub use history::Position;
pub use list::{ListQuery, Page};
pub use log::{LogFilter, LogRow};
pub use publishing::{Published, Unpublished};
pub use reaction::{Reaction, Received};
pub use repository::{Batch, Sheet, resource};
pub use table::{Column, ColumnKind, Columns, Table};
pub use write::Write;

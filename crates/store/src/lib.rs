//! State and log commit together. A [`Store`] is a service's database; a [`Write`] is one change of one workspace; what
//! it puts is a [`Change`](waymark_domain::Change), which becomes state and log rows alike. Nothing else saves resources.
//!
//! The workspace's revision row is locked first and bumped once per write, so revisions are in commit order without
//! gaps, and whatever a write reads cannot change before it commits. There is no retry loop, because there is nothing to
//! conflict with. A write that reads nothing but what it changes needs no lock to decide, so it is sent as one statement
//! that makes sure of it ([`Store::write_blind`]).
//!
//! This crate knows tables and columns, never what the resources mean. Nothing outside of it has a connection.

mod access;
mod audit;
mod batch;
mod blind;
mod branches;
mod carried;
mod changes;
mod checkpoints;
mod coming;
mod connections;
mod consuming;
mod cycles;
mod db;
mod dead_letter;
mod draft;
mod error;
mod filter;
mod freeing;
mod group_commit;
mod heads;
mod history;
mod holding;
mod inbox;
mod integrity;
mod labels;
mod lease;
mod links;
mod list;
mod log;
mod looks;
mod lookups;
mod many;
mod members;
mod methods;
mod mirror;
mod past;
mod place;
#[cfg(test)]
mod plans;
mod postgres;
mod publishing;
mod reach;
mod reaction;
mod resource;
mod retention;
mod rewinding;
mod rules;
pub mod schema;
mod sight;
mod snapshot;
mod standard;
mod statement;
mod stood;
mod stream_position;
mod sweep;
mod table;
mod tally;
mod together;
mod told;
mod trail;
mod turn;
mod values;
mod view;
mod walk;
mod workspaces;
mod write;

pub use audit::AuditFilter;
pub use batch::BatchRows;
pub use branches::below;
pub use changes::{Changes, Reason};
pub use checkpoints::{Checkpoint, Checkpoints};
pub use coming::{Coming, Found};
pub use db::{LoginOf, Store, StoreOptions};
pub use dead_letter::DeadLetter;
pub use draft::Draft;
pub use error::Error;
pub use filter::Selection;
pub use heads::{Heads, Moved};
pub use holding::Holding;
pub use lease::Lease;
pub use list::ListQuery;
pub use log::{LogFilter, LogRow};
pub use members::{Common, Members};
pub use methods::{Asked, StandardMethod};
pub use mirror::{Filling, Mirror};
pub use postgres::{Login, PostgresFiles};
pub use publishing::{Cursor, Published};
pub use reaction::{Reaction, Received};
pub use resource::resource;
pub use retention::LogReaders;
pub use rewinding::Ahead;
pub use rules::{After, BoxFuture, Decision, Rule, Ruled, Rules, Step};
pub use schema::{Backfill, Declaration, Migration, Schema, SchemaError, Script};
pub use standard::merged;
pub use stood::{Stood, Stretch};
pub use stream_position::{ParkedWorkspace, StreamPosition, StreamReader};
pub use table::{Column, ColumnKind, Columns, Own, Table};
pub use together::Together;
pub use view::{Part, Position, Range, Read, View};
pub use walk::{Direction, Link, Walk};
pub use waymark_proto::standard::{Batch, Page};
pub use write::Write;

//! Real parts for tests: a private PostgreSQL, a private nats-server, a proxy that breaks connections, a host that
//! stands still.
//!
//! Everything listens on loopback or a unix socket, on a free port, keeps its files in a temporary folder, and ends
//! with the test process however that ends. No test needs to sleep: [`wait_until`] waits for a state. This crate knows
//! no service.

pub mod address;
pub mod addresses;
mod connection;
pub mod database;
pub mod doubles;
pub mod holder;
pub mod host;
pub mod logs;
pub mod nats;
pub mod object_storage;
pub mod pooler;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod sample;
pub mod schema;
pub mod served;
pub mod wait;

pub use address::free_address;
pub use database::{Engine, TestDatabase, database};
pub use doubles::doubles;
pub use holder::Holder;
pub use host::{NOW, host};
pub use logs::PLANTED;
pub use nats::{NatsBackup, NatsServer};
pub use object_storage::ObjectStorage;
pub use pooler::PgBouncer;
pub use postgres::Postgres;
pub use proxy::FaultProxy;
pub use served::Served;
pub use wait::{wait_for, wait_until};

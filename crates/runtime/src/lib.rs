//! What every process of Waymark stands on: configuration, telemetry, the edge every RPC passes, serving, draining, and
//! the admin port.
//!
//! The environment is read here, and tasks that live long are spawned here; all of it is handed on as values of a
//! [`Host`], never as globals. It knows nothing of products, tables or events.

mod admin;
pub mod audit;
pub mod authentication;
mod authenticator;
pub mod config;
pub mod edge;
mod host;
pub mod limits;
mod panic;
mod peer;
pub mod policies;
mod process;
pub mod propagation;
mod proxies;
mod readiness;
mod running;
pub mod serve;
mod shutdown;
mod tasks;
mod telemetry;

/// Of every process of Waymark.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use audit::Audit;
pub use authenticator::Authenticator;
pub use config::{
    DatabaseArgs, EventArgs, KeepAudit, KeepLog, LimitArgs, ProcessArgs, ServerArgs, TelemetryArgs, TlsArgs,
};
pub use host::Host;
pub use peer::Peer;
pub use process::run;
pub use proxies::{Network, Proxies};
pub use readiness::{Latch, Readiness};
pub use running::Running;
pub use serve::Server;
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use telemetry::Telemetry;
pub use waymark_tls::PeerCertificate;

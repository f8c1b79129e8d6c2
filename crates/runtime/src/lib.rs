//! What every process of Waymark stands on: configuration, telemetry, the edge every RPC passes, serving, draining, and
//! the admin port.
//!
//! The environment is read here, and tasks that live long are spawned here; all of it is handed on as values of a
//! [`Host`], never as globals. It knows nothing of products, tables or events.

pub mod admin;
pub mod config;
pub mod edge;
pub mod host;
pub mod propagation;
pub mod readiness;
pub mod serve;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;

pub use config::{DatabaseArgs, EventArgs, LimitArgs, ProcessArgs, ServerArgs, TelemetryArgs};
pub use host::{Host, run};
pub use readiness::{Latch, Readiness};
pub use serve::{Running, Server};
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use telemetry::Telemetry;

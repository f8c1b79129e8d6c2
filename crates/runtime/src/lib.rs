//! What every process of Waymark stands on: configuration, clock, telemetry, the edge every RPC passes, serving,
//! draining, and the admin port.
//!
//! The environment, the wall clock and the random source are read here, and tasks that live long are spawned here; all
//! of it is handed on as values of a [`Host`], never as globals. It knows nothing of products, tables or events.

pub mod admin;
pub mod clock;
pub mod config;
pub mod edge;
pub mod host;
pub mod ids;
pub mod propagation;
pub mod readiness;
pub mod serve;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;

pub use clock::{Clock, ManualClock};
pub use config::{DatabaseArgs, EventArgs, LimitArgs, ProcessArgs, ServerArgs, TelemetryArgs};
pub use host::{Host, run};
pub use ids::Ids;
pub use readiness::{Latch, Readiness};
pub use serve::{Running, Server};
pub use shutdown::Shutdown;
pub use tasks::Tasks;
pub use telemetry::Telemetry;

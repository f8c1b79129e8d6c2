//! What runs a service. A service is a value, a [`Service`], that says what it is called, where it listens, what its
//! database holds, what it hears, what it answers and what else it does; [`run`] makes a process of it.
//!
//! A process with several services takes the same steps for each: [`Service::open`], [`Open::start`] and
//! [`Open::serve`]. They are separate, so that each may hear of the others' databases before any of them starts.

mod address;
mod audiences;
mod auditing;
mod callers;
mod database;
mod declaration;
mod graph;
mod housekeeping;
mod nats;
mod process;
mod standard;
mod transport;
mod trimming;
mod workspaces;

pub use address::without_passwords;
pub use audiences::FindAudience;
pub use declaration::{Handle, Open, Service};
pub use nats::connect;
pub use process::run;
pub use transport::{Peer, Transport};
pub use workspaces::{FindWorkspace, is_active};

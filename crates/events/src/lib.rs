//! Everything that reads the log: the relay to NATS JetStream, the events service with its Watch, and the consumers
//! that bring other services' events in, over NATS or, in one process, from the other service's log itself.
//!
//! Nothing here announces a change by itself: what is not in the log did not happen.

mod attempt;
pub mod bus;
mod causes;
pub mod consumer;
mod envelope;
mod filling;
mod instruments;
mod places;
mod relay;
mod seen;
mod service;
pub mod snapshots;
mod subscription;
mod watch;

pub use envelope::{stream_name, subject};
pub use relay::Relay;
pub use service::EventsApi;
pub use subscription::{Handler, Mirroring, Subscription, Topic};

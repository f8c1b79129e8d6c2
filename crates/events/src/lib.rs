//! Everything that reads the log: the relay to NATS JetStream, the events service with its Watch, and the consumers
//! that bring other services' events in, over NATS or, in one process, from the other service's log itself.
//!
//! Nothing here announces a change by itself: what is not in the log did not happen.

mod bus;
mod consumer;
mod envelope;
mod feed;
mod lease;
mod relay;
mod service;
mod watch;

pub use envelope::{stream_name, subject};
pub use feed::{Handler, Subscription, Topic, Transport, connect, open, start, without_password};
pub use relay::Relay;
pub use service::EventsApi;

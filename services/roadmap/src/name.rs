//! The service's name, in resource names, events and files.

/// What the service is called.
pub const NAME: &str = "roadmap";

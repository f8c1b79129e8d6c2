//! Who makes a call.

/// The authenticated caller. The runtime's authentication layer puts it into the request's extensions; the log keeps
/// its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Principal, such as `users/ada@example.com` or `services/metrics`.
    pub subject: String,
}

impl Actor {
    /// An actor for work a service does on its own account, such as reacting to an event.
    pub fn service(name: &str) -> Self {
        Self { subject: format!("services/{name}") }
    }
}

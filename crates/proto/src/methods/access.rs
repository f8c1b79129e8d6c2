//! What an RPC asks of who calls.

/// The access an RPC needs in its workspace; a role grants one of these and all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Asks about the caller itself: whoever is authenticated.
    Caller,
    /// Reads.
    Read,
    /// Changes resources.
    Write,
    /// Decides: commits, ships, declines, signs waivers.
    Manage,
    /// Operates the service.
    Admin,
}

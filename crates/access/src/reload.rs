//! What was read again, for whoever keeps a record of that.

/// Something that was read again and counts since, or that could not be, so that what was read before counts on. Each is told
/// once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// What it is.
    pub of: Reloaded,
    /// The file, or the name of the issuer.
    pub what: String,
    /// Whether it counts.
    pub done: bool,
}

/// What is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// The authentication file.
    Authentication,
    /// The keys of an issuer.
    Keys,
    /// Policies and bindings.
    Policies,
    /// The limits file.
    Limits,
}

impl Reloaded {
    /// It was read again.
    pub(crate) fn done(self, what: &(impl ToString + ?Sized)) -> Reload {
        Reload { of: self, what: what.to_string(), done: true }
    }

    /// It could not be.
    pub(crate) fn failed(self, what: &(impl ToString + ?Sized)) -> Reload {
        Reload { of: self, what: what.to_string(), done: false }
    }
}

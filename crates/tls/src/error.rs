//! Why a certificate, a key or a connection cannot be used, in words for whoever runs the program.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

/// Why a certificate, a key or a connection cannot be used. It names the file, never what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is not there, is none, or may not be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not PEM, or stops in the middle.
    #[error("{} is not whole PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate; it must hold one in PEM, and those between it and its authority", .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in the file.
    #[error("{} holds no private key; it must hold one in PEM, not encrypted", .0.display())]
    NoKey(PathBuf),
    /// A certificate or key of a kind that is not understood.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are of different pairs.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate is too old.
    #[error("the certificate in {} expired at {at}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When.
        at: DateTime<Utc>,
    },
    /// The certificate is for later.
    #[error("the certificate in {} is valid from {at} only", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// When it begins.
        at: DateTime<Utc>,
    },
    /// A client is told one half of what it shows.
    #[error("a certificate and its key must be given together")]
    Half,
    /// The machine trusts no authority.
    #[error("this machine knows no certificate authorities; name a file with those to trust")]
    NoAuthorities,
    /// The other side cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The other side did not prove to be the one that was called, or refuses this one.
    #[error("no TLS connection to {host}: {reason}")]
    Handshake {
        /// Who was called.
        host: String,
        /// What is wrong.
        reason: String,
    },
}

//! TLS from files: the certificate that a server shows, the authorities that either side believes, and what became of
//! them on disk since.
//!
//! Servers look at their files every few seconds and take them over when their content has changed and can be used
//! ([`ServerTls`]); clients read theirs for each connection ([`Connector`]). It logs nothing and asks no clock: when to
//! look, what time it is and whom to tell is the caller's affair.

mod client;
mod error;
mod file;
mod identity;
mod local;
mod peer;
mod server;
#[cfg(feature = "testing")]
pub mod testing;

pub use client::{ClientFiles, Connector};
pub use error::Error;
pub use local::is_local;
pub use peer::PeerCertificate;
pub use server::{Acceptor, ClientCertificates, Look, ServerFiles, ServerTls};

use std::sync::Arc;

/// The server's end of a connection.
pub use tokio_rustls::server::TlsStream;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

/// The bytes of HTTP/2 in the negotiation of protocols (RFC 7301).
pub const H2: &[u8] = b"h2";
/// Those of HTTP/1.1.
pub const HTTP1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Makes ours the cryptography of libraries that ask the process for one; where two are built in, they would panic.
pub fn install() {
    // The first one stays, and there is no other.
    let _ = aws_lc_rs::default_provider().install_default();
}

//! Who the other side of a connection has proven to be.

use chrono::{DateTime, Utc};
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::identity::validity;

/// The names in the certificate of a peer, which an authority of ours vouches for and whose key the peer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Its URIs, such as `spiffe://example.com/ns/shop/sa/importer`.
    pub uris: Vec<String>,
    /// Its DNS names.
    pub dns_names: Vec<String>,
    /// Until when it is valid.
    pub until: DateTime<Utc>,
}

impl PeerCertificate {
    /// What the first certificate of a chain that was verified says; none where it cannot be read.
    pub fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let first = chain.first()?;
        let (_, until) = validity(first).ok()?;
        let (_, parsed) = X509Certificate::from_der(first).ok()?;
        let mut read = Self { uris: Vec::new(), dns_names: Vec::new(), until };
        // Twice the same extension is no certificate that anybody should be known by.
        let names = parsed.subject_alternative_name().ok()?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::URI(uri) => read.uris.push((*uri).to_owned()),
                GeneralName::DNSName(name) => read.dns_names.push((*name).to_owned()),
                _ => {}
            }
        }
        Some(read)
    }
}

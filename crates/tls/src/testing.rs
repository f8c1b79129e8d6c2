//! Authorities and certificates for tests, made when they are needed.
//!
//! What goes wrong here is the test's end: it panics.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use crate::ClientFiles;

/// An authority that nobody trusts who is not told to.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for names of hosts, addresses and URIs; the first is its common name. It is valid as long as any
    /// test runs.
    ///
    /// # Panics
    /// When a name is none.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.sign(&params(names))
    }

    /// The same, valid from and until given times only.
    ///
    /// # Panics
    /// When a name is none, or a time before 1970.
    pub fn issue_within(&self, names: &[&str], from: DateTime<Utc>, until: DateTime<Utc>) -> Issued {
        let mut params = params(names);
        let at = |time: DateTime<Utc>| {
            let seconds = time.timestamp().try_into().expect("a time from 1970 on");
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
        };
        (params.not_before, params.not_after) = (at(from), at(until));
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// What a client that trusts this authority reads, in `folder`; with what it shows, if it shows anything.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    pub fn client(&self, folder: &Path, shown: Option<&Issued>) -> ClientFiles {
        let ca = folder.join("ca.crt");
        std::fs::write(&ca, self.pem()).expect("a folder to write to");
        let pair = shown.map(|issued| issued.put(folder, "client"));
        let (certificate, key) = pair.unzip();
        ClientFiles { ca: Some(ca), certificate, key }
    }
}

impl Issued {
    /// Writes `name.crt` and `name.key` into a folder.
    ///
    /// # Panics
    /// When it cannot be written to.
    pub fn put(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.certificate).expect("a folder to write to");
        std::fs::write(&key, &self.key).expect("a folder to write to");
        (certificate, key)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let (uris, hosts): (Vec<_>, Vec<_>) =
        names.iter().map(|name| (*name).to_owned()).partition(|name| name.contains("://"));
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    for uri in uris {
        params.subject_alt_names.push(SanType::URI(uri.try_into().expect("a URI")));
    }
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
    params
}

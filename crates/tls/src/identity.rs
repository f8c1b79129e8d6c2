//! A certificate with its key: what either side shows to prove who it is.

use std::path::Path;

use chrono::{DateTime, Utc};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error as TlsError, InconsistentKeys};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{Error, file, provider};

/// A certificate, those between it and its authority, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certified: CertifiedKey,
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

impl Identity {
    /// What two files hold, if they belong together.
    pub(crate) fn of(certificate: (&Path, &[u8]), key: (&Path, &[u8])) -> Result<Self, Error> {
        let chain = file::certificates(certificate.0, certificate.1)?;
        let private = file::key(key.0, key.1)?;
        let unusable = |path: &Path, reason: String| Error::Unusable { path: path.to_owned(), reason };
        let first = chain.first().ok_or_else(|| Error::NoCertificate(certificate.0.to_owned()))?;
        let (from, until) = validity(first).map_err(|reason| unusable(certificate.0, reason))?;
        let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Error::Mismatch { certificate: certificate.0.to_owned(), key: key.0.to_owned() }
            }
            other => unusable(key.0, other.to_string()),
        })?;
        Ok(Self { certified, from, until })
    }

    /// Refuses one that `path` holds and that others would not believe at `now`.
    pub(crate) fn valid(self, path: &Path, now: DateTime<Utc>) -> Result<Self, Error> {
        if now < self.from {
            return Err(Error::NotYetValid { path: path.to_owned(), at: self.from });
        }
        if now > self.until {
            return Err(Error::Expired { path: path.to_owned(), at: self.until });
        }
        Ok(self)
    }
}

/// From when and until when a certificate is valid.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Result<(DateTime<Utc>, DateTime<Utc>), String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| format!("no certificate: {error}"))?;
    let times = [parsed.validity().not_before, parsed.validity().not_after].map(|at| at.timestamp());
    match times.map(|at| DateTime::from_timestamp(at, 0)) {
        [Some(from), Some(until)] => Ok((from, until)),
        _ => Err("its times cannot be read".to_owned()),
    }
}

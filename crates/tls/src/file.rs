//! Files in PEM, read whole, and never more than such a file can be.

use std::io::Read as _;
use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};

use crate::Error;

/// More than any bundle of authorities takes.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    // Opening a pipe would wait for whoever writes to it.
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut content))
        .map_err(|error| unreadable(error.to_string()))?;
    if content.len() as u64 > MOST_BYTES {
        return Err(unreadable(format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(content)
}

/// The certificates in a file, at least one.
pub(crate) fn certificates(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>().map_err(|e| torn(path, &e))?;
    if read.is_empty() { Err(Error::NoCertificate(path.to_owned())) } else { Ok(read) }
}

/// The private key in a file.
pub(crate) fn key(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(content).map_err(|error| match error {
        pem::Error::NoItemsFound => Error::NoKey(path.to_owned()),
        other => torn(path, &other),
    })
}

/// The authorities in a file, each of which must be one.
pub(crate) fn authorities(path: &Path, content: &[u8]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, content)? {
        roots.add(certificate).map_err(|error| Error::Unusable { path: path.to_owned(), reason: error.to_string() })?;
    }
    Ok(roots)
}

fn torn(path: &Path, error: &pem::Error) -> Error {
    // Not what the parser shows: it may be a line of a key.
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => "it stops in the middle".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a line that begins a section is broken".to_owned(),
        pem::Error::Base64Decode(_) => "its base64 is broken".to_owned(),
        other => other.to_string(),
    };
    Error::Pem { path: path.to_owned(), reason }
}

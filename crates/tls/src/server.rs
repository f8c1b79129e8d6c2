//! What a server shows and asks for, kept in step with its files.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::server::TlsStream;

use crate::identity::Identity;
use crate::{Error, file, provider};

/// Where a server finds what it shows and whom it believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// Its certificate, followed by those between it and its authority.
    pub certificate: PathBuf,
    /// The key of that.
    pub key: PathBuf,
    /// What it asks of clients.
    pub clients: ClientCertificates,
}

/// What a server asks of its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nothing.
    None,
    /// A certificate of an authority in the file, if the client has any.
    Optional(PathBuf),
    /// A certificate of an authority in the file.
    Required(PathBuf),
}

impl ClientCertificates {
    fn authorities(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Optional(file) | Self::Required(file) => Some(file),
        }
    }
}

/// What the files held.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

impl Contents {
    fn read(files: &ServerFiles) -> Result<Self, Error> {
        Ok(Self {
            certificate: file::read(&files.certificate)?,
            key: file::read(&files.key)?,
            authorities: files.clients.authorities().map(|path| file::read(path)).transpose()?,
        })
    }
}

/// What a look at the files found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// What is served.
    Same,
    /// Something else, which is served from now on.
    Taken,
    /// Something that cannot be used and was not there at the last look: maybe it is being written.
    Unsettled,
    /// Something that cannot be used; what was served before goes on.
    Refused(Error),
}

/// A server's side of TLS and the files that it comes from.
pub struct ServerTls {
    files: ServerFiles,
    protocols: Vec<Vec<u8>>,
    served: Contents,
    until: DateTime<Utc>,
    /// What was there at the last look and could not be used.
    unusable: Option<Result<Contents, Error>>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl ServerTls {
    /// Reads the files; `protocols` are those that are spoken, the best first.
    ///
    /// # Errors
    /// When they cannot be used at `now`.
    pub fn open(files: &ServerFiles, protocols: &[&[u8]], now: DateTime<Utc>) -> Result<Self, Error> {
        let protocols: Vec<_> = protocols.iter().map(|name| name.to_vec()).collect();
        let served = Contents::read(files)?;
        let (config, until) = config(files, &served, &protocols, now)?;
        let config = Arc::new(RwLock::new(Arc::new(config)));
        Ok(Self { files: files.clone(), protocols, served, until, unusable: None, config })
    }

    /// What takes connections, by what is served at that time.
    pub fn acceptor(&self) -> Acceptor {
        Acceptor(Arc::clone(&self.config))
    }

    /// Until when the certificate that is served is valid.
    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// Looks at the files by their content: what orchestrators swap is a link in a folder above, which watches of files
    /// do not see. Blocks as reading a file does.
    pub fn look(&mut self, now: DateTime<Utc>) -> Look {
        let found = Contents::read(&self.files);
        if found.as_ref() == Ok(&self.served) {
            // Back at what is served after something that was refused is news, too.
            return if self.unusable.take().is_some() { Look::Taken } else { Look::Same };
        }
        let (error, found) = match found {
            // Tried at every look: a certificate of tomorrow can be used tomorrow.
            Ok(contents) => match config(&self.files, &contents, &self.protocols, now) {
                Ok((config, until)) => {
                    *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                    (self.served, self.until, self.unusable) = (contents, until, None);
                    return Look::Taken;
                }
                Err(error) => (error, Ok(contents)),
            },
            Err(error) => (error.clone(), Err(error)),
        };
        let settled = self.unusable.as_ref() == Some(&found);
        self.unusable = Some(found);
        if settled { Look::Refused(error) } else { Look::Unsettled }
    }
}

/// What takes connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(Arc<RwLock<Arc<ServerConfig>>>);

impl Acceptor {
    /// Agrees on keys with a client, with what is served now.
    ///
    /// # Errors
    /// When client and server do not agree, or the connection breaks.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> std::io::Result<TlsStream<S>> {
        let config = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }
}

fn config(
    files: &ServerFiles,
    contents: &Contents,
    protocols: &[Vec<u8>],
    now: DateTime<Utc>,
) -> Result<(ServerConfig, DateTime<Utc>), Error> {
    let identity = Identity::of((&files.certificate, &contents.certificate), (&files.key, &contents.key))?
        .valid(&files.certificate, now)?;
    let unusable = |path: &PathBuf, reason: String| Error::Unusable { path: path.clone(), reason };
    // TLS 1.2 and 1.3.
    let versions = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.certificate, error.to_string()))?;
    let asking = match files.clients.authorities().zip(contents.authorities.as_ref()) {
        None => versions.with_no_client_auth(),
        Some((path, content)) => {
            let authorities = Arc::new(file::authorities(path, content)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider());
            let verifier = match &files.clients {
                ClientCertificates::Optional(_) => verifier.allow_unauthenticated(),
                ClientCertificates::Required(_) | ClientCertificates::None => verifier,
            };
            let verifier = verifier.build().map_err(|error| unusable(path, error.to_string()))?;
            versions.with_client_cert_verifier(verifier)
        }
    };
    let until = identity.until;
    let mut config = asking.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified)));
    config.alpn_protocols = protocols.to_vec();
    // A session that is taken up again shows no certificate and asks for none: an authority that was taken away would
    // live on in it. Connections are long and few, so nothing is gained by it either.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((config, until))
}

#[cfg(test)]
mod tests;

//! Connections to servers that prove who they are, and to which one proves who one is.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use tower::{Service, ServiceExt as _};

use crate::identity::Identity;
use crate::{Error, H2, file, provider};

/// Where a client finds whom it believes and what it shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The authorities that servers must have their certificate from; those the machine trusts when not given.
    pub ca: Option<PathBuf>,
    /// The certificate that it shows, followed by those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// The key of that.
    pub key: Option<PathBuf>,
}

impl ClientFiles {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the files that are named can be used now.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), Error> {
        self.identity()?;
        self.ca.as_deref().map(named).transpose().map(|_| ())
    }

    fn identity(&self) -> Result<Option<Identity>, Error> {
        match (&self.certificate, &self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let (shown, private) = (file::read(certificate)?, file::read(key)?);
                Identity::of((certificate, &shown), (key, &private)).map(Some)
            }
            (Some(_), None) | (None, Some(_)) => Err(Error::Half),
        }
    }

    fn config(&self) -> Result<ClientConfig, Error> {
        let roots = self.ca.as_deref().map_or_else(machine, named)?;
        let failed = |error: TlsError| Error::Unreachable(error.to_string());
        let trusting = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(roots);
        let mut config = match self.identity()? {
            None => trusting.with_no_client_auth(),
            Some(identity) => {
                let shown = SingleCertAndKey::from(identity.certified);
                trusting.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }
}

fn named(path: &Path) -> Result<RootCertStore, Error> {
    file::authorities(path, &file::read(path)?)
}

/// The authorities that the machine trusts.
fn machine() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // Machines have certificates that nobody can read; the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(Error::NoAuthorities) } else { Ok(roots) }
}

/// Connects to servers of HTTP/2 over TLS. Files are read for each connection, so what changes there holds from the
/// next one on.
#[derive(Debug, Clone)]
pub struct Connector {
    files: Arc<ClientFiles>,
    tcp: HttpConnector,
}

impl Connector {
    /// One that believes and shows what the files say.
    ///
    /// # Errors
    /// When they cannot be used now.
    pub fn new(files: ClientFiles) -> Result<Self, Error> {
        files.check()?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self { files: Arc::new(files), tcp })
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TlsStream<TcpStream>>, Error> {
        // Addresses of IPv6 stand in brackets.
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let refused = |reason: String| Error::Handshake { host: host.clone(), reason };
        let name = ServerName::try_from(host.clone()).map_err(|error| refused(error.to_string()))?;
        let files = Arc::clone(&self.files);
        let config = tokio::task::spawn_blocking(move || files.config())
            .await
            .map_err(|error| Error::Unreachable(error.to_string()))??;
        let stream = self.tcp.oneshot(uri).await.map_err(|error| Error::Unreachable(innermost(&error)))?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream.into_inner()).await.map_err(|error| refused(said(&error)))?;
        if stream.get_ref().1.alpn_protocol() != Some(H2) {
            return Err(refused("the server does not speak HTTP/2".to_owned()));
        }
        Ok(TokioIo::new(stream))
    }
}

/// Why client and server did not agree, in words for those who have not read the standard.
fn said(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match inner {
        Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is not from an authority that is trusted here".to_owned()
        }
        Some(TlsError::InvalidMessage(_)) => "the server does not speak TLS there".to_owned(),
        Some(TlsError::AlertReceived(alert)) => format!("the server refuses it ({alert:?})"),
        Some(other) => other.to_string(),
        None => error.to_string(),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

//! Reads the keys of an issuer, from where its settings say: over the network without following redirects, within a
//! time and a size, or from a file. Everything an issuer answers is bounded before it is believed to be anything.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use reqwest::{Certificate, Client, StatusCode, header, redirect};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use url::Url;

use crate::address::is_safe;
use crate::key::{KeySet, KeySetError};
use crate::settings::{Place, Source};

/// Most bytes of an answer or a file.
pub(crate) const MOST_BYTES: usize = 1024 * 1024;

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: it has no certificate in PEM that could be an authority", path.display())]
    Authorities { path: PathBuf },
    #[error("{}: it has no token, or one that cannot be a header", path.display())]
    Token { path: PathBuf },
    #[error("a client could not be made: {0}")]
    Client(String),
    #[error("{url}: {why}")]
    Unreachable { url: String, why: String },
    #[error("{url}: no answer within {seconds} s")]
    Late { url: String, seconds: u64 },
    #[error("{url}: answered {status}{}", if status.is_redirection() { ", and redirects are not followed: name where it leads to" } else { "" })]
    Status { url: String, status: StatusCode },
    #[error("{url}: its answer is longer than {MOST_BYTES} bytes")]
    TooLong { url: String },
    #[error(
        "{url}: its answer is no discovery document of OpenID Connect: an object with `issuer` and `jwks_uri` is wanted"
    )]
    NoDiscovery { url: String },
    #[error(
        "{url}: it is the document of the issuer {other:?}, not of {issuer:?}: the `url` of an issuer is written as its document writes it"
    )]
    OtherIssuer { url: String, issuer: String, other: String },
    #[error("{url}: it names keys at {keys:?}, which is no address that begins with https://")]
    Unsafe { url: String, keys: String },
    #[error("{place}: {error}")]
    Keys { place: String, error: KeySetError },
}

/// Reads files and answers. Keeps the client of each issuer while its authorities are the same.
#[derive(Debug, Default)]
pub(crate) struct Fetcher {
    /// The content of the CA file that the client was made with.
    client: Mutex<Option<(Option<Vec<u8>>, Client)>>,
}

impl Fetcher {
    /// Reads the keys.
    pub(crate) async fn fetch(&self, source: &Source) -> Result<KeySet, FetchError> {
        let first = match &source.place {
            Place::File(path) => {
                let content = read(path).await.map_err(|error| FetchError::File { path: path.clone(), error })?;
                return keys(&content, path.display());
            }
            Place::Discovery { document, .. } => document,
            Place::Keys(url) => url,
        };
        let within = tokio::time::timeout(source.limit, self.over_network(source));
        let late = |_| FetchError::Late { url: first.to_string(), seconds: source.limit.as_secs() };
        within.await.map_err(late)?
    }

    async fn over_network(&self, source: &Source) -> Result<KeySet, FetchError> {
        let client = self.client(source).await?;
        let token = token(source).await?;
        let url = match &source.place {
            Place::Discovery { issuer, document } => {
                let answer = get(&client, document, token.as_ref()).await?;
                discovered(document, issuer, &answer)?
            }
            Place::Keys(url) => url.clone(),
            Place::File(_) => return Err(FetchError::Client("a file is not read over the network".to_owned())),
        };
        keys(&get(&client, &url, token.as_ref()).await?, &url)
    }

    async fn client(&self, source: &Source) -> Result<Client, FetchError> {
        let authorities = match &source.ca_file {
            None => None,
            Some(path) => Some(read(path).await.map_err(|error| FetchError::File { path: path.clone(), error })?),
        };
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = kept.as_ref().filter(|(before, _)| *before == authorities) {
            return Ok(client.clone());
        }
        let client = client(source, authorities.as_deref())?;
        *kept = Some((authorities, client.clone()));
        Ok(client)
    }
}

fn client(source: &Source, authorities: Option<&[u8]>) -> Result<Client, FetchError> {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        // Once in minutes: a connection kept that long is closed by the other side when it is wanted.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("waymark/", env!("CARGO_PKG_VERSION")));
    let client = match (authorities, &source.ca_file) {
        (Some(pem), Some(path)) => {
            let certificates = Certificate::from_pem_bundle(pem).ok().filter(|certificates| !certificates.is_empty());
            client.tls_certs_only(certificates.ok_or_else(|| FetchError::Authorities { path: path.clone() })?)
        }
        // To this machine, without TLS: no authorities, so that a machine without any is no obstacle.
        _ if source.is_plain() => client.tls_certs_only([]),
        _ => client,
    };
    client.build().map_err(|error| FetchError::Client(chain(&error)))
}

impl Source {
    fn is_plain(&self) -> bool {
        match &self.place {
            Place::Discovery { document: url, .. } | Place::Keys(url) => url.scheme() == "http",
            Place::File(_) => false,
        }
    }
}

async fn token(source: &Source) -> Result<Option<header::HeaderValue>, FetchError> {
    let Some(path) = &source.token_file else { return Ok(None) };
    let content = read(path).await.map_err(|error| FetchError::File { path: path.clone(), error })?;
    let text = std::str::from_utf8(&content).ok().map(str::trim).filter(|text| !text.is_empty());
    let value = text.and_then(|text| header::HeaderValue::try_from(format!("Bearer {text}")).ok());
    let mut value = value.ok_or_else(|| FetchError::Token { path: path.clone() })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

async fn get(client: &Client, url: &Url, token: Option<&header::HeaderValue>) -> Result<Vec<u8>, FetchError> {
    let unreachable =
        |error: reqwest::Error| FetchError::Unreachable { url: url.to_string(), why: chain(&error.without_url()) };
    let mut request = client.get(url.clone()).header(header::ACCEPT, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token.clone());
    }
    let mut answer = request.send().await.map_err(unreachable)?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status { url: url.to_string(), status: answer.status() });
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(FetchError::TooLong { url: url.to_string() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Where the keys are, according to a discovery document (OpenID Connect Discovery 1.0, section 4.3).
fn discovered(document: &Url, issuer: &str, answer: &[u8]) -> Result<Url, FetchError> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let said: Document =
        serde_json::from_slice(answer).map_err(|_| FetchError::NoDiscovery { url: document.to_string() })?;
    if said.issuer != issuer {
        return Err(FetchError::OtherIssuer {
            url: document.to_string(),
            issuer: issuer.to_owned(),
            other: short(said.issuer),
        });
    }
    // What was learnt over TLS does not lead out of it.
    let safe = |url: &Url| is_safe(url) && (url.scheme() == "https" || document.scheme() == "http");
    let keys = Url::parse(&said.jwks_uri).ok().filter(safe);
    keys.ok_or_else(|| FetchError::Unsafe { url: document.to_string(), keys: short(said.jwks_uri) })
}

fn keys(content: &[u8], place: impl std::fmt::Display) -> Result<KeySet, FetchError> {
    KeySet::parse(content).map_err(|error| FetchError::Keys { place: place.to_string(), error })
}

/// A file, if it is one and not too long.
pub(crate) async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = tokio::fs::File::open(path).await?;
    if !file.metadata().await?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut content = Vec::new();
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut content).await?;
    if content.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it is longer than {MOST_BYTES} bytes")));
    }
    Ok(content)
}

/// As much of what others say as a line of a log needs.
fn short(text: String) -> String {
    if text.len() <= 200 { text } else { text.chars().take(200).chain(['…']).collect() }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

//! Tokens that calls are made with, from where they are kept or to be had: given, in a file that is read again, by client
//! credentials, or by the login of a person.
//!
//! Calls that are made at once share one token and wait for one another when it has to be renewed. A token is shown
//! nowhere: neither by `Debug` nor in errors.

mod issuer;
mod login;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::Status;

use issuer::{Asked, Given};

pub use issuer::{Issuer, IssuerError};
pub use login::{Browser, Device, Login, LoginError, Signed};

/// How long the content of a file is believed to be what it was.
const FILE: Duration = Duration::from_secs(1);
/// A token without a known end is renewed after this long.
const UNTOLD: Duration = Duration::from_mins(5);
/// Most bytes of a token, as servers take them.
const MOST_BYTES: usize = 16 * 1024;

/// Where the tokens of calls come from. Clones share what they hold.
#[derive(Clone)]
pub struct TokenSource(Arc<Source>);

struct Source {
    origin: Origin,
    held: Mutex<Option<Held>>,
}

enum Origin {
    Fixed(HeaderValue),
    File(PathBuf),
    Credentials(ClientCredentials),
    Login(PathBuf),
}

/// A program's own credentials at an issuer of tokens (RFC 6749, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// The issuer's URL, whose discovery document says where tokens are to be had.
    pub issuer: String,
    /// The authorities that the issuer must have its certificate from, in PEM; those the machine trusts when not given.
    pub ca: Option<PathBuf>,
    /// The id of the client.
    pub client_id: String,
    /// The file of its secret; read again for each token.
    pub secret_file: PathBuf,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Further parameters, such as `audience` or `resource`, by which issuers are told whom the token is for.
    pub parameters: Vec<(String, String)>,
}

/// A token in use.
#[derive(Clone)]
struct Held {
    header: HeaderValue,
    /// When it is looked at whether there is another; never, where there is only one.
    until: Option<Instant>,
}

/// Why there is no token for a call.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A file cannot be read.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What should be a token cannot be one.
    #[error("{0} is no token: it is empty, longer than {MOST_BYTES} bytes, or has characters that no token has")]
    Malformed(String),
    /// The issuer gives none.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The login gives none.
    #[error(transparent)]
    Login(#[from] LoginError),
}

impl TokenError {
    /// As the call ends that has no token.
    pub(crate) fn status(&self) -> Status {
        let message = format!("there is no token for the call: {self}");
        let away = match self {
            Self::Issuer(error) | Self::Login(LoginError::Issuer(error)) => error.is_passing(),
            Self::File { .. } | Self::Malformed(_) | Self::Login(_) => false,
        };
        if away { Status::unavailable(message) } else { Status::unauthenticated(message) }
    }
}

impl TokenSource {
    /// Always this token.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] where it cannot be sent.
    pub fn fixed(token: &str) -> Result<Self, TokenError> {
        Ok(Self::of(Origin::Fixed(bearer(token, "what was given")?)))
    }

    /// The token in a file, which is read again, as those that Kubernetes projects are replaced.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Origin::File(path.into()))
    }

    /// Tokens that a program gets by its own credentials, renewed before they expire.
    pub fn credentials(credentials: ClientCredentials) -> Self {
        Self::of(Origin::Credentials(credentials))
    }

    /// Tokens of a [`Login`] that is kept in a file, renewed there before they expire.
    pub fn login(path: impl Into<PathBuf>) -> Self {
        Self::of(Origin::Login(path.into()))
    }

    fn of(origin: Origin) -> Self {
        Self(Arc::new(Source { origin, held: Mutex::default() }))
    }

    /// The token to send now, for what calls by other means than a [`Channel`](crate::Channel).
    ///
    /// # Errors
    /// Where there is none.
    pub async fn token(&self) -> Result<String, TokenError> {
        let header = self.header().await?;
        // It was made of a text.
        Ok(header.to_str().unwrap_or_default().trim_start_matches("Bearer ").to_owned())
    }

    /// What to send as `authorization` now.
    pub(crate) async fn header(&self) -> Result<HeaderValue, TokenError> {
        let mut held = self.0.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.until.is_none_or(|until| Instant::now() < until)) {
            return Ok(held.header.clone());
        }
        let fresh = self.0.origin.get(None).await?;
        Ok(held.insert(fresh).header.clone())
    }

    /// Another than the one that a server refused; none where there is no other.
    pub(crate) async fn another(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>, TokenError> {
        let mut held = self.0.held.lock().await;
        let stale = held.as_ref().is_none_or(|held| held.header == *refused);
        if stale {
            *held = Some(self.0.origin.get(Some(refused)).await?);
        }
        Ok(held.as_ref().map(|held| held.header.clone()).filter(|header| header != refused))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, place): (&str, &dyn fmt::Debug) = match &self.0.origin {
            Origin::Fixed(_) => ("fixed", &"…"),
            Origin::File(path) => ("file", path),
            Origin::Credentials(credentials) => ("credentials", credentials),
            Origin::Login(path) => ("login", path),
        };
        f.debug_tuple("TokenSource").field(&kind).field(place).finish()
    }
}

impl PartialEq for TokenSource {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TokenSource {}

impl Origin {
    /// A token, and another than `refused` where there is one.
    fn get<'a>(&'a self, refused: Option<&'a HeaderValue>) -> BoxFuture<'a, Result<Held, TokenError>> {
        Box::pin(async move {
            match self {
                Self::Fixed(header) => Ok(Held { header: header.clone(), until: None }),
                Self::File(path) => {
                    let header = bearer(&read(path).await?, &path.display().to_string())?;
                    Ok(Held { header, until: Some(Instant::now() + FILE) })
                }
                Self::Credentials(credentials) => {
                    let secret = read(&credentials.secret_file).await?;
                    let issuer = Issuer::discover(&credentials.issuer, credentials.ca.as_deref()).await?;
                    let ClientCredentials { client_id, scopes, parameters, .. } = credentials.clone();
                    let asked = Asked { client_id, scopes, parameters };
                    held(&issuer.by_credentials(&asked, secret).await?, &credentials.issuer)
                }
                Self::Login(path) => {
                    let refused = refused.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
                    held(&login::token(path, refused).await?, &path.display().to_string())
                }
            }
        })
    }
}

fn held(given: &Given, from: &str) -> Result<Held, TokenError> {
    let header = bearer(&given.token, from)?;
    // A fifth before its end, so that it is good for as long as a call may take.
    let lasts = given.lasts.map_or(UNTOLD, |lasts| lasts / 5 * 4);
    Ok(Held { header, until: Some(Instant::now() + lasts) })
}

fn bearer(token: &str, from: &str) -> Result<HeaderValue, TokenError> {
    let token = token.trim();
    // RFC 6750, section 2.1.
    let plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    let header = Some(token).filter(|token| plain && !token.is_empty() && token.len() <= MOST_BYTES);
    let header = header.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
    let mut header = header.ok_or_else(|| TokenError::Malformed(from.to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

async fn read(path: &Path) -> Result<String, TokenError> {
    let failed = |why: String| TokenError::File { path: path.to_owned(), why };
    let size = tokio::fs::metadata(path).await.map_err(|error| failed(error.to_string()))?;
    if size.is_file() && size.len() > 2 * MOST_BYTES as u64 {
        return Err(failed("it is too long to be a token".to_owned()));
    }
    let content = tokio::fs::read_to_string(path).await.map_err(|error| failed(error.to_string()))?;
    Ok(content.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_and_what_was_refused_is_not_sent_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::file(&path);
        let missing = source.header().await.unwrap_err();
        assert!(missing.to_string().contains("token: ") && missing.status().code() == tonic::Code::Unauthenticated);
        std::fs::write(&path, "a.b.c\n").unwrap();
        let first = source.header().await.unwrap();
        assert_eq!((first.to_str().unwrap(), first.is_sensitive()), ("Bearer a.b.c", true));
        assert_eq!(source.another(&first).await.unwrap(), None, "there is no other");
        std::fs::write(&path, "d.e.f").unwrap();
        assert_eq!(source.header().await.unwrap(), first, "for a second it is not looked at");
        assert_eq!(source.another(&first).await.unwrap().unwrap(), "Bearer d.e.f", "unless it was refused");
        std::fs::write(&path, "g.h.i").unwrap();
        tokio::time::advance(FILE).await;
        assert_eq!(source.header().await.unwrap(), "Bearer g.h.i");
        assert!(!format!("{source:?}").contains("g.h.i"));
        for wrong in ["", "  \n", "a b", "a\nb", "é", &"x".repeat(MOST_BYTES + 1)] {
            std::fs::write(&path, wrong).unwrap();
            tokio::time::advance(FILE).await;
            assert!(matches!(source.header().await, Err(TokenError::Malformed(_))), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_given_token_is_the_only_one() {
        let source = TokenSource::fixed("a.b.c").unwrap();
        let header = source.header().await.unwrap();
        assert_eq!(source.another(&header).await.unwrap(), None);
        assert!(!format!("{source:?}").contains("a.b.c"));
        assert!(!TokenSource::fixed("a b").unwrap_err().to_string().contains("a b"));
    }
}

//! The login of a person: got once, in a browser or by a code on another device, and kept in a file that only its owner
//! may read, with what renews it.
//!
//! Programs that use one login at a time take turns at renewing it, as issuers take a refresh token that is used twice for
//! a stolen one. It names the servers that it is for: what calls others sends them nothing of it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use oauth2::{CsrfToken, PkceCodeVerifier, StandardDeviceAuthorizationResponse};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use waymark_clock::Clock;

use super::issuer::{Asked, Given, Issuer, IssuerError, Tokens};

/// How long a browser may take to come back.
const SIGN_IN: Duration = Duration::from_mins(10);
/// Most bytes of the line by which it does.
const MOST_LINE: u64 = 16 * 1024;
/// A pause between attempts at the lock, and how long they are made.
const TURN: Duration = Duration::from_millis(50);
const TURNS: u32 = 600;
/// A token that lasts no longer than this is renewed first.
const SOON: TimeDelta = TimeDelta::seconds(30);

/// A login, as it is kept.
#[derive(Serialize, Deserialize)]
pub struct Login {
    /// The issuer's URL.
    pub issuer: String,
    /// The authorities that the issuer must have its certificate from; those the machine trusts when not given.
    pub ca: Option<PathBuf>,
    /// The addresses of the servers that its tokens are sent to.
    pub servers: Vec<String>,
    asked: Asked,
    access_token: String,
    /// When that expires, if the issuer says so.
    expires: Option<DateTime<Utc>>,
    refresh_token: Option<String>,
}

/// Why a login gives no token.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Its file cannot be read or written.
    #[error("the login {} cannot be {done}: {why}; sign in anew by `waymark login`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Read or written.
        done: &'static str,
        /// Why.
        why: String,
    },
    /// It is over.
    #[error("the login has expired: sign in anew by `waymark login`")]
    Over,
    /// The issuer says no, or is away.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Nobody came back from the browser.
    #[error("nobody signed in: {0}")]
    NotSignedIn(String),
}

/// A sign-in under way on another device.
pub struct Device {
    issuer: Issuer,
    asked: Asked,
    details: StandardDeviceAuthorizationResponse,
}

/// A sign-in under way in a browser.
pub struct Browser {
    issuer: Issuer,
    asked: Asked,
    listener: TcpListener,
    redirect: String,
    url: Url,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
}

/// A login that was got and is to be kept.
pub struct Signed {
    asked: Asked,
    tokens: Tokens,
}

impl Device {
    /// Asks the issuer for a code.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub async fn begin(
        issuer: &Issuer,
        client_id: &str,
        scopes: &[String],
        parameters: &[(String, String)],
    ) -> Result<Self, IssuerError> {
        let asked = asked(client_id, scopes, parameters);
        let details = issuer.device(&asked).await?;
        Ok(Self { issuer: issuer.clone(), asked, details })
    }

    /// Where the code is to be entered; of issuers that can take it so, with the code.
    pub fn url(&self) -> &str {
        let complete = self.details.verification_uri_complete().map(|url| url.secret().as_str());
        complete.unwrap_or_else(|| self.details.verification_uri().as_str())
    }

    /// The code to enter, or to compare.
    pub fn code(&self) -> &str {
        self.details.user_code().secret()
    }

    /// Waits until the person has signed in.
    ///
    /// # Errors
    /// [`IssuerError`], also where it takes too long.
    pub async fn finish(self) -> Result<Signed, IssuerError> {
        let tokens = self.issuer.by_device(&self.asked, &self.details).await?;
        Ok(Signed { asked: self.asked, tokens })
    }
}

impl Browser {
    /// Listens on this machine for the browser to come back (RFC 8252, section 7.3).
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn begin(
        issuer: &Issuer,
        client_id: &str,
        scopes: &[String],
        parameters: &[(String, String)],
    ) -> Result<Self, LoginError> {
        let failed =
            |error: std::io::Error| LoginError::NotSignedIn(format!("this machine cannot be listened on: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let redirect = format!("http://127.0.0.1:{}/callback", listener.local_addr().map_err(failed)?.port());
        let asked = asked(client_id, scopes, parameters);
        let (url, state, verifier) = issuer.sign_in(&asked, &redirect)?;
        Ok(Self { issuer: issuer.clone(), asked, listener, redirect, url, state, verifier })
    }

    /// The address to open in a browser on this machine.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Waits until the person has signed in.
    ///
    /// # Errors
    /// [`LoginError`], also where it takes too long.
    pub async fn finish(self) -> Result<Signed, LoginError> {
        let came = tokio::time::timeout(SIGN_IN, comes_back(&self.listener, self.state.secret())).await;
        let late = || LoginError::NotSignedIn("the browser did not come back within ten minutes".to_owned());
        let code = came.map_err(|_| late())??;
        let tokens = self.issuer.by_code(&self.asked, &self.redirect, code, self.verifier).await?;
        Ok(Signed { asked: self.asked, tokens })
    }
}

fn asked(client_id: &str, scopes: &[String], parameters: &[(String, String)]) -> Asked {
    Asked { client_id: client_id.to_owned(), scopes: scopes.to_vec(), parameters: parameters.to_vec() }
}

/// The code that a browser brings with the state that was given to it; what brings another state is not listened to.
async fn comes_back(listener: &TcpListener, state: &str) -> Result<String, LoginError> {
    loop {
        // One that goes away, or asks for something else, is not the one that is waited for.
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        let answered = tokio::time::timeout(Duration::from_secs(5), answer(&mut stream, state)).await;
        if let Ok(Ok(Some(result))) = answered {
            return result;
        }
    }
}

async fn answer(stream: &mut TcpStream, state: &str) -> std::io::Result<Option<Result<String, LoginError>>> {
    let mut line = String::new();
    let mut reader = BufReader::new(tokio::io::AsyncReadExt::take(&mut *stream, MOST_LINE));
    reader.read_line(&mut line).await?;
    let result =
        line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).and_then(|path| brought(path, state));
    let (status, text) = match &result {
        Some(Ok(_)) => ("200 OK", "You are signed in. This window can be closed."),
        Some(Err(_)) => ("200 OK", "You are not signed in; the terminal says why."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let length = text.len();
    let headers = "content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\nconnection: close\r\n";
    let page = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{text}");
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(result)
}

/// What the path of a request brings, if it is of the sign-in that is waited for.
fn brought(path: &str, state: &str) -> Option<Result<String, LoginError>> {
    let url = Url::parse("http://127.0.0.1").ok()?.join(path).ok().filter(|url| url.path() == "/callback")?;
    let said = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if said("state")? != state {
        return None;
    }
    match (said("code"), said("error")) {
        (Some(code), None) => Some(Ok(code)),
        (_, error) => {
            let why = [error, said("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
            Some(Err(LoginError::NotSignedIn(why.chars().filter(|c| !c.is_control()).take(300).collect())))
        }
    }
}

impl Signed {
    /// Keeps the login in a file, for these servers.
    ///
    /// # Errors
    /// [`LoginError::File`].
    pub fn keep(self, path: &Path, issuer: &str, ca: Option<&Path>, servers: Vec<String>) -> Result<(), LoginError> {
        let ca = ca.map(|ca| std::path::absolute(ca).unwrap_or_else(|_| ca.to_owned()));
        let mut login = Login {
            issuer: issuer.to_owned(),
            ca,
            servers,
            asked: self.asked,
            access_token: String::new(),
            expires: None,
            refresh_token: None,
        };
        login.take(self.tokens, Clock::system().now());
        login.write(path)
    }
}

impl Login {
    /// The login that is kept in a file; none where there is no file.
    ///
    /// # Errors
    /// [`LoginError::File`].
    pub fn read(path: &Path) -> Result<Option<Self>, LoginError> {
        match std::fs::read(path) {
            Ok(content) => {
                let read = serde_json::from_slice(&content);
                read.map(Some).map_err(|error| failed(path, "read", &error))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(path, "read", &error)),
        }
    }

    /// Forgets the login of a file, and has the issuer forget what renews it. Says whether there was one.
    ///
    /// # Errors
    /// Where the file stays, or the issuer cannot be told; the file is gone then.
    pub async fn forget(path: &Path) -> Result<bool, LoginError> {
        let login = match Self::read(path) {
            Ok(None) => return Ok(false),
            Ok(Some(login)) => Some(login),
            // One that cannot be read can be removed.
            Err(_) => None,
        };
        std::fs::remove_file(path).map_err(|error| failed(path, "removed", &error))?;
        if let Some((login, token)) = login.as_ref().and_then(|login| Some((login, login.refresh_token.as_ref()?))) {
            Issuer::discover(&login.issuer, login.ca.as_deref()).await?.revoke(&login.asked, token).await?;
        }
        Ok(true)
    }

    fn take(&mut self, tokens: Tokens, now: DateTime<Utc>) {
        self.expires = tokens.access.lasts.and_then(|lasts| Some(now + TimeDelta::from_std(lasts).ok()?));
        self.access_token = tokens.access.token;
        // An issuer that gives no new one goes on taking the old one (RFC 6749, section 6).
        self.refresh_token = tokens.refresh.or_else(|| self.refresh_token.take());
    }

    /// Writes a file that only its owner may read, whole or not at all.
    fn write(&self, path: &Path) -> Result<(), LoginError> {
        let write = || {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)?;
            }
            let part = beside(path, "part");
            // One that somebody else put there is not written to.
            let _ = std::fs::remove_file(&part);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            std::fs::rename(&part, path)
        };
        write().map_err(|error: std::io::Error| failed(path, "written", &error))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}

fn failed(path: &Path, done: &'static str, error: &dyn std::error::Error) -> LoginError {
    LoginError::File { path: path.to_owned(), done, why: error.to_string() }
}

/// The token of the login in a file, renewed where it is about to expire or is the one that was refused.
pub(super) async fn token(path: &Path, refused: Option<&str>) -> Result<Given, LoginError> {
    let login = Login::read(path)?.ok_or(LoginError::Over)?;
    if let Some(given) = login.given(refused) {
        return Ok(given);
    }
    let _turn = turn(path).await?;
    // Another may have renewed it while this one waited.
    let mut login = Login::read(path)?.ok_or(LoginError::Over)?;
    if let Some(given) = login.given(refused) {
        return Ok(given);
    }
    let refresh = login.refresh_token.clone().ok_or(LoginError::Over)?;
    let issuer = Issuer::discover(&login.issuer, login.ca.as_deref()).await?;
    let tokens = issuer.by_refresh_token(&login.asked, &refresh).await.map_err(|error| match error {
        IssuerError::Refused { .. } => LoginError::Over,
        other => LoginError::Issuer(other),
    })?;
    // Good as it is, however short its life.
    let lasts = tokens.access.lasts;
    login.take(tokens, Clock::system().now());
    login.write(path)?;
    Ok(Given { token: login.access_token, lasts })
}

impl Login {
    /// Its token, if that is good and not the one that was refused.
    fn given(&self, refused: Option<&str>) -> Option<Given> {
        let left = self.expires.map(|expires| expires - Clock::system().now());
        let good = left.is_none_or(|left| left > SOON) && refused != Some(self.access_token.as_str());
        let lasts = left.map(|left| left.to_std().unwrap_or_default());
        good.then(|| Given { token: self.access_token.clone(), lasts })
    }
}

/// Waits until no other process renews the login.
async fn turn(path: &Path) -> Result<File, LoginError> {
    let lock = beside(path, "lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
    let file = file.map_err(|error| failed(&lock, "written", &error))?;
    for _ in 0..TURNS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
            Err(TryLockError::Error(error)) => return Err(failed(&lock, "locked", &error)),
        }
    }
    Err(failed(&lock, "locked", &std::io::Error::other("another process has been renewing the login for long")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sign_in_that_was_begun_is_listened_to() {
        let code = |path: &str| brought(path, "s").map(|result| result.map_err(|error| error.to_string()));
        assert_eq!(code("/callback?code=a%20b&state=s"), Some(Ok("a b".to_owned())));
        let no = code("/callback?error=access_denied&error_description=no%0Athanks&state=s").unwrap().unwrap_err();
        assert_eq!(no, "nobody signed in: access_denied: nothanks");
        for other in
            ["/callback?code=a&state=t", "/callback?code=a", "/favicon.ico?code=a&state=s", "/", "http://evil/?state=s"]
        {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn a_login_is_its_owner_s_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("login.json");
        assert!(Login::read(&path).unwrap().is_none());
        for refresh in [Some("r".to_owned()), None] {
            let access = Given { token: "a.b.c".to_owned(), lasts: Some(Duration::from_mins(5)) };
            let signed = Signed { asked: asked("cli", &[], &[]), tokens: Tokens { access, refresh } };
            signed.keep(&path, "https://corp", None, vec!["https://waymark:7402".to_owned()]).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let mut login = Login::read(&path).unwrap().unwrap();
        assert_eq!(login.servers, ["https://waymark:7402"]);
        assert!(login.given(None).is_some() && login.given(Some("a.b.c")).is_none());
        login.expires = Some(Clock::system().now() + SOON);
        assert!(login.given(None).is_none(), "it would expire on its way");
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(Login::read(&path), Err(LoginError::File { .. })));
    }
}

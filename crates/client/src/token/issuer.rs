//! An issuer of tokens, as its discovery document describes it, and what it is asked for (OAuth 2.0: RFC 6749, 7009,
//! 7636, 8628).
//!
//! What it answers is bounded in size and time before it is believed to be anything, and redirects are not followed.

use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    StandardDeviceAuthorizationResponse, TokenResponse as _, TokenUrl,
};
use reqwest::{Certificate, redirect};
use serde::Deserialize;
use url::Url;

/// Most bytes of an answer.
const MOST_BYTES: usize = 1024 * 1024;
/// How long an answer may take.
const LATE: Duration = Duration::from_secs(20);

/// Where an issuer is asked for what.
#[derive(Debug, Clone)]
pub struct Issuer {
    http: Http,
    endpoints: Endpoints,
}

/// What asks it.
#[derive(Debug, Clone)]
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = IssuerError;
    type Future = BoxFuture<'c, Result<HttpResponse, IssuerError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Of OpenID Connect Discovery 1.0, section 3, and RFC 8628, section 4.
#[derive(Debug, Clone, Deserialize)]
struct Endpoints {
    issuer: String,
    token_endpoint: Url,
    authorization_endpoint: Option<Url>,
    device_authorization_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
}

/// What an issuer is asked for, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) parameters: Vec<(String, String)>,
}

/// A token as it came, and how long it is good for.
pub(crate) struct Given {
    pub(crate) token: String,
    pub(crate) lasts: Option<Duration>,
}

/// Tokens that an issuer gave.
pub(crate) struct Tokens {
    pub(crate) access: Given,
    pub(crate) refresh: Option<String>,
}

/// Why an issuer gives no token.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its address is not one that tokens may come from.
    #[error("{0:?} is no address of an issuer: it must begin with https://, or with http:// on this machine")]
    Address(String),
    /// The authorities cannot be used.
    #[error("{0}: it has no certificate in PEM that could be an authority")]
    Authorities(String),
    /// It does not answer.
    #[error("{url} does not answer: {why}")]
    Away {
        /// What was asked.
        url: String,
        /// Why.
        why: String,
    },
    /// It answers something else.
    #[error("{url}: {why}")]
    Unexpected {
        /// What was asked.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It has no way of this kind.
    #[error("{issuer} does not offer {what}")]
    NotOffered {
        /// The issuer.
        issuer: String,
        /// What it does not offer.
        what: &'static str,
    },
    /// It says no.
    #[error("{issuer} gives no token: {why}")]
    Refused {
        /// The issuer.
        issuer: String,
        /// In its own words.
        why: String,
    },
}

impl IssuerError {
    /// Whether it may be otherwise in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

impl Endpoints {
    fn all(&self) -> impl Iterator<Item = &Url> {
        let further = [&self.authorization_endpoint, &self.device_authorization_endpoint, &self.revocation_endpoint];
        std::iter::once(&self.token_endpoint).chain(further.into_iter().flatten())
    }
}

impl Issuer {
    /// Asks the issuer at `url` where it is to be asked for what. It must have its certificate from an authority in the
    /// file `ca`, or from one that the machine trusts.
    ///
    /// # Errors
    /// [`IssuerError`], where it is not reached or answers something else.
    pub async fn discover(url: &str, ca: Option<&Path>) -> Result<Self, IssuerError> {
        let base = Url::parse(url).ok().filter(is_safe).ok_or_else(|| IssuerError::Address(url.to_owned()))?;
        let http = Http(client(&base, ca)?);
        let document = format!("{}/.well-known/openid-configuration", url.strip_suffix('/').unwrap_or(url));
        let mut request = HttpRequest::default();
        *request.uri_mut() = document.parse().map_err(|_| IssuerError::Address(url.to_owned()))?;
        let answer = http.send(request).await?;
        let unexpected = |why: String| IssuerError::Unexpected { url: document.clone(), why };
        if answer.status() != http::StatusCode::OK {
            return Err(unexpected(format!("answered {}", answer.status())));
        }
        let endpoints: Endpoints = serde_json::from_slice(answer.body())
            .map_err(|error| unexpected(format!("it is no discovery document of OpenID Connect: {error}")))?;
        if endpoints.issuer != url {
            return Err(unexpected(format!("it is of the issuer {:?}: name that", endpoints.issuer)));
        }
        // What was learnt over TLS does not lead out of it.
        let open = |to: &&Url| !is_safe(to) || (to.scheme() == "http" && base.scheme() != "http");
        if let Some(open) = endpoints.all().find(open) {
            return Err(unexpected(format!("it leads to {open}, which is not encrypted")));
        }
        Ok(Self { http, endpoints })
    }

    pub(super) async fn by_credentials(&self, asked: &Asked, secret: String) -> Result<Given, IssuerError> {
        let client = BasicClient::new(ClientId::new(asked.client_id.clone()))
            .set_client_secret(ClientSecret::new(secret))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token_endpoint.clone()));
        let mut request = client.exchange_client_credentials().add_scopes(scopes(&asked.scopes));
        for (name, value) in &asked.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let answer = request.request_async(&self.http).await;
        answer.map(|answer| tokens(&answer).access).map_err(|error| self.refused(error))
    }

    pub(super) async fn by_refresh_token(&self, asked: &Asked, token: &str) -> Result<Tokens, IssuerError> {
        let client = BasicClient::new(ClientId::new(asked.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token_endpoint.clone()));
        let token = RefreshToken::new(token.to_owned());
        let mut request = client.exchange_refresh_token(&token);
        for (name, value) in &asked.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let answer = request.request_async(&self.http).await;
        answer.map(|answer| tokens(&answer)).map_err(|error| self.refused(error))
    }

    /// Where a person says yes on another device, and with which code.
    pub(super) async fn device(&self, asked: &Asked) -> Result<StandardDeviceAuthorizationResponse, IssuerError> {
        let url = self.endpoints.device_authorization_endpoint.clone();
        let url = url.ok_or_else(|| self.not_offered("sign-in on another device: leave out --device"))?;
        let client = BasicClient::new(ClientId::new(asked.client_id.clone()))
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url));
        let mut request = client.exchange_device_code().add_scopes(scopes(&asked.scopes));
        for (name, value) in &asked.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        request.request_async(&self.http).await.map_err(|error| self.refused(error))
    }

    /// Waits until the person has said yes, or no, or takes too long.
    pub(super) async fn by_device(
        &self,
        asked: &Asked,
        device: &StandardDeviceAuthorizationResponse,
    ) -> Result<Tokens, IssuerError> {
        let client = BasicClient::new(ClientId::new(asked.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token_endpoint.clone()));
        let mut request = client.exchange_device_access_token(device);
        for (name, value) in &asked.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let answer = request.request_async(&self.http, tokio::time::sleep, None).await;
        answer.map(|answer| tokens(&answer)).map_err(|error| self.refused(error))
    }

    /// The address at which a person signs in, what comes back with the code, and what proves that it was asked for here.
    pub(super) fn sign_in(
        &self,
        asked: &Asked,
        redirect: &str,
    ) -> Result<(Url, CsrfToken, PkceCodeVerifier), IssuerError> {
        let url = self.endpoints.authorization_endpoint.clone();
        let url = url.ok_or_else(|| self.not_offered("sign-in in a browser: try --device"))?;
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| IssuerError::Address(redirect.to_owned()))?;
        let client = BasicClient::new(ClientId::new(asked.client_id.clone()))
            .set_auth_uri(oauth2::AuthUrl::from_url(url))
            .set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client.authorize_url(CsrfToken::new_random).add_scopes(scopes(&asked.scopes));
        for (name, value) in &asked.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let (url, state) = request.set_pkce_challenge(challenge).url();
        Ok((url, state, verifier))
    }

    pub(super) async fn by_code(
        &self,
        asked: &Asked,
        redirect: &str,
        code: String,
        verifier: PkceCodeVerifier,
    ) -> Result<Tokens, IssuerError> {
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| IssuerError::Address(redirect.to_owned()))?;
        let client = BasicClient::new(ClientId::new(asked.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token_endpoint.clone()))
            .set_redirect_uri(redirect);
        let mut request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        for (name, value) in &asked.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let answer = request.request_async(&self.http).await;
        answer.map(|answer| tokens(&answer)).map_err(|error| self.refused(error))
    }

    /// Tells that a refresh token is not used any more (RFC 7009, section 2.1); does nothing where the issuer does not want
    /// to know.
    pub(super) async fn revoke(&self, asked: &Asked, token: &str) -> Result<(), IssuerError> {
        let Some(url) = &self.endpoints.revocation_endpoint else { return Ok(()) };
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token).append_pair("token_type_hint", "refresh_token");
        form.append_pair("client_id", &asked.client_id);
        let request = http::Request::post(url.as_str()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(form.finish().into_bytes());
        let answer = self.http.send(request.map_err(|_| IssuerError::Address(url.to_string()))?).await?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(self.says_no(format!("{url} answered {}", answer.status())))
        }
    }

    fn not_offered(&self, what: &'static str) -> IssuerError {
        IssuerError::NotOffered { issuer: self.endpoints.issuer.clone(), what }
    }

    fn says_no(&self, why: String) -> IssuerError {
        IssuerError::Refused { issuer: self.endpoints.issuer.clone(), why }
    }

    fn refused<E: oauth2::ErrorResponse>(&self, error: oauth2::RequestTokenError<IssuerError, E>) -> IssuerError {
        use oauth2::RequestTokenError::{Other, Parse, Request, ServerResponse};
        match error {
            Request(error) => error,
            ServerResponse(said) => self.says_no(short(&format!("{said:?}"))),
            Parse(error, _) => self.says_no(short(&format!("its answer cannot be read: {error}"))),
            Other(why) => self.says_no(short(&why)),
        }
    }
}

fn scopes(named: &[String]) -> Vec<Scope> {
    named.iter().cloned().map(Scope::new).collect()
}

fn tokens(answer: &BasicTokenResponse) -> Tokens {
    let access = Given { token: answer.access_token().secret().clone(), lasts: answer.expires_in() };
    Tokens { access, refresh: answer.refresh_token().map(|token| token.secret().clone()) }
}

/// Whether what is read there is what its owner wrote: over TLS, or without leaving the machine.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(waymark_tls::is_local))
}

fn client(base: &Url, ca: Option<&Path>) -> Result<reqwest::Client, IssuerError> {
    let client = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(LATE)
        .user_agent(concat!("waymark/", env!("CARGO_PKG_VERSION")));
    let client = match ca {
        Some(path) => {
            let named = |why: String| IssuerError::Authorities(format!("{}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|error| named(error.to_string()))?;
            let found = Certificate::from_pem_bundle(&pem).ok().filter(|found| !found.is_empty());
            client.tls_certs_only(found.ok_or_else(|| IssuerError::Authorities(path.display().to_string()))?)
        }
        // To this machine, without TLS: no authorities, so that a machine without any is no obstacle.
        None if base.scheme() == "http" => client.tls_certs_only([]),
        None => client,
    };
    client.build().map_err(|error| IssuerError::Away { url: base.to_string(), why: chain(&error) })
}

impl Http {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, IssuerError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let away = |error: reqwest::Error| IssuerError::Away { url: url.clone(), why: chain(&error.without_url()) };
        let sent = self.0.request(parts.method, &url).headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(away)?;
        let mut response = HttpResponse::default();
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            if response.body().len() + chunk.len() > MOST_BYTES {
                let why = format!("its answer is longer than {MOST_BYTES} bytes");
                return Err(IssuerError::Unexpected { url, why });
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        if response.status().is_server_error() {
            return Err(IssuerError::Away { why: format!("answered {}", response.status()), url });
        }
        Ok(response)
    }
}

/// As much of what others say as a line needs.
fn short(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    if text.chars().count() > 300 {
        line.push('…');
    }
    line
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

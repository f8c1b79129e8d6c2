//! A connection to one service that every generated client can use: sends the deadline, who asks and the trace with
//! each call, and repeats what may be repeated within a budget.
//!
//! It connects when first used and again whenever the connection is lost. It never keeps a queue: a call fails by its
//! deadline.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::{Code, Status, TimeoutExpired};
use tower::{Service, ServiceExt as _};
use waymark_tls::{ClientFiles, Connector, is_local};

use crate::plan::{self, Plan};
use crate::retry::{self, Budget};
use crate::token::TokenSource;
use crate::{deadline, headers, request_id};

/// How calls are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Principal sent as `waymark-actor`, such as `users/ada@example.com`; believed by development servers only.
    pub actor: Option<String>,
    /// Role sent as `waymark-role`, such as `manager`; believed by development servers only.
    pub role: Option<String>,
    /// Where the tokens come from that tell who calls; none are sent when not given.
    pub token: Option<TokenSource>,
    /// Send tokens to other hosts without TLS, too: for meshes, which encrypt by themselves.
    pub token_in_plaintext: bool,
    /// The authorities that a server at an `https://` address must have its certificate from, those the machine trusts
    /// when none is given, and what is shown to it. Read for each connection.
    pub tls: ClientFiles,
    /// Audience sent as `waymark-audience`, such as `workspaces/acme/audiences/customers`: what it is not shown is not answered.
    pub audience: Option<String>,
    /// Time a unary call may take with all its attempts, when the call itself sets none (`Request::set_timeout`).
    pub deadline: Duration,
    /// Time to open a connection.
    pub connect_timeout: Duration,
    /// Attempts at one call, the first included.
    pub attempts: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            actor: None,
            role: None,
            token: None,
            token_in_plaintext: false,
            tls: ClientFiles::default(),
            audience: None,
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            attempts: 5,
        }
    }
}

/// Why a channel cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a host and port.
    #[error("{address:?} is not an address; write HOST:PORT, http://HOST:PORT or https://HOST:PORT")]
    Address {
        /// The address as given.
        address: String,
        /// What the parser said.
        source: tonic::transport::Error,
    },
    /// Another way to speak than HTTP/2, which would be spoken all the same.
    #[error("{0:?} asks for what this client does not speak; write HOST:PORT, http://HOST:PORT or https://HOST:PORT")]
    Scheme(String),
    /// Certificates are given for an address that is spoken to without TLS.
    #[error("certificates are given, but {0:?} is spoken to without TLS; write https://HOST:PORT")]
    Plaintext(String),
    /// A token would be sent to another host for all to read.
    #[error("{0:?} is spoken to without TLS, so everybody on the way could read the token; write https://HOST:PORT")]
    Readable(String),
    /// The files of certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] waymark_tls::Error),
    /// The actor, role or audience holds characters that metadata cannot carry.
    #[error("{0:?} cannot be sent as metadata; use printable ASCII")]
    Metadata(String),
}

/// A connection to one service; clones share it and its retry budget.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: tonic::transport::Channel,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: String,
    deadline: Duration,
    attempts: u32,
    fixed: HeaderMap,
    token: Option<TokenSource>,
    budget: Budget,
}

impl Channel {
    /// A channel to `address` (`host:port` or `http://host:port`, or, over TLS, `https://host:port`). Nothing is
    /// connected until the first call. Must be called within a tokio runtime.
    pub fn new(address: &str, options: Options) -> Result<Self, AddressError> {
        let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let endpoint = Endpoint::from_shared(url)
            .map_err(|source| AddressError::Address { address: address.to_owned(), source })?;
        let connector = match endpoint.uri().scheme_str() {
            Some("http") if options.tls.is_empty() => None,
            Some("http") => return Err(AddressError::Plaintext(address.to_owned())),
            Some("https") => Some(Connector::new(options.tls)?),
            _ => return Err(AddressError::Scheme(address.to_owned())),
        };
        let stays = is_local(endpoint.uri().host().unwrap_or_default());
        if options.token.is_some() && connector.is_none() && !options.token_in_plaintext && !stays {
            return Err(AddressError::Readable(address.to_owned()));
        }
        let endpoint = endpoint
            .connect_timeout(options.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true);
        let mut fixed = HeaderMap::new();
        let Options { actor, role, audience, .. } = options;
        for (key, value) in [("waymark-actor", actor), ("waymark-role", role), ("waymark-audience", audience)] {
            if let Some(value) = value {
                let header = HeaderValue::try_from(&value).map_err(|_| AddressError::Metadata(value))?;
                fixed.insert(key, header);
            }
        }
        let shared = Shared {
            address: address.to_owned(),
            deadline: options.deadline,
            attempts: options.attempts.max(1),
            fixed,
            token: options.token,
            budget: Budget::new(),
        };
        let inner = match connector {
            Some(connector) => endpoint.connect_with_connector_lazy(connector),
            None => endpoint.connect_lazy(),
        };
        Ok(Self { inner, shared: Arc::new(shared) })
    }

    async fn exchange(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (mut parts, body) = request.into_parts();
        headers::add_fixed(&mut parts.headers, &self.shared.fixed);
        headers::inject_trace(&mut parts.headers);
        let called = parts.headers.contains_key(AUTHORIZATION);
        let source = self.shared.token.as_ref().filter(|_| !called);
        let Plan::Unary { idempotent, request_id } = plan::of(parts.uri.path()) else {
            let deadline = asked_deadline(&parts.headers).map(|left| Instant::now() + left);
            let sent = async {
                if let Some(source) = source {
                    parts.headers.insert(AUTHORIZATION, source.header().await.map_err(|error| error.status())?);
                }
                self.send(Request::from_parts(parts, body)).await
            };
            return match deadline {
                // Only until the stream starts: from then on the server keeps the deadline.
                Some(deadline) => tokio::time::timeout_at(deadline, sent).await.unwrap_or_else(|_| Err(too_late(None))),
                None => sent.await,
            };
        };
        let frame = body.collect().await?.to_bytes();
        let (frame, repeatable) = match request_id {
            Some(number) => request_id::ensure(&frame, number).map_or((frame, idempotent), |frame| (frame, true)),
            None => (frame, idempotent),
        };
        let deadline = Instant::now() + asked_deadline(&parts.headers).unwrap_or(self.shared.deadline);
        let attempts = if repeatable { self.shared.attempts } else { 1 };
        let mut last = None;
        tokio::time::timeout_at(deadline, self.proven(parts, source, &frame, deadline, attempts, &mut last))
            .await
            .unwrap_or_else(|_| Err(too_late(last)))
    }

    /// The attempts, with a token where there is one; and once more with another, where that is refused: who calls is
    /// asked before anything is done.
    async fn proven(
        &self,
        mut parts: http::request::Parts,
        source: Option<&TokenSource>,
        frame: &Bytes,
        deadline: Instant,
        attempts: u32,
        last: &mut Option<Status>,
    ) -> Result<Response<Body>, Status> {
        let Some(source) = source else { return self.attempts(&parts, frame, deadline, attempts, last).await };
        let token = source.header().await.map_err(|error| error.status())?;
        parts.headers.insert(AUTHORIZATION, token.clone());
        let refused = match self.attempts(&parts, frame, deadline, attempts, last).await {
            Err(status) if status.code() == Code::Unauthenticated => status,
            answered => return answered,
        };
        let Some(other) = source.another(&token).await.map_err(|error| error.status())? else { return Err(refused) };
        parts.headers.insert(AUTHORIZATION, other);
        self.attempts(&parts, frame, deadline, attempts, last).await
    }

    /// Whether its calls have tokens.
    pub(crate) fn has_token(&self) -> bool {
        self.shared.token.is_some()
    }

    /// Has calls use another token than they do, if there is one.
    pub(crate) async fn renew(&self) -> Result<bool, Status> {
        let Some(source) = &self.shared.token else { return Ok(false) };
        let refused = source.header().await.map_err(|error| error.status())?;
        Ok(source.another(&refused).await.map_err(|error| error.status())?.is_some())
    }

    async fn attempts(
        &self,
        parts: &http::request::Parts,
        frame: &Bytes,
        deadline: Instant,
        attempts: u32,
        last: &mut Option<Status>,
    ) -> Result<Response<Body>, Status> {
        let mut failures = 0;
        loop {
            let mut request = Request::new(Body::new(Full::new(frame.clone())));
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.version_mut() = parts.version;
            *request.headers_mut() = parts.headers.clone();
            // The time that is left now, not when the call began: a retry must not be worked on for longer than its
            // caller waits.
            let left = deadline::format(deadline.saturating_duration_since(Instant::now()));
            if let Ok(left) = HeaderValue::try_from(left) {
                request.headers_mut().insert(deadline::GRPC_TIMEOUT, left);
            }
            let status = match self.whole(request).await {
                Ok(response) => {
                    self.shared.budget.succeeded();
                    return Ok(response);
                }
                Err(status) => status,
            };
            failures += 1;
            // Servers answer CANCELLED or DEADLINE_EXCEEDED when the grpc-timeout they were sent runs out, maybe a
            // moment before it does here.
            if matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded) {
                return Err(too_late(last.take()));
            }
            let Some(delay) = retry::delay(&status, failures) else { return Err(status) };
            let too_long = Instant::now() + delay >= deadline;
            if failures >= attempts || too_long || !self.shared.budget.take() {
                return Err(status);
            }
            tracing::debug!(path = parts.uri.path(), failures, ?delay, code = ?status.code(), "call is repeated");
            *last = Some(status);
            tokio::time::sleep(delay).await;
        }
    }

    /// One attempt with its whole answer: the status of a call may come after its body.
    async fn whole(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (parts, body) = self.send(request).await?.into_parts();
        let body = body.collect().await.map_err(|status| self.lost(&status))?;
        if let Some(status) =
            body.trailers().and_then(Status::from_header_map).filter(|status| status.code() != Code::Ok)
        {
            return Err(status);
        }
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let response = self.inner.clone().oneshot(request).await.map_err(|error| {
            // The transport keeps grpc-timeout too, and may notice a moment before this channel does.
            let expired = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source())
                .any(<dyn std::error::Error>::is::<TimeoutExpired>);
            if expired { too_late(None) } else { self.lost(&Status::from_error(Box::new(error))) }
        })?;
        match Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok) {
            Some(status) => Err(status),
            None => Ok(response),
        }
    }

    /// A connection that broke says nothing of the call: whatever the transport calls it, the service did not answer.
    fn lost(&self, status: &Status) -> Status {
        let mut reason = status.message().to_owned();
        let mut source = std::error::Error::source(status);
        while let Some(error) = source {
            if let Some(error @ waymark_tls::Error::Handshake { .. }) = error.downcast_ref() {
                return Status::unavailable(format!("{} is not called: {error}", self.shared.address));
            }
            reason = error.to_string();
            source = error.source();
        }
        Status::unavailable(format!("{} does not answer: {reason}; is the service running there?", self.shared.address))
    }
}

fn asked_deadline(headers: &HeaderMap) -> Option<Duration> {
    headers.get(deadline::GRPC_TIMEOUT)?.to_str().ok().and_then(deadline::parse)
}

fn too_late(last: Option<Status>) -> Status {
    // What kept the call from succeeding says more than that time ran out.
    last.unwrap_or_else(|| {
        Status::deadline_exceeded("the deadline passed before the answer came; a write may or may not have happened")
    })
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Each attempt waits for the connection itself, within its deadline.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let exchange = self.clone().exchange(request);
        async move { Ok(exchange.await.unwrap_or_else(Status::into_http)) }.boxed()
    }
}

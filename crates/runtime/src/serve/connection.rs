//! Connections: accepted, served, and ended within bounds.
//!
//! The loop is our own rather than the gRPC library's because that one waits without end for connections that say
//! nothing, and leaves running what a bounded drain must be able to cut.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};
use waymark_tls::{Acceptor, PeerCertificate, TlsStream};

use super::greeted::Greeted;
use super::peers::{Peers, Place};
use crate::audit::{self, Audit, AuditDecision, AuditEntry};
use crate::host::Host;
use crate::peer::Peer;

/// How long a new connection may take to agree on keys, where it must, and to say how it speaks. After that HTTP's own
/// limits hold: pings, and a time for headers.
const GREETING: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// Characters of why a handshake failed.
const REASON: usize = 256;
/// How long what is open on a connection that has come of age may take to finish.
const LAST_CALL: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How often a silent HTTP/2 connection is asked whether it is alive, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(10);
/// Bytes of request headers of one call. A token may take 16 KiB; one of several times that is still answered by what is wrong
/// with it, rather than by HTTP's own error, which tells a gRPC client nothing.
const HEADER_BYTES: u32 = 80 * 1024;
/// Bytes of one stream and connection in flight before the reader must keep up.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// A pause after the system refuses a connection (out of file descriptors), so that the loop does not spin.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// How a connection is spoken: HTTP/2, and HTTP/1.1 as well for browsers.
pub(super) fn builder(max_streams: u32, browsers: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if !browsers {
        builder = builder.http2_only();
    }
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(max_streams)
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    builder
}

/// How a server takes connections.
pub(super) struct Accepting {
    pub(super) listener: TcpListener,
    pub(super) builder: Builder<TokioExecutor>,
    /// None without TLS.
    pub(super) tls: Option<Acceptor>,
    /// How long a client over TLS may stay connected.
    pub(super) max_age: Duration,
    /// How many there may be.
    pub(super) peers: Peers,
    /// What records handshakes that fail.
    pub(super) audit: Option<Audit>,
}

/// Accepts connections until shutdown begins, then lets those there are finish, at most for the host's drain time.
pub(super) async fn accept<S>(accepting: Accepting, service: S, host: &Host)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let Accepting { listener, builder, tls, max_age, peers, audit } = accepting;
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut begun = pin!(host.shutdown.begun());
    loop {
        let accepted = tokio::select! { () = &mut begun => break, accepted = listener.accept() => accepted };
        match accepted {
            Ok((stream, peer)) => {
                let peer = Peer::at(peer);
                let place = match peers.admit(peer.network()) {
                    Ok(place) => place,
                    Err(full) => {
                        tracing::debug!(peer = %peer.address, limit = ?full, "a connection was closed, as there are too many");
                        continue;
                    }
                };
                let conversation = Conversation {
                    host: host.clone(),
                    tls: tls.clone(),
                    max_age,
                    cut: cut.clone(),
                    peer,
                    place,
                    audit: audit.clone(),
                };
                connections.spawn(conversation.held(stream, service.clone(), builder.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
    // Closed before the drain, so that new callers are refused at once and go elsewhere instead of waiting here.
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => return,
        () = tokio::time::sleep(host.drain_timeout) => {}
        () = host.shutdown.forced() => {}
    }
    tracing::warn!(connections = connections.len(), "connections did not end in time and are cut");
    cut.cancel();
    connections.wait().await;
}

/// What one connection is served by.
struct Conversation {
    host: Host,
    tls: Option<Acceptor>,
    max_age: Duration,
    /// What is still open is cut.
    cut: CancellationToken,
    peer: Peer,
    /// Held to the end.
    place: Place,
    audit: Option<Audit>,
}

/// A connection that is spoken on, and who the peer has proven to be.
type Opened = (Greeted<Either<TcpStream, TlsStream<TcpStream>>>, Option<Arc<PeerCertificate>>);

impl Conversation {
    /// Serves a connection to its end.
    async fn held<S>(mut self, stream: TcpStream, service: S, builder: Builder<TokioExecutor>)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
    {
        // Small answers must not wait for more; failing to say so costs time only.
        let _ = stream.set_nodelay(true);
        let peer = self.peer;
        let opened = tokio::select! {
            // One that gets stuck must not stay, as nothing else would end it.
            opened = tokio::time::timeout(GREETING, open(stream, self.tls.as_ref())) => opened,
            () = self.host.shutdown.begun() => return,
        };
        let (stream, certificate) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => {
                // Whoever only looks whether somebody listens goes away, and proves nothing wrong.
                if error.kind() == ErrorKind::InvalidData
                    && let Some(audit) = &self.audit
                {
                    audit.refuse(handshake(audit, peer, &error), Some(peer.network()));
                }
                return tracing::debug!(%error, peer = %peer.address, "a connection was not opened");
            }
            Err(_) => return tracing::debug!(peer = %peer.address, "a connection took too long to open"),
        };
        self.place.opened();
        let age = self.age(certificate.as_deref());
        let service = service.map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(Arc::clone(certificate));
            }
            request
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
        let (aged, cut) = (tokio::time::sleep(age), self.cut.cancelled());
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.host.shutdown.begun() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! { ended = &mut connection => ended, () = cut => Ok(()) }
            }
            () = aged => {
                connection.as_mut().graceful_shutdown();
                let last = tokio::time::sleep(LAST_CALL);
                tokio::select! { ended = &mut connection => ended, () = last => Ok(()), () = cut => Ok(()) }
            }
        };
        if let Err(error) = ended {
            // Peers break connections all the time; it is theirs to report.
            tracing::debug!(error, "a connection broke");
        }
    }

    /// How long it may last: what was proven once is asked again, at the latest when the peer's certificate expires.
    fn age(&self, certificate: Option<&PeerCertificate>) -> Duration {
        if self.tls.is_none() {
            return Duration::MAX;
        }
        // Up to a fifth less, so that clients that came together do not come back together.
        let share = 100 - u32::from(self.peer.address.port() % 20);
        let age = self.max_age / 100 * share;
        let valid = certificate.map(|certificate| certificate.until - self.host.clock.now());
        valid.map_or(age, |valid| age.min(valid.to_std().unwrap_or_default()))
    }
}

/// An entry of a handshake that failed by what one of the two said or showed.
fn handshake(audit: &Audit, peer: Peer, error: &std::io::Error) -> AuditEntry {
    let reason = error.to_string().chars().take(REASON).collect();
    let entry = audit::occurrence(audit.now(), "handshake", AuditDecision::Refused, reason);
    AuditEntry { peer: peer.address.ip().to_string(), ..entry }
}

async fn open(stream: TcpStream, tls: Option<&Acceptor>) -> std::io::Result<Opened> {
    let Some(tls) = tls else { return Ok((Greeted::by(Either::Left(stream)).await?, None)) };
    let stream = tls.accept(stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(PeerCertificate::of).map(Arc::new);
    Ok((Greeted::by(Either::Right(stream)).await?, certificate))
}

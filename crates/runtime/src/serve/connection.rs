//! Connections: accepted, served, and ended within bounds.
//!
//! The loop is our own rather than the gRPC library's because that one waits without end for connections that say
//! nothing, and leaves running what a bounded drain must be able to cut.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Service, ServiceExt as _};

use crate::host::Host;
use crate::shutdown::Shutdown;

/// How long a new connection may take to say how it speaks. After that HTTP's own limits hold: pings, and a time for
/// headers.
const GREETING: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// Bytes that tell: the preface of an HTTP/2 connection (RFC 9113, section 3.4); no request of HTTP/1.1 that we answer
/// is shorter.
const PREFACE: usize = 24;
/// A pause before looking again whether the rest of a greeting has come.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often a silent HTTP/2 connection is asked whether it is alive, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(10);
/// Bytes of request headers of one call, and of one stream and connection in flight before the reader must keep up.
const HEADER_BYTES: u32 = 16 * 1024;
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

/// Accepts connections until shutdown begins, then lets those there are finish, at most for the host's drain time.
pub(super) async fn accept<S>(listener: TcpListener, service: S, builder: Builder<TokioExecutor>, host: &Host)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut begun = pin!(host.shutdown.begun());
    loop {
        let accepted = tokio::select! { () = &mut begun => break, accepted = listener.accept() => accepted };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(converse(
                    stream,
                    service.clone(),
                    builder.clone(),
                    host.shutdown.clone(),
                    cut.clone(),
                ));
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

/// Serves one connection to its end.
async fn converse<S>(
    stream: TcpStream,
    service: S,
    builder: Builder<TokioExecutor>,
    shutdown: Shutdown,
    cut: CancellationToken,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    // Small answers must not wait for more; failing to say so costs time only.
    let _ = stream.set_nodelay(true);
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(GREETING, greeting(&stream)) => greeted.unwrap_or(false),
        () = shutdown.begun() => false,
    };
    if !greeted {
        return;
    }
    let peer = TcpConnectInfo { local_addr: stream.local_addr().ok(), remote_addr: stream.peer_addr().ok() };
    let service = service.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        request
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! { ended = &mut connection => ended, () = cut.cancelled() => Ok(()) }
        }
    };
    if let Err(error) = ended {
        // Peers break connections all the time; it is theirs to report.
        tracing::debug!(error, "a connection broke");
    }
}

/// Waits until the greeting is there, unread; false when the peer went before. A connection that gets stuck in it must
/// not stay, as nothing else would end it.
async fn greeting(stream: &TcpStream) -> bool {
    let mut greeting = [0; PREFACE];
    loop {
        match stream.peek(&mut greeting).await {
            Ok(PREFACE) => return true,
            Ok(0) | Err(_) => return false,
            // What has come so far is told again at once.
            Ok(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

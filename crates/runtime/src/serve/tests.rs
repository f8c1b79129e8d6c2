//! The server as its clients meet it, on a real socket, with a small service whose method says how to misbehave.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;
use waymark_proto::{Access, Aim, CallKind, RpcMethod};

use super::*;
use crate::config::{LimitArgs, TlsArgs};
use crate::edge::{Caller, MESSAGE_BYTES};
use waymark_clock::{Clock, Ids};

mod audit;
mod callers;
mod connections;
mod limits;
mod tls;

/// Methods: Echo, Panic, Sleep, Stream (endless), StreamPanic; all take and give a string.
#[derive(Debug, Clone)]
struct Misbehave;

impl NamedService for Misbehave {
    const NAME: &'static str = "test.Misbehave";
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;
type Strings = Pin<Box<dyn futures::Stream<Item = Result<String, Status>> + Send>>;

#[derive(Debug, Clone)]
struct Method(String);

impl UnaryService<String> for Method {
    type Response = String;
    type Future = Answer<String>;
    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        let method = self.0.clone();
        Box::pin(async move {
            match method.as_str() {
                "Panic" => panic!("a secret"),
                "Sleep" | "ManageSleep" => tokio::time::sleep(Duration::from_mins(1)).await,
                "Who" => {
                    let names = request.extensions().get::<Arc<waymark_tls::PeerCertificate>>();
                    return Ok(tonic::Response::new(names.map_or_else(String::new, |shown| shown.uris.join(" "))));
                }
                "Caller" => {
                    let caller = Caller::of(&request).map(|caller| caller.actor.subject.clone());
                    return Ok(tonic::Response::new(caller.unwrap_or_default()));
                }
                "Broken" | "ManageBroken" => return Err(Status::out_of_range("no details")),
                _ => {}
            }
            Ok(tonic::Response::new(request.into_inner()))
        })
    }
}

impl ServerStreamingService<String> for Method {
    type Response = String;
    type ResponseStream = Strings;
    type Future = Answer<Strings>;
    fn call(&mut self, _: tonic::Request<String>) -> Self::Future {
        use futures::StreamExt as _;
        let first = futures::stream::iter([Ok("first".to_owned())]);
        let rest: Strings = if self.0 == "StreamPanic" {
            Box::pin(futures::stream::once(async { panic!("a secret") }))
        } else {
            Box::pin(futures::stream::pending())
        };
        Box::pin(async move { Ok(tonic::Response::new(Box::pin(first.chain(rest)) as Strings)) })
    }
}

impl Service<Request<Body>> for Misbehave {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = Method(request.uri().path().rsplit('/').next().unwrap_or_default().to_owned());
        Box::pin(async move {
            let codec = ProstCodec::<String, String>::default();
            let mut grpc = Grpc::new(codec).apply_max_message_size_config(Some(MESSAGE_BYTES), None);
            Ok(if method.0.starts_with("Stream") {
                grpc.server_streaming(method, request).await
            } else {
                grpc.unary(method, request).await
            })
        })
    }
}

/// All methods but `Secret` are granted; that one is declared without access.
fn route(path: &str) -> Route {
    static METHODS: LazyLock<HashMap<String, RpcMethod>> = LazyLock::new(|| {
        let names = ["Echo", "Who", "Caller", "Panic", "Sleep", "Broken", "Single", "Stream", "StreamPanic"];
        let manage = ["Manage", "ManageBroken", "ManageSleep"];
        let methods = names.into_iter().chain(manage).map(|method| {
            let access = if manage.contains(&method) { Access::Manage } else { Access::Write };
            let service = Misbehave::NAME.to_owned();
            let kind = if method.starts_with("Stream") { CallKind::Watch } else { CallKind::Read };
            let (method_name, aim) = (method.to_owned(), Aim::default());
            let rpc = RpcMethod { service, method: method_name, access, shown_to_audiences: false, kind, aim };
            (format!("/{}/{method}", Misbehave::NAME), rpc)
        });
        methods.collect()
    });
    match METHODS.get(path) {
        Some(method) => Route::Rpc(method),
        None if path == "/test.Misbehave/Secret" => Route::NoRule,
        None => Route::of(path),
    }
}

struct Fixture {
    host: Host,
    running: Running,
    channel: Channel,
}

async fn serve(limits: LimitArgs) -> Fixture {
    serve_with(ServerArgs { limits, ..ServerArgs::default() }).await
}

async fn serve_with(args: ServerArgs) -> Fixture {
    serve_on(Host::local(Clock::system(), Ids::seeded(1)).unwrap(), args).await
}

async fn serve_on(host: Host, args: ServerArgs) -> Fixture {
    serve_audited(host, args, None).await
}

async fn serve_audited(mut host: Host, args: ServerArgs, audit: Option<&Audit>) -> Fixture {
    host.drain_timeout = Duration::from_millis(300);
    let mut server = Server::new(&host, &args, "127.0.0.1:0".parse().unwrap()).service(Misbehave).routed(route);
    server.audit = audit.cloned();
    let server = server.unary(Misbehave::NAME, "/test.Misbehave/Single", MESSAGE_BYTES, |request| {
        let answer = request.into_inner().to_ascii_uppercase();
        Box::pin(async move { Ok(tonic::Response::new(answer)) })
    });
    // One that clients know they may repeat.
    let product = "/waymark.roadmap.v1.StrategyService/GetProduct";
    let server = server.unary("waymark.roadmap.v1.StrategyService", product, MESSAGE_BYTES, |_| {
        Box::pin(async { Ok(tonic::Response::new(Vec::new())) })
    });
    let running = server.start().await.unwrap();
    // Connected when first used; one that speaks TLS is met by other means.
    let channel = Endpoint::from_shared(format!("http://{}", running.address())).unwrap().connect_lazy();
    Fixture { host, running, channel }
}

impl Fixture {
    async fn call(&self, method: &str, request: tonic::Request<String>) -> Result<String, Status> {
        call(self.channel.clone(), method, request).await
    }

    async fn stream(&self, request: tonic::Request<String>, method: &str) -> tonic::Streaming<String> {
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        grpc.server_streaming(request, path(method), ProstCodec::<String, String>::default())
            .await
            .unwrap()
            .into_inner()
    }
}

async fn call(channel: Channel, method: &str, request: tonic::Request<String>) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    grpc.unary(request, path(method), ProstCodec::<String, String>::default()).await.map(tonic::Response::into_inner)
}

fn path(method: &str) -> PathAndQuery {
    format!("/{}/{method}", Misbehave::NAME).parse().unwrap()
}

fn text(text: &str) -> tonic::Request<String> {
    tonic::Request::new(text.to_owned())
}

fn reason(status: &Status) -> (Code, String) {
    (status.code(), status.get_details_error_info().map(|info| info.reason).unwrap_or_default())
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "{what} did not come about");
}

#[tokio::test]
async fn a_single_rpc_is_served_beside_those_of_its_service() {
    let fixture = serve(LimitArgs::default()).await;
    assert_eq!(fixture.call("Single", text("who")).await.unwrap(), "WHO");
    assert_eq!(fixture.call("Echo", text("who")).await.unwrap(), "who");
    let large = fixture.call("Single", text(&"x".repeat(MESSAGE_BYTES))).await.unwrap_err();
    assert_eq!(reason(&large), (Code::ResourceExhausted, "TOO_LARGE".into()));
}

#[tokio::test]
async fn a_panic_is_answered_with_an_incident_and_the_server_lives() {
    let fixture = serve(LimitArgs::default()).await;
    let refused = fixture.call("Panic", text("")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Internal, "INTERNAL".into()));
    let incident = &refused.get_details_error_info().unwrap().metadata["incident"];
    assert!(refused.message().contains(incident) && !refused.message().contains("secret"));
    assert_eq!(fixture.call("Echo", text("still here")).await.unwrap(), "still here");

    let mut stream = fixture.stream(text(""), "StreamPanic").await;
    // The gRPC library may hold the first message back, so it may be lost with the panic; the status may not.
    let refused = loop {
        match stream.message().await {
            Ok(message) => assert_eq!(message.as_deref(), Some("first"), "a stream that panics must not end well"),
            Err(refused) => break refused,
        }
    };
    assert_eq!(reason(&refused), (Code::Internal, "INTERNAL".into()));
}

#[tokio::test]
async fn deadlines_cancel_the_handler() {
    let fixture = serve(LimitArgs { max_deadline: Duration::from_millis(50), ..LimitArgs::default() }).await;
    assert_eq!(
        reason(&fixture.call("Sleep", text("")).await.unwrap_err()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".into())
    );

    let fixture = serve(LimitArgs::default()).await;
    let address = fixture.running.address();
    for (method, timeout, code) in [
        ("Sleep", "50m", Code::DeadlineExceeded),
        ("Stream", "50m", Code::DeadlineExceeded),
        ("Echo", "soon", Code::InvalidArgument),
    ] {
        let status = raw(address, method, &[("content-type", "application/grpc"), ("grpc-timeout", timeout)]).await.1;
        assert_eq!(status.code(), code, "{method} {timeout}");
    }
}

/// A call by a client that keeps no deadline itself: an empty message, and what came of it.
async fn raw(address: SocketAddr, method: &str, headers: &[(&'static str, &str)]) -> (http::StatusCode, Status) {
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(address).await.unwrap()).await.unwrap();
    let exchange = async move {
        let mut request = Request::post(format!("http://{address}/test.Misbehave/{method}")).body(()).unwrap();
        request
            .headers_mut()
            .extend(headers.iter().map(|(key, value)| (HeaderName::from_static(key), value.parse().unwrap())));
        let (response, mut body) = client.send_request(request, false).unwrap();
        body.send_data(vec![0; 5].into(), true).unwrap();
        let (head, mut body) = response.await.unwrap().into_parts();
        while body.data().await.is_some() {}
        let trailers = body.trailers().await.unwrap().unwrap_or(head.headers);
        (head.status, Status::from_header_map(&trailers).unwrap_or_else(|| Status::unknown("no status")))
    };
    tokio::select! { answer = exchange => answer, _ = connection => panic!("the connection ended") }
}

#[tokio::test]
async fn calls_over_the_limit_are_shed_but_probes_are_not() {
    let fixture = serve(LimitArgs { max_concurrency: 1, ..LimitArgs::default() }).await;
    let channel = fixture.channel.clone();
    fixture.host.tasks.spawn_detached(async move { drop(call(channel, "Sleep", text("")).await) });
    let active = || {
        fixture
            .host
            .telemetry
            .prometheus()
            .unwrap()
            .lines()
            .any(|l| l.starts_with("rpc_server_active") && l.contains("Sleep") && l.ends_with(" 1"))
    };
    until("a call in flight", active).await;
    let shed = fixture.call("Echo", text("")).await.unwrap_err();
    assert_eq!(reason(&shed), (Code::ResourceExhausted, "OVERLOADED".into()));
    assert!(shed.get_details_retry_info().unwrap().retry_delay.is_some());
    let health = HealthClient::new(fixture.channel.clone())
        .check(HealthCheckRequest { service: Misbehave::NAME.into() })
        .await
        .unwrap();
    assert_eq!(health.into_inner().status, 1);
}

#[tokio::test]
async fn denied_by_default_and_by_role() {
    let fixture = serve(LimitArgs::default()).await;
    assert_eq!(
        reason(&fixture.call("Secret", text("")).await.unwrap_err()),
        (Code::PermissionDenied, "PERMISSION_DENIED".into())
    );
    assert_eq!(
        reason(&fixture.call("Unheard", text("")).await.unwrap_err()),
        (Code::Unimplemented, "UNIMPLEMENTED".into())
    );
    for (role, code) in [("viewer", Code::PermissionDenied), ("contributor", Code::Ok), ("god", Code::Unauthenticated)]
    {
        let mut request = text("");
        request.metadata_mut().insert("waymark-role", role.parse().unwrap());
        assert_eq!(
            fixture.call("Echo", request).await.map_or_else(|status| status.code(), |_| Code::Ok),
            code,
            "{role}"
        );
    }
}

#[tokio::test]
async fn bad_messages_are_the_callers_and_harm_nobody() {
    let fixture = serve(LimitArgs::default()).await;
    let refused = fixture.call("Echo", text(&"x".repeat(20 * 1024 * 1024))).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_LARGE".into()));
    assert_eq!(reason(&fixture.call("Broken", text("")).await.unwrap_err()).0, Code::OutOfRange);

    let mut grpc = tonic::client::Grpc::new(fixture.channel.clone());
    grpc.ready().await.unwrap();
    // Field 1 of the method is a string; these bytes are a varint there.
    let wrong =
        grpc.unary::<u64, u64, _>(tonic::Request::new(7), path("Echo"), ProstCodec::default()).await.unwrap_err();
    assert_eq!(reason(&wrong), (Code::InvalidArgument, "INVALID_FIELD".into()));
    assert_eq!(fixture.call("Echo", text("still here")).await.unwrap(), "still here");
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_cuts_what_says_nothing() {
    let fixture = serve(LimitArgs::default()).await;
    let address = fixture.running.address();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut half_open = TcpStream::connect(address).await.unwrap();
    half_open.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut settings = [0; 9];
    half_open.read_exact(&mut settings).await.unwrap();
    let mut watch =
        HealthClient::new(fixture.channel.clone()).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    let mut endless = fixture.stream(text(""), "Stream").await;
    assert_eq!(endless.message().await.unwrap().as_deref(), Some("first"));

    let before = std::time::Instant::now();
    fixture.host.stop(vec![fixture.running]).await;
    assert!(before.elapsed() < Duration::from_secs(3), "bounded by the drain time, took {:?}", before.elapsed());
    let mut last = Ok(());
    while last.is_ok() {
        last = watch.message().await.map(|health| assert_eq!(health.unwrap().status, 2, "only ever NOT_SERVING now"));
    }
    assert_eq!(last.unwrap_err().code(), Code::Unavailable, "the health stream was told");
    assert!(endless.message().await.is_err(), "the endless stream was cut");
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "the silent connection was closed");
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens");
}

#[tokio::test]
async fn a_connection_that_gets_stuck_in_its_greeting_is_closed() {
    let fixture = serve(LimitArgs::default()).await;
    let mut stuck = TcpStream::connect(fixture.running.address()).await.unwrap();
    let mut slow = TcpStream::connect(fixture.running.address()).await.unwrap();
    stuck.write_all(b"P").await.unwrap();
    for part in [&b"PRI * HTTP/2.0\r\n"[..], b"\r\nSM\r\n\r\n"] {
        slow.write_all(part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    slow.read_exact(&mut [0; 9]).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(10), stuck.read(&mut [0])).await;
    assert_eq!(closed.expect("it is closed by itself").unwrap_or(0), 0);
    assert_eq!(fixture.call("Echo", text("still here")).await.unwrap(), "still here");
}

#[tokio::test]
async fn health_follows_readiness() {
    let fixture = serve(LimitArgs::default()).await;
    let mut watch = HealthClient::new(fixture.channel.clone())
        .watch(HealthCheckRequest { service: Misbehave::NAME.into() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    let latch = fixture.host.readiness.latch("test: schema");
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2);
    drop(latch);
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
}

#[tokio::test]
async fn metrics_count_by_method_and_code_and_hostile_paths_make_no_labels() {
    let fixture = serve(LimitArgs::default()).await;
    fixture.call("Echo", text("")).await.unwrap();
    for i in 0..20 {
        fixture.call(&format!("Hostile{i}"), text("")).await.unwrap_err();
    }
    let text = fixture.host.telemetry.prometheus().unwrap();
    let count = |parts: [&str; 2]| {
        let line = text
            .lines()
            .find(|l| l.starts_with("rpc_server_duration_seconds_count") && parts.iter().all(|part| l.contains(part)));
        line.unwrap_or_else(|| panic!("{parts:?} not in {text}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(count(["rpc_method=\"Echo\"", "status_code=\"0\""]), "1");
    assert_eq!(count(["rpc_method=\"other\"", "status_code=\"12\""]), "20");
    assert!(!text.contains("Hostile"));
}

#[tokio::test]
async fn browsers_of_named_origins_may_call() {
    let fixture =
        serve_with(ServerArgs { web_origins: vec!["https://app.example.com".into()], ..ServerArgs::default() }).await;
    let preflight = async |origin: &str| {
        let mut stream = TcpStream::connect(fixture.running.address()).await.unwrap();
        let request = format!(
            "OPTIONS /test.Misbehave/Echo HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\naccess-control-request-method: POST\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(
        preflight("https://app.example.com").await.contains("access-control-allow-origin: https://app.example.com")
    );
    assert!(!preflight("https://evil.example.com").await.contains("access-control-allow-origin"));
    assert_eq!(fixture.call("Echo", text("plain gRPC as well")).await.unwrap(), "plain gRPC as well");
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so() {
    let fixture = serve(LimitArgs::default()).await;
    let (status, _) = raw(fixture.running.address(), "Echo", &[("content-type", "text/plain")]).await;
    assert_eq!(status, http::StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

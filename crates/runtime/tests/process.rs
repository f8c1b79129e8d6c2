//! A whole process: started as a service's `main` starts it, asked by probes, ended by a signal, its traces and metrics
//! sent to a collector.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, raise};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use waymark_runtime::{ProcessArgs, Server, ServerArgs, TelemetryArgs, run};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn a_process_from_start_to_end() {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = runtime.block_on(collector(Arc::clone(&paths)));
    let admin = free();
    let args = ProcessArgs {
        authentication: None,
        bindings: None,
        policies: None,
        limits: None,
        trusted_proxies: Vec::new(),
        admin_listen: admin,
        drain_timeout: Duration::from_secs(5),
        drain_delay: Duration::from_millis(300),
        telemetry: TelemetryArgs { otlp_endpoint: Some(format!("http://{collector}")), ..TelemetryArgs::default() },
    };

    let (started, address) = mpsc::channel();
    let process = std::thread::spawn(move || {
        run("waymark-test", &args, async move |host| {
            let schema = host.readiness.latch("test: schema");
            let server = Server::new(&host, &ServerArgs::default(), "127.0.0.1:0".parse()?).start().await?;
            tracing::info_span!("work").in_scope(|| tracing::info!("in a span that is exported"));
            started.send((server.address(), schema))?;
            Ok(vec![server])
        })
    });
    let (server, schema) = address.recv_timeout(LIMIT).unwrap();

    until(admin, "/readyz", "503", "waiting for: test: schema");
    until(admin, "/metrics", "200", "\nwaymark_ready{otel_scope_name=\"waymark\"} 0\n");
    drop(schema);
    until(admin, "/readyz", "200", "ready");
    until(admin, "/livez", "200", "alive");
    until(admin, "/version", "200", "waymark-test ");
    let health = runtime.block_on(async {
        let channel =
            tonic::transport::Endpoint::from_shared(format!("http://{server}")).unwrap().connect().await.unwrap();
        let mut health = HealthClient::new(channel);
        health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status
    });
    assert_eq!(health, 1);
    until(admin, "/metrics", "200", "rpc_server_duration_seconds_count{");
    until(admin, "/metrics", "200", "\nwaymark_ready{otel_scope_name=\"waymark\"} 1\n");

    raise(Signal::SIGTERM).unwrap();
    until(admin, "/readyz", "503", "waiting for: shutdown");
    assert!(TcpStream::connect(server).is_ok(), "still served while load balancers take notice");
    assert_eq!(format!("{:?}", process.join().unwrap()), format!("{:?}", ExitCode::SUCCESS));
    assert!(TcpStream::connect(server).is_err());

    let paths = paths.lock().unwrap();
    for service in ["trace.v1.TraceService", "metrics.v1.MetricsService"] {
        let path = format!("/opentelemetry.proto.collector.{service}/Export");
        assert!(paths.contains(&path), "{path} not in {paths:?}");
    }
}

/// An OpenTelemetry collector that remembers what it was asked and stores nothing.
async fn collector(paths: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = axum::Router::new().fallback(async move |uri: axum::http::Uri| {
        paths.lock().unwrap().push(uri.path().to_owned());
        tonic::Status::ok("").into_http::<axum::body::Body>()
    });
    let server = tonic::transport::Server::builder()
        .add_routes(Routes::from(routes))
        .serve_with_incoming(TcpListenerStream::new(listener));
    waymark_runtime::Tasks::new().spawn_detached(async move { server.await.unwrap() });
    address
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Asks the admin port until it answers so.
fn until(admin: SocketAddr, path: &str, status: &str, part: &str) {
    let end = Instant::now() + LIMIT;
    loop {
        let answer = get(admin, path).unwrap_or_default();
        if answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part) {
            return;
        }
        assert!(Instant::now() < end, "{path} answers {answer:?} instead of {status} and {part:?}");
        std::thread::yield_now();
    }
}

fn get(admin: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

//! The admin port: `/metrics` for Prometheus, `/livez` and `/readyz` for probes, `/version`, in plain HTTP and without
//! authentication.
//!
//! It belongs on an address that only operators and probes reach. It answers from the start of the process to its very
//! end.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::host::Host;
use crate::telemetry::VERSION;

/// Serves the admin port of `host` for as long as the process lives. Returns the address it is bound to.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(address: SocketAddr, host: &Host) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let routes = routes(host.clone());
    host.tasks.spawn_detached(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the admin port stopped");
        }
    });
    Ok(bound)
}

fn routes(host: Host) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .with_state(host)
}

async fn metrics(State(host): State<Host>) -> (StatusCode, String) {
    host.telemetry
        .prometheus()
        .map_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()), |text| (StatusCode::OK, text))
}

/// Not alive once a background task has panicked: nothing inside the process brings it back.
async fn live(State(host): State<Host>) -> (StatusCode, String) {
    let dead = host.tasks.dead();
    if dead.is_empty() { (StatusCode::OK, "alive\n".to_owned()) } else { refusal("dead", &dead) }
}

async fn ready(State(host): State<Host>) -> (StatusCode, String) {
    let waiting = host.readiness.waiting_for();
    if waiting.is_empty() { (StatusCode::OK, "ready\n".to_owned()) } else { refusal("waiting for", &waiting) }
}

async fn version(State(host): State<Host>) -> String {
    format!("{} {VERSION}\n", host.name)
}

fn refusal(what: &str, names: &[String]) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{what}: {}\n", names.join(", ")))
}

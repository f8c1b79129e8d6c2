//! One gRPC server: a service's RPCs behind the edge, with health, reflection and, when browsers may call, gRPC-Web.
//!
//! Several servers may run on one [`Host`]; they share its telemetry and end together. What a server answers is the
//! services' affair.

mod connection;
mod greeted;
mod peers;
mod tls;
mod unary;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::{Layer as _, Service};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use waymark_tls::ServerTls;

use crate::audit::Audit;
use crate::authenticator::Exposed;
use crate::config::ServerArgs;
use crate::edge::{Audiences, Edge, Knows, Route, Workspaces};
use crate::host::Host;
use crate::running::Running;

use connection::Accepting;
use peers::Peers;

pub use unary::Answer;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authenticator would let strangers in.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}; choose another address with --listen, or in waymark dev with --<service>-listen"
    )]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Nothing would be encrypted on its way from other hosts.
    #[error(
        "{0} can be reached from other hosts and the API has no TLS: give --tls-certificate and --tls-key, or pass --plaintext where a mesh encrypts"
    )]
    Plaintext(SocketAddr),
    /// The certificate cannot be served.
    #[error("the API cannot serve TLS: {0}; see --tls-certificate, --tls-key and --client-ca")]
    Tls(#[from] waymark_tls::Error),
    /// The contract's descriptors cannot be served by reflection: a broken build.
    #[error("reflection cannot serve the contract: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// An origin that is not one.
    #[error("--web-origin {0:?} is not an origin; write it like https://app.example.com")]
    Origin(String),
}

/// A server being put together.
#[derive(Debug)]
pub struct Server {
    host: Host,
    args: ServerArgs,
    address: SocketAddr,
    routes: Routes,
    names: Vec<&'static str>,
    knows: Knows,
    audit: Option<Audit>,
    route: fn(&str) -> Route,
}

impl Server {
    /// A server that listens on `default` unless `args` say otherwise.
    pub fn new(host: &Host, args: &ServerArgs, default: SocketAddr) -> Self {
        Self {
            host: host.clone(),
            args: args.clone(),
            address: args.listen.unwrap_or(default),
            routes: Routes::default(),
            names: Vec::new(),
            knows: Knows::default(),
            audit: None,
            route: Route::of,
        }
    }

    /// Adds a service. Its message limit is its own: `.max_decoding_message_size(edge::MESSAGE_BYTES)`.
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.add(service);
        self.named(S::NAME)
    }

    /// Answers callers who have an audience, too: with what these say that it sees.
    pub fn audiences(mut self, audiences: Arc<dyn Audiences>) -> Self {
        self.knows.audiences = Some(audiences);
        self
    }

    /// Refuses what would write where there is no workspace, or a closed one; without this a workspace is there once it is
    /// named.
    pub fn workspaces(mut self, workspaces: Arc<dyn Workspaces>) -> Self {
        self.knows.workspaces = Some(workspaces);
        self
    }

    /// Records what is decided about calls.
    pub fn audited(mut self, audit: &Audit) -> Self {
        self.audit = Some(audit.clone());
        self
    }

    /// Adds a single RPC, which goes before one of the same path in a service that is added. It takes messages of at
    /// most `limit` bytes.
    pub fn unary(
        mut self,
        service: &'static str,
        path: &str,
        limit: usize,
        serve: impl Fn(tonic::Request<Bytes>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let router = self.routes.axum_router_mut();
        *router = std::mem::take(router).route_service(path, unary::unary(limit, serve));
        self.named(service)
    }

    fn add<S>(&mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes = std::mem::take(&mut self.routes).add_service(service);
    }

    fn named(mut self, service: &'static str) -> Self {
        if !self.names.contains(&service) {
            self.names.push(service);
        }
        self
    }

    #[cfg(test)]
    fn routed(mut self, route: fn(&str) -> Route) -> Self {
        self.route = route;
        self
    }

    /// Whether its options can be used: asked before a database is opened and migrated for a server that will never
    /// serve.
    ///
    /// # Errors
    /// [`Error::Exposed`], [`Error::Plaintext`], [`Error::Tls`] and [`Error::Origin`].
    pub fn check(&self) -> Result<(), Error> {
        self.host.authenticator.check_exposure(self.address)?;
        origins(&self.args.web_origins)?;
        self.tls().map(|_| ())
    }

    fn tls(&self) -> Result<Option<ServerTls>, Error> {
        match self.args.tls.files() {
            Some(files) => Ok(Some(tls::open(&files, !self.args.web_origins.is_empty(), &self.host)?)),
            None if self.address.ip().is_loopback() || self.args.tls.plaintext => Ok(None),
            None => Err(Error::Plaintext(self.address)),
        }
    }

    /// Listens and serves until the host shuts down.
    ///
    /// # Errors
    /// [`Error`], before anything is served.
    pub async fn start(mut self) -> Result<Running, Error> {
        self.check()?;
        let (origins, tls) = (origins(&self.args.web_origins)?, self.tls()?);
        let listener =
            TcpListener::bind(self.address).await.map_err(|source| Error::Listen { address: self.address, source })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { address: self.address, source })?;

        let (reporter, health) = tonic_health::server::health_reporter();
        self.add(health);
        self.add(reflection().build_v1()?);
        self.add(reflection().build_v1alpha()?);
        self.host
            .tasks
            .spawn(format!("health {address}"), report_health(self.host.clone(), reporter, self.names.clone()));

        let edge = Edge::new(&self.args.limits, self.knows, self.audit.clone(), self.route, &self.host);
        let guarded = edge.layer(self.routes.prepare());
        let (running, ended) = Running::at(address);
        let encrypted = tls.is_some();
        let accepting = Accepting {
            listener,
            builder: connection::builder(self.args.limits.max_streams, origins.is_some()),
            tls: tls.map(|tls| tls::keep(tls, address, &self.host)),
            max_age: self.args.limits.max_connection_age,
            peers: Peers::new(&self.args.limits, &self.host.telemetry.meter()),
            audit: self.audit,
        };
        let host = self.host.clone();
        let serving = async move {
            match origins {
                Some(origins) => {
                    let browsers = cors(origins).layer(tonic_web::GrpcWebLayer::new().layer(guarded));
                    connection::accept(accepting, browsers, &host).await;
                }
                None => connection::accept(accepting, guarded, &host).await,
            }
            // Nobody waits for the end of a server whose handle was dropped.
            let _ = ended.send(());
        };
        self.host.tasks.spawn(format!("server {address}"), serving);
        tracing::info!(%address, tls = encrypted, services = ?self.names, "serving");
        Ok(running)
    }
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(waymark_proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Keeps `grpc.health.v1` in step with readiness: per service name and for the server as a whole, whose name is empty.
async fn report_health(host: Host, reporter: HealthReporter, names: Vec<&'static str>) {
    let mut ready = host.readiness.watch();
    loop {
        let status = if *ready.borrow_and_update() { ServingStatus::Serving } else { ServingStatus::NotServing };
        report(&reporter, &names, status).await;
        tokio::select! {
            () = host.shutdown.announced() => break,
            changed = ready.changed() => if changed.is_err() { break },
        }
    }
    report(&reporter, &names, ServingStatus::NotServing).await;
}

async fn report(reporter: &HealthReporter, names: &[&'static str], status: ServingStatus) {
    for name in names.iter().copied().chain([""]) {
        reporter.set_service_status(name, status).await;
    }
}

/// Who may call from a browser; none when nobody is named.
fn origins(named: &[String]) -> Result<Option<AllowOrigin>, Error> {
    if named.is_empty() {
        return Ok(None);
    }
    if named.iter().any(|origin| origin == "*") {
        return Ok(Some(AllowOrigin::any()));
    }
    let parse = |origin: &String| {
        let wrong = !(origin.starts_with("http://") || origin.starts_with("https://")) || origin.ends_with('/');
        HeaderValue::from_str(origin).ok().filter(|_| !wrong).ok_or_else(|| Error::Origin(origin.clone()))
    };
    Ok(Some(AllowOrigin::list(named.iter().map(parse).collect::<Result<Vec<_>, _>>()?)))
}

fn cors(origins: AllowOrigin) -> CorsLayer {
    const EXPOSED: [&str; 5] =
        ["grpc-status", "grpc-message", "grpc-status-details-bin", "waymark-revision", "waymark-unverified"];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED.map(HeaderName::from_static))
}

#[cfg(test)]
mod tests;

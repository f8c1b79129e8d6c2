//! What every RPC passes on its way in and out, in this order: span, metrics, deadline, authentication, the whole message,
//! concurrency limit, limits of principal and workspace, authorisation, and a net under panics.
//!
//! It is one tower layer whose steps read as a list, rather than a tower of eight, so that a call costs one allocation.
//! It decides nothing about products. Into a message it looks for what a call is for, and to leave out what an audience is
//! not to see.

mod access;
mod answer;
mod audiences;
mod caller;
mod deadline;
mod limits;
mod message;
mod observe;
mod policy;
mod record;
mod route;
mod workspaces;

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

pub use audiences::Audiences;
pub use caller::Caller;
pub use limits::{BULK_MESSAGE_BYTES, MESSAGE_BYTES};
pub use waymark_access::Role;
pub use workspaces::{Standing, Workspaces};

pub(crate) use route::Route;

use waymark_access::{Decision, Limits, Policies, Watching};
use waymark_proto::{Access, Aimless, CallKind, RpcMethod, Sight, Target};
use waymark_rpc::status::Reason;

use crate::audit::Audit;
use crate::authenticator::Authenticator;
use crate::config::LimitArgs;
use crate::host::Host;
use crate::shutdown::Shutdown;
use crate::{panic, propagation};
use answer::refuse;
use deadline::Deadline;
use limits::{Concurrency, Strangers};
use message::Messages;
use observe::{Completion, Ending, RpcMetrics, Watched};
use policy::Asking;
use record::{Record, Recorder};
use waymark_clock::{Clock, Ids};
use waymark_tls::PeerCertificate;

/// What a stream whose caller's token has expired gets to say where to go on.
const LAST_WORDS: TimeDelta = TimeDelta::seconds(if cfg!(test) { 1 } else { 10 });

/// What a service knows that is asked for here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Knows {
    /// None where callers who have an audience are shown nothing.
    pub audiences: Option<Arc<dyn Audiences>>,
    /// None where workspaces are there once they are named.
    pub workspaces: Option<Arc<dyn Workspaces>>,
}

/// The layer around a server's services.
#[derive(Debug, Clone)]
pub(crate) struct Edge(Arc<Steps>);

#[derive(Debug)]
struct Steps {
    metrics: RpcMetrics,
    max_deadline: Duration,
    messages: Messages,
    concurrency: Concurrency,
    strangers: Strangers,
    /// How much principals and workspaces may ask, where a file says so.
    limits: Option<Arc<Limits>>,
    authenticator: Authenticator,
    /// Where policies decide, in place of a role.
    policies: Option<Arc<Policies>>,
    clock: Clock,
    knows: Knows,
    recorder: Recorder,
    /// Looks a path up; the contract's table but in tests.
    route: fn(&str) -> Route,
    ids: Ids,
    shutdown: Shutdown,
}

impl Edge {
    /// The edge of one server.
    pub fn new(limits: &LimitArgs, knows: Knows, audit: Option<Audit>, route: fn(&str) -> Route, host: &Host) -> Self {
        Self(Arc::new(Steps {
            metrics: RpcMetrics::new(&host.telemetry.meter()),
            max_deadline: limits.max_deadline,
            messages: Messages::new(limits.max_message_time),
            concurrency: Concurrency::new(limits),
            strangers: Strangers::new(limits),
            limits: host.limits.clone(),
            authenticator: host.authenticator.clone(),
            policies: host.policies.clone(),
            clock: host.clock.clone(),
            knows,
            recorder: Recorder::new(audit, host.proxies.clone()),
            route,
            ids: host.ids.clone(),
            shutdown: host.shutdown.clone(),
        }))
    }
}

impl<S> Layer<S> for Edge {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { steps: Arc::clone(&self.0), inner }
    }
}

/// Services behind the edge.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    steps: Arc<Steps>,
    inner: S,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let steps = Arc::clone(&self.steps);
        // The instance that was polled ready is the one to call; its clone waits for the next request.
        let waiting = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, waiting);
        Box::pin(async move { Ok(steps.answer(request, inner).await) })
    }
}

impl Steps {
    async fn answer<S>(&self, request: Request<Body>, inner: S) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        if !is_grpc(&request) {
            return not_grpc();
        }
        let route = (self.route)(request.uri().path());
        let span = observe::span(route);
        propagation::adopt(&span, request.headers());
        let given = request.headers().get(propagation::TRACEPARENT).and_then(|value| value.to_str().ok());
        if let Some(trace) = propagation::trace_id(&span, given) {
            span.record("trace_id", trace);
        }
        let completion = self.metrics.start(route, span.clone());
        self.observed(request, inner, route, completion).instrument(span).await
    }

    async fn observed<S>(
        &self,
        request: Request<Body>,
        inner: S,
        route: Route,
        mut completion: Completion,
    ) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let (response, ending) = match route {
            Route::Rpc(method) => match deadline::asked(request.headers()) {
                Ok(asked) => {
                    let deadline =
                        Deadline::after(asked.map_or(self.max_deadline, |asked| asked.min(self.max_deadline)));
                    let mut stream = StreamTerms::default();
                    let record = &mut completion.record;
                    let answer = deadline.bound(self.guarded(request, inner, method, &mut stream, record)).await;
                    completion.watching = stream.watching;
                    // A stream lives on after its handler, until the time the caller gave, or its token has.
                    let asked = asked.map(|asked| Box::pin(Deadline::after(asked).wait()) as Ending);
                    let expired = stream.expires.map(|expires| self.expiry(expires));
                    let ending = match (asked, expired) {
                        (Some(asked), Some(expired)) => Some(Box::pin(first(asked, expired)) as Ending),
                        (asked, expired) => asked.or(expired),
                    };
                    (answer, ending)
                }
                Err(refused) => (Err(refused), None),
            },
            Route::Open(..) => match self.strangers.open_call(self.recorder.client(&request), Instant::now()) {
                Ok(()) => (self.unharmed(request, inner).await, Some(self.end_of_service())),
                Err(refused) => {
                    completion.record = self.recorder.of_path(&request);
                    (Err(refused), None)
                }
            },
            Route::NoRule => {
                completion.record = self.recorder.of_path(&request);
                (Err(access::no_rule(request.uri().path())), None)
            }
            Route::Unknown => (Err(Status::unimplemented("")), None),
        };
        let response = answer::mend(response.unwrap_or_else(Status::into_http));
        Watched::over(response, completion, ending, panicked_stream)
    }

    async fn guarded<S>(
        &self,
        request: Request<Body>,
        inner: S,
        method: &'static RpcMethod,
        stream: &mut StreamTerms,
        record: &mut Option<Box<Record>>,
    ) -> Result<Response<Body>, Status>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let mut caller = self.signed_in(&request).inspect_err(|_| *record = self.recorder.of(method, &request))?;
        tracing::Span::current().record("actor", caller.actor.subject.as_str());
        // Before the call takes a place: whoever sends slowly is waited for without one.
        let (message, mut request) = self.messages.first(request).await?;
        let aim = method.aim.at(&message);
        let written = workspaces::written(method, aim.as_ref());
        let _permit = self.concurrency.admit()?;
        let limited = self.within_limits(&caller, method, aim.as_ref().ok().map(|(target, _)| target));
        let decided = limited.and_then(|watching| {
            stream.watching = watching;
            self.decided(&mut caller, &request, method, aim)
        });
        let decided = match decided {
            Ok(decision) => self.seen(&caller, method).await.map(|sight| (decision, sight)),
            Err(refused) => Err(refused),
        };
        if decided.is_err() || record::is_recorded(method) {
            *record = self.recorder.of(method, &request);
            if let Some(record) = record {
                let policies = decided.iter().filter_map(|(decision, _)| decision.as_deref());
                record.decided(&caller, method, &message, policies.flat_map(|decision| &decision.policies));
            }
        }
        drop(message);
        let (_, sight) = decided?;
        if let Some(workspace) = written {
            workspaces::must_be_written(self.knows.workspaces.as_deref(), &workspace, method).await?;
        }
        hand_on_trace(&mut request);
        request.extensions_mut().insert(caller.actor.clone());
        stream.expires = caller.expires();
        let audience = caller.audience.clone();
        if let Some(readable) = caller.readable(method) {
            request.extensions_mut().insert(readable);
        }
        request.extensions_mut().insert(caller);
        let (Some(audience), Some((audiences, sight))) = (audience, sight) else {
            return self.unharmed(request, inner).await;
        };
        request.extensions_mut().insert(sight);
        let answer = self.unharmed(request, inner).await?;
        Ok(audiences::hidden(answer, method, audiences, audience))
    }

    /// Whether the caller may call; by which policies, where they decide.
    fn decided(
        &self,
        caller: &mut Caller,
        request: &Request<Body>,
        method: &'static RpcMethod,
        aim: Result<(Target, bool), Aimless>,
    ) -> Result<Option<Arc<Decision>>, Status> {
        let (Some(policies), Some(identity)) = (&self.policies, caller.identity.clone()) else {
            return access::authorise(caller, method).map(|()| None);
        };
        caller.role = None;
        let certified = request.extensions().get::<Arc<PeerCertificate>>().is_some();
        if method.access == Access::Caller {
            let asking = Asking { identity, certified, audience: None };
            caller.asked = Some(asking.of(policies, method, Ok((Target::Installation, false)))?);
            return Ok(None);
        }
        let asking = Asking { identity, certified, audience: caller.audience.take() };
        let asked = asking.of(policies, method, aim)?;
        let decision = asked.decide()?;
        caller.audience.clone_from(&decision.audience);
        access::shown(caller, method)?;
        caller.asked = Some(asked);
        Ok(Some(decision))
    }

    /// What the audience of the caller sees, if it has one.
    async fn seen(
        &self,
        caller: &Caller,
        method: &'static RpcMethod,
    ) -> Result<Option<(Arc<dyn Audiences>, Arc<Sight>)>, Status> {
        let Some(audience) = &caller.audience else { return Ok(None) };
        let audiences = self.knows.audiences.as_ref().ok_or_else(|| access::not_shown(audience, method))?;
        let sight = audiences::sight(&**audiences, audience, method).await?;
        Ok(Some((Arc::clone(audiences), Arc::new(sight))))
    }

    /// Who calls, unless too many calls from there had credentials that are not taken.
    fn signed_in(&self, request: &Request<Body>) -> Result<Caller, Status> {
        let (now, peer) = (Instant::now(), self.recorder.client(request));
        let certificate = request.extensions().get::<Arc<PeerCertificate>>().map(|certificate| &**certificate);
        let held_up = self.strangers.hold_up(peer, now);
        let caller =
            caller::authenticate(&self.authenticator, request.headers(), certificate, held_up, self.clock.now());
        if caller.as_ref().is_err_and(|refused| refused.code() == Code::Unauthenticated) {
            self.strangers.failed(peer, now);
        }
        caller
    }

    /// Takes what a call costs of its caller and its workspace, and a place for the stream that it opens.
    fn within_limits(
        &self,
        caller: &Caller,
        method: &RpcMethod,
        target: Option<&Target>,
    ) -> Result<Option<Watching>, Status> {
        let Some(limits) = &self.limits else { return Ok(None) };
        let workspace = match target {
            Some(Target::Workspace(workspace)) => Some(workspace.to_string()),
            Some(Target::Product(product)) => Some(product.workspace.to_string()),
            // What says nothing of what it is for is refused by whoever reads it.
            Some(Target::Installation) | None => None,
        };
        let (principal, kind) = (&caller.actor.subject, method.kind);
        let spent = limits.spend(principal, workspace.as_deref(), kind.name(), Instant::now());
        spent.map_err(|exceeded| limits::exceeded(&exceeded))?;
        let watching = (kind == CallKind::Watch).then(|| limits.watch(principal)).transpose();
        watching.map_err(|exceeded| limits::exceeded(&exceeded))
    }

    /// Calls the handler with a net under panics.
    async fn unharmed<S>(&self, request: Request<Body>, mut inner: S) -> Result<Response<Body>, Status>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let work = AssertUnwindSafe(async move { inner.call(request).await });
        match work.catch_unwind().await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(never)) => match never {},
            Err(panic) => Err(panicked(&*panic, &self.ids)),
        }
    }

    /// When a token has expired, streams are cut that do not end by themselves, as a watch does to say where to resume.
    fn expiry(&self, expires: DateTime<Utc>) -> Ending {
        let clock = self.clock.clone();
        Box::pin(async move {
            while let Some(left) = (expires + LAST_WORDS - clock.now()).to_std().ok().filter(|left| !left.is_zero()) {
                // The clock may be set meanwhile.
                tokio::time::sleep(left.min(LAST_WORDS.to_std().unwrap_or_default())).await;
            }
            caller::unauthenticated("expired", "the token has expired: call again with a new one".to_owned())
        })
    }

    fn end_of_service(&self) -> Ending {
        let begun = self.shutdown.begun();
        Box::pin(async move {
            begun.await;
            refuse(
                Code::Unavailable,
                Reason::ShuttingDown,
                "the server is shutting down; call again, another instance will answer",
            )
        })
    }
}

/// What holds of a stream beyond its handler.
#[derive(Debug, Default)]
struct StreamTerms {
    /// When the caller's token expires.
    expires: Option<DateTime<Utc>>,
    /// Its place among those of its caller.
    watching: Option<Watching>,
}

async fn first(one: Ending, other: Ending) -> Status {
    tokio::select! { status = one => status, status = other => status }
}

/// What the handler stores or sends on names the server's own span; without tracing the caller's stays.
fn hand_on_trace(request: &mut Request<Body>) {
    let own = propagation::current_traceparent().and_then(|own| HeaderValue::try_from(own).ok());
    if let Some(own) = own {
        request.headers_mut().insert(propagation::TRACEPARENT, own);
    }
}

fn panicked(caught: &(dyn Any + Send), ids: &Ids) -> Status {
    let incident = ids.opaque().simple().to_string();
    tracing::error!(incident, panic = panic::message(caught), "handler panicked");
    let message = format!("internal error, incident {incident}");
    answer::refuse_with(Code::Internal, Reason::Internal, message, [("incident", incident)])
}

/// A body is polled far from the edge's own state, so its incident comes from the system's random source.
fn panicked_stream(panic: &(dyn Any + Send)) -> Status {
    panicked(panic, &Ids::system())
}

fn is_grpc(request: &Request<Body>) -> bool {
    let content = request.headers().get(http::header::CONTENT_TYPE);
    request.method() == http::Method::POST
        && content.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The gRPC protocol's answer to anything else that arrives on the port.
fn not_grpc() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

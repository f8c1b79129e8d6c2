//! A server whose answers are scripted, and which remembers what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::future::BoxFuture;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt as _};
use waymark_proto::events::v1 as events;
use waymark_proto::events::v1::events_service_server::{EventsService, EventsServiceServer};
use waymark_proto::events::v1::watch_events_request::Start;
use waymark_proto::roadmap::v1 as pb;

/// What the next call is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    Ok,
    Unavailable,
    Busy(Duration),
    NotFound,
    Refused,
    Hang,
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub metadata: BTreeMap<String, String>,
    pub request_id: String,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    seen: Vec<Seen>,
    streams: usize,
}

/// A running server; it stops when dropped.
pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { answers: answers.into(), ..State::default() }));
        let service = Service(state.clone());
        let server = tonic::transport::Server::builder()
            .add_service(Products(service.clone()))
            .add_service(EventsServiceServer::new(service));
        #[expect(clippy::disallowed_methods, reason = "the task is aborted when the server is dropped")]
        let task =
            tokio::spawn(async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap() });
        Self { address, state, task }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub fn streams(&self) -> usize {
        self.state.lock().unwrap().streams
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<State>>);

impl Service {
    async fn answer<T: Default>(&self, metadata: &MetadataMap, request_id: &str) -> Result<Response<T>, Status> {
        let metadata = metadata
            .iter()
            .filter_map(|entry| match entry {
                KeyAndValueRef::Ascii(key, value) => Some((key.to_string(), value.to_str().ok()?.to_owned())),
                KeyAndValueRef::Binary(..) => None,
            })
            .collect();
        let answer = {
            let mut state = self.0.lock().unwrap();
            state.seen.push(Seen { metadata, request_id: request_id.to_owned() });
            state.answers.pop_front().expect("the script has an answer for every call")
        };
        let details = |reason: &str| ErrorDetails::with_error_info(reason, "waymark.dev", []);
        match answer {
            Answer::Ok => Ok(Response::new(T::default())),
            Answer::Refused => {
                Err(Status::with_error_details(Code::Unauthenticated, "expired", details("UNAUTHENTICATED")))
            }
            Answer::Unavailable => Err(Status::with_error_details(Code::Unavailable, "down", details("UNAVAILABLE"))),
            Answer::Busy(delay) => {
                let mut details = details("OVERLOADED");
                details.set_retry_info(Some(delay));
                Err(Status::with_error_details(Code::ResourceExhausted, "busy", details))
            }
            Answer::NotFound => Err(Status::with_error_details(Code::NotFound, "none", details("RESOURCE_NOT_FOUND"))),
            Answer::Hang => std::future::pending().await,
        }
    }
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of this test"))
}

/// The methods of products, which no generated server has. Every answer is an empty message, whatever its type.
#[derive(Clone)]
struct Products(Service);

impl NamedService for Products {
    const NAME: &'static str = "waymark.roadmap.v1.StrategyService";
}

impl tower::Service<http::Request<Body>> for Products {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            Ok(if request.uri().path().ends_with("/CreateProduct") {
                let method = Method(service, |request: &pb::CreateProductRequest| &request.request_id);
                Grpc::new(ProstCodec::default()).unary(method, request).await
            } else {
                Grpc::new(ProstCodec::default()).unary(Method(service, |(): &()| ""), request).await
            })
        })
    }
}

/// One of them, and where its requests have their id.
struct Method<Q>(Service, fn(&Q) -> &str);

impl<Q: Send + Sync + 'static> UnaryService<Q> for Method<Q> {
    type Response = pb::Product;
    type Future = BoxFuture<'static, Result<Response<pb::Product>, Status>>;
    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let (service, id) = (self.0.clone(), (self.1)(request.get_ref()).to_owned());
        Box::pin(async move { service.answer(request.metadata(), &id).await })
    }
}

#[tonic::async_trait]
impl EventsService for Service {
    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<events::WatchEventsResponse, Status>> + Send>>;

    /// A log without end; every stream is cut after three messages, in one of three ways. A first snapshot is cut
    /// within.
    async fn watch_events(
        &self,
        r: Request<events::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let stream_number = {
            let mut state = self.0.lock().unwrap();
            state.streams += 1;
            state.streams
        };
        let revision = |revision: i64| {
            let event = events::Event { revision, ..Default::default() };
            Ok(events::WatchEventsResponse { revision, events: vec![event], snapshot: false })
        };
        let mut messages = match r.into_inner().start {
            Some(Start::Snapshot(_)) => {
                let part =
                    events::WatchEventsResponse { revision: 0, events: vec![events::Event::default()], snapshot: true };
                let end = events::WatchEventsResponse { revision: 40, events: Vec::new(), snapshot: false };
                if stream_number == 1 { vec![Ok(part)] } else { vec![Ok(part), Ok(end), revision(41)] }
            }
            Some(Start::AfterRevision(after)) if after < 0 => return Err(Status::out_of_range("no longer kept")),
            Some(Start::AfterRevision(after)) => (after + 1..=after + 3).map(revision).collect(),
            _ => (1..=3).map(revision).collect(),
        };
        match stream_number % 3 {
            0 => messages.push(Err(Status::unavailable("stopping"))),
            1 => messages.push(Err(Status::internal("the stream broke"))),
            _ => {}
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }
    async fn list_events(
        &self,
        _: Request<events::ListEventsRequest>,
    ) -> Result<Response<events::ListEventsResponse>, Status> {
        not_here()
    }
    async fn get_event(&self, _: Request<events::GetEventRequest>) -> Result<Response<events::Event>, Status> {
        not_here()
    }
    async fn list_dead_letters(
        &self,
        _: Request<events::ListDeadLettersRequest>,
    ) -> Result<Response<events::ListDeadLettersResponse>, Status> {
        not_here()
    }
    async fn redrive_dead_letter(
        &self,
        _: Request<events::RedriveDeadLetterRequest>,
    ) -> Result<Response<events::DeadLetter>, Status> {
        not_here()
    }
    async fn delete_dead_letter(
        &self,
        _: Request<events::DeleteDeadLetterRequest>,
    ) -> Result<Response<pbjson_types::Empty>, Status> {
        not_here()
    }
    async fn republish_events(
        &self,
        _: Request<events::RepublishEventsRequest>,
    ) -> Result<Response<events::RepublishEventsResponse>, Status> {
        not_here()
    }
}

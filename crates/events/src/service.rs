//! `waymark.events.v1.EventsService`: a service's log for its readers, and its dead letters for its operators.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _};
use opentelemetry::KeyValue;
use opentelemetry::metrics::UpDownCounter;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use waymark_domain::{AnyName, Failure, FailureKind, Reason, Violation, Violations, WorkspaceId};
use waymark_proto::convert::timestamp;
use waymark_proto::events::v1 as pb;
use waymark_proto::events::v1::events_service_server::EventsService;
use waymark_proto::events::v1::watch_events_request::Start;
use waymark_rpc::{self as rpc, or_status, status};
use waymark_runtime::Host;
use waymark_runtime::edge::Caller;
use waymark_store::{DeadLetter, Error, LogFilter, Store};

use crate::causes::chain;
use crate::envelope;
use crate::seen::seen;
use crate::subscription::Subscription;
use crate::watch::{CHECKPOINT, End, PATIENCE, Selection, Tail, Watch, event};

/// Batches that may wait for a reader.
const BUFFER: usize = 64;
/// Resources a watch may name.
const SUBJECTS: usize = 100;

/// The events service of one service's log.
#[derive(Clone)]
pub struct EventsApi {
    host: Host,
    store: Store,
    subscription: Subscription,
    tail: Arc<Tail>,
    streams: UpDownCounter<i64>,
    checkpoint: Duration,
    patience: Duration,
}

impl EventsApi {
    /// Serves the log of `store`; dead letters are redriven to the subscription's handler.
    pub fn new(host: &Host, store: &Store, subscription: Subscription) -> Self {
        let streams = host
            .telemetry
            .meter()
            .i64_up_down_counter("waymark.watch.streams")
            .with_description("Open watch streams")
            .build();
        Self {
            host: host.clone(),
            store: store.clone(),
            subscription,
            tail: Arc::default(),
            streams,
            checkpoint: CHECKPOINT,
            patience: PATIENCE,
        }
    }

    /// The same with other times: how often an idle watch is told its position, and how long a full buffer is waited
    /// for.
    #[must_use]
    pub fn with_times(mut self, checkpoint: Duration, patience: Duration) -> Self {
        (self.checkpoint, self.patience) = (checkpoint, patience);
        self
    }
}

/// A redrive that failed again.
#[derive(Debug, thiserror::Error)]
#[error("the event could not be handled again: {0}")]
struct StillFailing(String);

impl Failure for StillFailing {
    fn kind(&self) -> FailureKind {
        FailureKind::Refused
    }
    fn reason(&self) -> Reason {
        Reason::RuleViolated
    }
    fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![("rule", "a redriven event must be handled".into())]
    }
    fn violations(&self) -> Vec<Violation> {
        vec![Violation { field: "redrive".into(), description: self.0.clone() }]
    }
}

#[tonic::async_trait]
impl EventsService for EventsApi {
    async fn list_events(
        &self,
        request: Request<pb::ListEventsRequest>,
    ) -> Result<Response<pb::ListEventsResponse>, Status> {
        let sight = rpc::sight(&request);
        let pb::ListEventsRequest { parent, page_size, page_token, filter } = request.into_inner();
        let workspace = or_status(workspace(&parent))?;
        let service = self.subscription.consumer;
        let sight = sight.as_deref();
        let query = LogFilter { service, filter: &filter, page_size, page_token: &page_token, sight };
        let page = or_status(self.store.list_log(&workspace, query).await)?;
        let events = or_status(page.items.iter().map(event).collect::<Result<_, _>>())?;
        let events = or_status(seen(&self.store, sight, events).await)?;
        Ok(Response::new(pb::ListEventsResponse { events, next_page_token: page.next_page_token }))
    }

    async fn get_event(&self, request: Request<pb::GetEventRequest>) -> Result<Response<pb::Event>, Status> {
        let sight = rpc::sight(&request);
        let name = request.into_inner().name;
        let (workspace, id) = or_status(identity(&name, "events"))?;
        let row = or_status(self.store.find_event(&workspace, id).await)?;
        let found = or_status(row.as_ref().map(event).transpose())?;
        let mut seen = or_status(seen(&self.store, sight.as_deref(), found.into_iter().collect()).await)?;
        let found = or_status(seen.pop().ok_or(Error::NotFound(name)))?;
        Ok(Response::new(found))
    }

    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<pb::WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<pb::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let sight = rpc::sight(&request);
        let caller = Caller::of(&request).cloned();
        let pb::WatchEventsRequest { parent, types, subjects, start } = request.into_inner();
        let workspace = or_status(workspace(&parent))?;
        let selection = or_status(selection(self.subscription.consumer, &types, subjects))?;
        // A reader that starts now knows no position yet; it is told at once, so that it can resume even if nothing
        // comes.
        let announce = matches!(start, None | Some(Start::Now(_)));
        let (position, snapshot) = or_status(self.start(&workspace, start).await)?;
        let (output, batches) = mpsc::channel(BUFFER);
        let (ended, end) = oneshot::channel::<Option<End>>();
        let watch = Watch {
            host: self.host.clone(),
            store: self.store.clone(),
            shared: self.tail.slot(workspace.id()),
            workspace,
            selection,
            sight,
            caller,
            checkpoint: self.checkpoint,
            patience: self.patience,
            output,
        };
        let (streams, service) = (self.streams.clone(), [KeyValue::new("service", self.subscription.consumer)]);
        self.host.tasks.spawn(format!("watch {parent}"), async move {
            streams.add(1, &service);
            // A watch that panics ends its own stream, not the process.
            if let Ok(reason) =
                std::panic::AssertUnwindSafe(watch.run(position, snapshot, announce)).catch_unwind().await
            {
                // A reader that left does not want to know.
                let _ = ended.send(reason);
            }
            streams.add(-1, &service);
        });
        // What is buffered is read first, then why it ended.
        let last = futures::stream::once(end).filter_map(async |end| {
            // A watch that says nothing was cut off, by a panic or at the end of the drain.
            end.unwrap_or(Some(End::Broken)).map(|reason| Err(status(&reason)))
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(batches).chain(last))))
    }

    async fn list_dead_letters(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>, Status> {
        let pb::ListDeadLettersRequest { parent, page_size, page_token } = request.into_inner();
        let workspace = or_status(workspace(&parent))?;
        let page = or_status(self.store.list_dead_letters(&workspace, page_size, &page_token).await)?;
        let dead_letters = page.items.iter().map(letter).collect();
        Ok(Response::new(pb::ListDeadLettersResponse { dead_letters, next_page_token: page.next_page_token }))
    }

    async fn redrive_dead_letter(
        &self,
        request: Request<pb::RedriveDeadLetterRequest>,
    ) -> Result<Response<pb::DeadLetter>, Status> {
        let name = request.into_inner().name;
        let (workspace, id) = or_status(identity(&name, "deadLetters"))?;
        let found = or_status(self.store.find_dead_letter(&workspace, id).await)?;
        let mut found = or_status(found.ok_or(Error::NotFound(name)))?;
        if let Err(error) = self.subscription.handle(found.event.clone()).await {
            if error.is_transient() {
                return Err(status(&error));
            }
            found.attempts += 1;
            let consumer = self.subscription.consumer;
            or_status(self.store.set_aside(consumer, &found.event, &chain(&error), found.attempts).await)?;
            return Err(status(&StillFailing(error.to_string())));
        }
        or_status(self.store.forget_dead_letter(&workspace, id).await)?;
        Ok(Response::new(letter(&found)))
    }

    async fn delete_dead_letter(
        &self,
        request: Request<pb::DeleteDeadLetterRequest>,
    ) -> Result<Response<pbjson_types::Empty>, Status> {
        let name = request.into_inner().name;
        let (workspace, id) = or_status(identity(&name, "deadLetters"))?;
        if !or_status(self.store.forget_dead_letter(&workspace, id).await)? {
            return Err(status(&Error::NotFound(name)));
        }
        Ok(Response::new(pbjson_types::Empty {}))
    }

    async fn republish_events(
        &self,
        request: Request<pb::RepublishEventsRequest>,
    ) -> Result<Response<pb::RepublishEventsResponse>, Status> {
        let pb::RepublishEventsRequest { parent, from_revision } = request.into_inner();
        let workspace = or_status(workspace(&parent))?;
        let events = or_status(self.store.republish(&workspace, from_revision.max(1)).await)?;
        Ok(Response::new(pb::RepublishEventsResponse { events }))
    }
}

impl EventsApi {
    /// Where a watch begins, and whether with a snapshot.
    async fn start(&self, workspace: &WorkspaceId, start: Option<Start>) -> Result<(i64, bool), Error> {
        let (earliest, current) = self.store.bounds(workspace.id()).await?;
        match start {
            None | Some(Start::Now(_)) => Ok((current, false)),
            Some(Start::Earliest(_)) => Ok(((earliest - 1).max(0), false)),
            Some(Start::Snapshot(_)) => Ok((current, true)),
            Some(Start::AfterRevision(asked)) if asked < 0 => {
                Err(Violations::one("after_revision", "must not be negative; 0 is the beginning").into())
            }
            Some(Start::AfterRevision(asked)) if asked > current => Err(Error::Future { asked, current }),
            Some(Start::AfterRevision(asked)) if asked + 1 < earliest => Err(Error::Expired { asked, earliest }),
            Some(Start::AfterRevision(asked)) => Ok((asked, false)),
        }
    }
}

fn letter(letter: &DeadLetter) -> pb::DeadLetter {
    let event = &letter.event;
    pb::DeadLetter {
        name: format!("{}/deadLetters/{}", event.workspace, event.event_id),
        source: event.source.clone(),
        event: Some(envelope::received_to_proto(event)),
        error: letter.error.clone(),
        attempts: letter.attempts,
        create_time: Some(timestamp(letter.time)),
    }
}

fn workspace(parent: &str) -> Result<WorkspaceId, Violations> {
    parent.parse().map_err(|e: waymark_domain::name::NameError| Violations::one("parent", e.to_string()))
}

fn identity(name: &str, collection: &str) -> Result<(WorkspaceId, Uuid), Violations> {
    let wrong = || {
        Violations::one(
            "name",
            format!("{name:?} is not of the form workspaces/{{workspace}}/{collection}/{{event id}}"),
        )
    };
    let parsed: AnyName = name.parse().map_err(|_| wrong())?;
    if parsed.collection != collection {
        return Err(wrong());
    }
    let id = Uuid::parse_str(parsed.id.as_str()).map_err(|_| wrong())?;
    Ok((parsed.workspace, id))
}

fn selection(service: &str, types: &[String], subjects: Vec<String>) -> Result<Selection, Violations> {
    let mut violations = Violations::new();
    let types = types.iter().enumerate().filter_map(|(i, name)| {
        violations.check(&format!("types[{i}]"), waymark_proto::event::named(service, name)).map(str::to_owned)
    });
    let types = types.collect();
    if subjects.len() > SUBJECTS {
        violations.add("subjects", format!("has {} names, at most {SUBJECTS} are allowed", subjects.len()));
    }
    for (i, name) in subjects.iter().take(SUBJECTS).enumerate() {
        violations.check(&format!("subjects[{i}]"), name.parse::<AnyName>());
    }
    violations.into_result()?;
    Ok(Selection { types, subjects: subjects.into_iter().collect() })
}

//! A watch on a service's log that outlives connections: it resumes after the last revision it delivered, so its reader
//! sees every event once and in order.

use std::time::Duration;

use pbjson_types::Empty;
use tonic::{Code, Status, Streaming};
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::events::v1::watch_events_request::Start as WireStart;
use waymark_proto::events::v1::{Event, WatchEventsRequest, WatchEventsResponse};

use crate::{Channel, Error, retry};

/// Where a watch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After this revision; 0 is the beginning.
    After(i64),
    /// From the earliest revision that is kept.
    Earliest,
    /// What happens from now on.
    Now,
    /// The latest event of every resource that exists, then what happens from there on.
    Snapshot,
}

/// One step of a watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// A part of the snapshot.
    Snapshot(Vec<Event>),
    /// The connection was lost within the snapshot: forget what was read of it, it begins again.
    SnapshotRestarted,
    /// The events of one revision, whole.
    Revision(i64, Vec<Event>),
    /// Nothing new up to this revision.
    Checkpoint(i64),
}

/// A watch on the log of one service.
#[derive(Debug)]
pub struct Watch {
    client: EventsServiceClient<Channel>,
    channel: Channel,
    request: WatchEventsRequest,
    stream: Option<Streaming<WatchEventsResponse>>,
    /// The last revision delivered; resuming needs nothing else.
    revision: Option<i64>,
    within_snapshot: bool,
    failures: u32,
    /// A token was refused since something came.
    refused: bool,
    /// How long to wait before the next connection; kept here so that a cancelled `next` loses nothing.
    wait: Option<Duration>,
}

impl Watch {
    /// A watch on a workspace (`workspaces/{workspace}`); connects on the first [`Watch::next`]. Empty `types` or
    /// `subjects` mean all.
    pub fn new(channel: Channel, parent: &str, types: Vec<String>, subjects: Vec<String>, start: Start) -> Self {
        let start = match start {
            Start::After(revision) => WireStart::AfterRevision(revision),
            Start::Earliest => WireStart::Earliest(Empty {}),
            Start::Now => WireStart::Now(Empty {}),
            Start::Snapshot => WireStart::Snapshot(Empty {}),
        };
        let request = WatchEventsRequest { parent: parent.to_owned(), types, subjects, start: Some(start) };
        let client = EventsServiceClient::new(channel.clone()).max_decoding_message_size(64 << 20);
        Self {
            client,
            channel,
            request,
            stream: None,
            revision: None,
            within_snapshot: false,
            failures: 0,
            refused: false,
            wait: None,
        }
    }

    /// The last revision delivered: a later watch that starts `After` it goes on from here.
    pub fn revision(&self) -> Option<i64> {
        self.revision
    }

    /// The next step. Waits and reconnects for as long as the service is away or sheds readers; fails only on what
    /// waiting cannot mend, such as a position that is no longer kept. Cancel-safe.
    pub async fn next(&mut self) -> Result<Update, Error> {
        loop {
            let received = match &mut self.stream {
                Some(stream) => stream.message().await,
                None => match self.connect().await {
                    Ok(()) => continue,
                    Err(status) => Err(status),
                },
            };
            let status = match received {
                Ok(Some(response)) => {
                    (self.failures, self.refused) = (0, false);
                    match self.accept(response) {
                        Some(update) => return Ok(update),
                        None => continue,
                    }
                }
                Ok(None) => Status::unavailable("the stream ended"),
                Err(status) => status,
            };
            let ended = self.stream.take().is_some();
            let status =
                if status.code() == Code::Unauthenticated { self.renewed(status, ended).await } else { status };
            if is_final(status.code()) {
                return Err(status.into());
            }
            self.failures = self.failures.saturating_add(1);
            let delay = retry::delay(&status, self.failures).unwrap_or_else(|| retry::backoff(self.failures, None));
            tracing::debug!(revision = self.revision, code = ?status.code(), ?delay, "watch reconnects");
            self.wait = Some(delay);
            if std::mem::take(&mut self.within_snapshot) {
                return Ok(Update::SnapshotRestarted);
            }
        }
    }

    /// What it means that a token is not taken: a stream that was open ended with its token, and there is another by now;
    /// one that was refused from the start may be opened by another, once.
    async fn renewed(&mut self, status: Status, ended: bool) -> Status {
        let another = if ended {
            Ok(self.channel.has_token())
        } else if std::mem::replace(&mut self.refused, true) {
            Ok(false)
        } else {
            self.channel.renew().await
        };
        match another {
            Ok(true) => Status::unavailable("the token expired"),
            Ok(false) => status,
            Err(none) => none,
        }
    }

    async fn connect(&mut self) -> Result<(), Status> {
        if let Some(wait) = self.wait {
            tokio::time::sleep(wait).await;
            self.wait = None;
        }
        if let Some(revision) = self.revision {
            self.request.start = Some(WireStart::AfterRevision(revision));
        }
        self.stream = Some(self.client.watch_events(self.request.clone()).await?.into_inner());
        Ok(())
    }

    fn accept(&mut self, response: WatchEventsResponse) -> Option<Update> {
        let WatchEventsResponse { revision, events, snapshot } = response;
        if snapshot {
            // The last part names the revision the snapshot was taken at; until then there is nothing to resume from.
            self.within_snapshot = revision == 0;
            if revision > 0 {
                self.revision = Some(revision);
            }
            return Some(Update::Snapshot(events));
        }
        self.within_snapshot = false;
        if events.is_empty() {
            self.revision = self.revision.max(Some(revision));
            return Some(Update::Checkpoint(revision));
        }
        // A server never sends a revision twice on one stream, but two servers behind one address may disagree for a
        // moment.
        if self.revision.is_some_and(|seen| revision <= seen) {
            return None;
        }
        self.revision = Some(revision);
        Some(Update::Revision(revision, events))
    }
}

/// Whether waiting cannot mend it.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::FailedPrecondition
    )
}

//! Snapshots over NATS: what a service answers who asks what it keeps, and how it is asked. `snapshot.proto` is the
//! contract.

use async_nats::{Client, HeaderMap, Message};
use bytes::Bytes;
use futures::StreamExt as _;
use prost::Message as _;
use waymark_domain::{AnyName, Failure as _, FailureKind, Violations};
use waymark_proto::events::v1 as pb;
use waymark_runtime::Host;
use waymark_store::{Error, Store};

use crate::attempt::backoff;
use crate::causes::chain;

/// Requests that are answered at once.
const AT_ONCE: usize = 4;
/// Bytes of a message beside its payload.
const RESERVE: usize = 1_024;
/// Header of an answer that is none, and what it says: as NATS services do (ADR-32).
const ERROR_CODE: &str = "Nats-Service-Error-Code";
const ERROR: &str = "Nats-Service-Error";

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// Nobody answers, or not in time.
    #[error("{subject} is not answered: {problem}")]
    Unanswered {
        /// Where it was asked.
        subject: String,
        /// What the client said.
        problem: String,
    },
    /// The service has answered that it cannot.
    #[error("{subject} is answered with an error, {code}: {problem}")]
    Refused {
        /// Where it was asked.
        subject: String,
        /// The error's code.
        code: String,
        /// What the service said.
        problem: String,
    },
    /// The answer cannot be read.
    #[error("the answer of {0} is not a SnapshotResponse")]
    Unreadable(String, #[source] prost::DecodeError),
    /// A database failed: the mirror's, or in one process the source's.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Where a service is asked. Outside of what its stream takes: that would keep each request, and answer it.
fn subject(service: &str) -> String {
    format!("waymark.snapshot.{service}")
}

/// Answers for `service` until shutdown, in turn with its other replicas.
pub async fn serve(host: Host, store: Store, client: Client, service: &'static str) {
    let mut failures = 0;
    while !host.shutdown.is_begun() {
        match client.queue_subscribe(subject(service), format!("waymark-{service}")).await {
            Ok(requests) => {
                let answer = |request| answer(&store, &client, request);
                requests.take_until(host.shutdown.begun()).for_each_concurrent(AT_ONCE, answer).await;
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(service, error = %chain(&error), "requests for snapshots are not heard; trying again");
            }
        }
        tokio::select! { () = host.shutdown.begun() => {} () = tokio::time::sleep(backoff(failures)) => {} }
    }
}

async fn answer(store: &Store, client: &Client, request: Message) {
    let Some(reply) = request.reply else { return };
    let sent = match page(store, client, request.payload).await {
        Ok(page) => client.publish(reply, page.encode_to_vec().into()).await,
        Err(error) => {
            let mut headers = HeaderMap::new();
            let code = if error.kind() == FailureKind::Invalid { "400" } else { "500" };
            let problem = if code == "400" { error.to_string() } else { "try again".to_owned() };
            if code == "500" {
                tracing::warn!(error = %chain(&error), "a snapshot was asked for in vain");
            }
            headers.insert(ERROR_CODE, code);
            headers.insert(ERROR, problem.replace(['\r', '\n'], " ").as_str());
            client.publish_with_headers(reply, headers, Bytes::new()).await
        }
    };
    if let Err(error) = sent {
        tracing::debug!(error = %chain(&error), "a snapshot was not sent; it will be asked for again");
    }
}

async fn page(store: &Store, client: &Client, request: Bytes) -> Result<pb::SnapshotResponse, Error> {
    let malformed = |e| Violations::one("message", format!("is not a SnapshotRequest: {e}"));
    let request = pb::SnapshotRequest::decode(request).map_err(malformed)?;
    store.snapshot_page(&request, client.max_payload().saturating_sub(RESERVE)).await
}

/// Whether a service keeps a resource, by what it says itself; `None` when it does not say.
pub async fn keeps(client: &Client, service: &str, name: &AnyName) -> Option<bool> {
    let asked = ask(client, service, &request_for(name)).await;
    asked
        .inspect_err(
            |error| tracing::debug!(service, %name, error = %chain(error), "whether there is one is not known"),
        )
        .ok()
        .map(|page| has(&page, name))
}

/// As [`keeps`], of a service in this process.
pub async fn keeps_here(source: &Store, name: &AnyName) -> Result<bool, Error> {
    Ok(has(&source.snapshot_page(&request_for(name), usize::MAX).await?, name))
}

fn request_for(name: &AnyName) -> pb::SnapshotRequest {
    let AnyName { workspace, collection, id } = name;
    let (workspace, id) = (workspace.id().to_owned(), id.to_string());
    pb::SnapshotRequest { collection: collection.clone(), workspace, id, ..pb::SnapshotRequest::default() }
}

/// A service that does not know yet that it may be asked for one answers with others.
fn has(page: &pb::SnapshotResponse, name: &AnyName) -> bool {
    page.rows.iter().any(|row| row.workspace == name.workspace.id() && row.id == name.id.as_str())
}

/// Asks a service for a page.
pub(crate) async fn ask(
    client: &Client,
    service: &str,
    request: &pb::SnapshotRequest,
) -> Result<pb::SnapshotResponse, SnapshotError> {
    let subject = subject(service);
    let answer = client.request(subject.clone(), request.encode_to_vec().into()).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(SnapshotError::Unanswered { subject, problem: chain(&error) }),
    };
    let header = |name| answer.headers.as_ref().and_then(|headers| headers.get(name)).map(ToString::to_string);
    if let Some(code) = header(ERROR_CODE) {
        return Err(SnapshotError::Refused { subject, code, problem: header(ERROR).unwrap_or_default() });
    }
    pb::SnapshotResponse::decode(answer.payload).map_err(|error| SnapshotError::Unreadable(subject, error))
}

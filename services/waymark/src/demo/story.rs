//! What all chapters of the story share: where it plays, what it is about, and how services are asked.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use tonic::{Code, Response, Status};
use waymark_client::{Channel, Error};
use waymark_proto::Timestamp;
use waymark_proto::common::v1::Evidence;

/// The solution that is built; its initiative has the same id.
pub const SOLUTION: &str = "saved-carts";
/// The metric that all is about.
pub const METRIC: &str = "orders";
/// How long services may take to hear of each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all chapters share.
pub struct Story {
    pub parent: String,
    pub now: DateTime<Utc>,
    pub discovery: Channel,
    pub roadmap: Channel,
    pub metrics: Channel,
}

impl Story {
    pub fn name(&self, collection: &str, id: &str) -> String {
        format!("{}/{collection}/{id}", self.parent)
    }

    pub fn full_name(&self, service: &str, collection: &str, id: &str) -> String {
        format!("//{service}.waymark.dev/{}", self.name(collection, id))
    }

    pub fn evidence(&self, service: &str, collection: &str, id: &str, note: &str) -> Evidence {
        Evidence { target: self.full_name(service, collection, id), note: note.to_owned() }
    }
}

/// A time as messages have it.
pub fn timestamp(time: DateTime<Utc>) -> Timestamp {
    // A sub-second count of nanoseconds is below 2^31.
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
}

/// The answer of a call.
pub fn done<T>(result: Result<Response<T>, Status>) -> Result<T> {
    Ok(result.map_err(Error::from)?.into_inner())
}

/// Asks until the answer is there: services hear of each other by events, in their own time.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(what: &str, mut ask: impl FnMut() -> F) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!(
                "{what} did not happen within {} seconds; `waymark events dead-letters list` may say why",
                PATIENCE.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The answer of a read, nothing when there is nothing yet.
pub fn maybe<T>(result: Result<Response<T>, Status>) -> Result<Option<T>> {
    match result {
        Err(status) if status.code() == Code::NotFound => Ok(None),
        other => done(other).map(Some),
    }
}

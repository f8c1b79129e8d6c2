//! Fills the mirrors of one source, beside the events of it that are heard: walks through what the source has, page by
//! page, and looks now and then whether that has to be done again. Why nothing is lost is told in the store's
//! `mirror/filling.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Client;
use waymark_proto::events::v1 as pb;
use waymark_store::{Error, Filling, Mirror, Store};

use crate::attempt::{Intake, backoff};
use crate::causes::chain;
use crate::snapshots::{SnapshotError, ask};

/// How often it is looked whether a mirror is still filled.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is told how far a mirror is.
const TELL: Duration = Duration::from_secs(10);
/// Failures that are normal at start.
const QUIET: u32 = 8;

/// Where pages come from.
pub(crate) enum Pages {
    /// From the source's replicas, over NATS.
    Nats(Client),
    /// From the source's database, as it is in this process.
    Store(Box<Store>),
}

/// What fills the mirrors of a topic's source.
pub(crate) struct Filler {
    pub(crate) intake: Arc<Intake>,
    pub(crate) pages: Pages,
}

impl Filler {
    /// Keeps the mirrors filled, for as long as it is polled.
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            let pause = match self.look().await {
                Ok(()) => {
                    failures = 0;
                    LOOK
                }
                Err(error) => {
                    failures += 1;
                    self.failed(&error, failures);
                    backoff(failures)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fills what is not filled.
    async fn look(&self) -> Result<(), SnapshotError> {
        for mirror in self.intake.topic.mirrors() {
            let filling = self.intake.store.filling(mirror).await?;
            self.intake.instruments.filling(mirror, &filling);
            if !filling.is_done {
                self.fill(mirror, filling).await?;
            }
        }
        Ok(())
    }

    /// Walks on through what the source has.
    async fn fill(&self, mirror: &Mirror, mut filling: Filling) -> Result<(), SnapshotError> {
        let (source, collection) = (mirror.source, mirror.collection);
        let (begun, mut told, before) = (Instant::now(), Instant::now(), filling.rows);
        let mut after = filling.after.clone();
        while !filling.is_done {
            let page = self.page(mirror, after).await?;
            // Also behind what could not be taken over.
            after = page.rows.last().map(|row| (row.workspace.clone(), row.id.clone())).unwrap_or_default();
            if page.rows.is_empty() && page.more {
                return Err(
                    Error::bug(format!("{source} says that there are more {collection}, and gives none")).into()
                );
            }
            match self.intake.store.fill(mirror, filling, &page).await? {
                Some(filled) => filling = filled,
                // The next look tells from where.
                None => return Ok(()),
            }
            self.intake.instruments.filling(mirror, &filling);
            if told.elapsed() > TELL {
                tracing::info!(source, collection, rows = filling.rows, "a mirror is being filled");
                told = Instant::now();
            }
        }
        // One that nothing is found for is looked at again and again.
        if filling.rows > 0 {
            let (rows, took) = (filling.rows - before, begun.elapsed());
            tracing::info!(source, collection, rows, ?took, "a mirror is filled");
        }
        Ok(())
    }

    async fn page(&self, mirror: &Mirror, after: (String, String)) -> Result<pb::SnapshotResponse, SnapshotError> {
        let (after_workspace, after_id) = after;
        let request = pb::SnapshotRequest {
            collection: mirror.collection.to_owned(),
            after_workspace,
            after_id,
            ..pb::SnapshotRequest::default()
        };
        match &self.pages {
            Pages::Nats(client) => ask(client, mirror.source, &request).await,
            Pages::Store(source) => Ok(source.snapshot_page(&request, usize::MAX).await?),
        }
    }

    fn failed(&self, error: &SnapshotError, failures: u32) {
        let (source, error) = (self.intake.topic.source, chain(error));
        // Before the source has started there is nobody to ask; that is no fault.
        if failures < QUIET {
            tracing::debug!(source, error, "mirrors are not filled; trying again");
        } else {
            tracing::warn!(source, error, "mirrors are not filled; trying again");
        }
    }
}

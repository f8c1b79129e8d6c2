//! The tasks of a session: each works on what is at hand in one workspace, or catches up with a parked one, which it reads
//! apart from the others, from its own place in the stream, until it has done what was left to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use waymark_domain::WorkspaceId;
use waymark_store::StreamReader;

use super::lanes::Owing;
use super::stream::{EventStream, Message, Reading};
use crate::attempt::{Attempt, Attempts, Intake, backoff};
use crate::causes::chain;
use crate::places::Places;

/// How often it is saved how far reading is.
pub(super) const SAVE: Duration = Duration::from_secs(1);

/// What the tasks of a session share.
pub(super) struct Session {
    pub(super) intake: Arc<Intake>,
    pub(super) reader: StreamReader,
    pub(super) stream: EventStream,
    pub(super) places: Places,
    pub(super) parking: Arc<Semaphore>,
}

/// With what a task of a session is done.
pub(super) enum Done {
    /// With what is at hand in the workspace.
    AtHand(WorkspaceId),
    /// With parking the workspace at the message at hand; it is read on after this time.
    Parked(Parked, Duration),
    /// With what was left to the parked workspace.
    CaughtUp(Parked),
    /// With nothing, as the session ends.
    Ended,
    /// With nothing, as another replica has taken over.
    TakenOver,
}

/// A parked workspace, and how far it is.
pub(super) struct Parked {
    pub(super) workspace: WorkspaceId,
    /// The sequence behind the last message that is settled.
    pub(super) next: u64,
    attempts: Attempts,
    /// What it is read by while all goes well.
    reading: Option<Reading>,
    /// Its share of [`PARKED`].
    _permit: OwnedSemaphorePermit,
}

impl Session {
    /// Handles messages of a workspace in their turn; parks it when one fails.
    pub(super) async fn attempt(&self, workspace: WorkspaceId, messages: &[Message]) -> Done {
        let mut attempts = Attempts::new(&self.intake);
        if messages.len() > 1 {
            let Some(_place) = self.places.take().await else { return Done::Ended };
            attempts.receive_ahead(messages).await;
        }
        for message in messages {
            loop {
                let Some(place) = self.places.take().await else { return Done::Ended };
                let attempt = attempts.receive(message).await;
                drop(place);
                let Attempt::Again(pause) = attempt else { break };
                if let Ok(permit) = Arc::clone(&self.parking).try_acquire_owned() {
                    let (workspace, next) = (workspace.clone(), message.position.sequence);
                    let parked = Parked { workspace, next, attempts, reading: None, _permit: permit };
                    attempts = match self.park(parked).await {
                        Ok(Some(parked)) => return Done::Parked(parked, pause),
                        Ok(None) => return Done::TakenOver,
                        Err(Parked { attempts, .. }) => attempts,
                    };
                }
                if !self.places.pause(pause).await {
                    return Done::Ended;
                }
            }
        }
        Done::AtHand(workspace)
    }

    /// Parks a workspace whose messages are too many to be kept, from `next` on.
    pub(super) async fn make_room(&self, workspace: WorkspaceId, next: u64) -> Done {
        let Ok(permit) = Arc::clone(&self.parking).acquire_owned().await else { return Done::Ended };
        let attempts = Attempts::new(&self.intake);
        let mut parked = Parked { workspace, next, attempts, reading: None, _permit: permit };
        let mut failures = 0;
        loop {
            parked = match self.park(parked).await {
                Ok(Some(parked)) => return Done::Parked(parked, Duration::ZERO),
                Ok(None) => return Done::TakenOver,
                Err(parked) => parked,
            };
            failures += 1;
            if !self.places.pause(backoff(failures)).await {
                return Done::Ended;
            }
        }
    }

    /// Saves that a workspace is parked; `None` when another has taken over, the same back when it cannot be saved.
    async fn park(&self, parked: Parked) -> Result<Option<Parked>, Parked> {
        match self.reader.park(&parked.workspace, parked.next).await {
            Ok(true) => Ok(Some(parked)),
            Ok(false) => Ok(None),
            Err(error) => {
                let (workspace, error) = (parked.workspace.id(), chain(&error));
                tracing::debug!(workspace, error, "the workspace is not parked; trying again");
                Err(parked)
            }
        }
    }

    /// Goes on with a workspace that an earlier session has parked.
    pub(super) async fn resume(&self, workspace: WorkspaceId, next: u64, owing: Option<Owing>) -> Done {
        let Ok(permit) = Arc::clone(&self.parking).acquire_owned().await else { return Done::Ended };
        let attempts = Attempts::new(&self.intake);
        let parked = Parked { workspace, next, attempts, reading: None, _permit: permit };
        self.catch_up(parked, owing, Duration::ZERO).await
    }

    /// Reads what was left to a parked workspace, and no more; with nothing left it is parked no longer.
    pub(super) async fn catch_up(&self, mut parked: Parked, owing: Option<Owing>, mut pause: Duration) -> Done {
        let Some(Owing { until, owed, .. }) = owing else {
            if let Err(error) = self.reader.unpark(&parked.workspace).await {
                let (workspace, error) = (parked.workspace.id(), chain(&error));
                tracing::debug!(workspace, error, "the workspace counts as parked at the next start");
            }
            return Done::AtHand(parked.workspace);
        };
        let (mut failures, mut saved, mut had) = (0, Instant::now(), parked.next);
        let mut read = VecDeque::new();
        while parked.next <= until {
            if !self.places.pause(pause).await {
                return Done::Ended;
            }
            let Some(place) = self.places.take().await else { return Done::Ended };
            let message = match self.rest(&mut parked, until, &mut read).await {
                Ok(message) => message,
                Err(error) => {
                    let workspace = parked.workspace.id();
                    tracing::debug!(workspace, error, "the parked workspace is not read; trying again");
                    failures += 1;
                    pause = backoff(failures);
                    continue;
                }
            };
            failures = 0;
            let Some(message) = message else {
                parked.next = until + 1;
                break;
            };
            if let Attempt::Again(again) = parked.attempts.receive(&message).await {
                // What is behind it takes no room while it waits.
                read.clear();
                pause = again;
                continue;
            }
            drop(place);
            (pause, parked.next) = (Duration::ZERO, message.position.sequence + 1);
            let _ = owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| owed.checked_sub(1));
            // What was set aside is not in the inbox, and an operator may have dealt with it before the next start.
            if parked.attempts.in_vain() || saved.elapsed() >= SAVE {
                match self.save(&parked, &mut had).await {
                    Ok(true) => saved = Instant::now(),
                    Ok(false) => return Done::TakenOver,
                    Err(error) => tracing::debug!(error, "how far the workspace is will be saved later"),
                }
            }
        }
        while let Err(error) = self.look_back(&parked, &mut had).await {
            tracing::debug!(error, "whether the parked workspace was read whole is not known; trying again");
            failures += 1;
            if !self.places.pause(backoff(failures)).await {
                return Done::Ended;
            }
        }
        Done::CaughtUp(parked)
    }

    /// Saves how far a parked workspace is.
    async fn save(&self, parked: &Parked, had: &mut u64) -> Result<bool, String> {
        self.look_back(parked, had).await?;
        self.reader.park(&parked.workspace, parked.next).await.map_err(|error| chain(&error))
    }

    /// Looks whether the stream still has the message at `had`, where reading a parked workspace was when this was asked
    /// last: if so, all that came since was read.
    async fn look_back(&self, parked: &Parked, had: &mut u64) -> Result<(), String> {
        let (first, _) = self.stream.ends().await?;
        if first > *had {
            self.intake.missed(*had - 1, first - 1).await.map_err(|error| chain(&error))?;
        }
        *had = parked.next;
        Ok(())
    }

    /// The next message of what was left to a parked workspace; `None` when there is no more. While all goes well, some
    /// are `read` at once.
    async fn rest(
        &self,
        parked: &mut Parked,
        until: u64,
        read: &mut VecDeque<Message>,
    ) -> Result<Option<Message>, String> {
        if read.is_empty() && !parked.attempts.in_vain() {
            // What does not come so is asked for by itself.
            read.extend(self.some(parked).await.unwrap_or_default());
            parked.attempts.receive_ahead(read.make_contiguous()).await;
        }
        let mut message = read.pop_front();
        if message.is_none() {
            if let Some(reading) = parked.reading.take() {
                self.stream.end(reading).await;
            }
            message = self.stream.next_of(&parked.workspace, parked.next).await?;
        }
        // What the stream came past and does not have was removed from it.
        if message.is_none() && self.stream.ends().await?.1 < until {
            return Err("the broker does not have it yet".into());
        }
        Ok(message.filter(|message| message.position.sequence <= until))
    }

    /// Some of the next messages of a parked workspace, as a replica of the stream has them.
    async fn some(&self, parked: &mut Parked) -> Result<Vec<Message>, String> {
        if let Some(reading) = &mut parked.reading {
            return reading.some().await;
        }
        let reading = self.stream.read_of(&parked.workspace, parked.next).await?;
        parked.reading.insert(reading).some().await
    }
}

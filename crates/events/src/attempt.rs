//! Trying and giving up: an event that fails is tried again after a while, and set aside as a dead letter when it keeps
//! failing, so that it does not hold up those behind it for ever. An outage is not the event's fault: it only delays.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;
use waymark_store::{Error, Received, Store};

use crate::causes::chain;
use crate::instruments::Instruments;
use crate::subscription::{Subscription, Topic};

/// A failing event is tried this often before it becomes a dead letter.
const ATTEMPTS: u32 = 6;
/// Events of a workspace that are reacted to in one transaction, at most.
const TOGETHER: usize = 64;
/// For how long one is kept open, about: others who write to the workspace wait meanwhile.
const HELD: Duration = Duration::from_millis(50);

/// What came of an attempt.
pub(crate) enum Attempt {
    /// The event is done with: handled, or set aside.
    Settled,
    /// It is to be tried again after this time.
    Again(Duration),
}

/// What the events of one topic come to.
pub(crate) struct Intake {
    pub(crate) store: Store,
    pub(crate) subscription: Subscription,
    pub(crate) topic: Topic,
    pub(crate) instruments: Instruments,
}

/// Attempts at the events of one workspace, one event after the other.
pub(crate) struct Attempts {
    intake: Arc<Intake>,
    /// The event that is tried.
    event: Uuid,
    /// How often it was tried in vain.
    tried: u32,
    /// How often that was its own fault.
    failed: u32,
    /// How far events are of which some was done ahead.
    ahead: HashMap<Uuid, Ahead>,
}

/// What was done of an event ahead of its attempt.
enum Ahead {
    /// What it carries that is mirrored was taken over.
    Mirrored,
    /// All.
    Handled,
}

impl Attempts {
    /// Attempts whose effects and dead letters go to the intake's store.
    pub(crate) fn new(intake: &Arc<Intake>) -> Self {
        Self { intake: Arc::clone(intake), event: Uuid::nil(), tried: 0, failed: 0, ahead: HashMap::new() }
    }

    /// Does at once what can be done of events of one workspace that are to be attempted, which costs a fraction of doing
    /// so for each: takes over what they carry that is mirrored, and reacts to them. Where it fails it is left to the
    /// attempts, so that only that of the event fails which is at fault.
    pub(crate) async fn ahead(&mut self, events: &[Received]) {
        self.ahead.clear();
        if events.len() < 2 {
            return;
        }
        let Intake { topic, subscription, .. } = self.intake.as_ref();
        let told: Vec<Received> = events.iter().filter(|event| topic.is_mirrored(event)).cloned().collect();
        let ids: Vec<Uuid> = told.iter().map(|event| event.event_id).collect();
        if !told.is_empty() && subscription.mirror(told).await.is_err() {
            return;
        }
        self.ahead.extend(ids.into_iter().map(|id| (id, Ahead::Mirrored)));
        let mut rest = events;
        while let Ok(done @ 1..) = self.together(rest).await {
            let (handled, later) = rest.split_at(done);
            self.ahead.extend(handled.iter().map(|event| (event.event_id, Ahead::Handled)));
            rest = later;
        }
    }

    /// Reacts to the first of these events in one transaction; tells to how many.
    async fn together(&self, events: &[Received]) -> Result<usize, Error> {
        let Some(first) = events.first() else { return Ok(0) };
        let together = self.intake.store.together(&first.workspace);
        let (began, mut done) = (Instant::now(), 0);
        for event in events.iter().take(TOGETHER) {
            self.intake.subscription.react(event.clone(), Some(&together)).await?;
            done += 1;
            if began.elapsed() > HELD {
                break;
            }
        }
        together.commit().await?;
        Ok(done)
    }

    /// Whether the event at hand failed before.
    pub(crate) fn in_vain(&self) -> bool {
        self.tried > 0
    }

    /// Handles an event once.
    pub(crate) async fn attempt(&mut self, event: &Received) -> Attempt {
        self.turn_to(event);
        let subscription = &self.intake.subscription;
        let handled = match self.ahead.remove(&event.event_id) {
            Some(Ahead::Handled) => return Attempt::Settled,
            Some(Ahead::Mirrored) => subscription.react(event.clone(), None).await,
            None => subscription.handle(event.clone()).await,
        };
        let Err(error) = handled else { return Attempt::Settled };
        let outage = error.is_transient();
        self.tried += 1;
        self.failed += u32::from(!outage);
        let error = chain(&error);
        if !outage && self.failed >= ATTEMPTS {
            return self.set_aside(event, &error).await;
        }
        let (source, workspace, r#type) = (event.source.as_str(), event.workspace.id(), event.event_type.as_str());
        tracing::warn!(event = %event.event_id, source, workspace, r#type, outage, error, "event not handled; it will be tried again");
        self.again()
    }

    /// Sets an event aside that no attempt can help, for `reason`.
    pub(crate) async fn refuse(&mut self, event: &Received, reason: &str) -> Attempt {
        self.turn_to(event);
        (self.tried, self.failed) = (self.tried + 1, 1);
        self.set_aside(event, reason).await
    }

    fn turn_to(&mut self, event: &Received) {
        if self.event != event.event_id {
            (self.event, self.tried, self.failed) = (event.event_id, 0, 0);
        }
    }

    async fn set_aside(&self, event: &Received, reason: &str) -> Attempt {
        let attempts = i32::try_from(self.failed).unwrap_or(i32::MAX);
        let (source, workspace, r#type) = (event.source.as_str(), event.workspace.id(), event.event_type.as_str());
        match self.intake.store.set_aside(self.intake.subscription.consumer, event, reason, attempts).await {
            Ok(()) => {
                tracing::error!(event = %event.event_id, source, workspace, r#type, error = reason, "event set aside as a dead letter");
                self.intake.instruments.set_aside();
                Attempt::Settled
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(event = %event.event_id, source, workspace, r#type, error, "event not set aside; it will be tried again");
                self.again()
            }
        }
    }

    /// The wait lengthens with the attempts, no further than a failing event can get.
    fn again(&self) -> Attempt {
        Attempt::Again(backoff(self.tried.min(ATTEMPTS)))
    }
}

/// The wait before attempt `attempt` (from 1), doubling from 100 ms to 10 s.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(100 * 2_u64.pow(attempt.saturating_sub(1).min(7))).min(Duration::from_secs(10))
}

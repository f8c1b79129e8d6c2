//! Reacting to another service's event: its effects are committed once, together with the note that it was handled.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use waymark_domain::WorkspaceId;
use waymark_request::{Call, Causation};

use crate::{Error, Store, Together, Write, inbox};

/// An event as a consumer receives it, whatever carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The service it comes from, such as `roadmap`.
    pub source: String,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its revision in the source's workspace.
    pub revision: i64,
    /// Its id, the same on every delivery.
    pub event_id: Uuid,
    /// Full name of its message.
    pub event_type: String,
    /// Name of the resource that changed.
    pub subject: String,
    /// When it was decided.
    pub time: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// W3C trace context of the request that caused it.
    pub traceparent: Option<String>,
    /// The event's message as canonical JSON.
    pub data: String,
}

/// A service's reaction to an event.
#[derive(Clone)]
pub struct Reaction {
    workspace: WorkspaceId,
    call: Call,
    together: Option<Together>,
}

impl Received {
    /// The reaction of `consumer` (a service's name) to this event.
    pub fn reaction(&self, consumer: &str) -> Reaction {
        let mut call = Call::internal(consumer);
        call.traceparent.clone_from(&self.traceparent);
        call.causation = Some(self.causation(consumer));
        Reaction { workspace: self.workspace.clone(), call, together: None }
    }

    /// This event as the cause of what `consumer` does.
    pub(crate) fn causation(&self, consumer: &str) -> Causation {
        Causation {
            consumer: consumer.to_owned(),
            source: self.source.clone(),
            workspace: self.workspace.clone(),
            revision: self.revision,
            event_type: self.event_type.clone(),
            event_id: self.event_id,
        }
    }
}

impl Reaction {
    /// The same, committed together with others.
    #[must_use]
    pub fn within(self, together: &Together) -> Self {
        Self { together: Some(together.clone()), ..self }
    }
}

impl Store {
    /// Commits the effects of an event unless they already are: exactly once per consumer and event id, however often
    /// the event is delivered. Effects that change nothing are remembered too. Within [`Together`] they are committed
    /// when that is.
    pub async fn react<F>(&self, reaction: &Reaction, work: F) -> Result<(), Error>
    where
        F: AsyncFnOnce(&mut Write) -> Result<(), Error>,
    {
        if let Some(together) = &reaction.together {
            return together.react(&reaction.call, work).await;
        }
        if let Some(causation) = &reaction.call.causation
            && self.across().query_one(&inbox::find_handled(causation, self.backend())).await?.is_some()
        {
            return Ok(());
        }
        self.write(&reaction.call, &reaction.workspace, work).await.map(|_| ())
    }
}

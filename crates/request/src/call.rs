//! One call: who makes it, what makes it repeatable, and what it brought about.

use uuid::Uuid;
use waymark_domain::WorkspaceId;

use crate::Actor;

/// What a write needs to know about the call that asks for it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub actor: Actor,
    /// The caller's request id; a repeat within 24 hours gets the first answer.
    pub request_id: Option<Uuid>,
    /// Hash of the request: the same request id with another hash is a mistake of the caller.
    pub digest: [u8; 32],
    /// Check everything, change nothing.
    pub validate_only: bool,
    /// W3C trace context, kept in the log so that effects link to their cause.
    pub traceparent: Option<String>,
    /// The event this call reacts to, if a service makes it on account of one.
    pub causation: Option<Causation>,
}

/// The event a service reacts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Causation {
    /// Who reacts, such as `metrics`: a consumer handles an event once.
    pub consumer: String,
    /// The service that announced the event, such as `roadmap`.
    pub source: String,
    /// The event's workspace.
    pub workspace: WorkspaceId,
    /// Its revision in the source's workspace.
    pub revision: i64,
    /// Full name of its message.
    pub event_type: String,
    /// Its id.
    pub event_id: Uuid,
}

impl Call {
    /// A call that a service makes on its own account, such as measuring when the time has come.
    pub fn internal(service: &str) -> Self {
        Self {
            actor: Actor::service(service),
            request_id: None,
            digest: [0; 32],
            validate_only: false,
            traceparent: None,
            causation: None,
        }
    }
}

/// The result of a write: the answer and the revision that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<M> {
    /// The answer.
    pub message: M,
    /// The workspace's revision after the write; `None` when nothing changed (validate_only).
    pub revision: Option<i64>,
}

//! One call: who makes it, what makes it repeatable, and what it brought about.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;
use waymark_domain::{Failure, FailureKind, Reason, Violation, Violations, WorkspaceId};
use waymark_proto::{Mutation, Sight, check};

use crate::Actor;

/// What a transport knows of a request beside its message.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Who asks, if that was found out.
    pub actor: Option<Actor>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// What is seen by who asks, where that is not all: who has an audience.
    pub sight: Option<Arc<Sight>>,
    /// Which workspaces may be read by who asks, where that is not all.
    pub readable: Option<Readable>,
}

/// Which workspaces somebody may read.
#[derive(Clone)]
pub struct Readable(Arc<dyn Fn(&WorkspaceId) -> bool + Send + Sync>);

impl Readable {
    /// Those of which this is so.
    pub fn new(may: impl Fn(&WorkspaceId) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }

    /// Whether the workspace of this name is one of them.
    pub fn has(&self, name: &str) -> bool {
        name.parse().is_ok_and(|workspace| (self.0)(&workspace))
    }
}

impl fmt::Debug for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readable")
    }
}

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

/// Why a request makes no call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody was found to ask.
    #[error("the call carries no accepted credentials")]
    Anonymous,
    /// Fields of the request are not what the contract says.
    #[error(transparent)]
    Invalid(#[from] Violations),
}

impl Failure for CallError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Anonymous => FailureKind::Denied,
            Self::Invalid(violations) => violations.kind(),
        }
    }
    fn reason(&self) -> Reason {
        match self {
            Self::Anonymous => Reason::Unauthenticated,
            Self::Invalid(violations) => violations.reason(),
        }
    }
    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Anonymous => Vec::new(),
            Self::Invalid(violations) => violations.violations(),
        }
    }
}

impl Call {
    /// The call that a changing request makes, unless its fields are not what the contract says.
    pub fn open<M: Mutation>(origin: Origin, message: &M) -> Result<Self, CallError> {
        // Without an actor nothing may be changed.
        let actor = origin.actor.ok_or(CallError::Anonymous)?;
        check(message).into_result()?;
        let request_id = match message.request_id() {
            "" => None,
            text => {
                let wrong = |e| Violations::one("request_id", format!("is not a UUID: {e}"));
                Some(Uuid::parse_str(text).map_err(wrong)?)
            }
        };
        let digest = if request_id.is_some() { digest(message) } else { [0; 32] };
        let validate_only = message.validate_only();
        Ok(Self { actor, request_id, digest, validate_only, traceparent: origin.traceparent, causation: None })
    }

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

/// The result of a write: the answer, and the revision that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<M> {
    /// The answer.
    pub message: M,
    /// The workspace's revision after the write; `None` when nothing was to change (validate_only).
    pub revision: Option<i64>,
    /// Whether this call changed anything, and made the revision.
    pub changed: bool,
    /// Full names of resources that it refers to and that could not be looked up: they are of other services, and
    /// nothing is known of them here.
    pub unverified: BTreeSet<String>,
}

impl<M> Written<M> {
    /// One that changed nothing.
    pub fn unchanged(message: M, revision: Option<i64>) -> Self {
        Self { message, revision, changed: false, unverified: BTreeSet::new() }
    }
}

/// Hash of a request: its name, as several RPCs take the same bytes, and its bytes.
fn digest<M: Mutation>(message: &M) -> [u8; 32] {
    Sha256::new().chain_update(M::FULL_NAME).chain_update([0]).chain_update(message.encode_to_vec()).finalize().into()
}

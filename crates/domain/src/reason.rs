//! Why a call was refused, as a program can act on it: the reasons of the contract, each once.

use strum::{Display, IntoStaticStr, VariantArray};

/// A value of the contract's `ErrorReason`, printed as there, without the prefix: `ETAG_MISMATCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// One or more fields are wrong; `google.rpc.BadRequest` lists each with its path, or as many as fit and how many
    /// more.
    InvalidField,
    /// The filter is not of the documented grammar or names an unknown field.
    InvalidFilter,
    /// The order names an unknown field.
    InvalidOrder,
    /// The page token is damaged or belongs to another query.
    InvalidPageToken,
    /// The update mask names an unknown field, or more than 100.
    InvalidMask,
    /// The request id was used for another request within 24 hours.
    RequestIdReused,
    /// The resource does not exist or is deleted.
    ResourceNotFound,
    /// The id is taken, maybe by a deleted resource.
    ResourceExists,
    /// The etag is not the current one: read again and decide again.
    EtagMismatch,
    /// The state does not allow this.
    StateConflict,
    /// The change would close a cycle.
    Cycle,
    /// A risk has neither evidence nor, on an initiative, a signed waiver or, on a solution, a passed test;
    /// `google.rpc.PreconditionFailure` lists each.
    RisksOpen,
    /// Another resource still refers to this one.
    ResourceInUse,
    /// A resource that the request refers to does not exist, or is deleted.
    ReferenceNotFound,
    /// The change breaks a rule of the tree or another documented rule.
    RuleViolated,
    /// No credentials, or none that are accepted.
    Unauthenticated,
    /// The role of the caller does not allow the RPC.
    PermissionDenied,
    /// The server, or a part of it, works on all that it can; `google.rpc.RetryInfo` says when to try again.
    Overloaded,
    /// A message is larger than the service takes; the message says the limit.
    TooLarge,
    /// A watch was not read fast enough and is cut.
    SlowReader,
    /// The history before `earliest_revision` was trimmed.
    RevisionExpired,
    /// The revision has not happened yet.
    RevisionInFuture,
    /// A part the service needs does not answer; `google.rpc.RetryInfo` says when to try again.
    Unavailable,
    /// The service is stopping; connect to another replica.
    ShuttingDown,
    /// The deadline of the call passed before the answer was ready; a write may or may not have happened, a repeat
    /// with the same request_id tells.
    DeadlineExceeded,
    /// A bug or a damaged row; the details are in the service's log.
    Internal,
    /// The RPC is not part of this server, or the request is compressed.
    Unimplemented,
    /// A scenario and the roadmap changed the same fields to different values, and the request does not say which to take;
    /// `google.rpc.PreconditionFailure` lists each with its three values, or as many as fit and how many more.
    MergeConflict,
    /// The caller, its workspace or the address it calls from asks for more than it may; `google.rpc.QuotaFailure` says whose
    /// limit it is, and `google.rpc.RetryInfo` when to try again.
    RateLimited,
}

impl Reason {
    /// All of them, in the contract's order.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// As it is printed.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

//! Who calls, and what they may do: tokens of any number of issuers, and client certificates, become principals;
//! policies decide what principals may, and limits how much. [`Policies`] and [`Limits`] tell of these; here it is told who
//! calls.
//!
//! [`Authentication`] is opened from an authentication file (`deploy/authentication.example.yaml` tells every field)
//! and answers [`authenticate`](Authentication::authenticate) and [`certificate`](Authentication::certificate) from
//! memory, without waiting for anything. [`run`](Authentication::run) does the rest in the background: it compares the
//! file every two seconds with what it was, and reads the keys of issuers.
//!
//! # What a token passes
//!
//! 1. It has at most 16 KiB, else it is not read.
//! 2. If it was verified before, under the present issuers and keys, and is still valid, that is who calls: a hash and
//!    a look-up (`remembered`).
//! 3. It comes apart into a header and claims, in neither of which anything stands twice (`token`, `claims`).
//! 4. Its issuer is configured, its algorithm is one that is taken from this issuer, and its key is one this issuer
//!    publishes for that algorithm (`issuer`, `key`, `algorithm`). What other issuers publish is never looked at;
//!    secrets are never shared.
//! 5. The signature is right. Only now is anything told of what it claims.
//! 6. It is for this server (`aud`), valid now (`exp`, `nbf`, `iat`, with leeway), not too old, and claims what is
//!    required.
//! 7. Its subject and groups become principals (`principal`).
//!
//! What fails is a [`Refusal`], which may be told to the caller and is counted by its [`reason`](Refusal::reason).
//!
//! # What is promised
//!
//! - An issuer that is away takes nothing from anybody: the last keys are kept, however long (`keyring`).
//! - A new key is known within 30 seconds of the first token that names it; one that was changed under its old id or
//!   taken back, within five minutes. Tokens with invented ids change neither, and make the issuer be asked once in 30
//!   seconds at most.
//! - A changed file counts within five seconds, once it has been the same for a moment. A bad one, or none, leaves the
//!   last good one in force, and is told once. At the start it is refused.
//! - Memory is bounded: 16 MiB of remembered tokens, 1 MiB while the answer of an issuer is read.
//!
//! # What is absent
//!
//! Nothing here knows gRPC, a database or the contract, whose RPCs are given as [`Action`]s; time is an argument.
//! No other crate knows `jsonwebtoken` or `cedar-policy` (`deny.toml`). Tokens are not revoked one by one: an issuer gives them a short
//! life. No proxy is asked on the way to an issuer.

mod address;
mod algorithm;
mod authentication;
mod certificate;
mod claims;
mod counters;
mod fetch;
mod generations;
mod identity;
mod issuer;
mod key;
mod keyring;
mod like;
mod limits;
mod policies;
mod principal;
mod refusal;
mod reload;
mod remembered;
mod role;
mod settings;
mod settling;
#[cfg(feature = "testing")]
pub mod testing;
mod token;

pub use authentication::{Authentication, KeysKnown};
pub use certificate::Name;
pub use counters::Counted;
pub use identity::Identity;
pub use limits::{Allowance, Buckets, Exceeded, Limits, LimitsCounted, Watching};
pub use policies::{
    Action, DEFAULT_POLICIES, Decision, Grant, Granted, Policies, PoliciesCounted, Question, Resource, ResourceKind,
    Right, Trial, schema,
};
pub use principal::{Principal, PrincipalError};
pub use refusal::Refusal;
pub use reload::{Reload, Reloaded};
pub use role::Role;
pub use settings::SettingsError;

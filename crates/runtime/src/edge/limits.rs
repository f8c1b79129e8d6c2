//! What one server takes on: calls at once, bytes a message, and of one peer failed sign-ins and calls that are open to
//! everybody. More is refused, never queued.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, QuotaViolation, StatusExt as _};
use waymark_access::{Allowance, Buckets, Exceeded};
use waymark_rpc::status::{DOMAIN, Reason};

use super::answer::overloaded;
use crate::config::LimitArgs;
use crate::peer::Peer;

/// Largest request message of an ordinary service, for `max_decoding_message_size`.
pub const MESSAGE_BYTES: usize = 1024 * 1024;

/// Largest request message of a service that takes data in bulk: ingest and import.
pub const BULK_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Calls of one peer to health and reflection, far more than probes and people make.
const OPEN_CALLS: Allowance = Allowance { rate: 100.0, burst: 1_000.0 };

/// Calls being worked on.
#[derive(Debug)]
pub(super) struct Concurrency {
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Concurrency {
    pub(super) fn new(args: &LimitArgs) -> Self {
        // The semaphore's own maximum is far beyond any number of calls.
        let limit = args.max_concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(limit)), limit }
    }

    /// A permit held while the call is worked on, or the refusal.
    pub(super) fn admit(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            let message = format!(
                "the server is working on {} calls already, its limit; try again after the delay given",
                self.limit
            );
            overloaded(Reason::Overloaded, message, Duration::from_millis(200))
        })
    }
}

/// What one peer may do without being known, whatever the limits file says of principals and workspaces.
#[derive(Debug)]
pub(super) struct Strangers {
    failed_sign_ins: Buckets<IpAddr>,
    sign_ins: Allowance,
    open_calls: Buckets<IpAddr>,
}

impl Strangers {
    pub(super) fn new(args: &LimitArgs) -> Self {
        let a_minute = f64::from(args.max_peer_failed_sign_ins);
        let sign_ins = Allowance { rate: a_minute / 60.0, burst: a_minute };
        Self { failed_sign_ins: Buckets::default(), sign_ins, open_calls: Buckets::default() }
    }

    /// The refusal of credentials that would have to be looked at, of a peer that has failed too often.
    pub(super) fn hold_up(&self, peer: Option<Peer>, now: Instant) -> Option<Status> {
        let peer = peer?.network();
        let wait = self.failed_sign_ins.has(&peer, 1.0, self.sign_ins, now).err()?;
        let message = format!(
            "too many calls from {peer} had credentials that are not taken, so new ones from there are not looked at for now; try again after the delay given"
        );
        Some(limited(peer.to_string(), message, Some(wait)))
    }

    /// A sign-in of a peer has failed.
    pub(super) fn failed(&self, peer: Option<Peer>, now: Instant) {
        if let Some(peer) = peer {
            // One that has used up all is held up already.
            let _ = self.failed_sign_ins.take(&peer.network(), 1.0, self.sign_ins, now);
        }
    }

    /// A call of a peer to what everybody may call: health and reflection.
    pub(super) fn open_call(&self, peer: Option<Peer>, now: Instant) -> Result<(), Status> {
        let Some(peer) = peer.map(Peer::network) else { return Ok(()) };
        self.open_calls.take(&peer, 1.0, OPEN_CALLS, now).map_err(|wait| {
            let message = format!("{peer} asks for health or reflection too often; try again after the delay given");
            limited(peer.to_string(), message, Some(wait))
        })
    }
}

/// The refusal of what a principal or a workspace asks for beyond its limit.
pub(super) fn exceeded(exceeded: &Exceeded) -> Status {
    limited(exceeded.whose().to_owned(), exceeded.to_string(), exceeded.wait())
}

/// RESOURCE_EXHAUSTED by what somebody asks for, rather than by what the server can do.
fn limited(whose: String, message: String, wait: Option<Duration>) -> Status {
    let facts = HashMap::from([("limited".to_owned(), whose.clone())]);
    let mut details = ErrorDetails::with_error_info(Reason::RateLimited.name(), DOMAIN, facts);
    details.set_quota_failure(vec![QuotaViolation::new(whose, message.clone())]);
    if wait.is_some() {
        details.set_retry_info(wait);
    }
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_held_up_by_what_it_failed_and_for_a_time() {
        let strangers = Strangers::new(&LimitArgs { max_peer_failed_sign_ins: 2, ..LimitArgs::default() });
        let (bad, good) = (Peer::at(([192, 0, 2, 1], 1).into()), Peer::at(([192, 0, 2, 2], 1).into()));
        let now = Instant::now();
        for _ in 0..2 {
            assert!(strangers.hold_up(Some(bad), now).is_none());
            strangers.failed(Some(bad), now);
        }
        let refused = strangers.hold_up(Some(bad), now).unwrap();
        assert_eq!(refused.get_details_error_info().unwrap().reason, "RATE_LIMITED");
        assert_eq!(refused.get_details_quota_failure().unwrap().violations[0].subject, "192.0.2.1");
        assert_eq!(refused.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(30)));
        assert!(strangers.hold_up(Some(good), now).is_none() && strangers.hold_up(None, now).is_none());
        assert!(strangers.hold_up(Some(bad), now + Duration::from_secs(31)).is_none());
    }
}

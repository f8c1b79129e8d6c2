//! Tokens that were verified, by their SHA-256, so that one that is sent again costs a hash and no signature.
//!
//! Nothing is taken from here that would not be verified again: an entry holds for one state of issuers and keys (its
//! *epoch*), and for the time in which the token is valid. What is kept is bounded in bytes. Only tokens that are right
//! are kept, so that no flood of others drives them out.

use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};

use crate::generations::Generations;
use crate::identity::Identity;

/// Most bytes of all of it.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// About what an entry takes beside its identity.
const ENTRY_BYTES: usize = 160;

/// The SHA-256 of a token. The token itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// A token that was verified.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) identity: Arc<Identity>,
    /// When it is valid, leeway included.
    pub(crate) valid: Range<DateTime<Utc>>,
    /// Under which issuers and keys.
    pub(crate) epoch: u64,
}

#[derive(Debug)]
pub(crate) struct Remembered(Generations<Digest, Verified>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Generations::new(MOST_BYTES))
    }
}

impl Remembered {
    /// Who sent this token before, if it is still right.
    pub(crate) fn get(&self, digest: Digest, epoch: u64, now: DateTime<Utc>) -> Option<Arc<Identity>> {
        let holds = |entry: &Verified| entry.epoch == epoch && entry.valid.contains(&now);
        self.0.get(&self.0.keyed(digest), holds).map(|entry| entry.identity)
    }

    pub(crate) fn keep(&self, digest: Digest, entry: Verified) {
        let bytes = ENTRY_BYTES + entry.identity.bytes();
        self.0.keep(self.0.keyed(digest), entry, bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::principal::Principal;

    fn entry(epoch: u64) -> Verified {
        let principal = Principal::user("corp", &"x".repeat(200)).unwrap();
        let start = DateTime::UNIX_EPOCH;
        let identity = Identity { principal, issuer: None, groups: Vec::new(), token_id: None, expires: None };
        Verified { identity: Arc::new(identity), valid: start..start + Duration::from_mins(1), epoch }
    }

    #[test]
    fn an_entry_holds_for_its_time_and_its_epoch() {
        let remembered = Remembered::default();
        let (digest, start) = (Digest::of("token"), DateTime::UNIX_EPOCH);
        remembered.keep(digest, entry(3));
        assert!(remembered.get(digest, 3, start).is_some());
        assert!(remembered.get(Digest::of("token "), 3, start).is_none());
        assert!(remembered.get(digest, 4, start).is_none(), "other keys");
        assert!(remembered.get(digest, 3, start + Duration::from_mins(1)).is_none(), "expired");
        assert!(remembered.get(digest, 3, start - Duration::from_secs(1)).is_none(), "the clock went back");
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_used_stays() {
        let remembered = Remembered::default();
        let used = Digest::of("used");
        remembered.keep(used, entry(0));
        for n in 0..200_000 {
            remembered.keep(Digest::of(&n.to_string()), entry(0));
            if n % 1_000 == 0 {
                assert!(remembered.get(used, 0, DateTime::UNIX_EPOCH).is_some(), "{n}");
            }
        }
        let kept = remembered.0.len();
        let most = MOST_BYTES / (ENTRY_BYTES + 200);
        assert!(kept > most / 3 && kept < most, "{kept} of {most}");
    }
}

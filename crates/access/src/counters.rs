//! What was counted since the start, for whoever makes instruments of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::refusal::Refusal;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) verified: Count,
    pub(crate) remembered: Count,
    pub(crate) keys_read: Count,
    pub(crate) keys_failed: Count,
    pub(crate) reloads: Count,
    pub(crate) reloads_failed: Count,
    refused: [Count; Refusal::REASONS.len()],
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refused[refusal.place()].add();
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            verified: self.verified.get(),
            remembered: self.remembered.get(),
            keys_read: self.keys_read.get(),
            keys_failed: self.keys_failed.get(),
            reloads: self.reloads.get(),
            reloads_failed: self.reloads_failed.get(),
            refused: Refusal::REASONS.into_iter().zip(self.refused.iter().map(Count::get)).collect(),
        }
    }
}

/// How often things happened since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Tokens whose signature was verified, and that were right.
    pub verified: u64,
    /// Tokens that were known from before.
    pub remembered: u64,
    /// Readings of keys.
    pub keys_read: u64,
    /// Readings of keys that failed.
    pub keys_failed: u64,
    /// New contents of the authentication file that count since.
    pub reloads: u64,
    /// New contents of the authentication file that were refused, and times it could not be read.
    pub reloads_failed: u64,
    /// Tokens that were refused, by [`Refusal::reason`].
    pub refused: Vec<(&'static str, u64)>,
}

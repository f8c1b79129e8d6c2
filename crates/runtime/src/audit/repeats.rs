//! Refusals that are the same, counted instead of told one by one. There are so many at most: the oldest is told of before
//! its time when another needs its place, so that different ones take no more memory, and each is told of.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use waymark_proto::access::v1::AuditEntry;

/// Refusals that are counted at once.
pub(super) const MOST: usize = 4_096;

/// Refusals and how often each came.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    counted: HashMap<Arc<Same>, AuditEntry>,
    /// When each came first, in that order.
    began: VecDeque<(Instant, Arc<Same>)>,
}

/// What refusals have in common that are the same. Workspaces differ: who administers one is told of what was refused there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    principal: String,
    network: Option<IpAddr>,
    action: String,
    reason: String,
    workspace: String,
}

impl Repeats {
    /// Counts a refusal; tells of another when there is no room for both.
    pub(super) fn count(&mut self, entry: AuditEntry, network: Option<IpAddr>, now: Instant) -> Option<AuditEntry> {
        let same = Same {
            principal: entry.principal.clone(),
            network,
            action: entry.action.clone(),
            reason: entry.reason.clone(),
            workspace: entry.workspace.clone(),
        };
        if let Some(first) = self.counted.get_mut(&same) {
            first.count += entry.count;
            return None;
        }
        let told = if self.counted.len() < MOST { None } else { self.first() };
        let same = Arc::new(same);
        self.began.push_back((now, Arc::clone(&same)));
        self.counted.insert(same, entry);
        told
    }

    /// Those that came first then or before, which are counted no more.
    pub(super) fn close(&mut self, then: Instant) -> Vec<AuditEntry> {
        let mut closed = Vec::new();
        while self.began.front().is_some_and(|(began, _)| *began <= then) {
            closed.extend(self.first());
        }
        closed
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.counted.len(), self.began.len());
        self.counted.len()
    }

    fn first(&mut self) -> Option<AuditEntry> {
        let (_, same) = self.began.pop_front()?;
        self.counted.remove(&same)
    }
}

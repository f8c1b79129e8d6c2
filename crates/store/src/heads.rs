//! The newest revision of each workspace, as far as this process knows: what wakes watches, and tells relays and the
//! in-process bus where to look.

use std::collections::HashMap;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};
use waymark_domain::WorkspaceId;

/// Newest known revisions. A commit of this process moves them at once; [`Store::look`](crate::Store::look) finds those
/// of other processes.
#[derive(Clone, Default)]
pub struct Heads(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    revisions: HashMap<WorkspaceId, i64>,
    watched: HashMap<WorkspaceId, watch::Sender<i64>>,
    followers: Vec<Weak<Follower>>,
}

#[derive(Default)]
struct Follower {
    moved: Mutex<HashMap<WorkspaceId, i64>>,
    more: Notify,
}

/// The workspaces that moved since they were last taken, for one that follows all of them: what it costs depends on how
/// many moved, not on how many there are.
pub struct Moved(Arc<Follower>);

impl Heads {
    /// A receiver of the workspace's newest revision; 0 until one is known.
    pub fn subscribe(&self, workspace: &WorkspaceId) -> watch::Receiver<i64> {
        let mut known = lock(&self.0);
        if let Some(sender) = known.watched.get(workspace) {
            return sender.subscribe();
        }
        // Not at every subscription, as that would go through all that are watched.
        if known.watched.len() == known.watched.capacity() {
            known.watched.retain(|_, sender| sender.receiver_count() > 0);
        }
        let (sender, receiver) = watch::channel(known.revisions.get(workspace).copied().unwrap_or(0));
        known.watched.insert(workspace.clone(), sender);
        receiver
    }

    /// Follows all workspaces from now on. Who wants to miss nothing compares once with the database afterwards.
    pub fn moved(&self) -> Moved {
        let follower = Arc::default();
        let mut known = lock(&self.0);
        known.followers.retain(|follower| follower.strong_count() > 0);
        known.followers.push(Arc::downgrade(&follower));
        Moved(follower)
    }

    /// Tells who watches `workspace` that something came to it that has no revision, as what a mirror takes over.
    pub(crate) fn stir(&self, workspace: &WorkspaceId) {
        if let Some(sender) = lock(&self.0).watched.get(workspace) {
            sender.send_modify(|_| {});
        }
    }

    /// Tells that `workspace` has reached `revision`; an older revision changes nothing, nor does 0, which is before any.
    pub(crate) fn observe(&self, workspace: &WorkspaceId, revision: i64) {
        if revision == 0 {
            return;
        }
        let mut known = lock(&self.0);
        match known.revisions.get_mut(workspace) {
            Some(known) if *known >= revision => return,
            Some(known) => *known = revision,
            None => {
                known.revisions.insert(workspace.clone(), revision);
            }
        }
        if let Some(sender) = known.watched.get(workspace) {
            sender.send_replace(revision);
        }
        for follower in known.followers.iter().filter_map(Weak::upgrade) {
            lock(&follower.moved).insert(workspace.clone(), revision);
            follower.more.notify_one();
        }
    }
}

impl Moved {
    /// The workspaces that moved, with their newest revisions.
    pub fn take(&self) -> HashMap<WorkspaceId, i64> {
        take(&mut *lock(&self.0.moved))
    }

    /// Returns when workspaces have moved that were not taken.
    pub async fn some(&self) {
        // One permit is kept, and may be of workspaces that were taken meanwhile.
        while lock(&self.0.moved).is_empty() {
            self.0.more.notified().await;
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while holding the lock leaves usable maps: every step keeps them whole.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> WorkspaceId {
        WorkspaceId::from_id(id).unwrap()
    }

    #[tokio::test]
    async fn a_follower_is_told_what_moved_and_only_that() {
        let heads = Heads::default();
        heads.observe(&id("before"), 1);
        let moved = heads.moved();
        let watched = heads.subscribe(&id("before"));
        assert_eq!(*watched.borrow(), 1);
        heads.observe(&id("acme"), 4);
        heads.observe(&id("acme"), 7);
        heads.observe(&id("acme"), 6);
        heads.observe(&id("before"), 1);
        moved.some().await;
        assert_eq!(moved.take(), HashMap::from([(id("acme"), 7)]));
        assert_eq!(moved.take(), HashMap::new());
        heads.observe(&id("before"), 2);
        moved.some().await;
        assert_eq!(moved.take(), HashMap::from([(id("before"), 2)]));
        assert_eq!(*watched.borrow(), 2);
    }

    #[tokio::test]
    async fn what_nobody_watches_is_not_kept() {
        let heads = Heads::default();
        for n in 0..1_000 {
            drop(heads.subscribe(&id(&format!("w{n}"))));
            drop(heads.moved());
        }
        let known = lock(&heads.0);
        assert!(known.watched.len() < 10 && known.followers.len() == 1, "{}", known.watched.len());
    }
}

//! What grows for ever is trimmed: answers after a day, notes of handled events after thirty, the audit and the log when they
//! are older than they are to be kept, if that is said. In small parts with pauses between, by one replica at a time: a lease
//! says which, and where two believe to hold it some of their work is in vain.

use std::time::Duration;

use chrono::TimeDelta;
use waymark_domain::WorkspaceId;
use waymark_runtime::{Host, KeepAudit, KeepLog};
use waymark_store::{Error, Lease, LogReaders, Store};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(10);
/// Between two parts of a round.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the lease holds without being renewed: over some rounds, so that one replica goes on with its walk.
const TERM: Duration = Duration::from_mins(1);
/// Answers to request ids are kept this long (AIP-155).
const ANSWERS: TimeDelta = TimeDelta::hours(24);
/// Answers forgotten at once.
const ANSWERS_AT_ONCE: u64 = 1_000;
/// Notes of handled events are kept this long before they are folded.
const NOTES: TimeDelta = TimeDelta::days(30);
/// Notes folded at once.
const NOTES_AT_ONCE: u64 = 500;
/// Entries of the audit forgotten at once.
const ENTRIES_AT_ONCE: u64 = 1_000;
/// Workspaces whose logs are looked at in a round: 100,000 are gone through in nine hours.
const LOGS: u64 = 32;

/// The trimming of one service's database.
pub(crate) struct Trimming {
    host: Host,
    store: Store,
    keep_log: KeepLog,
    keep_audit: KeepAudit,
    readers: LogReaders,
    lease: Lease,
    /// The id of the last workspace whose log was looked at.
    position: String,
}

impl Trimming {
    /// Trims `store`, when it is run, and of its log what `readers` have read.
    pub(crate) fn new(host: &Host, store: &Store, keep_log: KeepLog, readers: LogReaders) -> Self {
        let lease = Lease::new("trimming", host.ids.opaque().to_string(), TERM);
        let (host, store) = (host.clone(), store.clone());
        Self { host, store, keep_log, keep_audit: KeepAudit::default(), readers, lease, position: String::new() }
    }

    /// The same, that keeps the audit for a time.
    pub(crate) fn keeping_audit(mut self, keep_audit: KeepAudit) -> Self {
        self.keep_audit = keep_audit;
        self
    }

    /// Trims until shutdown.
    pub(crate) async fn run(mut self) {
        while self.pause(ROUND).await {
            if let Err(error) = self.round().await {
                let transient = error.is_transient();
                let error = anyhow::Error::new(error);
                if transient {
                    tracing::debug!(error = %format_args!("{error:#}"), "the database does not answer");
                } else {
                    tracing::warn!(error = %format_args!("{error:#}"), "what is old is not forgotten");
                }
            }
        }
        if let Err(error) = self.lease.release(&self.store).await {
            tracing::debug!(%error, "the lease of trimming runs out by itself");
        }
    }

    /// Trims what is old by now; of the logs, those of the next workspaces.
    async fn round(&mut self) -> Result<(), Error> {
        let now = self.store.now();
        let mut more = true;
        while more && self.lease.hold(&self.store).await? {
            let forgotten = self.store.purge_requests(now - ANSWERS, ANSWERS_AT_ONCE).await?;
            if forgotten > 0 {
                tracing::debug!(forgotten, "old answers forgotten");
            }
            more = forgotten == ANSWERS_AT_ONCE && self.pause(PAUSE).await;
        }
        more = true;
        while more && self.lease.hold(&self.store).await? {
            let folded = self.store.fold_inbox(now - NOTES, NOTES_AT_ONCE).await?;
            if folded > 0 {
                tracing::debug!(folded, "notes of handled events folded");
            }
            more = folded == NOTES_AT_ONCE && self.pause(PAUSE).await;
        }
        // What is kept for longer than there is time is kept for ever.
        let kept = self.keep_audit.0.and_then(|kept| TimeDelta::from_std(kept).ok());
        if let Some(before) = kept.and_then(|kept| now.checked_sub_signed(kept)) {
            more = true;
            while more && self.lease.hold(&self.store).await? {
                let forgotten = self.store.forget_audit(before, ENTRIES_AT_ONCE).await?;
                if forgotten > 0 {
                    tracing::debug!(forgotten, "old entries of the audit forgotten");
                }
                more = forgotten == ENTRIES_AT_ONCE && self.pause(PAUSE).await;
            }
        }
        if self.lease.hold(&self.store).await? {
            for workspace in self.next_logs().await? {
                self.trim_log(&workspace).await?;
                self.free_log(&workspace).await?;
            }
        }
        Ok(())
    }

    /// Trims the log of a workspace to its end.
    async fn trim_log(&mut self, workspace: &WorkspaceId) -> Result<(), Error> {
        let kept = self.keep_log.of(workspace).and_then(|kept| TimeDelta::from_std(kept).ok());
        // What is kept for longer than there is time is kept for ever.
        let Some(before) = kept.and_then(|kept| self.store.now().checked_sub_signed(kept)) else { return Ok(()) };
        while self.lease.hold(&self.store).await? {
            let Some(forgotten) = self.store.trim_log_before(workspace, before, &self.readers).await? else { break };
            tracing::debug!(%workspace, forgotten, "old history forgotten");
            if !self.pause(PAUSE).await {
                break;
            }
        }
        Ok(())
    }

    /// Forgets what was kept of the log of a workspace for revisions that are held no more.
    async fn free_log(&mut self, workspace: &WorkspaceId) -> Result<(), Error> {
        while self.lease.hold(&self.store).await? {
            let Some(forgotten) = self.store.free_log(workspace).await? else { break };
            tracing::debug!(%workspace, forgotten, "history that was held forgotten");
            if !self.pause(PAUSE).await {
                break;
            }
        }
        Ok(())
    }

    /// The workspaces whose logs are looked at next. After the last the first follows again.
    async fn next_logs(&mut self) -> Result<Vec<WorkspaceId>, Error> {
        let next = if self.keep_log.all.is_some() {
            self.store.workspaces_after(&self.position, LOGS).await?
        } else {
            let named = self.keep_log.of.keys().filter(|workspace| *workspace.id() > *self.position);
            named.take(LOGS as usize).cloned().collect()
        };
        let last = next.last().filter(|_| next.len() == LOGS as usize);
        self.position = last.map(|workspace| workspace.id().to_owned()).unwrap_or_default();
        Ok(next)
    }

    /// Waits; false when shutdown has begun.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.host.shutdown.begun() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use waymark_proto::convert::timestamp;
    use waymark_runtime::audit::{AuditDecision, AuditEntry};
    use waymark_testkit::schema::{execute, text};
    use waymark_testkit::{Engine, TestDatabase, host, sample};

    use super::*;

    async fn replica(keep_log: &str) -> (Trimming, TestDatabase) {
        let (host, _) = host(7);
        let (store, database) = sample::store(Engine::Sqlite, &host).await.unwrap();
        (Trimming::new(&host, &store, keep_log.parse().unwrap(), LogReaders::default()), database)
    }

    #[tokio::test]
    async fn one_replica_trims_until_it_ends() {
        let (mut one, _database) = replica("forever").await;
        let mut other = Trimming::new(&one.host, &one.store, one.keep_log.clone(), LogReaders::default());
        assert!(one.lease.hold(&one.store).await.unwrap() && one.lease.hold(&one.store).await.unwrap());
        assert!(!other.lease.hold(&other.store).await.unwrap());
        one.host.shutdown.begin();
        one.run().await;
        assert!(other.lease.hold(&other.store).await.unwrap());
    }

    #[tokio::test]
    async fn entries_of_the_audit_go_when_they_are_older_than_they_are_kept() {
        for (keep, left) in [("30d", "1"), ("forever", "2")] {
            let (host, clock) = host(7);
            let (store, database) = sample::store(Engine::Sqlite, &host).await.unwrap();
            let trimming = Trimming::new(&host, &store, KeepLog::default(), LogReaders::default());
            let mut trimming = trimming.keeping_audit(keep.parse().unwrap());
            let day = std::time::Duration::from_hours(24);
            for id in ["a", "b"] {
                let (time, workspace) = (Some(timestamp(store.now())), "workspaces/acme".to_owned());
                let entry = AuditEntry {
                    id: id.to_owned(),
                    time,
                    workspace,
                    decision: AuditDecision::Done.into(),
                    ..AuditEntry::default()
                };
                store.add_audit(&[entry]).await.unwrap();
                clock.advance(16 * day);
            }
            trimming.round().await.unwrap();
            let counted = text(database.url(), "SELECT CAST(count(*) AS text) FROM audit_entries").await.unwrap();
            assert_eq!(counted, left, "{keep}");
        }
    }

    #[tokio::test]
    async fn workspaces_take_turns_a_few_in_a_round() {
        let (mut all, database) = replica("90d,w5=forever").await;
        let workspaces = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)
            INSERT INTO workspaces (id, revision) SELECT 'w' || i, 1 FROM n";
        execute(database.url(), workspaces).await.unwrap();
        let mut sizes = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let next = all.next_logs().await.unwrap();
            sizes.push(next.len());
            seen.extend(next);
        }
        assert_eq!((sizes, seen.len()), (vec![32, 32, 6, 32], 70));

        let (mut few, _database) = replica("forever,b=1d,a=2d").await;
        for _ in 0..2 {
            let next = few.next_logs().await.unwrap();
            assert_eq!(next.iter().map(WorkspaceId::id).collect::<Vec<_>>(), ["a", "b"], "nobody else is looked at");
        }
        let (mut none, _database) = replica("forever").await;
        assert!(none.next_logs().await.unwrap().is_empty());
    }
}

//! The workspaces that are behind: known, not looked for. All are compared with their cursors once; from then on the
//! relay hears which moved ([`Moved`]) and whose cursor was moved back (`relay_cursors.rewound`). So neither an idle
//! second nor a batch costs more where there are more workspaces.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use waymark_domain::WorkspaceId;
use waymark_store::{Cursor, Error, LogRow, Moved, Store};

/// Messages in flight at most, about.
const BATCH: usize = 2_048;
/// Bytes of events in one batch, about.
const BATCH_BYTES: usize = 8 << 20;
/// Workspaces that a batch takes events from, and that one statement asks for.
const WORKSPACES: usize = 512;
/// Workspaces that one statement compares with their cursors.
const PAGE: u64 = 4_096;
/// How often cursors are asked for that were moved back.
const REWOUND: Duration = Duration::from_secs(1);

/// What waits to be published.
pub(super) struct Backlog {
    moved: Moved,
    /// Every workspace that is behind is known: not before the first comparison, nor after another has relayed.
    complete: bool,
    /// Workspaces whose cursors have to be asked for.
    unknown: Vec<WorkspaceId>,
    behind: HashMap<WorkspaceId, Behind>,
    /// Those with events that no batch has taken, the next first. A batch takes its share of the first ones and puts
    /// them last, so that a busy one cannot starve the others.
    turns: VecDeque<WorkspaceId>,
    /// A cursor was moved under a batch that had taken what is behind it.
    void: bool,
    rewound: Rewound,
}

/// A workspace that is behind, as it was last known.
struct Behind {
    cursor: Cursor,
    /// The last revision that a batch has taken.
    taken: i64,
}

/// The pass over the cursors that were moved back.
#[derive(Default)]
struct Rewound {
    /// Where it goes on.
    after: Option<WorkspaceId>,
    /// When the last one ended; `None` while one is under way.
    ended: Option<Instant>,
}

/// What the next batch takes: workspaces, and the revisions after which it reads them.
pub(super) type Plan = Vec<(WorkspaceId, i64)>;

/// Events to publish, in order within each workspace.
pub(super) struct Batch {
    pub(super) rows: Vec<LogRow>,
    /// The workspaces that were read, each with the last revision that was found.
    read: Vec<(WorkspaceId, Option<i64>)>,
}

impl Backlog {
    /// Of all workspaces in a store.
    pub(super) fn new(store: &Store) -> Self {
        Self {
            moved: store.heads().moved(),
            complete: false,
            unknown: Vec::new(),
            behind: HashMap::new(),
            turns: VecDeque::new(),
            void: false,
            rewound: Rewound::default(),
        }
    }

    /// Returns when a workspace has moved.
    pub(super) async fn moved(&self) {
        self.moved.some().await;
    }

    /// Revisions that are committed and not published.
    pub(super) fn depth(&self) -> u64 {
        self.behind.values().map(|Behind { cursor, .. }| (cursor.revision - cursor.published).unsigned_abs()).sum()
    }

    /// Another relays: what is known grows old, and what moves is not kept.
    pub(super) fn forget(&mut self) {
        self.moved.take();
        self.unknown.clear();
        self.behind.clear();
        self.turns.clear();
        (self.complete, self.rewound) = (false, Rewound::default());
    }

    /// Hears what has moved, forward or back; false when what batches have taken has to be given back.
    pub(super) async fn update(&mut self, store: &Store) -> Result<bool, Error> {
        if !self.complete {
            self.moved.take();
            let mut after = None;
            loop {
                let page = store.cursors_after(after.as_ref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.workspace.clone());
                for cursor in page {
                    self.set(cursor);
                }
            }
            self.complete = true;
        }
        for (workspace, revision) in self.moved.take() {
            match self.behind.get(&workspace) {
                Some(Behind { cursor, .. }) if cursor.revision < revision => {
                    self.set(Cursor { revision, ..cursor.clone() });
                }
                Some(_) => {}
                None => self.unknown.push(workspace),
            }
        }
        while !self.unknown.is_empty() {
            let known = self.unknown.len().saturating_sub(WORKSPACES);
            let cursors = store.cursors_of(self.unknown.get(known..).unwrap_or_default()).await?;
            self.unknown.truncate(known);
            for cursor in cursors {
                self.set(cursor);
            }
        }
        self.find_rewound(store).await?;
        Ok(!std::mem::take(&mut self.void))
    }

    /// Cursors were moved by others: those of the batch, and maybe more of them back.
    pub(super) fn doubt(&mut self, batch: &Batch) {
        self.unknown.extend(batch.read.iter().map(|(workspace, _)| workspace.clone()));
        self.rewound = Rewound::default();
    }

    /// Asks for cursors that were moved back, now and then, a page at a time.
    async fn find_rewound(&mut self, store: &Store) -> Result<(), Error> {
        if self.rewound.ended.is_some_and(|ended| ended.elapsed() < REWOUND) {
            return Ok(());
        }
        let page = store.cursors_rewound(self.rewound.after.as_ref(), WORKSPACES as u64).await?;
        let more = page.len() == WORKSPACES;
        let after = page.last().filter(|_| more).map(|last| last.workspace.clone());
        self.rewound = Rewound { after, ended: (!more).then(Instant::now) };
        for cursor in page {
            if cursor.published >= cursor.revision {
                // A program that does not know the mark went on from there.
                store.settle(&cursor).await?;
            }
            self.set(cursor);
        }
        Ok(())
    }

    /// How far a workspace is.
    fn set(&mut self, cursor: Cursor) {
        let workspace = cursor.workspace.clone();
        let before = self.behind.remove(&workspace);
        let waited = before.as_ref().is_some_and(|before| before.taken < before.cursor.revision);
        let taken = match before {
            Some(before) if before.cursor.published == cursor.published => before.taken,
            // What a batch has taken counts from the cursor it was read by.
            Some(before) => {
                self.void |= before.taken != before.cursor.published;
                cursor.published
            }
            None => cursor.published,
        };
        let waits = taken < cursor.revision;
        if waits && !waited {
            self.turns.push_back(workspace.clone());
        } else if waited && !waits {
            self.turns.retain(|other| *other != workspace);
        }
        if cursor.published < cursor.revision {
            self.behind.insert(workspace, Behind { cursor, taken });
        }
    }

    /// What the next batch is to take.
    pub(super) fn plan(&self) -> Plan {
        let next = self.turns.iter().take(WORKSPACES);
        next.filter_map(|workspace| Some((workspace.clone(), self.behind.get(workspace)?.taken))).collect()
    }

    /// A batch, read by the plan of before, is to be published next.
    pub(super) fn take(&mut self, batch: &Batch) {
        for (workspace, end) in &batch.read {
            self.turns.pop_front();
            let Some(behind) = self.behind.get_mut(workspace) else { continue };
            // The log need not have events behind a cursor; there is nothing to do then.
            behind.taken = end.unwrap_or(behind.cursor.revision);
            if behind.taken < behind.cursor.revision {
                self.turns.push_back(workspace.clone());
            }
        }
    }

    /// What batches have taken beyond the cursors is not published after all.
    pub(super) fn give_back(&mut self) {
        self.void = false;
        self.turns.clear();
        for (workspace, behind) in &mut self.behind {
            behind.taken = behind.cursor.published;
            self.turns.push_back(workspace.clone());
        }
    }

    /// How far a workspace is, when its events are published.
    pub(super) fn cursor(&self, workspace: &WorkspaceId) -> Option<&Cursor> {
        self.behind.get(workspace).map(|behind| &behind.cursor)
    }

    /// The cursor was moved.
    pub(super) fn mark(&mut self, workspace: &WorkspaceId, published: i64) {
        let Some(Behind { cursor, .. }) = self.behind.get_mut(workspace) else { return };
        (cursor.published, cursor.reached) = (published, cursor.reached.max(published));
        if cursor.published >= cursor.revision {
            self.behind.remove(workspace);
        }
    }
}

impl Batch {
    /// Reads about one batch of the log.
    pub(super) async fn read(store: &Store, plan: Plan) -> Result<Self, Error> {
        let share = (BATCH / plan.len().max(1)).max(1);
        let (mut rows, mut read, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (workspace, after) in plan {
            let found = store.read_log(workspace.id(), after, share as u64).await?;
            bytes += found.iter().map(|row| row.data.len()).sum::<usize>();
            read.push((workspace, found.last().map(|row| row.revision)));
            rows.extend(found);
            if rows.len() >= BATCH || bytes >= BATCH_BYTES {
                break;
            }
        }
        Ok(Self { rows, read })
    }
}

#[cfg(test)]
mod tests {
    use waymark_store::Published;
    use waymark_testkit::sample::{Products, call, created, product, store};
    use waymark_testkit::{Engine, host};

    use super::*;

    async fn write(store: &Store, workspace: &str, count: usize) {
        for _ in 0..count {
            let parent = format!("workspaces/{workspace}");
            store.create_blind::<Products, _>(&call(), &parent, "", Some(product("p", "")), created).await.unwrap();
        }
    }

    async fn next(backlog: &mut Backlog, store: &Store) -> Vec<(String, i64)> {
        let batch = Batch::read(store, backlog.plan()).await.unwrap();
        backlog.take(&batch);
        batch.rows.iter().map(|row| (row.workspace.id().to_owned(), row.revision)).collect()
    }

    #[tokio::test]
    async fn every_workspace_has_its_turn() {
        let (host, _) = host(1);
        let (store, _database) = store(Engine::Sqlite, &host).await.unwrap();
        let mut backlog = Backlog::new(&store);
        let (busy, others) = ("busy", ["a", "b", "z"]);
        write(&store, busy, 700).await;
        for workspace in others {
            write(&store, workspace, 1).await;
        }
        assert!(backlog.update(&store).await.unwrap());
        assert_eq!(backlog.depth(), 703);
        let first = next(&mut backlog, &store).await;
        assert!(others.iter().all(|other| first.contains(&((*other).to_owned(), 1))), "a share of the batch each");
        write(&store, "late", 1).await;
        assert!(backlog.update(&store).await.unwrap());
        let second = next(&mut backlog, &store).await;
        assert_eq!(second.iter().filter(|(workspace, _)| workspace == "late").count(), 1);
        assert_eq!(first.len() + second.len(), 704, "each event once");
        assert!(next(&mut backlog, &store).await.is_empty());

        backlog.give_back();
        let again = next(&mut backlog, &store).await.len() + next(&mut backlog, &store).await.len();
        assert_eq!(again, 704, "what was not marked");
    }

    #[tokio::test]
    async fn what_was_taken_is_void_when_its_cursor_is_moved_back() {
        for engine in Engine::each() {
            let (host, _) = host(2);
            let (store, _database) = store(engine, &host).await.unwrap();
            let mut backlog = Backlog::new(&store);
            write(&store, "acme", 5).await;
            store.take_stream("TEST", 0, None).await.unwrap();
            let mut known = store.checkpoints("TEST").await.unwrap().unwrap();
            let acme = WorkspaceId::from_id("acme").unwrap();
            let published = [(acme.clone(), Published { before: 0, reached: 4, revision: 4 })].into();
            assert!(store.mark_published(&mut known, None, &published).await.unwrap());

            assert!(backlog.update(&store).await.unwrap());
            assert_eq!(next(&mut backlog, &store).await, [("acme".to_owned(), 5)]);
            // Another process is asked to publish again.
            store.republish(&acme, 3).await.unwrap();
            backlog.rewound = Rewound::default();
            assert!(!backlog.update(&store).await.unwrap());
            backlog.give_back();
            let again: Vec<i64> = next(&mut backlog, &store).await.into_iter().map(|(_, revision)| revision).collect();
            assert_eq!(again, [3, 4, 5]);

            let published = [(acme.clone(), Published { before: 2, reached: 5, revision: 5 })].into();
            assert!(store.mark_published(&mut known, None, &published).await.unwrap());
            assert!(store.cursors_rewound(None, 1).await.unwrap().is_empty(), "a mark is the end of it");
        }
    }
}

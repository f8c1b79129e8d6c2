//! The workspaces of an installation, as the edge of a service asks for them: from memory while they are active, else from
//! the service's database, which has them as the roadmap service keeps them or by its mirror of that.
//!
//! What a mirror does not know is asked of the roadmap service: it may be on its way. A workspace that holds data is there
//! whoever created it, or nobody, as before workspaces had to be created.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Client;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tonic::Status;
use waymark_domain::roadmap::Workspace;
use waymark_domain::{Name, Resource as _, WorkspaceId};
use waymark_events::snapshots;
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc as rpc;
use waymark_runtime::edge::{self, Standing};
use waymark_store::{Error, Store, Table};

/// For how long an active workspace is taken for one that is, unless this process changes one.
const FRESH: Duration = Duration::from_secs(5);
/// Workspaces that are remembered.
const REMEMBERED: usize = 10_000;

/// Whether a workspace is active, by what a service keeps of it; `None` when it keeps nothing.
pub type FindWorkspace = for<'a> fn(&'a Store, &'a Name<Workspace>) -> BoxFuture<'a, Result<Option<bool>, Error>>;

/// Whether a workspace is active, by what a service has in a table of them; `None` where it has nothing.
pub fn is_active<'a, T: Table<Resource = Workspace, Message = pb::Workspace>>(
    store: &'a Store,
    name: &'a Name<Workspace>,
) -> BoxFuture<'a, Result<Option<bool>, Error>> {
    Box::pin(async move {
        let found = store.named::<T>(name.workspace(), [name.id().as_str()]).await?.into_values().next();
        Ok(found.map(|workspace| workspace.state() != pb::WorkspaceState::Closed))
    })
}

/// Whom to ask for workspaces of which a service keeps nothing.
#[derive(Clone)]
pub(crate) enum Keeper {
    /// Nobody: it is the service itself.
    Itself,
    /// The roadmap service, over NATS.
    Nats(Client),
    /// The roadmap service, in this process.
    Store(Box<Store>),
    /// Nobody, as nothing brings events: policies alone decide.
    Nobody,
}

/// Set once the service has started to hear events.
pub(crate) type Known = Arc<OnceLock<Keeper>>;

/// Workspaces that are found in a store.
pub(crate) struct Workspaces {
    store: Store,
    find: FindWorkspace,
    keeper: Known,
    active: Mutex<Active>,
}

/// Those that were active lately.
struct Active {
    seen: HashMap<WorkspaceId, Instant>,
    /// Moves when this process changes a workspace.
    changed: watch::Receiver<i64>,
}

impl Workspaces {
    pub(crate) fn new(store: &Store, find: FindWorkspace, keeper: &Known) -> Self {
        let changed = store.heads().subscribe(&WorkspaceId::installation());
        let active = Mutex::new(Active { seen: HashMap::new(), changed });
        Self { store: store.clone(), find, keeper: Arc::clone(keeper), active }
    }

    fn active(&self) -> MutexGuard<'_, Active> {
        // Every step keeps it whole.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, workspace: &WorkspaceId) -> Result<Standing, Error> {
        let Ok(name) = workspace.to_string().parse::<Name<Workspace>>() else { return Ok(Standing::Missing) };
        if let Some(active) = (self.find)(&self.store, &name).await? {
            return Ok(if active { Standing::Active } else { Standing::Closed });
        }
        if self.store.revision(workspace).await? > 0 {
            return Ok(Standing::Active);
        }
        let kept = match self.keeper.get().unwrap_or(&Keeper::Nobody) {
            Keeper::Nobody => return Ok(Standing::Active),
            Keeper::Itself => Some(false),
            Keeper::Nats(client) => snapshots::keeps(client, Workspace::SERVICE, &name.any()).await,
            Keeper::Store(source) => Some(snapshots::keeps_here(source, &name.any()).await?),
        };
        Ok(if kept == Some(false) { Standing::Missing } else { Standing::Unknown })
    }
}

impl edge::Workspaces for Workspaces {
    fn standing<'a>(&'a self, workspace: &'a WorkspaceId) -> BoxFuture<'a, Result<Standing, Status>> {
        Box::pin(async move {
            if self.active().has(workspace) {
                return Ok(Standing::Active);
            }
            // What is found is as old as the question.
            let asked = Instant::now();
            let revision = *self.active().changed.borrow();
            let standing = rpc::or_status(self.look(workspace).await)?;
            if standing == Standing::Active {
                self.active().saw(workspace, asked, revision);
            }
            Ok(standing)
        })
    }
}

impl Active {
    fn has(&mut self, workspace: &WorkspaceId) -> bool {
        if self.changed.has_changed().unwrap_or(false) {
            self.changed.mark_unchanged();
            self.seen.clear();
        }
        self.seen.get(workspace).is_some_and(|asked| asked.elapsed() < FRESH)
    }

    /// Remembers one that was active at a time, and when workspaces were last changed at `revision`.
    fn saw(&mut self, workspace: &WorkspaceId, asked: Instant, revision: i64) {
        if *self.changed.borrow() != revision {
            return;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.seen.insert(workspace.clone(), asked);
    }
}

impl fmt::Debug for Workspaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workspaces")
    }
}

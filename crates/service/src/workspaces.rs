//! The workspaces of an installation, as the edge of a service asks for them: from memory while they are active, else from
//! the service's database, which has them as the roadmap service keeps them or by its mirror of that.
//!
//! What a mirror does not know is asked of the roadmap service: it may be on its way. A workspace that holds data is there
//! whoever created it, or nobody, as before workspaces had to be created. Names that somebody makes up are asked for so often
//! and no more, however many come (`memory`).

mod memory;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use async_nats::Client;
use futures::future::BoxFuture;
use tonic::Status;
use waymark_domain::roadmap::Workspace;
use waymark_domain::{Name, Resource as _, WorkspaceId};
use waymark_events::snapshots;
use waymark_proto::roadmap::v1 as pb;
use waymark_rpc as rpc;
use waymark_runtime::edge::{self, Standing};
use waymark_store::{Error, Store, Table};

use memory::{Memory, Recalled};

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
    memory: Mutex<Memory>,
}

impl Workspaces {
    pub(crate) fn new(store: &Store, find: FindWorkspace, keeper: &Known) -> Self {
        let changed = store.heads().subscribe(&WorkspaceId::installation());
        let memory = Mutex::new(Memory::new(changed, Instant::now()));
        Self { store: store.clone(), find, keeper: Arc::clone(keeper), memory }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every step keeps it whole.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
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
            // What is found is as old as the question.
            let asked = Instant::now();
            let question = match self.memory().recall(workspace, asked) {
                Recalled::Known(standing) => return Ok(standing),
                Recalled::Ask(question) => question,
            };
            let standing = rpc::or_status(self.look(workspace).await)?;
            self.memory().found(workspace, standing, &question);
            Ok(standing)
        })
    }
}

impl fmt::Debug for Workspaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workspaces")
    }
}

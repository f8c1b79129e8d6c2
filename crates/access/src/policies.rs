//! What they may do: Cedar policies decide, on what a bindings file says of who has which role where.
//!
//! [`Policies`] is opened from a folder of policies, or with those of `policies/roles.cedar`, and a bindings file
//! (`deploy/bindings.example.yaml` tells every field), and answers [`decide`](Policies::decide) from memory.
//! [`run`](Policies::run) takes over what the files say later.
//!
//! # What a decision is made of
//!
//! 1. The bindings tell which roles and audiences the principal has in the workspace, by itself and by its groups
//!    (`bindings`).
//! 2. Cedar is asked whether the principal, which is in its groups, roles and audiences, may do the action to the
//!    resource (`question`). Nothing is allowed that no policy allows, and nothing that one forbids. A policy that
//!    cannot be evaluated allows nothing.
//! 3. Who may not, but has an audience there, is asked for anew as one that is shown what that sees.
//!
//! # What is promised
//!
//! - Every policy is checked against the schema, which is derived from the contract (`schema`): an action, an
//!   attribute or a role that there is not, a condition that can never hold, a principal that is written as none is.
//! - Files are all taken over or none: a bad set, an empty one or none leaves the last good one in force, and is told
//!   once. At the start it is refused.
//! - A decision is remembered as long as policies and bindings are the same, within bounded memory.
//!
//! # What is absent
//!
//! Nothing is granted at run time, and no policy asks what it cannot be told in a request: no times, no addresses, no
//! attributes of resources.

mod bindings;
mod decision;
mod files;
mod heeded;
mod question;
mod rights;
mod schema;
mod set;
mod trial;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use waymark_clock::Clock;

use crate::counters::Count;
use crate::generations::Generations;
use crate::identity::Identity;
use crate::reload::{Reload, Reloaded};
use crate::settings::SettingsError;
use crate::settling::{Seen, Settling};
use bindings::Bindings;
use decision::Decided;
use files::Files;
use heeded::Heeded;
use question::Asked;
use rights::Worth;
use schema::Schema;
use set::PolicySet;

pub use bindings::{Grant, Granted};
pub use decision::{Decision, PoliciesCounted};
pub use files::DEFAULT_POLICIES;
pub use question::{Question, Resource};
pub use rights::Right;
pub use schema::{Action, ResourceKind};
pub use trial::Trial;

/// How often it is looked at whether the files have changed.
const LOOK: Duration = Duration::from_secs(2);

/// Most bytes of decisions that are remembered.
const MOST_DECIDED_BYTES: usize = 16 * 1024 * 1024;

/// What callers may do, according to policies and bindings.
#[derive(Debug)]
pub struct Policies {
    folder: Option<PathBuf>,
    bindings: PathBuf,
    clock: Clock,
    schema: Arc<Schema>,
    rules: RwLock<Arc<Rules>>,
    files: Mutex<Settling<Files>>,
    counters: Counters,
}

/// What holds as long as the files are the same.
#[derive(Debug)]
struct Rules {
    set: PolicySet,
    heeded: Heeded,
    bindings: Bindings,
    worth: Worth,
    decided: Generations<Asked, Arc<Decision>>,
}

#[derive(Debug, Default)]
struct Counters {
    allowed: Count,
    denied: Count,
    remembered: Count,
    reloads: Count,
    reloads_failed: Count,
}

/// The schema that policies are checked against, as Cedar writes it, where these are all actions.
pub fn schema(actions: impl IntoIterator<Item = Action>) -> String {
    Schema::new(actions).text().to_owned()
}

impl Policies {
    /// Reads the policies of `folder`, or takes [`DEFAULT_POLICIES`] where there is none, and the bindings. `actions`
    /// are all there are.
    ///
    /// # Errors
    /// [`SettingsError`] where a file cannot be read, or says something that cannot be done.
    pub async fn open(
        folder: Option<&Path>,
        bindings: &Path,
        actions: impl IntoIterator<Item = Action>,
        clock: Clock,
    ) -> Result<Self, SettingsError> {
        let schema = Arc::new(Schema::new(actions));
        let files = Files::read(folder, bindings).await?;
        let rules = Rules::new(&schema, &files)?;
        Ok(Self {
            folder: folder.map(Path::to_owned),
            bindings: bindings.to_owned(),
            clock,
            schema,
            rules: RwLock::new(Arc::new(rules)),
            files: Mutex::new(Settling::new(files)),
            counters: Counters::default(),
        })
    }

    /// Whether it may be done what is asked for. Never waits.
    pub fn decide(&self, question: &Question<'_>) -> Arc<Decision> {
        let rules = self.rules();
        let asked = rules.decided.keyed(Asked::new(question));
        let decision = if let Some(decision) = rules.decided.get(&asked, |_| true) {
            self.counters.remembered.add();
            decision
        } else {
            let Rules { set, heeded, bindings, .. } = &*rules;
            let decision = Arc::new(Decided { schema: &self.schema, set, heeded, bindings }.on(question));
            rules.decided.keep(asked, Arc::clone(&decision), question.bytes());
            decision
        };
        if decision.allowed {
            self.counters.allowed.add();
        } else {
            self.counters.denied.add();
        }
        decision
    }

    /// What the bindings give somebody, wherever it is, in the order of the file.
    pub fn grants(&self, identity: &Identity) -> Vec<Grant> {
        self.rules().bindings.grants(identity)
    }

    /// What the bindings give somebody in one workspace, in the order of the file.
    pub fn grants_in(&self, identity: &Identity, workspace: &str) -> Vec<Grant> {
        self.rules().bindings.of(identity, workspace)
    }

    /// What the bindings give somebody, wherever it is or in one workspace, in the order of the file, with the policies
    /// that say what that is worth.
    pub fn rights(&self, identity: &Identity, workspace: Option<&str>) -> Vec<Right> {
        let rules = self.rules();
        let grants = match workspace {
            Some(workspace) => rules.bindings.of(identity, workspace),
            None => rules.bindings.grants(identity),
        };
        grants.into_iter().map(|grant| rules.worth.right(grant)).collect()
    }

    /// The full name of the action that is meant by it or by its end, such as `StrategyService/GetProduct` or
    /// `GetProduct`.
    ///
    /// # Errors
    /// What is wrong, where there is none or more than one.
    pub fn action(&self, said: &str) -> Result<&str, String> {
        let is_end = |name: &str| {
            name.strip_suffix(said).is_some_and(|before| before.is_empty() || before.ends_with(['.', '/']))
        };
        let meant: Vec<&str> = self.schema.names().filter(|name| is_end(name)).collect();
        match meant.as_slice() {
            [one] => Ok(one),
            [] => Err(format!("{said:?} is no action; an RPC is one, such as StrategyService/GetProduct")),
            several => Err(format!("{said:?} is the end of several: {}", several.join(", "))),
        }
    }

    /// What an action is done to; none for one that there is not.
    pub fn resource(&self, action: &str) -> Option<ResourceKind> {
        self.schema.kind(action)
    }

    /// The names of all actions, in order.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.schema.names()
    }

    /// The ids of the policies in force.
    pub fn ids(&self) -> Vec<String> {
        self.rules().set.ids()
    }

    /// How many bindings are in force.
    pub fn bindings(&self) -> usize {
        self.rules().bindings.len()
    }

    /// What was counted since the start.
    pub fn counted(&self) -> PoliciesCounted {
        let Counters { allowed, denied, remembered, reloads, reloads_failed } = &self.counters;
        PoliciesCounted {
            allowed: allowed.get(),
            denied: denied.get(),
            remembered: remembered.get(),
            reloads: reloads.get(),
            reloads_failed: reloads_failed.get(),
        }
    }

    /// Takes over what the files say later, until `stop`, and tells of it.
    pub async fn run(&self, stop: impl Future<Output = ()>, tell: impl Fn(Reload)) {
        let mut stop = pin!(stop);
        loop {
            if let Some(reload) = self.look().await {
                tell(reload);
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// One round of [`Policies::run`]: takes over what the files say now, if that is something else, has been so for a
    /// moment and can be done.
    pub async fn look(&self) -> Option<Reload> {
        let read = Files::read(self.folder.as_deref(), &self.bindings).await;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let what = self.bindings.display();
        match files.look(read.map_err(|error| error.to_string()), self.clock.now()) {
            Seen::Same => None,
            Seen::Unreadable(error) => {
                self.counters.reloads_failed.add();
                tracing::error!(error, "policies cannot be read; the last good ones hold");
                Some(Reloaded::Policies.failed(&what))
            }
            Seen::Changed(files) => match Rules::new(&self.schema, files) {
                Ok(rules) => {
                    let policies = rules.set.ids().len();
                    *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                    self.counters.reloads.add();
                    tracing::info!(policies, "policies and bindings were read again");
                    Some(Reloaded::Policies.done(&what))
                }
                Err(error) => {
                    self.counters.reloads_failed.add();
                    tracing::error!(%error, "policies are wrong; the last good ones hold");
                    Some(Reloaded::Policies.failed(&what))
                }
            },
        }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rules {
    fn new(schema: &Schema, files: &Files) -> Result<Self, SettingsError> {
        let set = PolicySet::parse(schema, &files.policies)?;
        Ok(Self {
            worth: Worth::of(schema, &set),
            heeded: Heeded::of(schema, &set),
            set,
            bindings: Bindings::parse(&files.bindings.path, &files.bindings.content)?,
            decided: Generations::new(MOST_DECIDED_BYTES),
        })
    }
}

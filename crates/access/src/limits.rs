//! How much callers may ask: a token bucket of each principal and one of each workspace, out of which a call takes what its
//! kind costs, and how many streams a principal may have open.
//!
//! [`Limits`] is opened from a file (`deploy/limits.example.yaml` tells every field) and answers from memory;
//! [`run`](Limits::run) takes over what the file says later. What was taken before is not forgotten then.
//!
//! Limits hold for each replica: what the file says of the installation is divided by the number of replicas it names.

mod buckets;
mod file;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use waymark_clock::Clock;

use crate::counters::Count;
use crate::fetch;
use crate::like::covers;
use crate::reload::{Reload, Reloaded};
use crate::settings::SettingsError;
use crate::settling::{Seen, Settling};

pub use buckets::{Allowance, Buckets};

/// How often it is looked at whether the file has changed.
const LOOK: Duration = Duration::from_secs(2);

/// How much callers may ask, according to a file.
#[derive(Debug)]
pub struct Limits {
    path: PathBuf,
    kinds: Vec<&'static str>,
    clock: Clock,
    rules: RwLock<Arc<Rules>>,
    file: Mutex<Settling<Vec<u8>>>,
    principals: Buckets<String>,
    workspaces: Buckets<String>,
    watches: Mutex<HashMap<String, u32>>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    limited: Count,
    reloads: Count,
    reloads_failed: Count,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsCounted {
    /// Calls and streams that were refused.
    pub limited: u64,
    /// New contents of the file that count since.
    pub reloads: u64,
    /// New contents of the file that were refused, and times it could not be read.
    pub reloads_failed: u64,
}

/// What the file says, for one replica.
#[derive(Debug, PartialEq)]
struct Rules {
    /// What a call of a kind costs.
    costs: HashMap<&'static str, f64>,
    principals: Vec<Rule>,
    workspaces: Vec<Rule>,
}

/// What those with certain names may ask; of several rules that fit the first counts.
#[derive(Debug, PartialEq)]
struct Rule {
    /// Each as it is, or with one `*` for any part.
    names: Vec<String>,
    allowance: Allowance,
    /// Streams open at once; of workspaces none is said.
    watches: Option<u32>,
}

/// A limit that a call would exceed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Exceeded {
    /// Units a second.
    #[error(
        "{whose} has used up what it may ask of this server, {rate} units a second; this call costs {cost}: try again after the delay given"
    )]
    Rate {
        /// The principal or the workspace.
        whose: String,
        /// Units a second that it gets.
        rate: f64,
        /// Units that the call costs.
        cost: f64,
        /// How long it takes until there are enough.
        wait: Duration,
    },
    /// Streams open at once.
    #[error(
        "{whose} has {most} streams open on this server, as many as it may: end one, or share it between those who listen"
    )]
    Watches {
        /// The principal.
        whose: String,
        /// How many it may have.
        most: u32,
    },
}

/// The place of an open stream; it is free again when this is dropped.
#[derive(Debug)]
pub struct Watching {
    limits: Arc<Limits>,
    whose: String,
}

impl Limits {
    /// Reads the file. `kinds` are the names of the kinds of calls that have costs.
    ///
    /// # Errors
    /// [`SettingsError`] where it cannot be read, or says something that cannot be done.
    pub async fn open(
        path: &Path,
        kinds: impl IntoIterator<Item = &'static str>,
        clock: Clock,
    ) -> Result<Self, SettingsError> {
        let unreadable = |why: String| SettingsError::Unreadable { path: path.to_owned(), why };
        let content = fetch::read(path).await.map_err(|error| unreadable(error.to_string()))?;
        let kinds: Vec<_> = kinds.into_iter().collect();
        let rules = Rules::parse(path, &content, &kinds)?;
        Ok(Self {
            path: path.to_owned(),
            kinds,
            clock,
            rules: RwLock::new(Arc::new(rules)),
            file: Mutex::new(Settling::new(content)),
            principals: Buckets::default(),
            workspaces: Buckets::default(),
            watches: Mutex::default(),
            counters: Counters::default(),
        })
    }

    /// Takes what a call costs out of the bucket of its principal, and of the workspace that it is for; out of neither
    /// when there is not enough in one.
    ///
    /// # Errors
    /// [`Exceeded::Rate`].
    pub fn spend(&self, principal: &str, workspace: Option<&str>, kind: &str, now: Instant) -> Result<(), Exceeded> {
        let rules = self.rules();
        let cost = rules.costs.get(kind).copied().unwrap_or(1.0);
        let of_principal = allowance(&rules.principals, principal);
        if let Some(allowance) = of_principal {
            let taken = self.principals.take(principal, cost, allowance, now);
            taken.map_err(|wait| self.exceeded(principal, allowance, cost, wait))?;
        }
        let Some(workspace) = workspace else { return Ok(()) };
        let Some(allowance) = allowance(&rules.workspaces, workspace) else { return Ok(()) };
        let taken = self.workspaces.take(workspace, cost, allowance, now);
        taken.map_err(|wait| {
            if of_principal.is_some() {
                self.principals.give_back(principal, cost);
            }
            self.exceeded(workspace, allowance, cost, wait)
        })
    }

    /// A place for a stream of a principal.
    ///
    /// # Errors
    /// [`Exceeded::Watches`].
    pub fn watch(self: &Arc<Self>, principal: &str) -> Result<Watching, Exceeded> {
        let rules = self.rules();
        let most = rule(&rules.principals, principal).and_then(|rule| rule.watches);
        let mut watches = self.watches();
        let open = watches.get(principal).copied().unwrap_or_default();
        if let Some(most) = most.filter(|most| open >= *most) {
            self.counters.limited.add();
            return Err(Exceeded::Watches { whose: principal.to_owned(), most });
        }
        watches.insert(principal.to_owned(), open + 1);
        Ok(Watching { limits: Arc::clone(self), whose: principal.to_owned() })
    }

    /// What was counted since the start.
    pub fn counted(&self) -> LimitsCounted {
        let Counters { limited, reloads, reloads_failed } = &self.counters;
        LimitsCounted { limited: limited.get(), reloads: reloads.get(), reloads_failed: reloads_failed.get() }
    }

    /// Takes over what the file says, now and then, until `stop`, and tells of it.
    pub async fn run(&self, stop: impl Future<Output = ()>, tell: impl Fn(Reload)) {
        let mut stop = pin!(stop);
        loop {
            tokio::select! { () = &mut stop => return, () = tokio::time::sleep(LOOK) => {} }
            if let Some(reload) = self.look().await {
                tell(reload);
            }
        }
    }

    /// Takes over what the file says now, if that is something else and can be done.
    pub(crate) async fn look(&self) -> Option<Reload> {
        let read = fetch::read(&self.path).await.map_err(|error| error.to_string());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.display();
        match file.look(read, self.clock.now()) {
            Seen::Same => None,
            Seen::Unreadable(error) => {
                self.counters.reloads_failed.add();
                tracing::error!(file = %path, error, "the file of limits cannot be read; the last good one counts");
                Some(Reloaded::Limits.failed(&path))
            }
            Seen::Changed(content) => match Rules::parse(&self.path, content, &self.kinds) {
                Ok(rules) => {
                    *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                    self.counters.reloads.add();
                    tracing::info!(file = %path, "the file of limits was read again");
                    Some(Reloaded::Limits.done(&path))
                }
                Err(error) => {
                    self.counters.reloads_failed.add();
                    tracing::error!(%error, "the file of limits is wrong; the last good one counts");
                    Some(Reloaded::Limits.failed(&path))
                }
            },
        }
    }

    fn exceeded(&self, whose: &str, Allowance { rate, .. }: Allowance, cost: f64, wait: Duration) -> Exceeded {
        self.counters.limited.add();
        Exceeded::Rate { whose: whose.to_owned(), rate, cost, wait }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn watches(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        // A panic while holding the lock leaves usable counts: every step keeps them whole.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exceeded {
    /// The principal or the workspace.
    pub fn whose(&self) -> &str {
        match self {
            Self::Rate { whose, .. } | Self::Watches { whose, .. } => whose,
        }
    }

    /// After what time it can be tried again; for streams nobody knows.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Rate { wait, .. } => Some(*wait),
            Self::Watches { .. } => None,
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watches = self.limits.watches();
        if let Some(open) = watches.get_mut(&self.whose) {
            *open -= 1;
            if *open == 0 {
                watches.remove(&self.whose);
            }
        }
    }
}

fn rule<'a>(rules: &'a [Rule], name: &str) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.names.iter().any(|wanted| covers(wanted, name)))
}

fn allowance(rules: &[Rule], name: &str) -> Option<Allowance> {
    rule(rules, name).map(|rule| rule.allowance)
}

#[cfg(test)]
mod tests;

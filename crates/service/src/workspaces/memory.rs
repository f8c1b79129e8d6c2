//! What is remembered of workspaces, unless this process changes or hears of one before: those that are active for a few
//! seconds, so that they are written to without a question, and those that are not there for a moment, so that a name is asked
//! for so often and no more. Whoever names it meanwhile is told that it is not known yet, not that it is missing: another
//! process may just have made it.
//!
//! Names can be made up, each another. What was never seen to be there is therefore asked for out of a budget, which those that
//! are found give back. When it is used up, who names one is told the same; workspaces that were seen do not notice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use waymark_domain::WorkspaceId;
use waymark_runtime::edge::Standing;

/// For how long a workspace that is active is taken for one that is.
const FRESH: Duration = Duration::from_secs(5);
/// How long after a question for one that is not there the next is asked.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// Workspaces of each kind that are remembered.
const REMEMBERED: usize = 10_000;

/// Questions for what was never seen to be there that may come at once: more than calls are served at once by default, so
/// that a process that has just started asks for all.
pub(super) const AT_ONCE: u32 = 1_000;
/// And those that may come in a second on and on.
pub(super) const A_SECOND: u32 = 100;

/// How workspaces stood lately.
pub(super) struct Memory {
    there: HashMap<WorkspaceId, Seen>,
    /// When they were asked for, and before which change.
    missing: HashMap<WorkspaceId, (Instant, u64)>,
    /// Moves when workspaces change here, or are heard of.
    changed: watch::Receiver<i64>,
    /// How often that was seen.
    epoch: u64,
    /// Questions that are left, and when so many were.
    budget: f64,
    at: Instant,
}

/// One that is there.
struct Seen {
    is_active: bool,
    asked: Instant,
    epoch: u64,
}

/// What is remembered of a workspace.
pub(super) enum Recalled {
    Known(Standing),
    Ask(Question),
}

/// A question that is asked now.
pub(super) struct Question {
    asked: Instant,
    epoch: u64,
    /// Whether it is out of the budget.
    paid: bool,
}

impl Memory {
    pub(super) fn new(changed: watch::Receiver<i64>, now: Instant) -> Self {
        let (there, missing) = (HashMap::new(), HashMap::new());
        Self { there, missing, changed, epoch: 0, budget: f64::from(AT_ONCE), at: now }
    }

    /// How a workspace stands as far as is known, or that it is to be asked for.
    pub(super) fn recall(&mut self, workspace: &WorkspaceId, now: Instant) -> Recalled {
        self.notice();
        let since = |asked: Instant| now.saturating_duration_since(asked);
        let seen = self.there.get(workspace);
        if seen.is_some_and(|seen| seen.is_active && seen.epoch == self.epoch && since(seen.asked) < FRESH) {
            return Recalled::Known(Standing::Active);
        }
        let paid = seen.is_none();
        let missing = self.missing.get(workspace);
        let is_pause = missing.is_some_and(|(asked, epoch)| *epoch == self.epoch && since(*asked) < PAUSE);
        if is_pause || (paid && !self.pay(now)) {
            return Recalled::Known(Standing::Unknown);
        }
        Recalled::Ask(Question { asked: now, epoch: self.epoch, paid })
    }

    /// Remembers what a question found, as of before whatever changed since it was asked.
    pub(super) fn found(&mut self, workspace: &WorkspaceId, standing: Standing, question: &Question) {
        let Question { asked, epoch, paid } = *question;
        match standing {
            Standing::Active | Standing::Closed => {
                self.missing.remove(workspace);
                if paid {
                    self.budget = (self.budget + 1.0).min(AT_ONCE.into());
                }
                let is_active = standing == Standing::Active;
                make_room(&mut self.there).insert(workspace.clone(), Seen { is_active, asked, epoch });
            }
            Standing::Missing | Standing::Unknown => {
                self.there.remove(workspace);
                make_room(&mut self.missing).insert(workspace.clone(), (asked, epoch));
            }
        }
    }

    fn notice(&mut self) {
        if self.changed.has_changed().unwrap_or(false) {
            self.changed.mark_unchanged();
            self.epoch += 1;
        }
    }

    /// Takes a question out of the budget; tells whether there was one.
    fn pay(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.budget = (self.budget + since * f64::from(A_SECOND)).min(AT_ONCE.into());
        self.at = self.at.max(now);
        let can = self.budget >= 1.0;
        if can {
            self.budget -= 1.0;
        }
        can
    }
}

fn make_room<V>(of: &mut HashMap<WorkspaceId, V>) -> &mut HashMap<WorkspaceId, V> {
    if of.len() >= REMEMBERED {
        of.clear();
    }
    of
}

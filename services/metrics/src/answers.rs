//! What the lake said of workspaces, for timers that ask the same again and again: it is asked anew of those that have
//! something new. One that has not costs a look at its log.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use waymark_domain::metrics::{Alert, Measure, Metric, Usual};
use waymark_domain::{Name, Period, WorkspaceId};
use waymark_lake::Lake;

use crate::analysis::LakeFailure;
use crate::usual::usual;

/// Times and periods that are kept of a workspace and of a metric, each at most; then they begin anew.
const KEPT: usize = 8;

/// What the lake said.
pub struct Answers {
    lake: Lake,
    workspaces: HashMap<WorkspaceId, Workspace>,
    usual: HashMap<Name<Metric>, Usually>,
    /// Counts the rounds; in each a workspace is looked at once.
    round: u64,
}

/// What it said of a workspace at a version.
#[derive(Default)]
struct Workspace {
    version: u64,
    round: u64,
    any: Option<bool>,
    reached: HashMap<DateTime<Utc>, bool>,
    totals: HashMap<Name<Metric>, Totals>,
}

/// What a metric of a version was in periods.
#[derive(Default)]
struct Totals {
    version: u64,
    of: Vec<(Period, f64)>,
}

/// What was usual for a metric in periods, by its measure and alert.
struct Usually {
    round: u64,
    asked: (Measure, Alert),
    of: Vec<(Period, Option<Usual>)>,
}

impl Answers {
    /// Nothing was said yet.
    pub fn new(lake: &Lake) -> Self {
        Self { lake: lake.clone(), workspaces: HashMap::new(), usual: HashMap::new(), round: 1 }
    }

    /// Begins a round: what may be new is looked for. Workspaces that nobody asked about in the last one are forgotten.
    pub fn begin(&mut self) {
        self.workspaces.retain(|_, workspace| workspace.round == self.round);
        self.usual.retain(|_, known| known.round == self.round);
        self.round += 1;
    }

    /// Whether the workspace has any event.
    pub async fn any(&mut self, workspace: &WorkspaceId) -> Result<bool, LakeFailure> {
        if let Some(any) = self.of(workspace).await?.any {
            return Ok(any);
        }
        let any = self.lake.latest_event_time(workspace.id()).await?.is_some();
        self.of(workspace).await?.any = Some(any);
        Ok(any)
    }

    /// Whether the workspace's events, of any name, have come as far as `time`.
    pub async fn reached(&mut self, workspace: &WorkspaceId, time: DateTime<Utc>) -> Result<bool, LakeFailure> {
        if let Some(reached) = self.of(workspace).await?.reached.get(&time) {
            return Ok(*reached);
        }
        let arrived = self.lake.has_arrived(workspace.id(), time).await?;
        let reached = &mut self.of(workspace).await?.reached;
        if reached.len() >= KEPT {
            reached.clear();
        }
        reached.insert(time, arrived);
        Ok(arrived)
    }

    /// What a metric was in a period.
    pub async fn total(&mut self, metric: &Metric, period: Period) -> Result<f64, LakeFailure> {
        let (name, version) = (&metric.meta.name, metric.meta.version);
        let known = self.of(name.workspace()).await?.totals.get(name).filter(|known| known.version == version);
        if let Some((_, total)) = known.and_then(|known| known.of.iter().find(|(of, _)| *of == period)) {
            return Ok(*total);
        }
        let total = self.lake.total(name.workspace().id(), &metric.measure, period).await?;
        let known = self.of(name.workspace()).await?.totals.entry(name.clone()).or_default();
        if known.version != version || known.of.len() >= KEPT {
            *known = Totals { version, of: Vec::new() };
        }
        known.of.push((period, total));
        Ok(total)
    }

    /// What was usual for a metric in a period, where that is what it is watched against. It is asked once, as it costs a trend
    /// over all intervals before, until it is [forgotten](Self::forget_usual).
    pub async fn usual(&mut self, metric: &Metric, period: Period) -> Result<Option<Usual>, LakeFailure> {
        let Some(watch) = metric.watch else { return Ok(None) };
        let asked = (metric.measure.clone(), watch.alert);
        let name = &metric.meta.name;
        if let Some(known) = self.usual.get_mut(name).filter(|known| known.asked == asked) {
            known.round = self.round;
            if let Some((_, usual)) = known.of.iter().find(|(of, _)| *of == period) {
                return Ok(*usual);
            }
        }
        let usual = usual(&self.lake, metric, period).await?;
        let new = || Usually { round: self.round, asked: asked.clone(), of: Vec::new() };
        let known = self.usual.entry(name.clone()).or_insert_with(new);
        if known.asked != asked || known.of.len() >= KEPT {
            *known = new();
        }
        known.of.push((period, usual));
        Ok(usual)
    }

    /// Has what was usual for a metric asked anew.
    pub fn forget_usual(&mut self, metric: &Metric) {
        self.usual.remove(&metric.meta.name);
    }

    /// What was said of a workspace, unless it has something new since.
    async fn of(&mut self, workspace: &WorkspaceId) -> Result<&mut Workspace, LakeFailure> {
        let round = self.round;
        let known = self.workspaces.entry(workspace.clone()).or_default();
        if known.round != round {
            // Before it is asked: what comes between is found in the next round.
            let version = self.lake.version(workspace.id()).await?;
            if known.version != version {
                *known = Workspace { version, ..Workspace::default() };
            }
            known.round = round;
        }
        Ok(known)
    }
}

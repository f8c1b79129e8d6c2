//! Tracking plans at work: which is in force for the events of a call, and what they were not. Events are judged by the
//! domain's `Expectations`.

mod counts;
mod judge;
mod keeping;
mod sightings;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::metrics::Meter;
use waymark_domain::WorkspaceId;
use waymark_domain::metrics::{Expectations, IntakePolicy};
use waymark_store::{Error, Store};

use crate::store::tracking_plan;

pub use judge::Judge;
pub use keeping::keep_sightings;
pub use sightings::Sightings;

use counts::IntakeCounts;

/// Workspaces whose plans are remembered; a plan may have a megabyte.
const REMEMBERED: usize = 1_000;

/// What is expected of product events, and what was seen that is not.
pub struct Tracking {
    operator: IntakePolicy,
    counts: IntakeCounts,
    known: Mutex<HashMap<WorkspaceId, (i64, Known)>>,
    /// What was seen and is not written down.
    pub sightings: Sightings,
}

/// What goes for the events of a workspace.
#[derive(Clone)]
pub struct Known {
    /// Which times they may have.
    pub intake: IntakePolicy,
    /// What is expected of them, if anything is.
    pub expectations: Option<Arc<Expectations>>,
}

impl Tracking {
    /// Nothing is known of any workspace but what the operator allows in all.
    pub fn new(operator: IntakePolicy, meter: &Meter) -> Self {
        let counts = IntakeCounts::new(meter);
        Self { operator, counts, known: Mutex::default(), sightings: Sightings::default() }
    }

    /// What goes for the events of a workspace by now. A plan is read when the workspace has another revision than it was
    /// read at, so whoever was told that it changed finds it changed, at whichever replica; a call costs one row.
    pub async fn of(&self, store: &Store, workspace: &WorkspaceId) -> Result<Known, Error> {
        // Before the plan: what changes in between is found by the next call.
        let revision = store.revision(workspace).await?;
        if let Some((at, known)) = self.known().get(workspace)
            && *at == revision
        {
            return Ok(known.clone());
        }
        let plan = tracking_plan(store, workspace).await?;
        let known = Known {
            intake: plan.as_ref().map_or(self.operator, |plan| plan.within(self.operator)),
            expectations: plan.map(|plan| Arc::new(Expectations::new(&plan))),
        };
        let mut all = self.known();
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(workspace.clone(), (revision, known.clone()));
        Ok(known)
    }

    /// What is known stays whole whoever panics beside it: each change is one step.
    fn known(&self) -> MutexGuard<'_, HashMap<WorkspaceId, (i64, Known)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what a call's events were not.
    pub fn judged(&self, workspace: &WorkspaceId, judge: Judge<'_>) {
        let found = judge.found();
        self.counts.add(&found);
        self.sightings.add(workspace, found.sightings);
    }
}

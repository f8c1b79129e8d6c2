//! The table of tracking plans, of which a workspace has one.

use waymark_domain::metrics::{TrackingPlan, TrackingPlanEvent};
use waymark_domain::{Change, Name, Violations, WorkspaceId};
use waymark_proto::Choice as _;
use waymark_proto::metrics::v1 as pb;
use waymark_store::{Column, Columns, Error, Rule, Ruled, Rules, Store, Table, Write};

use super::live;

/// Tracking plans.
pub struct TrackingPlans;

impl Table for TrackingPlans {
    type Resource = TrackingPlan;
    type Message = pb::TrackingPlan;
    const TABLE: &'static str = "tracking_plans";
    const COLUMNS: Columns<TrackingPlan> =
        &[Column::choice("mode", pb::TrackingMode::NAMES, |plan: &TrackingPlan| Some(plan.mode.into()))];
}

impl Ruled for TrackingPlans {
    const RULES: Rules<Self> = Rules { create: Rule::Reading(|write, new| Box::pin(name(write, new))), ..Rules::PLAIN };
}

/// A plan under the id that makes it the only one, and be read by key.
async fn name(write: &mut Write, mut new: TrackingPlan) -> Result<Change<TrackingPlan>, Error> {
    let name = name_of(write.workspace())?;
    if new.meta.name.id().as_str() == new.meta.uid.simple().to_string() {
        // None was given.
        if !write.is_free::<TrackingPlans>(&name).await? {
            return Err(Error::Exists(name.to_string()));
        }
        new.meta.name = name;
    } else if new.meta.name != name {
        let problem = format!("must be {}, as a workspace has one tracking plan, or empty", TrackingPlan::ID);
        return Err(Violations::one("tracking_plan_id", problem).into());
    }
    Ok(Change::new(new, TrackingPlanEvent::Created))
}

fn name_of(workspace: &WorkspaceId) -> Result<Name<TrackingPlan>, Error> {
    Ok(Name::new(workspace.clone(), TrackingPlan::ID.parse().map_err(Error::bug)?))
}

/// The plan of a workspace, if it has one.
pub async fn tracking_plan(store: &Store, workspace: &WorkspaceId) -> Result<Option<TrackingPlan>, Error> {
    match live::<TrackingPlans>(store, &name_of(workspace)?).await {
        Ok(plan) => Ok(Some(plan)),
        Err(Error::NotFound(_) | Error::Deleted(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

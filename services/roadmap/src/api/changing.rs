//! Changes in a scenario: what requests of the methods of initiatives ask for, done to the initiatives that a scenario has
//! by the same decisions.

use waymark_domain::roadmap::{Declining, Horizon, Initiative, TargetInterval, Waiver};
use waymark_domain::{Name, Risk, Violations, WorkspaceId};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::initiative_change_request::Change as Asked;
use waymark_proto::{Check, Choice as _, Mutation, check};
use waymark_rpc::parse;
use waymark_store::{Error, merged};

use crate::store::{Branch, Initiatives, must_decline};

/// A change of an initiative.
pub struct Step {
    /// The initiative; `None` of one that is new and is to be given an id.
    initiative: Option<Name<Initiative>>,
    /// The etag that the caller knows, if any.
    etag: String,
    act: Act,
}

/// What is done.
enum Act {
    Create { id: String, message: Box<pb::Initiative> },
    Update(Box<pb::UpdateInitiativeRequest>),
    Delete,
    Undelete,
    Schedule(Option<TargetInterval>),
    Move(Horizon),
    WaiveRisk(Risk, String),
    Commit,
    Start(String),
    Ship(String),
    Decline(Box<Declining>),
    Pause(String),
    Resume,
    AddDependency(Name<Initiative>),
    RemoveDependency(Name<Initiative>),
}

/// What requests ask for, in a workspace; or all that is wrong with them.
pub fn steps(workspace: &WorkspaceId, requests: Vec<pb::InitiativeChangeRequest>) -> Result<Vec<Step>, Violations> {
    let mut violations = Violations::new();
    let mut steps = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        steps.extend(violations.nested(&format!("requests[{index}]"), step(workspace, request)));
    }
    violations.into_result().map(|()| steps)
}

fn step(workspace: &WorkspaceId, request: pb::InitiativeChangeRequest) -> Result<Step, Violations> {
    match request.change {
        None => Err(Violations::one("change", "must be set: what is done to an initiative")),
        Some(Asked::Create(r)) => within("create", r, |r| create(workspace, r)),
        Some(Asked::Update(r)) => within("update", r, |r| {
            let patch = r.initiative.as_ref().ok_or_else(|| Violations::one("initiative", "must be set"))?;
            let (initiative, etag) = (Some(parse("initiative.name", &patch.name)?), patch.etag.clone());
            Ok(Step { initiative, etag, act: Act::Update(Box::new(r)) })
        }),
        Some(Asked::Delete(r)) => within("delete", r, |r| on(&r.name, r.etag, Act::Delete)),
        Some(Asked::Undelete(r)) => within("undelete", r, |r| on(&r.name, r.etag, Act::Undelete)),
        Some(Asked::Schedule(r)) => within("schedule", r, |r| {
            let mut violations = Violations::new();
            let target = r.target.and_then(|target| violations.nested("target", target.try_into()));
            violations.into_result()?;
            on(&r.name, r.etag, Act::Schedule(target))
        }),
        Some(Asked::Move(r)) => within("move", r, |r| {
            let act = Act::Move(r.horizon().stated("horizon")?);
            on(&r.name, r.etag, act)
        }),
        Some(Asked::WaiveRisk(r)) => within("waive_risk", r, |r| {
            let risk = r.risk().stated("risk")?;
            on(&r.name, r.etag, Act::WaiveRisk(risk, r.reason))
        }),
        Some(Asked::Commit(r)) => within("commit", r, |r| on(&r.name, r.etag, Act::Commit)),
        Some(Asked::Start(r)) => within("start", r, |r| on(&r.name, r.etag, Act::Start(r.waive_dependencies))),
        Some(Asked::Ship(r)) => within("ship", r, |r| on(&r.name, r.etag, Act::Ship(r.waive_dependencies))),
        Some(Asked::Decline(r)) => within("decline", r, |r| {
            let act = Act::Decline(Box::new((&r).try_into()?));
            on(&r.name, r.etag, act)
        }),
        Some(Asked::Pause(r)) => within("pause", r, |r| on(&r.name, r.etag, Act::Pause(r.reason))),
        Some(Asked::Resume(r)) => within("resume", r, |r| on(&r.name, r.etag, Act::Resume)),
        Some(Asked::AddDependency(r)) => within("add_dependency", r, |r| {
            on(&r.name, r.etag, Act::AddDependency(parse("dependency", &r.dependency)?))
        }),
        Some(Asked::RemoveDependency(r)) => within("remove_dependency", r, |r| {
            on(&r.name, r.etag, Act::RemoveDependency(parse("dependency", &r.dependency)?))
        }),
    }
}

/// What a request asks for, once its own fields are right; what is wrong is blamed on a field within `method`.
fn within<R: Check + Mutation>(
    method: &str,
    request: R,
    step: impl FnOnce(R) -> Result<Step, Violations>,
) -> Result<Step, Violations> {
    let mut found = check(&request);
    if !request.request_id().is_empty() {
        found.add("request_id", "must not be set: that of ChangeScenario counts");
    }
    if request.validate_only() {
        found.add("validate_only", "must not be set: that of ChangeScenario counts");
    }
    let step = found.into_result().and_then(|()| step(request));
    let mut violations = Violations::new();
    violations.nested(method, step).ok_or(violations)
}

fn on(name: &str, etag: String, act: Act) -> Result<Step, Violations> {
    Ok(Step { initiative: Some(parse("name", name)?), etag, act })
}

fn create(workspace: &WorkspaceId, request: pb::CreateInitiativeRequest) -> Result<Step, Violations> {
    if !request.parent.is_empty() && request.parent != workspace.to_string() {
        return Err(Violations::one("parent", format!("must be empty or {workspace}, as of the scenario")));
    }
    let message = request.initiative.ok_or_else(|| Violations::one("initiative", "must be set"))?;
    let act = Act::Create { id: request.initiative_id, message: Box::new(message) };
    Ok(Step { initiative: None, etag: String::new(), act })
}

impl Step {
    /// The initiatives that it is about, unless it makes one.
    pub fn names(&self) -> impl Iterator<Item = &Name<Initiative>> {
        let dependency = match &self.act {
            Act::AddDependency(dependency) => Some(dependency),
            _ => None,
        };
        self.initiative.iter().chain(dependency)
    }

    /// The id of the one that it makes, if that is given.
    pub fn makes(&self) -> Option<&str> {
        match &self.act {
            Act::Create { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Takes the step. Gives the initiative after it.
    pub async fn take(self, branch: &mut Branch<'_>, by: &str) -> Result<Initiative, Error> {
        let Self { initiative, etag, act } = self;
        let Some(name) = initiative else {
            let Act::Create { id, message } = act else { return Err(Error::bug("a step is about no initiative")) };
            let new = branch.write.fresh::<Initiatives>(&id, *message)?;
            branch.must_be_free(&new.meta.name).await?;
            return Ok(branch.set(new.propose().into_parts().0));
        };
        branch.look([&name]).await?;
        let now = branch.write.now();
        if let Act::Undelete = act {
            let mut back = branch.any(&name, &etag)?;
            if back.meta.delete_time.take().is_none() {
                return Err(Error::NotDeleted(name.to_string()));
            }
            return Ok(branch.set(back));
        }
        let at = branch.live(&name, &etag)?;
        let by = by.to_owned();
        let decided = match act {
            Act::Update(r) => {
                let (patch, mask) = (r.initiative.unwrap_or_default(), r.update_mask);
                let (old, new) = merged::<Initiatives>(name.workspace(), (&at).into(), &patch, mask.as_ref())?;
                new.revise(&old)
            }
            Act::Delete => {
                let mut deleted = at;
                deleted.meta.delete_time = Some(now);
                return Ok(branch.set(deleted));
            }
            Act::Schedule(target) => at.schedule(target),
            Act::Move(horizon) => at.relocate(horizon),
            Act::WaiveRisk(risk, reason) => at.waive_risk(risk, reason, by, now),
            Act::Commit => at.commit(by, now),
            Act::Start(reason) => {
                let before = branch.before(&at).await?;
                at.start(&before, Waiver::signed(reason, &by, now), now)
            }
            Act::Ship(reason) => {
                let before = branch.before(&at).await?;
                at.ship(&before, Waiver::signed(reason, &by, now), now)
            }
            Act::Decline(declining) => {
                if let Some(decision) = &declining.decision {
                    must_decline(branch.write, decision).await?;
                }
                let waiting = branch.waiting(&name).await?;
                at.decline(*declining, &waiting, by, now)
            }
            Act::Pause(reason) => at.pause(reason, now),
            Act::Resume => at.resume(),
            Act::AddDependency(dependency) => {
                branch.look([&dependency]).await?;
                if branch.live(&dependency, "").is_err() {
                    return Err(Error::Reference { field: "dependency", resource: dependency.to_string() });
                }
                branch.must_not_lead_back(&name, &dependency).await?;
                at.add_dependency(dependency)
            }
            Act::RemoveDependency(dependency) => at.remove_dependency(dependency),
            Act::Create { .. } | Act::Undelete => return Err(Error::bug("a step was taken before")),
        };
        Ok(branch.set(decided.map_err(Error::rule)?.into_parts().0))
    }
}

//! Initiatives: the methods that change their state, and dependencies. The roadmap they make is in `roadmap`.

use std::collections::BTreeMap;

use tonic::{Request, Response, Status};
use waymark_domain::roadmap::{Declining, Horizon, Initiative, InitiativeState, Waiver};
use waymark_domain::{Name, Violations};
use waymark_proto::Choice as _;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_server::RoadmapService;
use waymark_rpc::{self as rpc, parse};
use waymark_store::{Error, Write};

use super::Api;
use crate::store::{Initiatives, must_decline, new_name, not_to_build, taken_up_again};

type Answer = Result<Response<pb::Initiative>, Status>;

/// What must ship before an initiative.
async fn before(write: &mut Write, initiative: &Initiative) -> Result<BTreeMap<String, Initiative>, Error> {
    if initiative.dependencies.is_empty() {
        return Ok(BTreeMap::new());
    }
    write.find_all::<Initiatives>(initiative.dependencies.iter()).await
}

#[tonic::async_trait]
impl RoadmapService for Api {
    async fn schedule_initiative(&self, request: Request<pb::ScheduleInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let mut violations = Violations::new();
        let target = r.target.and_then(|target| violations.nested("target", target.try_into()));
        rpc::or_status(violations.into_result())?;
        let schedule = async |_: &mut Write, initiative: Initiative| initiative.schedule(target).map_err(Error::rule);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, schedule).await)
    }

    async fn move_initiative(&self, request: Request<pb::MoveInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let horizon: Horizon = rpc::or_status(r.horizon().stated("horizon"))?;
        let relocate = async |_: &mut Write, initiative: Initiative| initiative.relocate(horizon).map_err(Error::rule);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, relocate).await)
    }

    async fn waive_risk(&self, request: Request<pb::WaiveRiskRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let (risk, reason) = (rpc::or_status(r.risk().stated("risk"))?, r.reason);
        let by = call.actor.subject.clone();
        let waive = async |write: &mut Write, initiative: Initiative| {
            initiative.waive_risk(risk, reason, by, write.now()).map_err(Error::rule)
        };
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, waive).await)
    }

    async fn commit_initiative(&self, request: Request<pb::CommitInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let by = call.actor.subject.clone();
        let commit =
            async |write: &mut Write, initiative: Initiative| initiative.commit(by, write.now()).map_err(Error::rule);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, commit).await)
    }

    async fn start_initiative(&self, request: Request<pb::StartInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let by = call.actor.subject.clone();
        let start = async |write: &mut Write, initiative: Initiative| {
            let before = before(write, &initiative).await?;
            let waiver = Waiver::signed(r.waive_dependencies, &by, write.now());
            initiative.start(before.values(), waiver, write.now()).map_err(Error::rule)
        };
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, start).await)
    }

    async fn ship_initiative(&self, request: Request<pb::ShipInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let by = call.actor.subject.clone();
        let ship = async |write: &mut Write, initiative: Initiative| {
            let before = before(write, &initiative).await?;
            let waiver = Waiver::signed(r.waive_dependencies, &by, write.now());
            initiative.ship(before.values(), waiver, write.now()).map_err(Error::rule)
        };
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, ship).await)
    }

    async fn decline_initiative(&self, request: Request<pb::DeclineInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let declining: Declining = rpc::or_status((&r).try_into())?;
        let by = call.actor.subject.clone();
        let decline = async |write: &mut Write, initiative: Initiative| {
            let named = declining.decision.clone();
            let made = if named.is_none() { Some(new_name(write)?) } else { None };
            let declining = Declining { decision: made.or(named.clone()), ..declining };
            let waiting = write.referrers::<Initiatives>(&initiative.meta.name.full(), &["dependencies"]).await?;
            let declined = initiative.decline(declining, &waiting, by, write.now()).map_err(Error::rule)?;
            match &named {
                Some(name) => must_decline(write, name).await?,
                None => not_to_build(write, declined.state())?,
            }
            Ok(declined)
        };
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, decline).await)
    }

    async fn pause_initiative(&self, request: Request<pb::PauseInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let pause = async |write: &mut Write, initiative: Initiative| {
            initiative.pause(r.reason, write.now()).map_err(Error::rule)
        };
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, pause).await)
    }

    async fn resume_initiative(&self, request: Request<pb::ResumeInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let by = call.actor.subject.clone();
        let resume = async |write: &mut Write, initiative: Initiative| {
            let resumed = initiative.clone().resume().map_err(Error::rule)?;
            if let InitiativeState::Declined(decline) = &initiative.state {
                taken_up_again(write, &initiative, decline, &by).await?;
            }
            Ok(resumed)
        };
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, resume).await)
    }

    async fn add_dependency(&self, request: Request<pb::AddDependencyRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let dependency: Name<Initiative> = rpc::or_status(parse("dependency", &r.dependency))?;
        let add =
            async |_: &mut Write, initiative: Initiative| initiative.add_dependency(dependency).map_err(Error::rule);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, add).await)
    }

    async fn remove_dependency(&self, request: Request<pb::RemoveDependencyRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let dependency: Name<Initiative> = rpc::or_status(parse("dependency", &r.dependency))?;
        let remove =
            async |_: &mut Write, initiative: Initiative| initiative.remove_dependency(dependency).map_err(Error::rule);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, remove).await)
    }

    async fn get_roadmap(
        &self,
        request: Request<pb::GetRoadmapRequest>,
    ) -> Result<Response<pb::GetRoadmapResponse>, Status> {
        let sight = rpc::sight(&request);
        rpc::answer(self.roadmap(rpc::asked(request)?, sight.as_deref()).await)
    }

    async fn diff_roadmap(
        &self,
        request: Request<pb::DiffRoadmapRequest>,
    ) -> Result<Response<pb::DiffRoadmapResponse>, Status> {
        let sight = rpc::sight(&request);
        rpc::answer(self.diff(request.into_inner(), sight.as_deref()).await)
    }

    async fn lint_roadmap(
        &self,
        request: Request<pb::LintRoadmapRequest>,
    ) -> Result<Response<pb::LintRoadmapResponse>, Status> {
        rpc::answer(self.lint_planned(request.into_inner()).await)
    }

    async fn optimize_plan(
        &self,
        request: Request<pb::OptimizePlanRequest>,
    ) -> Result<Response<pb::OptimizePlanResponse>, Status> {
        rpc::answer(self.optimize(rpc::asked(request)?).await)
    }

    async fn get_critical_path(
        &self,
        request: Request<pb::GetCriticalPathRequest>,
    ) -> Result<Response<pb::GetCriticalPathResponse>, Status> {
        rpc::answer(self.critical_path(request.into_inner()).await)
    }
}

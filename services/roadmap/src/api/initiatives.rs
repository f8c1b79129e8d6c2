//! Initiatives: the standard methods, the state methods and dependencies. The roadmap they make is in `roadmap`.

use std::collections::BTreeSet;

use tonic::{Request, Response, Status};
use waymark_domain::roadmap::{Declining, Dependencies, Horizon, Initiative};
use waymark_domain::{Name, Violations, text};
use waymark_proto::convert;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_server::RoadmapService;
use waymark_rpc::{self as rpc, batch_rows, parse, required};
use waymark_store::{Error, ListQuery, Sheet, Write, resource};

use super::Api;
use crate::store::{Initiatives, Products, propose};

const REASON: usize = 2_000;

type Answer = Result<Response<pb::Initiative>, Status>;

#[tonic::async_trait]
impl RoadmapService for Api {
    async fn get_initiative(&self, request: Request<pb::GetInitiativeRequest>) -> Answer {
        rpc::answer(self.store.get::<Initiatives>(&request.get_ref().name).await)
    }

    async fn list_initiatives(
        &self,
        request: Request<pb::ListInitiativesRequest>,
    ) -> Result<Response<pb::ListInitiativesResponse>, Status> {
        let pb::ListInitiativesRequest { parent, page_size, page_token, filter, order_by, show_deleted } =
            request.get_ref();
        let query =
            ListQuery { parent, page_size: *page_size, page_token, filter, order_by, show_deleted: *show_deleted };
        let page = rpc::or_status(self.store.list::<Initiatives>(query).await)?;
        Ok(Response::new(pb::ListInitiativesResponse {
            initiatives: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn create_initiative(&self, request: Request<pb::CreateInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let workspace = rpc::or_status(parse("parent", &r.parent))?;
        let message = rpc::or_status(required("initiative", r.initiative))?;
        let create = async move |write: &mut Write| propose(write, &r.initiative_id, message.clone()).await;
        rpc::written(self.store.write_blind(&call, &workspace, create).await)
    }

    async fn batch_create_initiatives(
        &self,
        request: Request<pb::BatchCreateInitiativesRequest>,
    ) -> Result<Response<pb::BatchCreateInitiativesResponse>, Status> {
        let (call, r) = rpc::open(request)?;
        let workspace = rpc::or_status(parse("parent", &r.parent))?;
        let rows =
            rpc::or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.initiative_id, row.initiative))))?;
        let create = async move |write: &mut Write| {
            let mut sheet =
                Sheet::<Initiatives>::open(write, rows.iter().map(|(id, _)| id.as_str()), r.partial).await?;
            for (id, message) in rows {
                let created = match sheet.claim(write, &id, message) {
                    Ok(message) => propose(write, &id, message).await,
                    Err(error) => Err(error),
                };
                sheet.note(created)?;
            }
            let batch = sheet.batch;
            Ok(pb::BatchCreateInitiativesResponse { initiatives: batch.items, failures: batch.failures })
        };
        rpc::written(self.store.write(&call, &workspace, create).await)
    }

    async fn update_initiative(&self, request: Request<pb::UpdateInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let patch = rpc::or_status(required("initiative", r.initiative))?;
        let name: Name<Initiative> = rpc::or_status(parse("initiative.name", &patch.name))?;
        let workspace = name.workspace().clone();
        let update = async move |write: &mut Write| {
            let (old, new) = write.patched::<Initiatives>(&name, patch, r.update_mask.as_ref()).await?;
            if let Some(product) = new.product.as_ref().filter(|product| old.product.as_ref() != Some(*product)) {
                write.require::<Products>("initiative.product", product).await?;
            }
            write.put::<Initiatives>(new.revise(&old).map_err(Error::rule)?).await
        };
        rpc::written(self.store.write(&call, &workspace, update).await)
    }

    async fn delete_initiative(&self, request: Request<pb::DeleteInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let name: Name<Initiative> = rpc::or_status(parse("name", &r.name))?;
        let workspace = name.workspace().clone();
        let delete = async move |write: &mut Write| {
            let graph: Dependencies = write.all::<Initiatives>().await?.iter().collect();
            write.delete::<Initiatives, _>(&name, &r.etag, |initiative| initiative.delete(&graph)).await
        };
        rpc::written(self.store.write(&call, &workspace, delete).await)
    }

    async fn undelete_initiative(&self, request: Request<pb::UndeleteInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let name: Name<Initiative> = rpc::or_status(parse("name", &r.name))?;
        let workspace = name.workspace().clone();
        let undelete = async move |write: &mut Write| {
            let live: BTreeSet<_> = write.all::<Initiatives>().await?.into_iter().map(|i| i.meta.name).collect();
            let undeleted = write
                .undelete::<Initiatives, _>(&name, &r.etag, |initiative| {
                    initiative.undelete(|name| live.contains(name))
                })
                .await?;
            if let Some(product) = resource::<Initiatives>(undeleted.clone())?.product {
                write.require::<Products>("initiative.product", &product).await?;
            }
            Ok(undeleted)
        };
        rpc::written(self.store.write(&call, &workspace, undelete).await)
    }

    async fn schedule_initiative(&self, request: Request<pb::ScheduleInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let mut violations = Violations::new();
        let target = r.target.and_then(|target| violations.nested("target", target.try_into()));
        rpc::or_status(violations.into_result())?;
        rpc::written(
            self.store
                .change::<Initiatives, _>(&call, &r.name, &r.etag, |initiative, _| initiative.schedule(target))
                .await,
        )
    }

    async fn move_initiative(&self, request: Request<pb::MoveInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let horizon: Horizon = rpc::or_status(r.horizon().try_into())?;
        rpc::written(
            self.store
                .change::<Initiatives, _>(&call, &r.name, &r.etag, |initiative, _| initiative.relocate(horizon))
                .await,
        )
    }

    async fn waive_risk(&self, request: Request<pb::WaiveRiskRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let mut violations = Violations::new();
        let risk = convert::risk(&mut violations, "risk", r.risk());
        let reason = violations.check("reason", text::required(r.reason, REASON));
        let (Some(risk), Some(reason)) = (risk, reason) else { return Err(rpc::status(&violations)) };
        let by = call.actor.subject.clone();
        let waive = |initiative: Initiative, now| initiative.waive_risk(risk, reason, by, now);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, waive).await)
    }

    async fn commit_initiative(&self, request: Request<pb::CommitInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let by = call.actor.subject.clone();
        rpc::written(
            self.store
                .change::<Initiatives, _>(&call, &r.name, &r.etag, |initiative, now| initiative.commit(by, now))
                .await,
        )
    }

    async fn start_initiative(&self, request: Request<pb::StartInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, Initiative::start).await)
    }

    async fn ship_initiative(&self, request: Request<pb::ShipInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, Initiative::ship).await)
    }

    async fn decline_initiative(&self, request: Request<pb::DeclineInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let declining: Declining = rpc::or_status((&r).try_into())?;
        let by = call.actor.subject.clone();
        let decline = |initiative: Initiative, now| initiative.decline(declining, by, now);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, decline).await)
    }

    async fn pause_initiative(&self, request: Request<pb::PauseInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let reason = text::required(r.reason, REASON)
            .map_err(|error| rpc::status(&Violations::one("reason", error.to_string())))?;
        rpc::written(
            self.store
                .change::<Initiatives, _>(&call, &r.name, &r.etag, |initiative, now| initiative.pause(reason, now))
                .await,
        )
    }

    async fn resume_initiative(&self, request: Request<pb::ResumeInitiativeRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        rpc::written(
            self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, |initiative, _| initiative.resume()).await,
        )
    }

    async fn add_dependency(&self, request: Request<pb::AddDependencyRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let name: Name<Initiative> = rpc::or_status(parse("name", &r.name))?;
        let dependency: Name<Initiative> = rpc::or_status(parse("dependency", &r.dependency))?;
        let workspace = name.workspace().clone();
        let add = async move |write: &mut Write| {
            let initiative = write.load::<Initiatives>(&name, &r.etag).await?;
            write.require::<Initiatives>("dependency", &dependency).await?;
            let graph: Dependencies = write.all::<Initiatives>().await?.iter().collect();
            write.put::<Initiatives>(initiative.add_dependency(dependency, &graph).map_err(Error::rule)?).await
        };
        rpc::written(self.store.write(&call, &workspace, add).await)
    }

    async fn remove_dependency(&self, request: Request<pb::RemoveDependencyRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let dependency: Name<Initiative> = rpc::or_status(parse("dependency", &r.dependency))?;
        let remove = |initiative: Initiative, _| initiative.remove_dependency(dependency);
        rpc::written(self.store.change::<Initiatives, _>(&call, &r.name, &r.etag, remove).await)
    }

    async fn get_roadmap(
        &self,
        request: Request<pb::GetRoadmapRequest>,
    ) -> Result<Response<pb::GetRoadmapResponse>, Status> {
        rpc::answer(self.roadmap(request.into_inner()).await)
    }

    async fn diff_roadmap(
        &self,
        request: Request<pb::DiffRoadmapRequest>,
    ) -> Result<Response<pb::DiffRoadmapResponse>, Status> {
        rpc::answer(self.diff(request.into_inner()).await)
    }

    async fn get_critical_path(
        &self,
        request: Request<pb::GetCriticalPathRequest>,
    ) -> Result<Response<pb::GetCriticalPathResponse>, Status> {
        rpc::answer(self.critical_path(request.into_inner()).await)
    }
}

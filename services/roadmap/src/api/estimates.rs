//! Estimates. Every write of one is announced on its initiative when it moves it in the ranking.

use tonic::{Request, Response, Status};
use waymark_domain::roadmap::{Estimate, EstimateEvent};
use waymark_domain::{Change, Name};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_server::PrioritizationService;
use waymark_rpc::{self as rpc, batch_rows, parse, required};
use waymark_store::{Error, ListQuery, Write, resource};

use super::Api;
use crate::store::{Estimates, prioritize};

type Answer = Result<Response<pb::Estimate>, Status>;

/// Signs a new estimate by its caller.
async fn sign(write: &mut Write, estimate: Estimate) -> Result<Change<Estimate>, Error> {
    Ok(Change::new(estimate.signed(write.actor(), write.now()), EstimateEvent::Created))
}

/// What an estimate that just came does to its initiative.
async fn introduce(write: &mut Write, message: &pb::Estimate) -> Result<(), Error> {
    let estimate = resource::<Estimates>(message.clone())?;
    prioritize(write, &estimate, &format!("new estimate {}", estimate.meta.name.id())).await
}

#[tonic::async_trait]
impl PrioritizationService for Api {
    async fn get_estimate(&self, request: Request<pb::GetEstimateRequest>) -> Answer {
        rpc::answer(self.store.get::<Estimates>(&request.get_ref().name).await)
    }

    async fn list_estimates(
        &self,
        request: Request<pb::ListEstimatesRequest>,
    ) -> Result<Response<pb::ListEstimatesResponse>, Status> {
        let pb::ListEstimatesRequest { parent, page_size, page_token, filter, order_by, show_deleted } =
            request.get_ref();
        let query =
            ListQuery { parent, page_size: *page_size, page_token, filter, order_by, show_deleted: *show_deleted };
        let page = rpc::or_status(self.store.list::<Estimates>(query).await)?;
        Ok(Response::new(pb::ListEstimatesResponse { estimates: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_estimate(&self, request: Request<pb::CreateEstimateRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let workspace = rpc::or_status(parse("parent", &r.parent))?;
        let message = rpc::or_status(required("estimate", r.estimate))?;
        let create = async move |write: &mut Write| {
            let fresh = write.fresh::<Estimates>(&r.estimate_id, message)?;
            let change = sign(write, fresh).await?;
            let created = write.put::<Estimates>(change)?;
            introduce(write, &created).await?;
            Ok(created)
        };
        rpc::written(self.store.write(&call, &workspace, create).await)
    }

    async fn batch_create_estimates(
        &self,
        request: Request<pb::BatchCreateEstimatesRequest>,
    ) -> Result<Response<pb::BatchCreateEstimatesResponse>, Status> {
        let (call, r) = rpc::open(request)?;
        let workspace = rpc::or_status(parse("parent", &r.parent))?;
        let rows =
            rpc::or_status(batch_rows(&r.parent, r.requests, |row| (row.parent, (row.estimate_id, row.estimate))))?;
        let create = async move |write: &mut Write| {
            let batch = write.batch_create::<Estimates, _>(rows, r.partial, sign).await?;
            // A row that failed left an empty message in its place.
            for created in batch.items.iter().filter(|e| !e.name.is_empty()) {
                introduce(write, created).await?;
            }
            Ok(pb::BatchCreateEstimatesResponse { estimates: batch.items, failures: batch.failures })
        };
        rpc::written(self.store.write(&call, &workspace, create).await)
    }

    async fn update_estimate(&self, request: Request<pb::UpdateEstimateRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let patch = rpc::or_status(required("estimate", r.estimate))?;
        let name: Name<Estimate> = rpc::or_status(parse("estimate.name", &patch.name))?;
        let workspace = name.workspace().clone();
        let update = async move |write: &mut Write| {
            let mut written = Vec::new();
            let sign = async |write: &mut Write, old: Estimate, new: Estimate| {
                let new = new.signed(write.actor(), write.now());
                let differences = new.differences(&old);
                let why = if differences.is_empty() { "estimate confirmed".to_owned() } else { differences.join(", ") };
                written.push((new.clone(), why));
                Ok(Change::new(new, EstimateEvent::Updated))
            };
            let updated = write.update::<Estimates, _>(&name, patch, r.update_mask.as_ref(), sign).await?;
            for (estimate, why) in written {
                prioritize(write, &estimate, &why).await?;
            }
            Ok(updated)
        };
        rpc::written(self.store.write(&call, &workspace, update).await)
    }

    async fn delete_estimate(&self, request: Request<pb::DeleteEstimateRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let name: Name<Estimate> = rpc::or_status(parse("name", &r.name))?;
        let workspace = name.workspace().clone();
        let delete = async move |write: &mut Write| {
            let decide = async |_: &mut Write, estimate| Ok(Change::new(estimate, EstimateEvent::Deleted));
            let deleted = write.delete::<Estimates, _>(&name, &r.etag, decide).await?;
            let estimate = resource::<Estimates>(deleted.clone())?;
            prioritize(write, &estimate, "estimate deleted").await?;
            Ok(deleted)
        };
        rpc::written(self.store.write(&call, &workspace, delete).await)
    }

    async fn undelete_estimate(&self, request: Request<pb::UndeleteEstimateRequest>) -> Answer {
        let (call, r) = rpc::open(request)?;
        let name: Name<Estimate> = rpc::or_status(parse("name", &r.name))?;
        let workspace = name.workspace().clone();
        let undelete = async move |write: &mut Write| {
            let decide = async |_: &mut Write, estimate| Ok(Change::new(estimate, EstimateEvent::Undeleted));
            let undeleted = write.undelete::<Estimates, _>(&name, &r.etag, decide).await?;
            let estimate = resource::<Estimates>(undeleted.clone())?;
            prioritize(write, &estimate, "estimate undeleted").await?;
            Ok(undeleted)
        };
        rpc::written(self.store.write(&call, &workspace, undelete).await)
    }

    async fn rank_initiatives(
        &self,
        request: Request<pb::RankInitiativesRequest>,
    ) -> Result<Response<pb::RankInitiativesResponse>, Status> {
        rpc::answer(self.rank(request.into_inner()).await)
    }

    async fn evaluate_score(
        &self,
        request: Request<pb::EvaluateScoreRequest>,
    ) -> Result<Response<pb::EvaluateScoreResponse>, Status> {
        rpc::answer(super::ranking::evaluate(request.into_inner()))
    }
}

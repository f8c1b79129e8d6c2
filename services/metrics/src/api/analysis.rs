//! AnalysisService: questions about product events without a stored definition, and the search for frictions.

use tonic::{Request, Response, Status};
use waymark_domain::WorkspaceId;
use waymark_proto::check;
use waymark_proto::convert::metrics::{activity, funnel, measure, retention, settings, stickiness};
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_server::AnalysisService;
use waymark_rpc as rpc;

use super::Api;
use crate::analysis::{LakeFailure, trend};
use crate::frictions::find_friction;
use crate::{funnels, returning};

#[tonic::async_trait]
impl AnalysisService for Api {
    async fn query_trend(
        &self,
        request: Request<pb::QueryTrendRequest>,
    ) -> Result<Response<pb::QueryTrendResponse>, Status> {
        let r = request.into_inner();
        let mut violations = check(&r);
        let workspace = violations.check("parent", r.parent.parse());
        let kind = match r.kind() {
            pb::MetricKind::Unspecified => pb::MetricKind::Count,
            stated => stated,
        };
        let measure = measure(&mut violations, kind, r.events, r.property, r.filters);
        let settings = settings(&mut violations, r.settings);
        let (Some(workspace), Some(measure), Some(settings), true) =
            (workspace, measure, settings, violations.is_empty())
        else {
            return Err(rpc::status(&violations));
        };
        let answer = rpc::or_status(trend(&self.lake, &workspace, &measure, &settings, self.store.now()).await)?;
        Ok(Response::new(pb::QueryTrendResponse {
            series: answer.series,
            settings: Some((&settings).into()),
            watermark: answer.watermark.map(timestamp),
            series_left_out: answer.left_out,
        }))
    }

    async fn query_funnel(
        &self,
        request: Request<pb::QueryFunnelRequest>,
    ) -> Result<Response<pb::QueryFunnelResponse>, Status> {
        let r = request.into_inner();
        let mut violations = check(&r);
        let workspace = violations.check("parent", r.parent.parse());
        let funnel = funnel(&mut violations, r.steps, r.settings);
        let (Some(workspace), Some(funnel), true) = (workspace, funnel, violations.is_empty()) else {
            return Err(rpc::status(&violations));
        };
        let now = self.store.now();
        Ok(Response::new(rpc::or_status(funnels::answer(&self.lake, &workspace, &funnel, now).await)?))
    }

    async fn query_funnel_users(
        &self,
        request: Request<pb::QueryFunnelUsersRequest>,
    ) -> Result<Response<pb::QueryFunnelUsersResponse>, Status> {
        let r = request.into_inner();
        Ok(Response::new(rpc::or_status(funnels::users(&self.lake, r, self.store.now()).await)?))
    }

    async fn query_retention(
        &self,
        request: Request<pb::QueryRetentionRequest>,
    ) -> Result<Response<pb::QueryRetentionResponse>, Status> {
        let r = request.into_inner();
        let mut violations = check(&r);
        let workspace = violations.check("parent", r.parent.parse());
        let retention = retention(&mut violations, r);
        let (Some(workspace), Some(retention), true) = (workspace, retention, violations.is_empty()) else {
            return Err(rpc::status(&violations));
        };
        let now = self.store.now();
        Ok(Response::new(rpc::or_status(returning::retention(&self.lake, &workspace, &retention, now).await)?))
    }

    async fn query_lifecycle(
        &self,
        request: Request<pb::QueryLifecycleRequest>,
    ) -> Result<Response<pb::QueryLifecycleResponse>, Status> {
        let r = request.into_inner();
        let mut violations = check(&r);
        let workspace = violations.check("parent", r.parent.parse());
        let asked = activity(&mut violations, r.events, r.filters, r.settings);
        let (Some(workspace), Some((activity, settings)), true) = (workspace, asked, violations.is_empty()) else {
            return Err(rpc::status(&violations));
        };
        let (asked, now) = ((&activity, &settings), self.store.now());
        Ok(Response::new(rpc::or_status(returning::lifecycle(&self.lake, &workspace, asked, now).await)?))
    }

    async fn query_stickiness(
        &self,
        request: Request<pb::QueryStickinessRequest>,
    ) -> Result<Response<pb::QueryStickinessResponse>, Status> {
        let r = request.into_inner();
        let mut violations = check(&r);
        let workspace = violations.check("parent", r.parent.parse());
        let question = stickiness(&mut violations, r);
        let (Some(workspace), Some(question), true) = (workspace, question, violations.is_empty()) else {
            return Err(rpc::status(&violations));
        };
        Ok(Response::new(rpc::or_status(returning::stickiness(&self.lake, &workspace, &question).await)?))
    }

    async fn list_event_names(
        &self,
        request: Request<pb::ListEventNamesRequest>,
    ) -> Result<Response<pb::ListEventNamesResponse>, Status> {
        let r = rpc::asked(request)?;
        let workspace: WorkspaceId = rpc::or_status(rpc::parse("parent", &r.parent))?;
        let catalogue = rpc::or_status(self.lake.catalogue(workspace.id()).await.map_err(LakeFailure::from))?;
        let mut events = catalogue.events;
        let total = events.len() as i32;
        events.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.event.cmp(&b.event)));
        events.truncate(r.limit_or_default().unsigned_abs() as usize);
        let event_names = events.into_iter().map(|event| pb::EventName {
            event: event.event,
            count: event.count.cast_signed(),
            first_time: Some(timestamp(event.first_seen)),
            last_time: Some(timestamp(event.last_seen)),
        });
        Ok(Response::new(pb::ListEventNamesResponse {
            event_names: event_names.collect(),
            total,
            watermark: catalogue.watermark.received.map(timestamp),
            users: catalogue.users.cast_signed(),
            count: catalogue.rows.cast_signed(),
        }))
    }

    async fn find_friction(&self, request: Request<pb::FindFrictionRequest>) -> Result<Response<pb::Friction>, Status> {
        let (call, r) = rpc::open(request)?;
        rpc::written(find_friction(&self.store, &self.lake, &call, r).await)
    }
}

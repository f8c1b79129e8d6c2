//! MetricService: definitions and their values.

use std::convert::Infallible;

use tonic::{Request, Response, Status};
use waymark_domain::metrics::{Metric, MetricEvent, Prediction};
use waymark_domain::{Change, Name};
use waymark_proto::check;
use waymark_proto::convert::metrics::settings;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::metric_service_server::MetricService;
use waymark_rpc as rpc;
use waymark_store::{Batch, Error, ListQuery, Write};

use super::Api;
use crate::analysis::trend;
use crate::store::{Metrics, Predictions, live};

/// All predictions about a metric.
async fn about(write: &mut Write, metric: &Name<Metric>) -> Result<Vec<Prediction>, Error> {
    write.referrers::<Predictions>(&metric.full(), &["metric"]).await
}

#[tonic::async_trait]
impl MetricService for Api {
    async fn get_metric(&self, request: Request<pb::GetMetricRequest>) -> Result<Response<pb::Metric>, Status> {
        rpc::answer(self.store.get::<Metrics>(&request.get_ref().name).await)
    }

    async fn list_metrics(
        &self,
        request: Request<pb::ListMetricsRequest>,
    ) -> Result<Response<pb::ListMetricsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = rpc::or_status(self.store.list::<Metrics>(query).await)?;
        Ok(Response::new(pb::ListMetricsResponse { metrics: page.items, next_page_token: page.next_page_token }))
    }

    async fn create_metric(&self, request: Request<pb::CreateMetricRequest>) -> Result<Response<pb::Metric>, Status> {
        let (call, r) = rpc::open(request)?;
        let create = |metric| Ok::<_, Infallible>(Change::new(metric, MetricEvent::Created));
        rpc::written(self.store.create_blind::<Metrics, _>(&call, &r.parent, &r.metric_id, r.metric, create).await)
    }

    async fn batch_create_metrics(
        &self,
        request: Request<pb::BatchCreateMetricsRequest>,
    ) -> Result<Response<pb::BatchCreateMetricsResponse>, Status> {
        let (call, r) = rpc::open(request)?;
        let rows =
            rpc::or_status(rpc::batch_rows(&r.parent, r.requests, |row| (row.parent, (row.metric_id, row.metric))))?;
        let create = async |_: &mut Write, metric| Ok(Change::new(metric, MetricEvent::Created));
        let reply = |batch: Batch<_>| pb::BatchCreateMetricsResponse { metrics: batch.items, failures: batch.failures };
        rpc::written(self.store.batch_create::<Metrics, _, _>(&call, &r.parent, rows, r.partial, create, reply).await)
    }

    async fn update_metric(&self, request: Request<pb::UpdateMetricRequest>) -> Result<Response<pb::Metric>, Status> {
        let (call, r) = rpc::open(request)?;
        let redefine = async |write: &mut Write, old: Metric, new: Metric| {
            let predictions = about(write, &old.meta.name).await?;
            old.redefine(new, &predictions).map_err(Error::rule)
        };
        rpc::written(self.store.update::<Metrics, _>(&call, r.metric, r.update_mask, redefine).await)
    }

    async fn delete_metric(&self, request: Request<pb::DeleteMetricRequest>) -> Result<Response<pb::Metric>, Status> {
        let (call, r) = rpc::open(request)?;
        let delete = async |write: &mut Write, metric: Metric| {
            let predictions = about(write, &metric.meta.name).await?;
            metric.delete(&predictions).map_err(Error::rule)
        };
        rpc::written(self.store.delete::<Metrics, _>(&call, &r.name, &r.etag, delete).await)
    }

    async fn undelete_metric(
        &self,
        request: Request<pb::UndeleteMetricRequest>,
    ) -> Result<Response<pb::Metric>, Status> {
        let (call, r) = rpc::open(request)?;
        let back = async |_: &mut Write, metric| Ok(Change::new(metric, MetricEvent::Undeleted));
        rpc::written(self.store.undelete::<Metrics, _>(&call, &r.name, &r.etag, back).await)
    }

    async fn query_metric(
        &self,
        request: Request<pb::QueryMetricRequest>,
    ) -> Result<Response<pb::QueryMetricResponse>, Status> {
        let r = request.into_inner();
        let name: Name<Metric> = rpc::or_status(rpc::parse("name", &r.name))?;
        let mut violations = check(&r);
        let settings = settings(&mut violations, r.settings).filter(|_| violations.is_empty());
        let settings = rpc::or_status(settings.ok_or(violations))?;
        let metric = rpc::or_status(live::<Metrics>(&self.store, &name).await)?;
        let answer = trend(&self.lake, name.workspace(), &metric.measure, &settings, self.store.now()).await;
        let answer = rpc::or_status(answer)?;
        Ok(Response::new(pb::QueryMetricResponse {
            metric: Some((&metric).into()),
            series: answer.series,
            settings: Some((&settings).into()),
            watermark: answer.watermark.map(timestamp),
            series_left_out: answer.left_out,
        }))
    }
}

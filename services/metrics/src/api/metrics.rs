//! MetricService: the values of metrics.

use tonic::{Request, Response, Status};
use waymark_domain::Name;
use waymark_domain::metrics::Metric;
use waymark_proto::check;
use waymark_proto::convert::metrics::settings;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::metric_service_server::MetricService;
use waymark_rpc as rpc;

use super::Api;
use crate::analysis::trend;
use crate::store::{Metrics, live};

#[tonic::async_trait]
impl MetricService for Api {
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

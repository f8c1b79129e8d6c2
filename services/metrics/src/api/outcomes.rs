//! OutcomeService: what became of predictions.

use tonic::{Request, Response, Status};
use waymark_domain::Violations;
use waymark_proto::convert::time;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::outcome_service_server::OutcomeService;
use waymark_rpc as rpc;

use super::Api;
use crate::measuring::measure;

#[tonic::async_trait]
impl OutcomeService for Api {
    async fn measure_outcome(
        &self,
        request: Request<pb::MeasureOutcomeRequest>,
    ) -> Result<Response<pb::Outcome>, Status> {
        let (call, r) = rpc::open(request)?;
        let mut violations = Violations::new();
        let ship_time = time(&mut violations, "ship_time", r.ship_time);
        let name = violations.check("name", r.name.parse());
        let (Some(name), true) = (name, violations.is_empty()) else {
            return Err(rpc::status(&violations));
        };
        rpc::written(measure(&self.store, &self.lake, &call, &name, &r.etag, ship_time).await)
    }
}

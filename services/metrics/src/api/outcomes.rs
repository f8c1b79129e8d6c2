//! OutcomeService: predictions and what became of them.

use tonic::{Request, Response, Status};
use waymark_domain::Violations;
use waymark_proto::convert::time;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::outcome_service_server::OutcomeService;
use waymark_rpc as rpc;
use waymark_store::ListQuery;

use super::Api;
use crate::measuring::measure;
use crate::store::{Outcomes, Predictions};

#[tonic::async_trait]
impl OutcomeService for Api {
    async fn get_prediction(
        &self,
        request: Request<pb::GetPredictionRequest>,
    ) -> Result<Response<pb::Prediction>, Status> {
        rpc::answer(self.store.get::<Predictions>(&request.get_ref().name).await)
    }

    async fn list_predictions(
        &self,
        request: Request<pb::ListPredictionsRequest>,
    ) -> Result<Response<pb::ListPredictionsResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = rpc::or_status(self.store.list::<Predictions>(query).await)?;
        Ok(Response::new(pb::ListPredictionsResponse {
            predictions: page.items,
            next_page_token: page.next_page_token,
        }))
    }

    async fn get_outcome(&self, request: Request<pb::GetOutcomeRequest>) -> Result<Response<pb::Outcome>, Status> {
        rpc::answer(self.store.get::<Outcomes>(&request.get_ref().name).await)
    }

    async fn list_outcomes(
        &self,
        request: Request<pb::ListOutcomesRequest>,
    ) -> Result<Response<pb::ListOutcomesResponse>, Status> {
        let r = request.into_inner();
        let query = ListQuery {
            parent: &r.parent,
            page_size: r.page_size,
            page_token: &r.page_token,
            filter: &r.filter,
            order_by: &r.order_by,
            show_deleted: r.show_deleted,
        };
        let page = rpc::or_status(self.store.list::<Outcomes>(query).await)?;
        Ok(Response::new(pb::ListOutcomesResponse { outcomes: page.items, next_page_token: page.next_page_token }))
    }

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

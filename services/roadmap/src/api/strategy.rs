//! What is asked of products and objectives beside the standard methods.

use tonic::{Request, Response, Status};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::strategy_service_server::StrategyService;
use waymark_rpc as rpc;

use super::Api;

#[tonic::async_trait]
impl StrategyService for Api {
    async fn list_product_versions(
        &self,
        request: Request<pb::ListProductVersionsRequest>,
    ) -> Result<Response<pb::ListProductVersionsResponse>, Status> {
        rpc::answer(self.product_versions(rpc::asked(request)?).await)
    }

    async fn get_objective_tree(
        &self,
        request: Request<pb::GetObjectiveTreeRequest>,
    ) -> Result<Response<pb::GetObjectiveTreeResponse>, Status> {
        rpc::answer(self.objective_tree(rpc::asked(request)?).await)
    }

    async fn lint_objectives(
        &self,
        request: Request<pb::LintObjectivesRequest>,
    ) -> Result<Response<pb::LintObjectivesResponse>, Status> {
        rpc::answer(self.lint(rpc::asked(request)?).await)
    }
}

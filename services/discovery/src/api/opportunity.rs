//! Opportunity solution trees, on the wire: what is done to nodes beside the standard methods, and to whole trees; how, is
//! in `tree`.

use tonic::{Request, Response, Status};
use waymark_proto::discovery::v1 as pb;
use waymark_rpc::{answer, open, written};

use super::Api;

#[tonic::async_trait]
impl pb::opportunity_service_server::OpportunityService for Api {
    async fn validate_solution(
        &self,
        request: Request<pb::ValidateSolutionRequest>,
    ) -> Result<Response<pb::Solution>, Status> {
        let (call, r) = open(request)?;
        written(self.validate(&call, &r).await)
    }

    async fn conclude_assumption_test(
        &self,
        request: Request<pb::ConcludeAssumptionTestRequest>,
    ) -> Result<Response<pb::AssumptionTest>, Status> {
        let (call, r) = open(request)?;
        written(self.conclude(&call, r).await)
    }

    async fn get_tree(&self, request: Request<pb::GetTreeRequest>) -> Result<Response<pb::GetTreeResponse>, Status> {
        answer(self.tree(request.into_inner()).await)
    }

    async fn lint_tree(&self, request: Request<pb::LintTreeRequest>) -> Result<Response<pb::LintTreeResponse>, Status> {
        answer(self.lint(request.into_inner()).await)
    }

    async fn assess_risks(
        &self,
        request: Request<pb::AssessRisksRequest>,
    ) -> Result<Response<pb::AssessRisksResponse>, Status> {
        answer(self.risks(request.into_inner()).await)
    }

    async fn move_node(&self, request: Request<pb::MoveNodeRequest>) -> Result<Response<pb::TreeNode>, Status> {
        let (call, r) = open(request)?;
        written(self.relocate(&call, r).await)
    }

    async fn prune_node(&self, request: Request<pb::PruneNodeRequest>) -> Result<Response<pb::TreeNode>, Status> {
        let (call, r) = open(request)?;
        written(self.prune(&call, r).await)
    }
}

//! What is asked of estimates as a whole: the order they make, and a score that is not kept.

use tonic::{Request, Response, Status};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::prioritization_service_server::PrioritizationService;
use waymark_rpc as rpc;

use super::Api;

#[tonic::async_trait]
impl PrioritizationService for Api {
    async fn rank_initiatives(
        &self,
        request: Request<pb::RankInitiativesRequest>,
    ) -> Result<Response<pb::RankInitiativesResponse>, Status> {
        rpc::answer(self.rank(rpc::asked(request)?).await)
    }

    async fn compare_frameworks(
        &self,
        request: Request<pb::CompareFrameworksRequest>,
    ) -> Result<Response<pb::CompareFrameworksResponse>, Status> {
        rpc::answer(self.compare(rpc::asked(request)?).await)
    }

    async fn analyze_sensitivity(
        &self,
        request: Request<pb::AnalyzeSensitivityRequest>,
    ) -> Result<Response<pb::AnalyzeSensitivityResponse>, Status> {
        rpc::answer(self.sensitivity(rpc::asked(request)?).await)
    }

    async fn get_score_history(
        &self,
        request: Request<pb::GetScoreHistoryRequest>,
    ) -> Result<Response<pb::GetScoreHistoryResponse>, Status> {
        rpc::answer(self.score_history(rpc::asked(request)?).await)
    }

    async fn evaluate_score(
        &self,
        request: Request<pb::EvaluateScoreRequest>,
    ) -> Result<Response<pb::EvaluateScoreResponse>, Status> {
        rpc::answer(super::ranking::evaluate(request.into_inner()))
    }
}

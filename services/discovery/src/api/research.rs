//! Studies from start to end, and the evidence below an insight.

use tonic::{Request, Response, Status};
use waymark_domain::discovery::Study;
use waymark_proto::discovery::v1 as pb;
use waymark_rpc::{answer, open, written};
use waymark_store::Error;

use super::Api;
use crate::store::Studies;

#[tonic::async_trait]
impl pb::research_service_server::ResearchService for Api {
    async fn start_study(&self, request: Request<pb::StartStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .change::<Studies, _>(&call, &r.name, &r.etag, async |write, old: Study| {
                    old.start(write.now()).map_err(Error::rule)
                })
                .await,
        )
    }

    async fn complete_study(&self, request: Request<pb::CompleteStudyRequest>) -> Result<Response<pb::Study>, Status> {
        let (call, r) = open(request)?;
        written(
            self.store
                .change::<Studies, _>(&call, &r.name, &r.etag, async |write, old: Study| {
                    old.complete(write.now()).map_err(Error::rule)
                })
                .await,
        )
    }

    async fn trace_evidence(
        &self,
        request: Request<pb::TraceEvidenceRequest>,
    ) -> Result<Response<pb::TraceEvidenceResponse>, Status> {
        answer(self.trace(&request.get_ref().name).await)
    }
}

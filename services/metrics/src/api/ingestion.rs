//! IngestionService: product events in.

use tonic::{Request, Response, Status};
use waymark_domain::WorkspaceId;
use waymark_lake::Event;
use waymark_proto::convert::metrics::{product_event, rejected};
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::ingestion_service_server::IngestionService;
use waymark_rpc as rpc;

use super::Api;
use crate::analysis::LakeFailure;

#[tonic::async_trait]
impl IngestionService for Api {
    async fn ingest_events(
        &self,
        request: Request<pb::IngestEventsRequest>,
    ) -> Result<Response<pb::IngestEventsResponse>, Status> {
        let (_, request) = rpc::open(request)?;
        let workspace: WorkspaceId = rpc::or_status(rpc::parse("parent", &request.parent))?;
        let offered = request.events.len();
        let now = self.store.now();
        let mut events = Vec::with_capacity(offered);
        let mut refused = Vec::new();
        for (index, message) in request.events.into_iter().enumerate() {
            let event_id = message.event_id.clone();
            match product_event(&self.intake, now, message) {
                Ok((event, properties)) => events.push(Event {
                    event_id: event.event_id,
                    event: event.event,
                    user: event.user,
                    device: event.device,
                    session: event.session,
                    time: event.time,
                    properties,
                }),
                Err(rejection) => refused.push(rejected(index, &event_id, &rejection)),
            }
        }
        // At most 50,000.
        let accepted = events.len() as i32;
        if accepted > 0 && !request.validate_only {
            rpc::or_status(self.lake.ingest(workspace.id(), events).await.map_err(LakeFailure::from))?;
        }
        Ok(Response::new(pb::IngestEventsResponse { accepted, rejected: refused }))
    }
}

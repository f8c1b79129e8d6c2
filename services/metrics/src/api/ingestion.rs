//! IngestionService: product events in, and imports of them completed and taken back.

use tonic::{Request, Response, Status};
use waymark_domain::metrics::Import;
use waymark_domain::{Name, Violations, WorkspaceId};
use waymark_lake::Event;
use waymark_proto::convert::metrics::{product_event, rejected};
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::ingestion_service_server::IngestionService;
use waymark_rpc as rpc;
use waymark_store::Error;

use super::Api;
use crate::analysis::LakeFailure;
use crate::imports::{complete, undo};
use crate::store::{Imports, live};
use crate::tracking::Judge;

#[tonic::async_trait]
impl IngestionService for Api {
    async fn ingest_events(
        &self,
        request: Request<pb::IngestEventsRequest>,
    ) -> Result<Response<pb::IngestEventsResponse>, Status> {
        let (_, request) = rpc::open(request)?;
        let workspace: WorkspaceId = rpc::or_status(rpc::parse("parent", &request.parent))?;
        let import = rpc::or_status(self.import(&workspace, &request.import).await)?;
        let offered = request.events.len();
        let known = rpc::or_status(self.tracking.of(&self.store, &workspace).await)?;
        let now = self.store.now();
        let mut judge = Judge::new(known.expectations.as_deref(), now);
        let mut events = Vec::with_capacity(offered);
        let mut refused = Vec::new();
        for (index, message) in request.events.into_iter().enumerate() {
            let event_id = message.event_id.clone();
            let judged = product_event(&known.intake, now, message).and_then(|(event, mut properties)| {
                judge.admit(&event, &mut properties)?;
                Ok((event, properties))
            });
            match judged {
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
        if !request.validate_only {
            self.tracking.judged(&workspace, judge);
        }
        // At most 50,000.
        let accepted = events.len() as i32;
        if accepted > 0 && !request.validate_only {
            let taken = match import {
                Some(import) => self.lake.import(workspace.id(), import.meta.uid, events).await,
                None => self.lake.ingest(workspace.id(), events).await,
            };
            rpc::or_status(taken.map_err(LakeFailure::from))?;
        }
        Ok(Response::new(pb::IngestEventsResponse { accepted, rejected: refused }))
    }

    async fn complete_import(
        &self,
        request: Request<pb::CompleteImportRequest>,
    ) -> Result<Response<pb::Import>, Status> {
        let (call, r) = rpc::open(request)?;
        let name = rpc::or_status(rpc::parse("name", &r.name))?;
        rpc::written(complete(&self.store, &self.lake, &call, &name, r).await)
    }

    async fn undo_import(&self, request: Request<pb::UndoImportRequest>) -> Result<Response<pb::Import>, Status> {
        let (call, r) = rpc::open(request)?;
        let name = rpc::or_status(rpc::parse("name", &r.name))?;
        rpc::written(undo(&self.store, &self.lake, &call, &name, &r.etag).await)
    }
}

impl Api {
    /// The import that events are to belong to, if one is named: it must take them. One that is undone before they are
    /// stored hides them all the same.
    async fn import(&self, workspace: &WorkspaceId, name: &str) -> Result<Option<Import>, Error> {
        if name.is_empty() {
            return Ok(None);
        }
        let name: Name<Import> = rpc::parse("import", name)?;
        if name.workspace() != workspace {
            return Err(Violations::one("import", format!("must be of {workspace}")).into());
        }
        let import = live::<Imports>(&self.store, &name).await?;
        import.takes_events("IngestEvents").map_err(Error::rule)?;
        Ok(Some(import))
    }
}

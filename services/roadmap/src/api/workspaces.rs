//! Workspaces: closing them and opening them again.

use tonic::{Request, Response, Status};
use waymark_domain::roadmap::Workspace;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::workspace_service_server::WorkspaceService;
use waymark_rpc as rpc;
use waymark_store::{Error, Write};

use super::Api;
use crate::store::Workspaces;

#[tonic::async_trait]
impl WorkspaceService for Api {
    async fn close_workspace(
        &self,
        request: Request<pb::CloseWorkspaceRequest>,
    ) -> Result<Response<pb::Workspace>, Status> {
        let (call, r) = rpc::open(request)?;
        let close = async |write: &mut Write, workspace: Workspace| workspace.close(write.now()).map_err(Error::rule);
        rpc::written(self.store.change::<Workspaces, _>(&call, &r.name, &r.etag, close).await)
    }

    async fn reopen_workspace(
        &self,
        request: Request<pb::ReopenWorkspaceRequest>,
    ) -> Result<Response<pb::Workspace>, Status> {
        let (call, r) = rpc::open(request)?;
        let reopen = async |_: &mut Write, workspace: Workspace| workspace.reopen().map_err(Error::rule);
        rpc::written(self.store.change::<Workspaces, _>(&call, &r.name, &r.etag, reopen).await)
    }
}

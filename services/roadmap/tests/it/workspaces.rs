//! Workspaces as resources of the installation: made, changed, closed, opened again and told of in its log.

use tonic::{Code, Response, Status};
use waymark_proto::events::v1::ListEventsRequest;
use waymark_proto::graph::v1::ListLinksRequest;
use waymark_proto::roadmap::v1 as pb;

use super::{Fixture, on_both, refusal};

const INSTALLATION: &str = "workspaces/installation";

impl Fixture {
    async fn create_workspace(&self, parent: &str, id: &str) -> Result<pb::Workspace, Status> {
        let request = pb::CreateWorkspaceRequest {
            parent: parent.into(),
            workspace_id: id.into(),
            workspace: Some(pb::Workspace { display_name: "Acme".into(), ..Default::default() }),
            ..Default::default()
        };
        self.workspaces().create_workspace(request).await.map(Response::into_inner)
    }

    async fn close(&self, name: &str, etag: &str) -> Result<pb::Workspace, Status> {
        let request = pb::CloseWorkspaceRequest { name: name.into(), etag: etag.into(), ..Default::default() };
        self.workspaces().close_workspace(request).await.map(Response::into_inner)
    }

    async fn reopen(&self, name: &str) -> Result<pb::Workspace, Status> {
        let request = pb::ReopenWorkspaceRequest { name: name.into(), ..Default::default() };
        self.workspaces().reopen_workspace(request).await.map(Response::into_inner)
    }

    async fn get_workspace(&self, name: &str) -> Result<pb::Workspace, Status> {
        let request = pb::GetWorkspaceRequest { name: name.into() };
        self.workspaces().get_workspace(request).await.map(Response::into_inner)
    }

    async fn list_workspaces(&self, filter: &str) -> Vec<String> {
        let request =
            pb::ListWorkspacesRequest { parent: INSTALLATION.into(), filter: filter.into(), ..Default::default() };
        let page = self.workspaces().list_workspaces(request).await.unwrap().into_inner();
        page.workspaces.into_iter().map(|workspace| workspace.name).collect()
    }
}

#[tokio::test]
async fn a_workspace_is_made_changed_closed_and_opened_again() {
    on_both(async |f| {
        let acme = f.create_workspace(INSTALLATION, "acme").await.unwrap();
        assert_eq!(
            (acme.name.as_str(), acme.state(), acme.etag.as_str()),
            ("workspaces/acme", pb::WorkspaceState::Active, "1")
        );
        f.create_workspace(INSTALLATION, "bank").await.unwrap();
        let taken = f.create_workspace(INSTALLATION, "acme").await.unwrap_err();
        assert!(taken.code() == Code::AlreadyExists && taken.message().contains("workspaces/acme "), "{taken:?}");
        let renamed = pb::Workspace { name: acme.name.clone(), description: "Ours".into(), ..Default::default() };
        let request = pb::UpdateWorkspaceRequest { workspace: Some(renamed), ..Default::default() };
        let renamed = f.workspaces().update_workspace(request).await.unwrap().into_inner();
        assert_eq!((renamed.display_name.as_str(), renamed.description.as_str()), ("Acme", "Ours"));

        assert_eq!(refusal(f.close("workspaces/acme", "1").await), (Code::Aborted, "ETAG_MISMATCH".into()));
        let closed = f.close("workspaces/acme", "2").await.unwrap();
        assert!(closed.state() == pb::WorkspaceState::Closed && closed.close_time == closed.update_time, "{closed:?}");
        assert_eq!(refusal(f.close("workspaces/acme", "").await), (Code::FailedPrecondition, "STATE_CONFLICT".into()));
        assert_eq!(f.get_workspace("workspaces/acme").await.unwrap(), closed);
        assert_eq!(f.list_workspaces("").await, ["workspaces/acme", "workspaces/bank"]);
        assert_eq!(f.list_workspaces("state = CLOSED").await, ["workspaces/acme"]);
        let open = f.reopen("workspaces/acme").await.unwrap();
        assert!(open.state() == pb::WorkspaceState::Active && open.close_time.is_none(), "{open:?}");
        assert_eq!(refusal(f.reopen("workspaces/acme").await), (Code::FailedPrecondition, "STATE_CONFLICT".into()));
        assert_eq!(refusal(f.get_workspace("workspaces/none").await), (Code::NotFound, "RESOURCE_NOT_FOUND".into()));

        let request = ListEventsRequest {
            parent: INSTALLATION.into(),
            filter: "subject = \"workspaces/acme\"".into(),
            ..Default::default()
        };
        let events = f.events().list_events(request).await.unwrap().into_inner().events;
        let told: Vec<_> =
            events.iter().map(|event| (event.r#type.rsplit('.').next().unwrap(), event.subject.as_str())).collect();
        let expected = ["WorkspaceCreated", "WorkspaceUpdated", "WorkspaceClosed", "WorkspaceReopened"];
        assert_eq!(told, expected.map(|event| (event, "workspaces/acme")));
        let request = ListLinksRequest { name: "workspaces/acme".into(), ..Default::default() };
        assert_eq!(f.graph().list_links(request).await.unwrap().into_inner().links, []);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_name_of_a_workspace_is_refused() {
    on_both(async |f| {
        let invalid = (Code::InvalidArgument, "INVALID_FIELD".to_owned());
        let long = "a".repeat(64);
        for id in ["*", "..", "Acme", "-a", "a/b", "a b", &long, "installation"] {
            let refused = f.create_workspace(INSTALLATION, id).await;
            let told = refused.as_ref().map_err(|status| status.message().to_owned()).unwrap_err();
            assert!(told.contains("workspace_id") || told.contains("reserved"), "{id}: {told}");
            assert_eq!(refusal(refused), invalid, "{id}");
            for name in [format!("workspaces/{id}/x"), format!("{INSTALLATION}/workspaces/{id}")] {
                assert_eq!(refusal(f.close(&name, "").await), invalid, "{name}");
            }
        }
        for parent in ["", "workspaces/acme", "workspaces/*", "installation"] {
            assert_eq!(refusal(f.create_workspace(parent, "acme").await), invalid, "{parent}");
        }
        assert_eq!(refusal(f.close(INSTALLATION, "").await), (Code::NotFound, "RESOURCE_NOT_FOUND".into()));
        // What is no workspace's is not written there by naming it, in development either.
        let request = pb::CreateProductRequest {
            parent: INSTALLATION.into(),
            product: Some(pb::Product { display_name: "App".into(), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(refusal(f.strategy().create_product(request).await), invalid);
    })
    .await;
}

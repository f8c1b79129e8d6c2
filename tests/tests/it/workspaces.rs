//! Workspaces where the server knows who calls: they are created before they are written to, in all three services, and are
//! read alone once they are closed.

use std::time::{Duration, Instant};

use prost::Message;
use serde_json::json;
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_access::testing::{Signer, key_set};
use waymark_proto::access::v1::ListAuditEntriesRequest;
use waymark_proto::events::v1::{
    DeleteDeadLetterRequest, ListDeadLettersRequest, RedriveDeadLetterRequest, RepublishEventsRequest,
};
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::{discovery::v1 as discovery, metrics::v1 as metrics};
use waymark_runtime::KeepLog;
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, NOW, wait_until};

use crate::services::{Services, Wires};
use crate::support::Answer;

const PRODUCT: &str = "/waymark.roadmap.v1.StrategyService/CreateProduct";
const OUTCOME: &str = "/waymark.discovery.v1.OpportunityService/CreateOutcome";
const METRIC: &str = "/waymark.metrics.v1.MetricService/CreateMetric";
const EVENTS: &str = "/waymark.events.v1.EventsService/";
const SERVICE: &str = "/waymark.roadmap.v1.WorkspaceService/";

/// Services that know callers by their role.
struct World {
    services: Services,
    signer: Signer,
    _folder: TempDir,
}

impl World {
    async fn start(engine: Engine, wires: Wires) -> Self {
        let (folder, signer) = (tempfile::tempdir().unwrap(), Signer::new("k", "ES256"));
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        write("keys.json", &key_set(&[&signer]));
        let issuer =
            "issuers: [{name: corp, url: 'https://corp', audiences: [waymark], keys_file: keys.json, required: true}]";
        let roles = ["viewer", "contributor", "admin"];
        let roles = roles.map(|role| format!("  - {{role: {role}, members: [users/corp/{role}]}}\n")).concat();
        write("authentication.yaml", &format!("{issuer}\nroles:\n{roles}"));
        let file = folder.path().join("authentication.yaml");
        let services = Services::start_known(engine, wires, KeepLog::default(), Some(&file)).await.unwrap();
        Self { services, signer, _folder: folder }
    }

    async fn call(&self, who: &str, path: &str, message: &impl Message) -> Answer {
        let ends = NOW.timestamp() + 3_600;
        let token = self.signer.token(&json!({"iss": "https://corp", "aud": "waymark", "sub": who, "exp": ends}));
        let wire = self.services.serving(path).remove(0);
        wire.answer_as(path, &[("authorization", &format!("Bearer {token}"))], &message.encode_to_vec()).await
    }

    /// Writes something to a workspace in the service of a path.
    async fn write(&self, who: &str, path: &str, workspace: &str) -> Answer {
        let (parent, display_name) = (format!("workspaces/{workspace}"), "One".to_owned());
        match path {
            PRODUCT => {
                let product = Some(pb::Product { display_name, ..Default::default() });
                self.call(who, path, &pb::CreateProductRequest { parent, product, ..Default::default() }).await
            }
            OUTCOME => {
                let outcome =
                    Some(discovery::Outcome { display_name, measure: "by asking".into(), ..Default::default() });
                self.call(who, path, &discovery::CreateOutcomeRequest { parent, outcome, ..Default::default() }).await
            }
            _ => {
                let metric = Some(metrics::Metric {
                    display_name,
                    kind: metrics::MetricKind::Count.into(),
                    direction: metrics::MetricDirection::Increase.into(),
                    events: vec!["ordered".into()],
                    ..Default::default()
                });
                self.call(who, path, &metrics::CreateMetricRequest { parent, metric, ..Default::default() }).await
            }
        }
    }

    async fn create(&self, who: &str, id: &str) -> Answer {
        let request = pb::CreateWorkspaceRequest {
            parent: "workspaces/installation".into(),
            workspace_id: id.into(),
            workspace: Some(pb::Workspace { display_name: id.into(), ..Default::default() }),
            ..Default::default()
        };
        self.call(who, &format!("{SERVICE}CreateWorkspace"), &request).await
    }

    async fn close(&self, id: &str) -> Answer {
        let request = pb::CloseWorkspaceRequest { name: format!("workspaces/{id}"), ..Default::default() };
        self.call("admin", &format!("{SERVICE}CloseWorkspace"), &request).await
    }

    async fn list(&self, who: &str) -> Vec<String> {
        let request = pb::ListWorkspacesRequest { parent: "workspaces/installation".into(), ..Default::default() };
        let answer = self.call(who, &format!("{SERVICE}ListWorkspaces"), &request).await;
        let page = pb::ListWorkspacesResponse::decode(answer.message).unwrap();
        page.workspaces.into_iter().map(|workspace| workspace.name).collect()
    }

    /// Writes until that is answered as expected, within the time that others may take to hear of a change.
    async fn until(&self, path: &str, workspace: &str, code: Code) {
        let began = Instant::now();
        wait_until("the service hears of it", Duration::from_secs(30), async || {
            let answer = self.write("contributor", path, workspace).await;
            // Not known yet, or not known to be open or closed again.
            let on_the_way = [code, Code::Ok, Code::Unavailable, Code::FailedPrecondition];
            assert!(on_the_way.contains(&answer.code()), "{path}: {:?}", answer.status);
            answer.code() == code
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: {:?}", began.elapsed());
    }
}

/// What a refusal says: its code, its reason, and of what.
fn told(answer: &Answer) -> (Code, String, String) {
    let info = answer.status.get_details_error_info();
    let resource = info.and_then(|info| info.metadata.get("resource").cloned());
    (answer.code(), answer.reason(), resource.unwrap_or_default())
}

async fn story(engine: Engine, wires: Wires) {
    let world = World::start(engine, wires).await;
    for path in [PRODUCT, OUTCOME, METRIC] {
        let missing = (Code::NotFound, "RESOURCE_NOT_FOUND".to_owned(), "workspaces/acme".to_owned());
        assert_eq!(told(&world.write("contributor", path, "acme").await), missing, "{path}");
        for who in ["viewer", "nobody"] {
            let denied = world.write(who, path, "acme").await;
            assert_eq!(
                (denied.code(), denied.reason().as_str()),
                (Code::PermissionDenied, "PERMISSION_DENIED"),
                "{path}"
            );
        }
        for none in ["*", "..", "Acme", "installation", &"a".repeat(64)] {
            let refused = world.write("contributor", path, none).await;
            assert_eq!(
                (refused.code(), refused.reason().as_str()),
                (Code::InvalidArgument, "INVALID_FIELD"),
                "{path} {none}"
            );
        }
    }
    assert_eq!(world.create("contributor", "acme").await.code(), Code::PermissionDenied);
    assert_eq!(world.create("admin", "acme").await.code(), Code::Ok);
    assert_eq!(world.create("admin", "late").await.code(), Code::Ok);
    assert_eq!(
        world.write("contributor", PRODUCT, "acme").await.code(),
        Code::Ok,
        "it is seen at once where it was made"
    );
    world.until(OUTCOME, "acme", Code::Ok).await;
    world.until(METRIC, "acme", Code::Ok).await;
    assert_eq!(world.list("viewer").await, ["workspaces/acme", "workspaces/late"]);
    assert_eq!(world.list("nobody").await, [""; 0], "who has no role reads none");

    assert_eq!(world.close("acme").await.code(), Code::Ok);
    let closed = (Code::FailedPrecondition, "STATE_CONFLICT".to_owned(), "workspaces/acme".to_owned());
    let refused = world.write("contributor", PRODUCT, "acme").await;
    assert_eq!(told(&refused), closed, "at once where it was closed");
    assert!(refused.status.message().contains("ReopenWorkspace"), "{:?}", refused.status);
    world.until(OUTCOME, "acme", Code::FailedPrecondition).await;
    world.until(METRIC, "acme", Code::FailedPrecondition).await;
    let read = pb::ListProductsRequest { parent: "workspaces/acme".into(), ..Default::default() };
    let read = world.call("viewer", "/waymark.roadmap.v1.StrategyService/ListProducts", &read).await;
    assert_eq!(read.code(), Code::Ok, "{:?}", read.status);
    // Who administers it reads what there is to read, and changes nothing.
    let dead = "workspaces/acme/deadLetters/018f0000-0000-7000-8000-000000000000".to_owned();
    let (redrive, delete) = (RedriveDeadLetterRequest { name: dead.clone() }, DeleteDeadLetterRequest { name: dead });
    let republish = RepublishEventsRequest { parent: "workspaces/acme".into(), ..Default::default() };
    let letters = ListDeadLettersRequest { parent: "workspaces/acme".into(), ..Default::default() };
    let audit = ListAuditEntriesRequest { parent: "workspaces/acme".into(), ..Default::default() };
    assert_eq!(world.call("admin", &format!("{EVENTS}ListDeadLetters"), &letters).await.code(), Code::Ok);
    let path = "/waymark.access.v1.AccessService/ListAuditEntries";
    assert_eq!(world.call("admin", path, &audit).await.code(), Code::Ok);
    assert_eq!(told(&world.call("admin", &format!("{EVENTS}RedriveDeadLetter"), &redrive).await), closed);
    assert_eq!(told(&world.call("admin", &format!("{EVENTS}DeleteDeadLetter"), &delete).await), closed);
    // What happened there may be told again, and where there is no workspace there may be dead letters.
    assert_eq!(world.call("admin", &format!("{EVENTS}RepublishEvents"), &republish).await.code(), Code::Ok);
    for anywhere in ["installation", "made-up"] {
        let name = redrive.name.replace("acme", anywhere);
        let answer =
            world.call("admin", &format!("{EVENTS}RedriveDeadLetter"), &RedriveDeadLetterRequest { name }).await;
        assert_eq!(answer.code(), Code::NotFound, "{anywhere}: {:?}", answer.status);
    }
    let request = pb::ReopenWorkspaceRequest { name: "workspaces/acme".into(), ..Default::default() };
    assert_eq!(world.call("admin", &format!("{SERVICE}ReopenWorkspace"), &request).await.code(), Code::Ok);
    assert_eq!(world.write("contributor", PRODUCT, "acme").await.code(), Code::Ok);
    world.until(OUTCOME, "acme", Code::Ok).await;
    let gone = world.call("admin", &format!("{EVENTS}RedriveDeadLetter"), &redrive).await;
    assert_eq!(gone.code(), Code::NotFound, "{:?}", gone.status);

    // What the roadmap service has and another has not heard of, or lost.
    wait_until("the mirror has both", Duration::from_secs(30), async || {
        let count = "SELECT CAST(count(*) AS text) FROM roadmap_workspaces";
        text(world.services.database("discovery"), count).await.unwrap() == "2"
    })
    .await;
    let forget = "DELETE FROM roadmap_workspaces WHERE id = 'late' RETURNING id";
    text(world.services.database("discovery"), forget).await.unwrap();
    let unknown = world.write("contributor", OUTCOME, "late").await;
    assert_eq!((unknown.code(), unknown.reason().as_str()), (Code::Unavailable, "UNAVAILABLE"), "{:?}", unknown.status);
    assert!(unknown.status.get_details_retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
    world.services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_is_created_before_it_is_written_to() {
    for engine in Engine::each() {
        Box::pin(story(engine, Wires::Bus)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_hear_of_workspaces_over_a_broker() {
    Box::pin(story(Engine::Sqlite, Wires::Broker)).await;
}

//! Every RPC of the contract asks who calls: tokens that another library made are taken or refused, each for its reason,
//! and what they may do is what the role of their group may.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use prost::Message as _;
use serde_json::Value;
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_proto::access::v1::{Role, WhoAmIResponse};
use waymark_proto::{Access, rpc_methods};
use waymark_runtime::KeepLog;
use waymark_testkit::schema::text;
use waymark_testkit::{Engine, NOW, wait_until};

use crate::services::{Services, Wires};

const WHO_AM_I: &str = "/waymark.access.v1.AccessService/WhoAmI";

/// Roles, and the most that each may do.
const ROLES: [(&str, Access); 6] = [
    ("none", Access::Caller),
    ("of the other issuer", Access::Caller),
    ("viewer", Access::Read),
    ("contributor", Access::Write),
    ("manager", Access::Manage),
    ("admin", Access::Admin),
];

struct Issuers {
    folder: TempDir,
    made: Value,
}

impl Issuers {
    /// Two issuers, of which the groups of one have roles.
    fn new() -> Self {
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/bin/python");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/conformance/make_tokens.py");
        let made = Command::new(python).args([script, &NOW.timestamp().to_string()]).output();
        let made = made.unwrap_or_else(|error| panic!("{python}: {error}: `make tools` installs it with joserfc"));
        assert!(made.status.success(), "joserfc made no tokens: {}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = "
issuers:
  - {name: corp, url: 'https://corp', audiences: [waymark], keys_file: corp.json, groups: groups, required: true}
  - {name: partner, url: 'https://partner', audiences: [waymark], keys_file: partner.json, groups: groups, required: true}
roles:
  - {role: viewer, members: [groups/corp/viewer]}
  - {role: contributor, members: [groups/corp/contributor]}
  - {role: manager, members: [groups/corp/manager]}
  - {role: admin, members: [groups/corp/admin]}
";
        std::fs::write(folder.path().join("authentication.yaml"), file).unwrap();
        for issuer in ["corp", "partner"] {
            std::fs::write(folder.path().join(format!("{issuer}.json")), made["keys"][issuer].to_string()).unwrap();
        }
        Self { folder, made }
    }

    async fn serve(&self) -> Services {
        let file = self.folder.path().join("authentication.yaml");
        Services::start_known(Engine::Sqlite, Wires::Bus, KeepLog::default(), Some(&file)).await.unwrap()
    }

    fn bearer(&self, role: &str) -> String {
        format!("Bearer {}", self.made["roles"][role].as_str().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rpc_takes_a_hostile_token() {
    let issuers = Issuers::new();
    let services = issuers.serve().await;
    let hostile = issuers.made["hostile"].as_object().unwrap();
    assert_eq!(hostile.len(), 13);
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (path, _) in rpc_methods() {
        for wire in services.serving(path) {
            for (what, token) in hostile {
                let bearer = format!("Bearer {}", token[0].as_str().unwrap());
                let metadata =
                    [("authorization", bearer.as_str()), ("waymark-role", "admin"), ("waymark-actor", "users/root")];
                let answer = wire.answer_as(path, &metadata, &[]).await;
                let refusal =
                    answer.status.get_details_error_info().and_then(|info| info.metadata.get("refusal").cloned());
                asked += 1;
                if answer.code() != Code::Unauthenticated || refusal.as_deref() != token[1].as_str() {
                    wrong.push(format!("{path} with {what}: {:?} {refusal:?}", answer.status));
                }
            }
            let answer = wire.answer_as(path, &[("waymark-role", "admin")], &[]).await;
            if answer.code() != Code::Unauthenticated {
                wrong.push(format!("{path} without a token: {:?}", answer.status));
            }
        }
    }
    // What no header may be as long as is not read, and who sends it harms nobody.
    let wire = services.serving(WHO_AM_I).remove(0);
    let huge = format!("Bearer {}", issuers.made["huge"].as_str().unwrap());
    assert_ne!(wire.answer_as(WHO_AM_I, &[("authorization", &huge)], &[]).await.code(), Code::Ok);
    let good = issuers.bearer("none");
    assert_eq!(wire.answer_as(WHO_AM_I, &[("authorization", &good)], &[]).await.code(), Code::Ok);
    assert!(wrong.is_empty(), "{} of {asked} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 13 * 100, "only {asked} calls were made: the contract was not walked");
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_what_its_group_s_role_may() {
    let issuers = Issuers::new();
    let services = issuers.serve().await;
    let (mut wrong, mut recorded) = (Vec::new(), BTreeMap::new());
    for (path, method) in rpc_methods() {
        for wire in services.serving(path) {
            for (role, most) in ROLES {
                let action = path.trim_start_matches('/');
                if most < method.access {
                    *recorded.entry(format!("{action} REFUSED")).or_default() += 1;
                } else if [Access::Manage, Access::Admin].contains(&method.access) {
                    *recorded.entry(format!("{action} ALLOWED")).or_default() += 1;
                }
                let answer = wire.answer_as(path, &[("authorization", &issuers.bearer(role))], &[]).await;
                let denied = answer.code() == Code::PermissionDenied && answer.reason() == "PERMISSION_DENIED";
                let let_in =
                    !matches!(answer.code(), Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented);
                if if most >= method.access { !let_in } else { !denied } {
                    wrong.push(format!("{path} as {role}: {:?}, needs {:?}", answer.status, method.access));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: u32 = recorded.values().sum();
    let mut found = BTreeMap::new();
    wait_until("the last entries of the audit", Duration::from_secs(30), async || {
        found = entries(&services).await;
        found.values().sum::<u32>() >= all
    })
    .await;
    assert_eq!(found, recorded, "what is refused, and what manages or administers, and nothing else");
    services.stop().await;
}

/// How often each action was decided on in each way, by the entries of all services.
async fn entries(services: &Services) -> BTreeMap<String, u32> {
    let query = "SELECT coalesce(group_concat(line, char(10)), '') FROM (
        SELECT action || ' ' || decision || ' ' || sum(count) AS line FROM audit_entries GROUP BY action, decision)";
    let mut entries = BTreeMap::new();
    for (service, _) in services.addresses() {
        for line in text(services.database(service), query).await.unwrap().lines() {
            let (what, times) = line.rsplit_once(' ').unwrap();
            *entries.entry(what.to_owned()).or_default() += times.parse::<u32>().unwrap();
        }
    }
    entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_is_told_and_is_what_the_log_has() {
    let issuers = Issuers::new();
    let services = issuers.serve().await;
    let bearer = issuers.bearer("contributor");
    let metadata = [("authorization", bearer.as_str())];
    for wire in services.serving(WHO_AM_I) {
        let told = WhoAmIResponse::decode(wire.call_as(WHO_AM_I, &metadata, &[]).await).unwrap();
        assert_eq!((told.principal.as_str(), told.issuer.as_str()), ("users/corp/ada", "corp"));
        assert_eq!(
            (told.groups.as_slice(), told.role()),
            (["groups/corp/contributor".to_owned()].as_slice(), Role::Contributor)
        );
        assert_eq!(told.expire_time.unwrap().seconds, NOW.timestamp() + 3_600 + 30, "with what clocks may differ by");
        assert_eq!(told.rights, None, "where its role counts everywhere");
    }
    let product = waymark_proto::roadmap::v1::CreateProductRequest {
        parent: "workspaces/acme".into(),
        product_id: "app".into(),
        product: Some(waymark_proto::roadmap::v1::Product { display_name: "App".into(), ..Default::default() }),
        ..Default::default()
    };
    let path = "/waymark.roadmap.v1.StrategyService/CreateProduct";
    let wire = services.serving(path).remove(0);
    let workspace = waymark_proto::roadmap::v1::CreateWorkspaceRequest {
        parent: "workspaces/installation".into(),
        workspace_id: "acme".into(),
        workspace: Some(waymark_proto::roadmap::v1::Workspace { display_name: "Acme".into(), ..Default::default() }),
        ..Default::default()
    };
    let create = "/waymark.roadmap.v1.WorkspaceService/CreateWorkspace";
    let by = issuers.bearer("admin");
    let answer = wire.answer_as(create, &[("authorization", &by)], &workspace.encode_to_vec()).await;
    assert_eq!(answer.code(), Code::Ok, "{:?}", answer.status);
    let answer = wire.answer_as(path, &metadata, &product.encode_to_vec()).await;
    assert_eq!(answer.code(), Code::Ok, "{:?}", answer.status);
    let list = waymark_proto::events::v1::ListEventsRequest { parent: "workspaces/acme".into(), ..Default::default() };
    let events = "/waymark.events.v1.EventsService/ListEvents";
    let listed = wire.call_as(events, &metadata, &list.encode_to_vec()).await;
    let listed = waymark_proto::events::v1::ListEventsResponse::decode(listed).unwrap();
    assert_eq!(listed.events[0].actor, "users/corp/ada");
    services.stop().await;
}

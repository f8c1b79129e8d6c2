//! What servers record of what they decide: told to who may know, on lines of their own, and without anything secret.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tonic::transport::Endpoint;
use waymark_proto::access::v1::WhoAmIRequest;
use waymark_proto::access::v1::access_service_client::AccessServiceClient;
use waymark_testkit::PLANTED;

use crate::permitted::World;
use crate::server::LOG;

/// Entries of the roadmap service in a workspace that have this action.
fn entries(world: &World, workspace: &str, action: &str) -> Vec<Value> {
    let filter = format!("action:{action}");
    let token = world.path("root");
    let line =
        ["audit", "-w", workspace, "--service", "roadmap", "--filter", &filter, "-o", "json", "--token-file", &token];
    world.server.run(&line).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same, once there are as many.
fn until(world: &World, workspace: &str, action: &str, many: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let found = entries(world, workspace, action);
        if found.len() >= many {
            assert_eq!(found.len(), many, "{found:#?}");
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{action} in {workspace}: {found:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Calls with credentials of another kind, which the command line would not send.
fn call_with_secrets(address: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let mut request = tonic::Request::new(WhoAmIRequest::default());
        for (key, value) in [("authorization", "Basic planted-secret-basic"), ("x-api-key", "planted-secret-metadata")]
        {
            request.metadata_mut().insert(key, value.parse().unwrap());
        }
        AccessServiceClient::new(channel).who_am_i(request).await.unwrap_err();
    });
}

/// Whether a file below a folder has this text.
fn has(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(has(&path, text));
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn who_administers_a_workspace_is_told_what_was_refused_there_and_nobody_of_a_secret() {
    let world = World::start_with(&[
        "--otlp-endpoint",
        "http://user:planted-secret-url@127.0.0.1:1",
        "--log",
        "info,audit=info",
    ]);
    world.run("root", "products create app --display-name App -w bank").unwrap();
    for _ in 0..3 {
        world.denied("ada", "products update app --vision planted-secret-vision -w bank");
    }
    world.run("root", "events republish --service roadmap -w bank").unwrap();
    world.denied("ada", "audit --service roadmap -w bank");
    world.denied("ada", "audit --service roadmap -w installation");
    std::fs::write(world.path("bad"), "planted-secret-token.e30.planted-secret-signature").unwrap();
    let told = world.run("bad", "products list -w bank").unwrap_err().1;
    assert!(told.contains("UNAUTHENTICATED"), "{told}");
    call_with_secrets(world.server.roadmap());

    let refused = until(&world, "bank", "UpdateProduct", 1).remove(0);
    let is = |entry: &Value, expected: &[(&str, &str)]| {
        for (field, value) in expected {
            let found = entry[field].as_str().unwrap_or_default().trim_start_matches("AUDIT_DECISION_");
            assert_eq!(found, *value, "{field} of {entry:#}");
        }
    };
    let expected = [
        ("principal", "users/corp/ada"),
        ("issuer", "corp"),
        ("peer", "127.0.0.1"),
        ("decision", "REFUSED"),
        ("count", "3"),
        ("workspace", "workspaces/bank"),
        ("reason", "PERMISSION_DENIED"),
        ("action", "waymark.roadmap.v1.StrategyService/UpdateProduct"),
    ];
    is(&refused, &expected);
    assert!(refused["requestId"].as_str().is_some_and(|id| id.len() == 36), "{refused:#}");
    let allowed = until(&world, "bank", "RepublishEvents", 1).remove(0);
    is(&allowed, &[("principal", "users/corp/root"), ("decision", "ALLOWED"), ("reason", "")]);
    assert_eq!(allowed["policies"], serde_json::json!(["admin"]));
    assert!(entries(&world, "bank", "CreateProduct").is_empty(), "writes are in the log");
    let audits = until(&world, "installation", "ListAuditEntries AND decision=REFUSED", 1).remove(0);
    is(&audits, &[("principal", "users/corp/ada"), ("count", "1")]);
    is(
        &until(&world, "installation", "ListProducts", 1)[0],
        &[("principal", ""), ("reason", "UNAUTHENTICATED:malformed")],
    );
    is(&until(&world, "installation", "WhoAmI", 1)[0], &[("principal", ""), ("reason", "UNAUTHENTICATED:scheme")]);
    let migrations = entries(&world, "installation", "migration.apply");
    assert!(migrations.len() > 20 && migrations[0]["decision"] == "AUDIT_DECISION_DONE", "{migrations:#?}");

    let good = std::fs::read_to_string(world.path("bindings.yaml")).unwrap();
    std::fs::write(world.path("bindings.yaml"), "bindings: nonsense").unwrap();
    is(&until(&world, "installation", "policies.reload", 1)[0], &[("decision", "FAILED")]);
    std::fs::write(world.path("bindings.yaml"), good.replace("users/corp/kim", "users/corp/tim")).unwrap();
    is(&until(&world, "installation", "policies.reload", 2)[0], &[("decision", "DONE")]);

    let World { server, folder } = world;
    let tokens = ["root", "ada"].map(|who| std::fs::read_to_string(folder.path().join(who)).unwrap());
    let signatures = tokens.each_ref().map(|token| token.rsplit('.').next().unwrap());
    server.stop();
    let log = std::fs::read_to_string(folder.path().join(LOG)).unwrap();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told =
        |action: &str| lines.iter().filter(|line| line["action"].as_str().is_some_and(|a| a.ends_with(action))).count();
    assert!(lines.iter().all(|line| line["target"] == "audit"), "{log}");
    assert_eq!((told("UpdateProduct"), told("RepublishEvents"), told("policies.reload")), (1, 1, 6), "of each service");
    for secret in [PLANTED, signatures[0], signatures[1]] {
        let mut found = has(&folder.path().join("data"), secret);
        if log.contains(secret) {
            found.push(log.lines().find(|line| line.contains(secret)).unwrap_or_default().to_owned());
        }
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
}

//! Every RPC of the contract asks for its access: each role below is refused, each other one let through, strangers and
//! unknown paths never get in.

use tonic::Code;
use waymark_proto::{Access, rpc_methods};
use waymark_testkit::Engine;

use crate::services::{Services, Wires};
use crate::support::Wire;

/// The roles and the most each may do, in order.
const ROLES: [(&str, Access); 4] =
    [("viewer", Access::Read), ("contributor", Access::Write), ("manager", Access::Manage), ("admin", Access::Admin)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_reaches_exactly_its_rpcs() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (path, method) in rpc_methods() {
        for wire in services.serving(path) {
            for (role, most) in ROLES {
                // An empty request is refused for what it lacks, once it may be made at all.
                let answer = wire.call(path, Some(role), &[]).await;
                let (code, reason) = (answer.code(), answer.reason());
                let denied = code == Code::PermissionDenied && reason == "PERMISSION_DENIED";
                let let_in = !matches!(code, Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented);
                asked += 1;
                if if most >= method.access { !let_in } else { !denied } {
                    wrong.push(format!("{path} as {role}: {code:?} {reason}, needs {:?}", method.access));
                }
            }
            for role in ["", "root", "Admin", "admin ", "viewer,admin"] {
                let answer = wire.call(path, Some(role), &[]).await;
                if (answer.code(), answer.reason().as_str()) != (Code::Unauthenticated, "UNAUTHENTICATED") {
                    wrong.push(format!("{path} as {role:?}: {:?}", answer.code()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(asked > 4 * 100, "only {asked} calls were made: the contract was not walked");
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_are_nobodys() {
    let services = Services::start(Engine::Sqlite, Wires::Bus).await.unwrap();
    let paths = [
        "/waymark.roadmap.v1.StrategyService/DropAll",
        "/waymark.roadmap.v1.StrategyService/getproduct",
        "/waymark.roadmap.v1.StrategyService/GetProduct/",
        "/waymark.roadmap.v2.StrategyService/GetProduct",
        "/waymark.roadmap.v1.StrategyService",
        "/grpc.health.v1.Health/check",
        "/",
    ];
    for path in paths {
        for (service, address) in services.addresses() {
            let answer = Wire::new(address).call(path, Some("admin"), &[]).await;
            let code = answer.code();
            assert!(matches!(code, Code::Unimplemented | Code::PermissionDenied), "{path} at {service}: {code:?}");
        }
    }
    services.stop().await;
}

//! The policies of a process: opened at its start, looked after until its end, shown by metrics. The actions that they
//! may speak of are the RPCs of the contract; what policies mean is said by [`waymark_access`].

use std::path::Path;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use waymark_access::{Action, Policies, ResourceKind, SettingsError};
use waymark_proto::{Access, rpc_methods};

use crate::host::Host;

/// The actions that there are: every RPC, but those about the caller alone, which are for whoever is known.
pub fn actions() -> Vec<Action> {
    let actions = rpc_methods().filter_map(|(path, method)| {
        let access = match method.access {
            Access::Caller => return None,
            Access::Read => "read",
            Access::Write => "write",
            Access::Manage => "manage",
            Access::Admin => "admin",
        };
        let resource = match (method.aim.path.is_empty(), method.aim.product) {
            (true, _) => ResourceKind::Installation,
            (false, true) => ResourceKind::Product,
            (false, false) => ResourceKind::Workspace,
        };
        let shown = method.shown_to_audiences.then_some("shown_to_audiences");
        let groups = [Some(access), shown].into_iter().flatten().collect();
        Some(Action { name: path.trim_start_matches('/').to_owned(), groups, resource })
    });
    actions.collect()
}

/// Opens policies and bindings, and takes over what they say later until shutdown.
///
/// # Errors
/// Where a file cannot be read, or says something that cannot be done.
pub async fn open(folder: Option<&Path>, bindings: &Path, host: &Host) -> Result<Arc<Policies>, SettingsError> {
    let policies = Arc::new(Policies::open(folder, bindings, actions(), host.clock.clone()).await?);
    observe(&policies, &host.telemetry.meter());
    let (running, shutdown) = (Arc::clone(&policies), host.shutdown.clone());
    // Calls in flight are decided on until the end, by what held last.
    let audits = host.audits.clone();
    host.tasks.spawn("policies", async move { running.run(shutdown.begun(), |read| audits.read(&read)).await });
    Ok(policies)
}

fn observe(policies: &Arc<Policies>, meter: &Meter) {
    let counted = Arc::clone(policies);
    meter
        .u64_observable_counter("waymark.access.decisions")
        .with_description("Decisions of policies: allowed or denied")
        .with_callback(move |counter| {
            let counted = counted.counted();
            for (outcome, times) in [("allowed", counted.allowed), ("denied", counted.denied)] {
                counter.observe(times, &[KeyValue::new("outcome", outcome)]);
            }
        })
        .build();
    let counted = Arc::clone(policies);
    meter
        .u64_observable_counter("waymark.access.decisions.remembered")
        .with_description("Decisions of policies that were known from before")
        .with_callback(move |counter| counter.observe(counted.counted().remembered, &[]))
        .build();
    let counted = Arc::clone(policies);
    meter
        .u64_observable_counter("waymark.access.policies.reload.failures")
        .with_description("Times that policies or bindings could not be read, or said what cannot be done")
        .with_callback(move |counter| counter.observe(counted.counted().reloads_failed, &[]))
        .build();
}

#[cfg(test)]
mod tests {
    use waymark_access::{Identity, Principal, Question, Resource, Role};
    use waymark_clock::Clock;

    use super::*;

    const ROLES: [(Role, Access); 4] = [
        (Role::Viewer, Access::Read),
        (Role::Contributor, Access::Write),
        (Role::Manager, Access::Manage),
        (Role::Admin, Access::Admin),
    ];

    fn user(name: &str) -> Identity {
        let principal = Principal::user("corp", name).unwrap();
        Identity { principal, issuer: None, groups: Vec::new(), token_id: None, expires: None }
    }

    async fn policies() -> Policies {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bindings.yaml");
        let bindings = ROLES
            .map(|(role, _)| format!("  - {{role: {0}, members: [users/corp/{0}], workspaces: [own]}}\n", role.name()));
        let audience = "  - {audience: customers, members: [users/corp/customer], workspaces: [own]}\n";
        std::fs::write(&path, format!("bindings:\n{}{audience}", bindings.concat())).unwrap();
        Policies::open(None, &path, actions(), Clock::system()).await.unwrap()
    }

    #[tokio::test]
    async fn every_rpc_is_for_the_roles_of_its_access_in_their_workspaces_and_for_nobody_else() {
        let policies = policies().await;
        let mut asked = 0;
        for (path, method) in rpc_methods().filter(|(_, method)| method.access != Access::Caller) {
            let action = path.trim_start_matches('/');
            let kind = policies.resource(action).unwrap();
            for workspace in ["own", "other"] {
                let resource = match kind {
                    ResourceKind::Workspace => Resource::Workspace(workspace),
                    ResourceKind::Product => Resource::Product { workspace, product: "app" },
                    ResourceKind::Installation => Resource::Installation,
                };
                for certificate in [false, true] {
                    let ask = |who: &str| {
                        let identity = user(who);
                        let audience = None;
                        let question = Question {
                            identity: &identity,
                            certificate,
                            action,
                            resource,
                            audience,
                            validate_only: false,
                        };
                        policies.decide(&question)
                    };
                    for (role, highest) in ROLES {
                        let decision = ask(role.name());
                        let (may, by) = match resource {
                            Resource::Installation => (true, "without-workspace"),
                            _ => (workspace == "own" && method.access <= highest, role.name()),
                        };
                        let by = if may { vec![by.to_owned()] } else { Vec::new() };
                        assert_eq!((decision.allowed, &decision.policies), (may, &by), "{action} {role:?} {workspace}");
                        assert_eq!(decision.audience, None);
                        asked += 1;
                    }
                    let shown = workspace == "own" && method.shown_to_audiences;
                    let customer = ask("customer");
                    let stateless = resource == Resource::Installation;
                    assert_eq!(customer.allowed, shown || stateless, "{action} {workspace}");
                    assert_eq!(customer.audience.is_some(), shown, "{action} {workspace}");
                    assert_eq!(ask("nobody").allowed, stateless, "{action} {workspace}");
                }
            }
        }
        assert_eq!(asked, actions().len() * 2 * 2 * 4);
    }

    #[tokio::test]
    async fn the_examples_say_what_their_tests_expect() {
        let file = |name: &str| Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy")).join(name);
        let bindings = file("bindings.example.yaml");
        let policies = Policies::open(None, &bindings, actions(), Clock::system()).await.unwrap();
        let path = file("policy-tests.example.yaml");
        let content = std::fs::read(&path).unwrap();
        let trials = policies.trials(&path, &content).unwrap();
        let wrong: Vec<_> = trials.iter().filter(|trial| !trial.holds(&policies.decide(&trial.question()))).collect();
        assert!(trials.len() >= 8 && wrong.is_empty(), "{wrong:?}");
        let turned = String::from_utf8(content)
            .unwrap()
            .replace("allowed: true", "allowed: false")
            .replace(", shown_as: customers", "");
        let turned = policies.trials(&path, turned.as_bytes()).unwrap();
        assert!(turned.iter().filter(|trial| trial.holds(&policies.decide(&trial.question()))).count() < 5);
    }
}

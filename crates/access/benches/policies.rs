//! What a decision costs, with few and with many bindings: the first time, and when it is asked for again. `make bench`
//! runs it; the exit status is 1 when a target is missed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use waymark_access::{Action, Identity, Policies, Principal, Question, Resource, ResourceKind};
use waymark_clock::Clock;

/// What 99 of 100 decisions may cost at most.
const TARGET: Duration = Duration::from_micros(100);
/// What one may cost that was made before.
const TARGET_AGAIN: Duration = Duration::from_micros(5);
const TIMES: usize = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut met = true;
    for (bindings, groups) in [(10, 10), (10_000, 10), (10_000, 100)] {
        let policies = policies(bindings).await;
        let groups = (0..groups).map(|n| Principal::group("corp", &format!("team-{n}")).unwrap()).collect();
        let principal = Principal::user("corp", "ada").unwrap();
        let identity = Identity { principal, issuer: None, groups, token_id: None, expires: None };
        let workspaces: Vec<String> = (0..TIMES).map(|n| format!("w{}-{n}", n % 20)).collect();
        let mut took: Vec<Duration> = workspaces.iter().map(|workspace| ask(&policies, &identity, workspace)).collect();
        took.sort_unstable();
        let p99 = took[TIMES * 99 / 100];
        let start = Instant::now();
        for n in 0..TIMES {
            ask(&policies, &identity, &workspaces[n % 10]);
        }
        let again = start.elapsed() / TIMES as u32;
        met &= p99 < TARGET && again < TARGET_AGAIN;
        println!(
            "{bindings} bindings, {} groups: a decision costs {:.1?}, p99 {p99:.1?}, the first time, {again:.1?} again",
            identity.groups.len(),
            took[TIMES / 2]
        );
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ask(policies: &Policies, identity: &Identity, workspace: &str) -> Duration {
    let resource = Resource::Workspace(workspace);
    let question =
        Question { identity, certificate: false, action: "S/M7", resource, audience: None, validate_only: false };
    let start = Instant::now();
    std::hint::black_box(policies.decide(&question));
    start.elapsed()
}

/// The default policies, with a binding for each of so many groups, and as many actions as the contract has.
async fn policies(bindings: usize) -> Policies {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bindings.yaml");
    let binding = |n| format!("  - {{role: viewer, members: [groups/corp/team-{n}], workspaces: [w{n}, w{n}-*]}}\n");
    std::fs::write(&path, format!("bindings:\n{}", (0..bindings).map(binding).collect::<String>())).unwrap();
    let action = |n| Action { name: format!("S/M{n}"), groups: vec!["read"], resource: ResourceKind::Workspace };
    // The policies speak of these, too.
    let shown = Action { groups: vec!["read", "shown_to_audiences"], ..action(300) };
    let of_none = Action { resource: ResourceKind::Installation, ..action(301) };
    Policies::open(None, &path, (0..300).map(action).chain([shown, of_none]), Clock::system()).await.unwrap()
}

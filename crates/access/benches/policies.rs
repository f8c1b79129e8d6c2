//! What a decision costs: the first time, when it is asked for again, and in the mix that a server meets, with few and
//! with many bindings and groups, under policies that look at groups in each way there is. `make bench` runs it; the exit
//! status is 1 when a target is missed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed bench")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use waymark_access::{Action, DEFAULT_POLICIES, Identity, Policies, Principal, Question, Resource, ResourceKind};
use waymark_clock::Clock;

/// As in the programs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What 99 of 100 decisions may cost at most, be all of them new or as they come.
const TARGET: Duration = Duration::from_micros(100);
/// The same under policies that look at all groups, of which Cedar is told each.
const TARGET_AT_ALL: Duration = Duration::from_micros(250);
/// What one may cost that was made before.
const TARGET_AGAIN: Duration = Duration::from_micros(5);
/// Decisions of each kind.
const TIMES: usize = 2_500;
/// Of so many rounds the quietest counts: the machine has other things to do.
const ROUNDS: usize = 20;
/// Callers of the mix.
const CALLERS: usize = 200;
/// Of so many questions of the mix one was never asked before.
const ONE_NEW_IN: usize = 10;
const ACTIONS: usize = 300;
const ACCESS: [&str; 4] = ["read", "write", "manage", "admin"];

/// Policies of a company that look at groups by name.
const BY_NAME: &str = r#"
@id("interns") forbid (principal in Group::"groups/corp/team-7", action in Action::"manage", resource);
@id("temps") forbid (principal, action in Action::"admin", resource)
when { context.groups.containsAny([Group::"groups/corp/team-8", Group::"groups/corp/team-9"]) };
"#;
/// And one that looks at all of them.
const AT_ALL: &str = r#"
@id("of-one-team") forbid (principal, action in Action::"admin", resource)
when { [Group::"groups/corp/team-1"].containsAll(context.groups) };
"#;

fn main() -> ExitCode {
    let by_name = format!("{DEFAULT_POLICIES}{BY_NAME}");
    let at_all = format!("{by_name}{AT_ALL}");
    let own = |n| format!("members: [groups/corp/team-{n}], workspaces: [w{n}, w{n}-*]");
    let of_all = |n| format!("members: [groups/corp/team-1], workspaces: [w{n}-*, \"*-x{n}\"]");
    let mut met = true;
    for (what, policies, bindings, groups, binding) in [
        ("default policies", DEFAULT_POLICIES, 10, 10, &own as &dyn Fn(usize) -> String),
        ("default policies", DEFAULT_POLICIES, 10_000, 10, &own),
        ("default policies", DEFAULT_POLICIES, 10_000, 100, &own),
        ("default policies, all bound to one group", DEFAULT_POLICIES, 10_000, 100, &of_all),
        ("policies that name groups", &by_name, 10_000, 100, &own),
        ("policies that look at all groups", &at_all, 10_000, 100, &own),
    ] {
        let policies = open(policies, bindings, binding);
        let first = quietest(|round| {
            let caller = caller(0, groups);
            let workspaces = (0..TIMES).map(|n| format!("w{}-first{round}{n}", n % 20));
            workspaces.map(|workspace| ask(&policies, &caller, n_of(&workspace), &workspace)).collect()
        });
        let again = {
            let caller = caller(0, groups);
            let workspaces: Vec<String> = (0..10).map(|n| format!("w{n}")).collect();
            let start = Instant::now();
            for n in 0..TIMES {
                ask(&policies, &caller, 7, &workspaces[n % 10]);
            }
            start.elapsed() / TIMES as u32
        };
        let callers: Vec<Identity> = (0..CALLERS).map(|n| caller(n, groups)).collect();
        let mix = quietest(|round| {
            let one = |n: usize| {
                let new = if n.is_multiple_of(ONE_NEW_IN) { format!("-{round}{n}") } else { String::new() };
                let workspace = format!("w{}{new}", n * 7 % 100);
                ask(&policies, &callers[n % 20 * (CALLERS / 20)], n % 3, &workspace)
            };
            (0..TIMES).map(one).collect()
        });
        let target = if what.ends_with("all groups") { TARGET_AT_ALL } else { TARGET };
        met &= first.p99 < target && mix.p99 < target && again < TARGET_AGAIN;
        println!(
            "{what}, {bindings} bindings, {groups} groups: the first time {:.1?}, p99 {:.1?}; again {again:.1?}; in the mix {:.1?}, p99 {:.1?}",
            first.median, first.p99, mix.median, mix.p99
        );
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Took {
    median: Duration,
    p99: Duration,
}

fn quietest(mut round: impl FnMut(usize) -> Vec<Duration>) -> Took {
    let rounds = (0..ROUNDS).map(|n| {
        let mut took = round(n);
        took.sort_unstable();
        Took { median: took[took.len() / 2], p99: took[took.len() * 99 / 100] }
    });
    rounds.min_by_key(|took| took.p99).unwrap()
}

/// A number made of a text, so that actions vary with workspaces.
fn n_of(text: &str) -> usize {
    text.bytes().map(usize::from).sum()
}

/// Somebody, in so many groups of which each is bound to something.
fn caller(n: usize, groups: usize) -> Identity {
    let groups = (0..groups).map(|at| Principal::group("corp", &format!("team-{}", n + at)).unwrap()).collect();
    let principal = Principal::user("corp", &format!("ada-{n}")).unwrap();
    Identity { principal, issuer: None, groups, token_id: None, expires: None }
}

fn ask(policies: &Policies, identity: &Identity, action: usize, workspace: &str) -> Duration {
    let action = format!("S/M{}", action % ACTIONS);
    let resource = Resource::Workspace(workspace);
    let question =
        Question { identity, certificate: false, action: &action, resource, audience: None, validate_only: false };
    let start = Instant::now();
    std::hint::black_box(policies.decide(&question));
    start.elapsed()
}

/// Policies and so many bindings, of each role in turn, and as many actions as the contract has.
fn open(policies: &str, bindings: usize, binding: &dyn Fn(usize) -> String) -> Policies {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &Path, content: &str| std::fs::write(path, content).unwrap();
    let (policies_path, bindings_path) = (folder.path().join("policies"), folder.path().join("bindings.yaml"));
    std::fs::create_dir(&policies_path).unwrap();
    write(&policies_path.join("all.cedar"), policies);
    let role = |n: usize| ["viewer", "contributor", "manager", "admin"][n % 4];
    let binding = |n| format!("  - {{role: {}, {}}}\n", role(n), binding(n));
    write(&bindings_path, &format!("bindings:\n{}", (0..bindings).map(binding).collect::<String>()));
    let action = |n: usize| Action {
        name: format!("S/M{n}"),
        groups: vec![ACCESS[n % ACCESS.len()]],
        resource: ResourceKind::Workspace,
    };
    // The policies speak of these, too.
    let shown = Action { groups: vec!["read", "shown_to_audiences"], ..action(ACTIONS) };
    let of_none = Action { groups: vec!["read"], resource: ResourceKind::Installation, ..action(ACTIONS + 1) };
    let actions = (0..ACTIONS).map(action).chain([shown, of_none]);
    let opened = Policies::open(Some(&policies_path), &bindings_path, actions, Clock::system());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(opened).unwrap()
}

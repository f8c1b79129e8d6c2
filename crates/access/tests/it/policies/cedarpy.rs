//! Random policies, bindings and questions, of which an implementation that is not this one says the same: cedarpy, on
//! entities that its script makes of the bindings by itself.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use waymark_access::{Identity, Question, Resource};

use super::{Files, actions, who};

/// Sets of policies and bindings, and questions of each.
const WORLDS: usize = 20;
const QUESTIONS: usize = 500;

const PRINCIPALS: [&str; 8] = [
    "users/corp/ada",
    "users/corp/bob",
    "users/other/ada",
    "serviceAccounts/kind/shop/web",
    "serviceAccounts/kind/shop/job",
    "serviceAccounts/kind/bank/web",
    "services/import",
    "services/ops/night",
];
const GROUPS: [&str; 4] = ["groups/corp/all", "groups/corp/product", "groups/other/all", "groups/other/a%20b"];
/// Groups that no policy names.
const NAMELESS: [&str; 2] = ["groups/corp/quiet", "groups/other/quiet"];
const MEMBERS: [&str; 7] = [
    "users/corp/*",
    "users/other/*",
    "groups/corp/*",
    "groups/other/*",
    "serviceAccounts/kind/*/web",
    "serviceAccounts/kind/shop/*",
    "services/ops/*",
];
const WORKSPACES: [&str; 4] = ["acme", "acme-test", "team-1", "other"];
const PATTERNS: [&str; 4] = ["*", "acme*", "*-test", "t*1"];
const AUDIENCES: [&str; 2] = ["customers", "partners"];
const ROLES: [&str; 4] = ["viewer", "contributor", "manager", "admin"];

/// A question, with what it owns.
#[derive(Debug, Clone)]
struct Owned {
    identity: Identity,
    action: String,
    workspace: Option<&'static str>,
    product: bool,
    audience: Option<String>,
    certificate: bool,
    validate_only: bool,
}

fn some(texts: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    prop::sample::select(texts.to_vec())
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("permit"), 1 => Just("forbid")];
    let principal = prop_oneof![
        Just("principal".to_owned()),
        some(&ROLES).prop_map(|role| format!("principal in Role::\"{role}\"")),
        some(&GROUPS).prop_map(|group| format!("principal in Group::\"{group}\"")),
        Just("principal == User::\"users/corp/ada\"".to_owned()),
        Just("principal is ServiceAccount".to_owned()),
        some(&GROUPS).prop_map(|group| format!("principal is User in Group::\"{group}\"")),
    ];
    let group = some(&["read", "write", "manage", "admin", "shown_to_audiences"]);
    let action = prop_oneof![
        Just("action".to_owned()),
        group.prop_map(|group| format!("action in Action::\"{group}\"")),
        Just("action == Action::\"S/Show\"".to_owned()),
    ];
    let resource = prop_oneof![
        3 => Just("resource".to_owned()),
        1 => some(&WORKSPACES).prop_map(|id| format!("resource in Workspace::\"workspaces/{id}\"")),
    ];
    let condition = prop_oneof![
        3 => Just(String::new()),
        1 => Just("when { context has audience && principal in context.audience }".to_owned()),
        1 => Just("unless { context.validate_only }".to_owned()),
        1 => Just("when { context.certificate }".to_owned()),
        2 => groups_asked().prop_map(|asked| format!("when {{ {asked} }}")),
        1 => groups_asked().prop_map(|asked| format!("unless {{ {asked} }}")),
        1 => Just("when { context has audience && context.audience == Audience::\"workspaces/acme/audiences/partners\" }".to_owned()),
    ];
    let parts = (effect, principal, action, resource, condition);
    parts.prop_map(|(effect, principal, action, resource, condition)| {
        format!("{effect} ({principal}, {action}, {resource}) {condition};")
    })
}

/// What policies may ask of groups: for some by name, and of all that there are.
fn groups_asked() -> impl Strategy<Value = String> {
    let forms = [
        "context.groups.contains(ONE)",
        "context.groups.containsAny([ONE, OTHER])",
        "context.groups.containsAll([ONE, OTHER])",
        "(if context.certificate then context.groups.contains(ONE) else principal in OTHER)",
        "context.groups.isEmpty()",
        "[ONE, OTHER].containsAll(context.groups)",
        "context.groups == [ONE]",
        "principal in context.groups",
    ];
    (some(&forms), some(&GROUPS), some(&GROUPS)).prop_map(|(form, one, other)| {
        form.replace("ONE", &format!("Group::\"{one}\"")).replace("OTHER", &format!("Group::\"{other}\""))
    })
}

fn binding() -> impl Strategy<Value = Value> {
    let gives = prop_oneof![
        3 => some(&ROLES).prop_map(|role| ("role", role)),
        1 => some(&AUDIENCES).prop_map(|audience| ("audience", audience)),
    ];
    let member = prop_oneof![some(&PRINCIPALS), some(&GROUPS), some(&MEMBERS)];
    let workspace = prop_oneof![some(&WORKSPACES), some(&PATTERNS)];
    (gives, prop::collection::vec(member, 1..4), prop::collection::vec(workspace, 1..3)).prop_map(
        |((what, given), members, workspaces)| json!({what: given, "members": members, "workspaces": workspaces}),
    )
}

fn question() -> impl Strategy<Value = Owned> {
    let groups =
        vec![vec![], GROUPS[..1].to_vec(), GROUPS[1..].to_vec(), NAMELESS.to_vec(), [&GROUPS[..2], &NAMELESS].concat()];
    let identity =
        (some(&PRINCIPALS), prop::sample::select(groups)).prop_map(|(principal, groups)| who(principal, &groups));
    let names: Vec<String> = actions().into_iter().map(|action| action.name).collect();
    let audience = prop::option::weighted(0.2, some(&AUDIENCES));
    let parts = (identity, prop::sample::select(names), some(&WORKSPACES), audience, any::<(bool, bool)>());
    parts.prop_map(|(identity, action, workspace, audience, (certificate, validate_only))| Owned {
        identity,
        product: action.ends_with("Product"),
        workspace: (action != "S/Compute").then_some(workspace),
        audience: audience.map(|audience| format!("workspaces/{workspace}/audiences/{audience}")),
        action,
        certificate,
        validate_only,
    })
}

impl Owned {
    fn ask(&self) -> Question<'_> {
        let resource = match (self.workspace, self.product) {
            (Some(workspace), true) => Resource::Product { workspace, product: "app" },
            (Some(workspace), false) => Resource::Workspace(workspace),
            (None, _) => Resource::Installation,
        };
        let Self { identity, action, audience, certificate, validate_only, .. } = self;
        let (certificate, validate_only) = (*certificate, *validate_only);
        Question { identity, certificate, action, resource, audience: audience.as_deref(), validate_only }
    }

    fn json(&self) -> Value {
        let groups: Vec<&str> = self.identity.groups.iter().map(waymark_access::Principal::as_str).collect();
        let product = self.product.then(|| format!("workspaces/{}/products/app", self.workspace.unwrap()));
        json!({
            "who": {"principal": self.identity.principal.as_str(), "groups": groups},
            "action": self.action, "workspace": self.workspace, "product": product, "audience": self.audience,
            "certificate": self.certificate, "validate_only": self.validate_only,
        })
    }
}

#[tokio::test]
async fn ten_thousand_random_questions_are_answered_as_cedarpy_answers_them() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let mut any = |strategy: &dyn Fn() -> BoxedStrategy<Value>| strategy().new_tree(&mut runner).unwrap().current();
    let (mut worlds, mut ours) = (Vec::new(), Vec::new());
    let groups: Value = actions()
        .iter()
        .map(|action| (action.name.clone(), json!(action.groups)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    while worlds.len() < WORLDS {
        let policies = any(&|| prop::collection::vec(policy(), 1..8).prop_map(|all| json!(all)).boxed());
        let bindings = any(&|| prop::collection::vec(binding(), 1..12).prop_map(|all| json!(all)).boxed());
        let policies: String = policies
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .fold(String::new(), |text, (n, policy)| format!("{text}@id(\"p{n}\") {}\n", policy.as_str().unwrap()));
        let files = Files::new(&[("all.cedar", &policies)], &json!({"bindings": bindings}).to_string());
        // Some can never hold, which is refused.
        let Ok(known) = files.open().await else { continue };
        let mut runner = TestRunner::new_with_rng(
            Config::default(),
            TestRng::from_seed(RngAlgorithm::ChaCha, &[worlds.len() as u8; 32]),
        );
        let questions: Vec<Owned> =
            (0..QUESTIONS).map(|_| question().new_tree(&mut runner).unwrap().current()).collect();
        ours.push(
            questions
                .iter()
                .map(|question| {
                    let decision = known.decide(&question.ask());
                    json!({"allowed": decision.allowed, "audience": decision.audience, "policies": decision.policies})
                })
                .collect::<Vec<_>>(),
        );
        let questions: Vec<Value> = questions.iter().map(Owned::json).collect();
        worlds.push(json!({"policies": policies, "bindings": bindings, "actions": groups, "questions": questions}));
    }

    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/policies/ask_cedar.py");
    let started = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut asked = started.unwrap_or_else(|error| panic!("{python}: {error}: `make tools` installs it with cedarpy"));
    asked.stdin.take().unwrap().write_all(json!(worlds).to_string().as_bytes()).unwrap();
    let answered = asked.wait_with_output().unwrap();
    assert!(answered.status.success(), "cedarpy gave no answers (`make tools` installs it)");
    let theirs: Vec<Vec<Value>> = serde_json::from_slice(&answered.stdout).unwrap();

    let mut allowed = 0;
    for ((ours, theirs), world) in ours.iter().zip(&theirs).zip(&worlds) {
        assert_eq!((ours.len(), theirs.len()), (QUESTIONS, QUESTIONS));
        for (n, (our, their)) in ours.iter().zip(theirs).enumerate() {
            assert_eq!(
                our,
                their,
                "{}\n{}\n{}",
                world["policies"].as_str().unwrap(),
                world["bindings"],
                world["questions"][n]
            );
            allowed += usize::from(our["allowed"] == true);
        }
    }
    let all = WORLDS * QUESTIONS;
    assert!(theirs.len() == WORLDS && (all / 10..all * 9 / 10).contains(&allowed), "{allowed} of {all} are allowed");
}

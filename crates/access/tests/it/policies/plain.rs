//! Callers in a hundred groups, of whom Cedar, asked plainly and told everything, says the same.

use std::collections::HashSet;
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use waymark_access::{Identity, Resource};

use super::{Files, ask, who};

const BINDINGS: &str = "bindings:
  - {role: viewer, members: [groups/corp/team-7], workspaces: [acme]}
  - {role: manager, members: [groups/corp/*], workspaces: [\"a*e\"]}
";

/// What a policy may say of groups; TEAM is one that a caller may be in, NONE one that nobody is in.
const CONDITIONS: [&str; 13] = [
    "principal in TEAM",
    "principal in [NONE, TEAM]",
    "principal is User in TEAM",
    "principal is User in context.groups",
    "principal in context.groups",
    "context.groups.contains(TEAM)",
    "context.groups.containsAny([NONE, TEAM])",
    "context.groups.containsAll([NONE, TEAM])",
    "context.groups.containsAny(context.groups)",
    "context.groups.isEmpty()",
    "context.groups == [TEAM]",
    "[TEAM].containsAll(context.groups)",
    "(if context.certificate then [TEAM] else context.groups).contains(TEAM)",
];

fn uid(of: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(EntityTypeName::from_str(of).unwrap(), EntityId::new(id))
}

/// What Cedar says, where the bindings give these roles.
fn plainly(policies: &PolicySet, identity: &Identity, roles: &[&str]) -> (bool, Vec<String>) {
    let groups: Vec<EntityUid> = identity.groups.iter().map(|group| uid("Group", group.as_str())).collect();
    let parents: HashSet<EntityUid> =
        groups.iter().cloned().chain(roles.iter().map(|role| uid("Role", role))).collect();
    let (principal, action) = (uid("User", identity.principal.as_str()), uid("Action", "S/Get"));
    let resource = uid("Workspace", "workspaces/acme");
    let entities = [
        Entity::new_no_attrs(principal.clone(), parents),
        Entity::new_no_attrs(action.clone(), HashSet::from([uid("Action", "read")])),
        Entity::with_uid(resource.clone()),
    ];
    let context = Context::from_pairs([
        ("groups".into(), RestrictedExpression::new_set(groups.into_iter().map(RestrictedExpression::new_entity_uid))),
        ("certificate".into(), RestrictedExpression::new_bool(false)),
        ("validate_only".into(), RestrictedExpression::new_bool(false)),
    ]);
    let request = Request::new(principal, action, resource, context.unwrap(), None).unwrap();
    let entities = Entities::from_entities(entities, None).unwrap();
    let said = Authorizer::new().is_authorized(&request, policies, &entities);
    assert_eq!(said.diagnostics().errors().count(), 0);
    let reasons = said.diagnostics().reason().map(|id| policies.annotation(id, "id").unwrap().to_owned());
    let mut reasons: Vec<String> = reasons.collect();
    reasons.sort_unstable();
    (said.decision() == Decision::Allow, reasons)
}

#[tokio::test]
async fn what_cedar_is_not_told_makes_no_difference() {
    let group = |n: usize| format!("groups/corp/team-{n}");
    let teams = |all: std::ops::Range<usize>| all.map(group).collect::<Vec<String>>();
    // Who is in none, in the one that is named, in others, and in both.
    let callers = [vec![], vec![group(7)], teams(100..200), teams(0..100)];
    let (mut allowed, mut denied) = (0, 0);
    for condition in CONDITIONS {
        let condition = condition.replace("TEAM", "Group::\"groups/corp/team-7\"");
        let condition = condition.replace("NONE", "Group::\"groups/corp/nobody\"");
        for rules in [
            format!("@id(\"asked\") permit (principal, action, resource) when {{ {condition} }};"),
            format!(
                "@id(\"managers\") permit (principal in Role::\"manager\", action, resource);
                 @id(\"team\") permit (principal in Group::\"groups/corp/team-7\", action, resource);
                 @id(\"asked\") forbid (principal, action, resource) unless {{ {condition} }};"
            ),
        ] {
            let policies = Files::new(&[("all.cedar", &rules)], BINDINGS).open().await.unwrap();
            let plain = PolicySet::from_str(&rules).unwrap();
            for groups in &callers {
                let caller = who("users/corp/ada", &groups.iter().map(String::as_str).collect::<Vec<_>>());
                let roles: &[&str] = match (groups.is_empty(), groups.contains(&group(7))) {
                    (true, _) => &[],
                    (false, false) => &["manager"],
                    (false, true) => &["viewer", "manager"],
                };
                let decision = policies.decide(&ask(&caller, "S/Get", Resource::Workspace("acme")));
                let said = plainly(&plain, &caller, roles);
                assert_eq!((decision.allowed, decision.policies.clone()), said, "{rules}\n{} groups", groups.len());
                *if decision.allowed { &mut allowed } else { &mut denied } += 1;
            }
        }
    }
    assert!(allowed > 30 && denied > 30, "{allowed} are allowed and {denied} are not");
}

//! Decisions.

use std::time::Instant;

use waymark_access::{Granted, Identity, Policies, Resource, Right, Role};

use super::{BINDINGS, Files, ask, told, who};

#[tokio::test]
async fn the_default_policies_say_what_each_role_may_do_in_its_workspaces() {
    let policies = Files::new(&[], BINDINGS).default().await;
    let (viewer, contributor) =
        (who("users/corp/bob", &["groups/corp/everyone"]), who("serviceAccounts/kind/shop/web", &[]));
    let (manager, admin) = (who("users/corp/ada", &[]), who("services/ops/night", &[]));
    let cases = [
        // Who, where, and what decides on Get, Show, Create, Commit and Redrive.
        (&viewer, "acme", ["viewer", "viewer", "!-", "!-", "!-"]),
        (&viewer, "other", ["viewer", "viewer", "!-", "!-", "!-"]),
        (&contributor, "acme", ["contributor", "contributor", "contributor", "!-", "!-"]),
        (&contributor, "team-1", ["contributor", "contributor", "contributor", "!-", "!-"]),
        (&contributor, "team", ["!-"; 5]),
        (&contributor, "other", ["!-"; 5]),
        (&manager, "acme", ["manager", "manager", "manager", "manager", "!-"]),
        (&manager, "other", ["!-"; 5]),
        (&admin, "acme", ["admin"; 5]),
        (&admin, "acme2", ["!-"; 5]),
    ];
    for (identity, workspace, expected) in cases {
        for (action, expected) in ["S/Get", "S/Show", "S/Create", "S/Commit", "S/Redrive"].into_iter().zip(expected) {
            let decision = policies.decide(&ask(identity, action, Resource::Workspace(workspace)));
            assert_eq!(told(&decision), expected, "{} {action} {workspace}", identity.principal);
        }
    }
    let product = |workspace| Resource::Product { workspace, product: "app" };
    let on_product = |action, workspace| told(&policies.decide(&ask(&contributor, action, product(workspace))));
    assert_eq!(on_product("S/UpdateProduct", "acme"), "contributor");
    assert_eq!(on_product("S/GetProduct", "other"), "!-");
}

#[tokio::test]
async fn nobody_is_somebody_else_by_how_it_is_written() {
    let policies = Files::new(&[], BINDINGS).default().await;
    let strangers = [
        who("users/other/ada", &["groups/other/everyone", "groups/corp/everyones"]),
        who("users/corp/ada2", &[]),
        who("users/corp/%2A", &["groups/corp/%2A"]),
        who("serviceAccounts/kind/shops/web", &[]),
        who("serviceAccounts/other/shop/web", &[]),
        who("services/ops", &[]),
        who("services/ops/night/deep", &[]),
        who("users/kind/shop", &["groups/kind/shop"]),
    ];
    for stranger in &strangers {
        let decision = policies.decide(&ask(stranger, "S/Get", Resource::Workspace("acme")));
        assert_eq!(told(&decision), "!-", "{}", stranger.principal);
    }
    let ada = who("users/corp/ada", &["groups/corp/everyone"]);
    for action in ["S/Nothing", "s/get", "read", ""] {
        assert_eq!(told(&policies.decide(&ask(&ada, action, Resource::Workspace("acme")))), "!-", "{action}");
    }
    // Whoever is known may have numbers computed, but nothing that is of a workspace.
    assert_eq!(told(&policies.decide(&ask(&strangers[0], "S/Compute", Resource::Installation))), "without-workspace");
    assert_eq!(told(&policies.decide(&ask(&strangers[0], "S/Create", Resource::Installation))), "!-");
}

#[tokio::test]
async fn who_has_an_audience_is_shown_what_it_sees_and_who_has_a_role_may_look_through_its_eyes() {
    let policies = Files::new(&[], BINDINGS).default().await;
    let customer = who("users/customers/kim", &["groups/customers/gold"]);
    let (viewer, acme) = (who("users/corp/bob", &["groups/corp/everyone"]), Resource::Workspace("acme"));
    let (customers, partners) = ("workspaces/acme/audiences/customers", "workspaces/acme/audiences/partners");
    let decide = |identity, action, resource, audience| {
        told(&policies.decide(&super::Question { audience, ..ask(identity, action, resource) }))
    };
    assert_eq!(decide(&customer, "S/Show", acme, None), format!("audience as {customers}"));
    assert_eq!(decide(&customer, "S/Show", acme, Some(customers)), format!("audience as {customers}"));
    assert_eq!(decide(&customer, "S/Show", acme, Some(partners)), "!-");
    assert_eq!(decide(&customer, "S/Get", acme, None), "!-");
    assert_eq!(decide(&customer, "S/Create", acme, Some(customers)), "!-");
    assert_eq!(decide(&customer, "S/Show", Resource::Workspace("other"), None), "!-");
    assert_eq!(decide(&viewer, "S/Show", acme, None), "viewer");
    assert_eq!(decide(&viewer, "S/Show", acme, Some(partners)), format!("viewer as {partners}"));
    assert_eq!(decide(&viewer, "S/Show", acme, Some("workspaces/other/audiences/customers")), "!-");
    assert_eq!(decide(&viewer, "S/Show", acme, Some("customers")), "!-");
    let both = who("users/corp/bob", &["groups/customers/gold", "groups/corp/everyone"]);
    assert_eq!(decide(&both, "S/Show", acme, None), "viewer", "a role shows more than an audience");
}

#[tokio::test]
async fn what_is_told_of_a_call_can_decide_and_forbid_wins() {
    let rules = r#"
@id("all") permit (principal, action, resource in Workspace::"workspaces/acme");
@id("not-kim") forbid (principal == User::"users/corp/kim", action, resource);
@id("writes-by-certificate") forbid (principal, action in Action::"write", resource) unless { context.certificate || context.validate_only };
@id("not-interns") forbid (principal in Group::"groups/corp/interns", action in Action::"manage", resource);
@id("no-temps") forbid (principal, action in Action::"admin", resource) when { context.groups.contains(Group::"groups/corp/temps") };
@id("frozen") forbid (principal, action in Action::"write", resource == Product::"workspaces/acme/products/old");
"#;
    let policies = Files::new(&[("all.cedar", rules)], BINDINGS).open().await.unwrap();
    let (ada, kim) = (who("users/corp/ada", &[]), who("users/corp/kim", &[]));
    let (intern, temp) = (who("users/corp/i", &["groups/corp/interns"]), who("users/corp/t", &["groups/corp/temps"]));
    let acme = Resource::Workspace("acme");
    let decide = |question: super::Question<'_>| told(&policies.decide(&question));
    assert_eq!(decide(ask(&ada, "S/Get", acme)), "all");
    assert_eq!(decide(ask(&ada, "S/Get", Resource::Workspace("other"))), "!-");
    assert_eq!(decide(ask(&kim, "S/Get", acme)), "!not-kim");
    assert_eq!(decide(ask(&kim, "S/Create", acme)), "!not-kim+writes-by-certificate");
    let create = ask(&ada, "S/Create", acme);
    assert_eq!(decide(create), "!writes-by-certificate");
    assert_eq!(decide(super::Question { certificate: true, ..create }), "all");
    assert_eq!(decide(super::Question { validate_only: true, ..create }), "all");
    assert_eq!(
        (decide(ask(&intern, "S/Commit", acme)), decide(ask(&ada, "S/Commit", acme))),
        ("!not-interns".into(), "all".into())
    );
    assert_eq!(
        (decide(ask(&temp, "S/Redrive", acme)), decide(ask(&ada, "S/Redrive", acme))),
        ("!no-temps".into(), "all".into())
    );
    let product = |product| Resource::Product { workspace: "acme", product };
    let update = |product| super::Question { certificate: true, ..ask(&ada, "S/UpdateProduct", product) };
    assert_eq!((decide(update(product("old"))), decide(update(product("new")))), ("!frozen".into(), "all".into()));
}

#[tokio::test]
async fn what_somebody_is_given_is_told_in_the_order_of_the_file() {
    let policies = Files::new(&[], BINDINGS).default().await;
    let ada = who("users/corp/ada", &["groups/corp/product", "groups/corp/everyone"]);
    let grants = policies.grants(&ada);
    let told: Vec<_> =
        grants.iter().map(|grant| (&grant.gives, &*grant.workspaces, &*grant.member, grant.line)).collect();
    let role = |role| Granted::Role(role);
    let expected = [
        (&role(Role::Viewer), "*", "groups/corp/everyone", 2),
        (&role(Role::Contributor), "acme", "groups/corp/product", 3),
        (&role(Role::Contributor), "team-*", "groups/corp/product", 3),
        (&role(Role::Manager), "acme", "users/corp/ada", 4),
    ];
    assert_eq!(told, expected);
    let there: Vec<_> = policies.grants_in(&ada, "team-1").into_iter().map(|grant| grant.gives).collect();
    assert_eq!(there, [role(Role::Viewer), role(Role::Contributor)]);
    assert!(policies.grants(&who("users/corp/nobody", &[])).is_empty());
    // A binding that is met by several groups is told once.
    let kim = who("users/customers/kim", &["groups/customers/gold", "groups/customers/new"]);
    assert_eq!((policies.grants(&kim).len(), policies.grants_in(&kim, "acme").len()), (1, 1));
}

/// Asked in turns, so that a machine that is busy slows both. `make bench` tells what it takes.
#[tokio::test]
async fn ten_thousand_bindings_cost_what_ten_do() {
    let open = async |others: usize| {
        let other = |n: &str| {
            "  - {role: viewer, members: [groups/corp/team-N, users/corp/uN], workspaces: [wN, wN-*]}\n".replace('N', n)
        };
        let others = (0..others).map(|n| other(&n.to_string())).collect::<String>();
        Files::new(&[], &format!("{BINDINGS}{others}")).default().await
    };
    let (few, many) = (open(10).await, open(10_000).await);
    let groups: Vec<String> = (0..10).map(|n| format!("groups/corp/team-{n}")).collect();
    let identity = who("users/corp/u77", &groups.iter().map(String::as_str).collect::<Vec<_>>());
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..200 {
        let (own, other) = (format!("w{}-{n}", n % 10), format!("w{}-{n}", n % 10 + 10));
        for (workspace, expected) in [(own, "viewer"), (other, "!-")] {
            for (policies, took) in [&few, &many].into_iter().zip(&mut took) {
                let start = Instant::now();
                let decision = policies.decide(&ask(&identity, "S/Get", Resource::Workspace(&workspace)));
                took.push(start.elapsed());
                assert_eq!(told(&decision), expected, "{workspace}");
            }
        }
    }
    let [few, many] = took.map(|mut took| {
        took.sort_unstable();
        took[took.len() / 2]
    });
    assert!(many < few * 2, "{many:?} where few take {few:?}");
}

#[tokio::test]
async fn rights_are_told_with_the_policies_that_give_them_their_worth() {
    let told = |policies: &Policies, identity: &Identity, workspace: Option<&str>| -> Vec<String> {
        let line = |Right { grant, policies }: Right| {
            let given = match grant.gives {
                Granted::Role(role) => role.name().to_owned(),
                Granted::Audience(audience) => format!("as {audience}"),
            };
            format!("{given} in {} to {} by {}", grant.workspaces, grant.member, policies.join("+"))
        };
        policies.rights(identity, workspace).into_iter().map(line).collect()
    };
    let (bob, kim) = (
        who("users/corp/bob", &["groups/corp/product", "groups/corp/everyone"]),
        who("users/customers/kim", &["groups/customers/gold"]),
    );
    let policies = Files::new(&[], BINDINGS).default().await;
    let (everywhere, of_product) = ("viewer in * to groups/corp/everyone by viewer", |workspace| {
        format!("contributor in {workspace} to groups/corp/product by contributor")
    });
    assert_eq!(told(&policies, &bob, None), [everywhere, &of_product("acme"), &of_product("team-*")]);
    assert_eq!(told(&policies, &bob, Some("team-1")), [everywhere, &of_product("team-*")]);
    assert_eq!(told(&policies, &bob, Some("other")), [everywhere]);
    assert_eq!(told(&policies, &kim, None), ["as customers in acme to groups/customers/* by audience"]);
    assert_eq!(told(&policies, &who("users/corp/nobody", &[]), None), Vec::<String>::new());

    let own = "@id(\"reads\") permit (principal in Role::\"viewer\", action in Action::\"read\", resource);
        @id(\"b\") permit (principal, action, resource) when { principal in Role::\"viewer\" || principal in Role::\"admin\" };
        @id(\"never\") forbid (principal in Role::\"viewer\", action == Action::\"S/Redrive\", resource);
        @id(\"here\") permit (principal in Audience::\"workspaces/acme/audiences/customers\", action in Action::\"read\", resource);
        @id(\"there\") permit (principal in Audience::\"workspaces/other/audiences/customers\", action in Action::\"read\", resource);
        @id(\"any\") permit (principal, action in Action::\"read\", resource) when { context has audience && principal in context.audience };
        @id(\"none\") permit (principal, action in Action::\"read\", resource) unless { context has audience };";
    let policies = Files::new(&[("own.cedar", own)], BINDINGS).open().await.unwrap();
    assert_eq!(told(&policies, &bob, Some("other")), ["viewer in * to groups/corp/everyone by b+reads"]);
    let eve = who("users/corp/eve", &[]);
    assert_eq!(told(&policies, &eve, None), ["admin in acme to users/corp/eve by b"]);
    let ada = who("users/corp/ada", &[]);
    assert_eq!(told(&policies, &ada, None), ["manager in acme to users/corp/ada by "], "is worth nothing");
    assert_eq!(told(&policies, &kim, None), ["as customers in acme to groups/customers/* by any+here"]);
}

//! Tokens that are right, and who sends them.

use std::time::Duration;

use serde_json::json;
use waymark_access::Refusal;

use crate::world::{World, claims};
use waymark_access::testing::Signer;

const ALL: &str = "    algorithms: [RS256, RS512, PS256, ES256, ES384, EdDSA]\n";

#[tokio::test]
async fn every_asymmetric_algorithm_is_taken_where_it_is_named() {
    let names = ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"];
    let signers: Vec<Signer> = names.into_iter().map(|name| Signer::new(name, name)).collect();
    let keys: Vec<&Signer> = signers.iter().collect();
    let (all, default) = (World::of_corp(ALL, &keys).await, World::of_corp("", &keys).await);
    for (signer, name) in signers.iter().zip(names) {
        let token = signer.token(&claims(json!({})));
        assert_eq!(all.ask(&token).unwrap().principal.as_str(), "users/corp/ada", "{name}");
        let taken = matches!(name, "RS256" | "ES256");
        assert_eq!(default.ask(&token).map(|_| ()), if taken { Ok(()) } else { Err(Refusal::Algorithm) }, "{name}");
    }
}

#[tokio::test]
async fn a_key_that_says_what_it_is_for_is_for_nothing_else() {
    let signer = Signer::new("k", "RS256");
    let world = World::of_corp(ALL, &[&signer]).await;
    let token = signer.token(&claims(json!({})));
    for (algorithm, taken) in [("RS512", false), ("RS256", true), ("PS256", false)] {
        let mut key = signer.published();
        key["alg"] = json!(algorithm);
        world.write("corp.json", &json!({ "keys": [key] }).to_string());
        world.after(2).await;
        assert_eq!(world.ask(&token).map(|_| ()), if taken { Ok(()) } else { Err(Refusal::Signature) }, "{algorithm}");
    }
}

#[tokio::test]
async fn an_identity_tells_who_by_whom_in_which_groups_until_when() {
    let signer = Signer::new("k", "ES256");
    let world = World::of_corp("    subject: [person, mail]\n    groups: [realm, roles]\n", &[&signer]).await;
    let token = signer.token(&claims(json!({"person": {"mail": "ada@corp"}, "realm": {"roles": ["a/b", "c"]}})));
    let identity = world.ask(&token).unwrap();
    assert_eq!(identity.principal.as_str(), "users/corp/ada@corp");
    assert_eq!(
        identity.groups.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["groups/corp/a%2Fb", "groups/corp/c"]
    );
    assert_eq!((identity.issuer.as_deref(), identity.token_id.as_deref()), (Some("corp"), Some("7")));
    assert_eq!(identity.expires.unwrap() - world.now(), chrono::TimeDelta::seconds(3_630), "leeway included");
}

#[tokio::test]
async fn a_token_is_verified_once_and_remembered_until_it_expires() {
    let signer = Signer::new("k", "ES256");
    let world = World::of_corp("    leeway_seconds: 10\n    longest_age_seconds: 600\n", &[&signer]).await;
    let token = signer.token(&claims(json!({})));
    let first = world.ask(&token).unwrap();
    for _ in 0..100 {
        assert_eq!(world.ask(&token).unwrap(), first);
    }
    let counted = world.authentication.counted();
    assert_eq!((counted.verified, counted.remembered), (1, 100));
    world.hand.advance(Duration::from_secs(609));
    world.ask(&token).unwrap();
    world.hand.advance(Duration::from_secs(1));
    assert_eq!(world.ask(&token), Err(Refusal::TooOld), "what is remembered is no longer valid than the token");
    world.hand.set(chrono::DateTime::from_timestamp(crate::world::START - 11, 0).unwrap());
    assert_eq!(world.ask(&token), Err(Refusal::NotYet), "nor earlier");
}

#[tokio::test]
async fn service_accounts_are_named_by_namespace_and_name() {
    let signer = Signer::new("k", "RS256");
    let world = World::of_corp("    principals: serviceAccounts\n", &[&signer]).await;
    // As the API server of Kubernetes 1.32 writes a projected token.
    let pod = json!({"aud": ["waymark"], "sub": "system:serviceaccount:shop:importer", "nbf": crate::world::START,
        "kubernetes.io": {"namespace": "shop", "pod": {"name": "importer-0", "uid": "u"}, "serviceaccount": {"name": "importer", "uid": "v"}}});
    let header = json!({"alg": "RS256", "kid": "k"}).to_string();
    let identity = world.ask(&signer.signed(&header, &claims(pod).to_string())).unwrap();
    assert_eq!(identity.principal.as_str(), "serviceAccounts/corp/shop/importer");
    for subject in [
        "ada",
        "system:serviceaccount:shop",
        "system:serviceaccount:shop:a:b",
        "system:serviceaccount::a",
        "system:node:a",
    ] {
        assert_eq!(world.ask(&signer.token(&claims(json!({"sub": subject})))), Err(Refusal::Subject), "{subject}");
    }
}

#[tokio::test]
async fn where_people_are_named_no_subject_makes_a_service_account() {
    let signer = Signer::new("k", "ES256");
    let world = World::of_corp("", &[&signer]).await;
    let token = signer.token(&claims(json!({"sub": "system:serviceaccount:kube-system:admin"})));
    assert_eq!(world.ask(&token).unwrap().principal.as_str(), "users/corp/system:serviceaccount:kube-system:admin");
}

#[tokio::test]
async fn required_claims_have_one_of_their_values() {
    let signer = Signer::new("k", "ES256");
    let lines =
        "    required_claims:\n      - {claim: verified, is: true}\n      - {claim: [app, id], is: [web, cli]}\n";
    let world = World::of_corp(lines, &[&signer]).await;
    let ask = |others| world.ask(&signer.token(&claims(others))).map(|_| ());
    assert_eq!(ask(json!({"verified": true, "app": {"id": "cli"}})), Ok(()));
    assert_eq!(ask(json!({"verified": true, "app": {"id": ["other", "web"]}})), Ok(()));
    for lacks in [
        json!({"verified": true}),
        json!({"verified": "true", "app": {"id": "cli"}}),
        json!({"verified": false, "app": {"id": "cli"}}),
        json!({"verified": true, "app": {"id": "other"}}),
        json!({"verified": true, "app": "cli"}),
        json!({"verified": true, "app": {"id": []}}),
    ] {
        assert_eq!(ask(lacks.clone()), Err(Refusal::Required), "{lacks}");
    }
}

#[tokio::test]
async fn groups_are_all_read_or_the_token_is_refused() {
    let signer = Signer::new("k", "ES256");
    let world = World::of_corp("    groups: groups\n", &[&signer]).await;
    let ask = |others| world.ask(&signer.token(&claims(others))).map(|identity| identity.groups.len());
    assert_eq!(ask(json!({})), Ok(0));
    assert_eq!(ask(json!({"groups": "one"})), Ok(1));
    assert_eq!(ask(json!({"groups": vec!["g"; 1_000]})), Ok(1_000));
    for wrong in
        [json!(vec!["g"; 1_001]), json!([1]), json!({"a": 1}), json!([""]), json!(["x".repeat(300)]), json!(true)]
    {
        assert_eq!(ask(json!({"groups": wrong})), Err(Refusal::Groups));
    }
    let elsewhere =
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph"}}});
    assert_eq!(ask(elsewhere), Err(Refusal::GroupsElsewhere));
}

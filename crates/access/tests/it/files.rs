//! The authentication file changes while it is in use.

use serde_json::json;
use waymark_access::{Authentication, Refusal};

use crate::issuers::{file, publish};
use crate::server::Server;
use crate::world::{World, claims};
use waymark_access::testing::Signer;

#[tokio::test]
async fn at_the_start_a_bad_file_is_refused() {
    let world = World::new("certificates: [{dns: a.b, principal: services/a}]", &[("bad.yaml", "issuers: [{}]")]).await;
    let open =
        async |name: &str| Authentication::open(&world.path(name), world.clock.clone()).await.unwrap_err().to_string();
    assert!(open("bad.yaml").await.contains("bad.yaml:1: "));
    assert!(open("none.yaml").await.contains("none.yaml: "));
    assert!(open(".").await.ends_with("it is not a file"));
    world.write("long.yaml", &"#".repeat(2_000_000));
    assert!(open("long.yaml").await.ends_with("it is longer than 1048576 bytes"));
}

#[tokio::test]
async fn a_bad_file_or_none_keeps_the_last_good_one_and_is_told_once() {
    let (server, signer) = (Server::plain(), Signer::new("k", "ES256"));
    publish(&server, &[&signer]);
    let good = file(&server, "");
    let world = World::new(&good, &[]).await;
    world.authentication.refresh().await;
    let token = signer.token(&claims(json!({"iss": server.url})));
    let tell = || (world.authentication.counted().reloads, world.authentication.counted().reloads_failed);
    let path = world.path("authentication.yaml");
    for (n, bad) in
        ["", "issuers: []", &good.replace("waymark", ""), &good[..good.len() / 2], "\tissuers:"].into_iter().enumerate()
    {
        world.change(bad).await;
        world.after(2).await;
        assert_eq!(tell(), (0, n as u64 + 1), "{bad:?}");
        world.ask(&token).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    world.after(2).await;
    world.after(2).await;
    assert_eq!(tell(), (0, 6));
    std::fs::create_dir(&path).unwrap();
    world.after(2).await;
    world.after(2).await;
    assert_eq!(tell(), (0, 7), "another reason is told, too");
    world.ask(&token).unwrap();
    std::fs::remove_dir(&path).unwrap();
    world.change(&good.replace("[waymark]", "[other]")).await;
    assert_eq!(tell(), (1, 7));
    assert_eq!(world.ask(&token), Err(Refusal::Audience), "what was remembered under the file before is not believed");
    assert_eq!(server.asked(), 2, "keys from the same place are kept");
    world.change(&good).await;
    world.ask(&token).unwrap();
}

#[tokio::test]
async fn half_a_file_that_is_being_written_does_not_count() {
    let signer = Signer::new("k", "ES256");
    let lines = "    required_claims: [{claim: staff, is: true}]\n";
    let world = World::of_corp(lines, &[&signer]).await;
    let whole = std::fs::read_to_string(world.path("authentication.yaml")).unwrap();
    let token = signer.token(&claims(json!({})));
    assert_eq!(world.ask(&token), Err(Refusal::Required));
    let half = whole.strip_suffix(lines).unwrap();
    for _ in 0..5 {
        world.write("authentication.yaml", half);
        world.after(2).await;
        world.authentication.refresh().await;
        assert_eq!(world.ask(&token), Err(Refusal::Required));
        world.write("authentication.yaml", &whole);
        world.authentication.refresh().await;
        assert_eq!(world.ask(&token), Err(Refusal::Required));
    }
    assert_eq!(world.authentication.counted().reloads, 0);
    world.change(half).await;
    world.ask(&token).unwrap();
}

#[tokio::test]
async fn an_issuer_that_is_taken_out_is_believed_no_longer_and_readiness_stays() {
    let signer = Signer::new("k", "ES256");
    let world = World::of_corp("    required: true\n", &[&signer]).await;
    let token = signer.token(&claims(json!({})));
    world.ask(&token).unwrap();
    assert!(world.authentication.ready());
    let other =
        "issuers:\n  - {name: away, url: 'https://away', audiences: [a], keys_file: none.json, required: true}\n";
    world.change(other).await;
    assert_eq!(world.ask(&token), Err(Refusal::UnknownIssuer));
    assert_eq!(world.authentication.keys()[0].issuer, "away");
    assert!(world.authentication.ready(), "once ready, always");
}

#[tokio::test]
async fn readiness_waits_for_required_issuers_only() {
    let signer = Signer::new("k", "ES256");
    let file = "issuers:
  - {name: needed, url: 'https://needed', audiences: [a], keys_file: needed.json, required: true}
  - {name: other, url: 'https://other', audiences: [a], keys_file: other.json}
";
    let world = World::new(file, &[]).await;
    world.authentication.refresh().await;
    assert!(!world.authentication.ready());
    world.write("needed.json", &waymark_access::testing::key_set(&[&signer]));
    world.after(2).await;
    assert!(world.authentication.ready());
}

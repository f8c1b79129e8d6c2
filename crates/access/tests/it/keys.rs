//! Keys that rotate, while others ask for keys that never were.

use serde_json::json;
use waymark_access::Refusal;

use crate::issuers::{file, publish};
use crate::server::Server;
use crate::world::{START, World, claims};
use waymark_access::testing::{Signer, key_set};

/// A token of an issuer at `server` that is valid for hours.
fn token(signer: &Signer, server: &Server, id: &str) -> String {
    signer.token(&claims(json!({"iss": server.url, "exp": START + 100_000, "jti": id})))
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once_in_30_s_and_a_rotation_is_seen_within_60_s() {
    const MOST_REQUESTS: usize = 2;
    let (server, old, new) = (Server::plain(), Signer::new("old", "ES256"), Signer::new("new", "ES256"));
    publish(&server, &[&old]);
    let world = World::new(&file(&server, ""), &[]).await;
    world.authentication.refresh().await;
    let rotated = token(&new, &server, "1");
    let mut fetches = vec![0];
    let mut seen = None;
    for second in 1..=240_u64 {
        // Ten thousand in one second, fewer in the others so that the test is short: what is decided does not depend on
        // the number.
        let flood = if second == 100 { 10_000 } else { 20 };
        let mut invented = old.header();
        for n in 0..flood {
            invented["kid"] = json!(format!("{second}-{n}"));
            let body = waymark_access::testing::encode(json!({"iss": server.url}).to_string().as_bytes());
            let junk = format!("{}.{body}.AAAA", waymark_access::testing::encode(invented.to_string().as_bytes()));
            assert_eq!(world.ask(&junk), Err(Refusal::UnknownKey));
        }
        if second == 131 {
            publish(&server, &[&new]);
        }
        let before = server.asked();
        world.after(1).await;
        if server.asked() > before {
            assert!(server.asked() - before <= MOST_REQUESTS, "the document and the keys");
            fetches.push(second);
        }
        if second >= 131 && seen.is_none() && world.ask(&rotated).is_ok() {
            seen = Some(second);
        }
    }
    assert!(fetches.windows(2).all(|pair| pair[1] - pair[0] >= 30), "{fetches:?}");
    assert!(fetches.len() >= 8, "and each time it may: {fetches:?}");
    assert!(seen.is_some_and(|second| second - 131 <= 60), "{seen:?}");
}

#[tokio::test]
async fn a_new_key_is_known_within_30_s_of_the_first_token_that_names_it() {
    let (server, old, new) = (Server::plain(), Signer::new("old", "ES256"), Signer::new("new", "RS256"));
    publish(&server, &[&old]);
    let world = World::new(&file(&server, ""), &[]).await;
    world.authentication.refresh().await;
    world.after(60).await;
    publish(&server, &[&old, &new]);
    let rotated = token(&new, &server, "1");
    assert_eq!(world.ask(&rotated), Err(Refusal::UnknownKey));
    world.authentication.refresh().await;
    world.ask(&rotated).unwrap();
    assert_eq!(world.authentication.keys()[0].ids, ["new", "old"]);
    // The old one is taken back: what was remembered of it goes with it.
    let before = token(&old, &server, "2");
    world.ask(&before).unwrap();
    publish(&server, &[&new]);
    world.after(300).await;
    assert_eq!(world.ask(&before), Err(Refusal::UnknownKey));
    world.ask(&rotated).unwrap();
}

#[tokio::test]
async fn a_changed_key_under_an_old_id_is_found_though_nobody_asks() {
    let (server, old, new) = (Server::plain(), Signer::new("k", "ES256"), Signer::new("k", "ES256"));
    publish(&server, &[&old]);
    let world = World::new(&file(&server, ""), &[]).await;
    world.authentication.refresh().await;
    let (before, after) = (token(&old, &server, "1"), token(&new, &server, "2"));
    world.ask(&before).unwrap();
    publish(&server, &[&new]);
    world.after(299).await;
    assert_eq!((world.ask(&after), server.asked()), (Err(Refusal::Signature), 2), "a wrong signature asks nobody");
    world.after(1).await;
    world.ask(&after).unwrap();
    assert_eq!(world.ask(&before), Err(Refusal::Signature), "remembered or not");
}

#[tokio::test]
async fn keys_of_a_file_are_followed_and_a_bad_file_keeps_the_last_good_ones() {
    let (old, new) = (Signer::new("old", "ES256"), Signer::new("new", "ES256"));
    let world = World::of_corp("", &[&old]).await;
    let (before, after) = (old.token(&claims(json!({}))), new.token(&claims(json!({}))));
    world.ask(&before).unwrap();
    for bad in ["", "{", "{\"keys\": []}", &"x".repeat(2_000_000)] {
        world.write("corp.json", bad);
        world.after(2).await;
        world.ask(&before).unwrap();
    }
    std::fs::remove_file(world.path("corp.json")).unwrap();
    world.after(2).await;
    std::fs::create_dir(world.path("corp.json")).unwrap();
    world.after(2).await;
    world.ask(&before).unwrap();
    std::fs::remove_dir(world.path("corp.json")).unwrap();
    world.write("corp.json", &key_set(&[&new]));
    world.after(2).await;
    world.ask(&after).unwrap();
    assert_eq!(world.ask(&before), Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn a_clock_that_goes_back_stops_no_reading() {
    let (server, old, new) = (Server::plain(), Signer::new("old", "ES256"), Signer::new("new", "ES256"));
    publish(&server, &[&old]);
    let world = World::new(&file(&server, ""), &[]).await;
    world.after(86_400).await;
    publish(&server, &[&new]);
    world.hand.set(chrono::DateTime::from_timestamp(START, 0).unwrap());
    world.authentication.refresh().await;
    world.ask(&token(&new, &server, "1")).unwrap();
}

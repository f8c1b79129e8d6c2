//! Issuers that misbehave while their keys are read: each is told, none is believed, and the next good answer counts.

use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use waymark_access::Refusal;

use crate::server::{Answer, Server};
use crate::world::{World, claims};
use waymark_access::testing::{Signer, key_set};

/// The file of an issuer that is `server`, with more lines.
pub fn file(server: &Server, lines: &str) -> String {
    format!(
        "issuers:\n  - name: corp\n    url: {}\n    audiences: [waymark]\n    timeout_seconds: 1\n{lines}",
        server.url
    )
}

/// Publishes keys the way issuers do.
pub fn publish(server: &Server, signers: &[&Signer]) {
    let document = json!({"issuer": server.url, "jwks_uri": format!("{}/keys", server.url)});
    server.answer("/.well-known/openid-configuration", Answer::Json(document.to_string()));
    server.answer("/keys", Answer::Json(key_set(signers)));
}

#[tokio::test]
async fn no_wrong_answer_is_believed_and_the_next_right_one_counts() {
    let (server, signer) = (Server::plain(), Signer::new("k", "ES256"));
    let world = World::new(&file(&server, "    required: true\n"), &[]).await;
    let token = signer.token(&claims(json!({"iss": server.url})));
    let elsewhere = Server::plain();
    publish(&elsewhere, &[&signer]);
    elsewhere.answer("/", Answer::Json(key_set(&[&signer])));
    let document = "/.well-known/openid-configuration";
    let names = |issuer: &str, keys: &str| Answer::Json(json!({"issuer": issuer, "jwks_uri": keys}).to_string());
    let good = names(&server.url, &format!("{}/keys", server.url));
    let wrongs = [
        (
            document,
            Answer::Raw("302 Found", format!("location: {}/.well-known/openid-configuration\r\n", elsewhere.url), ""),
        ),
        (document, Answer::Raw("200 OK", "content-type: text/html\r\n".to_owned(), "<html>sign in</html>")),
        (document, Answer::Raw("500 Internal Server Error", String::new(), "{}")),
        (document, Answer::Raw("204 No Content", String::new(), "")),
        (document, Answer::Huge),
        (document, Answer::Never),
        (document, names(&format!("{}/", server.url), &format!("{}/keys", server.url))),
        (document, names("https://other", &format!("{}/keys", server.url))),
        (document, names(&server.url, "http://keys.example.com/keys")),
        (document, names(&server.url, "file:///etc/passwd")),
        (document, names(&server.url, "keys")),
        (document, good.clone()),
        ("/keys", Answer::Raw("307 Temporary Redirect", format!("location: {}/\r\n", elsewhere.url), "")),
        ("/keys", Answer::Raw("200 OK", String::new(), "<html>")),
        ("/keys", Answer::Json("{\"keys\": []}".to_owned())),
        ("/keys", Answer::Json(format!("{}{}", key_set(&[&signer]), " ".repeat(1024 * 1024)))),
        ("/keys", Answer::Huge),
        ("/keys", Answer::Never),
    ];
    let tries = wrongs.len() as u64;
    for (n, (path, answer)) in wrongs.into_iter().enumerate() {
        server.answer(path, answer);
        let start = Instant::now();
        world.after(31).await;
        assert!(start.elapsed() < Duration::from_secs(3), "{n} is bounded in time: {:?}", start.elapsed());
        assert_eq!(world.ask(&token), Err(Refusal::KeysUnavailable), "{n}");
        assert!(!world.authentication.ready(), "{n}");
    }
    assert_eq!(elsewhere.asked(), 0, "no redirect is followed");
    assert_eq!(world.authentication.counted().keys_failed, tries);
    server.answer("/keys", Answer::Json(key_set(&[&signer])));
    world.after(31).await;
    assert_eq!(world.ask(&token).unwrap().principal.as_str(), "users/corp/ada");
    assert!(world.authentication.ready());
}

#[tokio::test]
async fn first_keys_are_asked_for_sooner_and_later_failures_take_nothing() {
    let (server, signer) = (Server::plain(), Signer::new("k", "ES256"));
    let world = World::new(&file(&server, ""), &[]).await;
    world.authentication.refresh().await;
    assert!(world.authentication.ready(), "it is not required");
    publish(&server, &[&signer]);
    world.after(1).await;
    let token = signer.token(&claims(json!({"iss": server.url, "exp": crate::world::START + 10_000})));
    world.ask(&token).unwrap();
    server.answer("/keys", Answer::Raw("500 Internal Server Error", String::new(), ""));
    // An hour of token time, in steps that are at least as long as any wait.
    for _ in 0..60 {
        world.after(61).await;
        world.ask(&token).unwrap();
    }
    let fresh = signer.token(&claims(json!({"iss": server.url, "exp": crate::world::START + 10_000, "jti": "8"})));
    world.ask(&fresh).unwrap();
    let counted = world.authentication.counted();
    assert!(counted.keys_failed > 50, "{counted:?}");
    assert_eq!(counted.refused.iter().map(|(_, times)| times).sum::<u64>(), 0);
}

#[tokio::test]
async fn a_slow_issuer_keeps_no_other_waiting() {
    let (slow, fast, signer) = (Server::plain(), Server::plain(), Signer::new("k", "ES256"));
    slow.answer("/.well-known/openid-configuration", Answer::Never);
    publish(&fast, &[&signer]);
    let both = format!("{}{}", file(&slow, ""), file(&fast, "").replace("issuers:\n", "").replace("corp", "fast"));
    let world = World::new(&both.replace("timeout_seconds: 1", "timeout_seconds: 60"), &[]).await;
    let token = signer.token(&claims(json!({"iss": fast.url})));
    let taken = async {
        while slow.asked() == 0 || world.ask(&token).is_err() {
            tokio::task::yield_now().await;
        }
    };
    let start = Instant::now();
    tokio::time::timeout(Duration::from_secs(30), world.authentication.run(taken, drop)).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
}

/// An authority, and a server of `localhost` that it vouches for.
fn authority() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let issuer = Issuer::from_params(&params, &key);
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&server_key, &issuer).unwrap();
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    (certificate.pem(), config.with_no_client_auth().with_single_cert(vec![server.der().clone()], key).unwrap())
}

#[tokio::test]
async fn keys_are_read_with_the_authority_and_the_token_of_files_each_time() {
    let ((pem, config), (other, _)) = (authority(), authority());
    let (server, signer) = (Server::tls(config), Signer::new("k", "ES256"));
    publish(&server, &[&signer]);
    let lines = "    ca_file: ca.pem\n    token_file: token\n";
    let world = World::new(&file(&server, lines), &[("ca.pem", &other), ("token", "first\n")]).await;
    let known = || world.authentication.keys()[0].read.is_some();
    world.after(31).await;
    assert!(
        !known() && server.asked() == 0,
        "another authority's certificate is not believed, and the token is not sent"
    );
    for wrong in ["", "no certificate"] {
        world.write("ca.pem", wrong);
        world.after(31).await;
        assert!(!known(), "{wrong:?} is no reason to trust anybody");
    }
    world.write("ca.pem", &pem);
    world.write("token", "a\nb");
    world.after(31).await;
    assert!(!known() && server.asked() == 0, "no header");
    world.write("token", "second\n");
    world.after(31).await;
    assert!(known());
    world.write("token", "third");
    world.after(301).await;
    let tokens: Vec<Option<String>> = server.requests().into_iter().map(|(_, authorization)| authorization).collect();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(tokens, [bearer("second"), bearer("second"), bearer("third"), bearer("third")]);
}

#[tokio::test]
async fn the_machines_authorities_do_not_vouch_for_strangers() {
    let (_, config) = authority();
    let (server, signer) = (Server::tls(config), Signer::new("k", "ES256"));
    publish(&server, &[&signer]);
    let world = World::new(&file(&server, ""), &[]).await;
    world.authentication.refresh().await;
    assert_eq!((world.authentication.keys()[0].read, server.asked()), (None, 0));
}

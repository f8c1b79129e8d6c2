//! NATS as companies run it: by certificates, by credentials that are renewed, with several servers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use waymark_testkit::{NatsServer, PLANTED, wait_until};
use waymark_tls::testing::Authority;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

async fn connected(client: &async_nats::Client) {
    wait_until("a connection to NATS", PATIENCE, async || client.connection_state() == State::Connected).await;
    // Nothing is sent to a server that let nobody in.
    client.flush().await.unwrap();
}

#[tokio::test]
async fn certificates_prove_both_sides_to_each_other() {
    let (authority, folder) = (Authority::new("brokers"), tempfile::tempdir().unwrap());
    let (certificate, key) = authority.issue(&["127.0.0.1"]).put(folder.path(), "tls");
    let client = authority.client(folder.path(), Some(&authority.issue(&["roadmap"])));
    let ca = client.ca.clone().unwrap();
    let server = NatsServer::start_configured(&format!(
        "tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}"
    ));
    let args = EventArgs {
        nats_ca: client.ca,
        nats_certificate: client.certificate,
        nats_key: client.key,
        ..EventArgs::default()
    };
    connected(&connect(&server.unwrap().url(), &args, "test").await.unwrap()).await;
}

#[tokio::test]
async fn who_names_an_authority_is_not_spoken_to_without_tls() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new("brokers").client(folder.path(), None).ca;
    let args = EventArgs { nats_ca: ca, ..EventArgs::default() };
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let _client = connect(&url, &args, "test").await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let info = json!({"server_id": "x", "server_name": "x", "version": "2.10.0", "go": "", "host": "", "port": 1,
        "max_payload": 1024, "proto": 1, "client_id": 1, "headers": true, "tls_required": false});
    stream.write_all(format!("INFO {info}\r\n").as_bytes()).await.unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, [22], "a handshake of TLS, not what it would be let in by");
}

#[tokio::test]
async fn one_of_several_servers_will_do() {
    let server = NatsServer::start().await.unwrap();
    let none = waymark_testkit::free_address();
    let several = format!("nats://{none}, {}", server.url());
    connected(&connect(&several, &EventArgs::default(), "test").await.unwrap()).await;
    let refused = connect("nats://a:planted-secret@one,,nats://two", &EventArgs::default(), "test").await.unwrap_err();
    assert!(refused.to_string().contains("address 2") && !format!("{refused:?}").contains(PLANTED), "{refused:?}");
}

/// A statement of `by` about `of`, as `nsc` writes it.
fn signed_by(by: &KeyPair, of: &str, nats: &serde_json::Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(json!({"typ": "JWT", "alg": "ed25519-nkey"}).to_string());
    let claims =
        json!({"jti": "X", "iat": 1_700_000_000, "iss": by.public_key(), "name": "test", "sub": of, "nats": nats});
    let said = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = by.sign(said.as_bytes()).unwrap();
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A server's configuration that knows one account, and a file of credentials of one of its users.
fn account(operator: &KeyPair) -> (String, String) {
    let (account, user) = (KeyPair::new_account(), KeyPair::new_user());
    let no_limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1});
    let operated = signed_by(operator, &operator.public_key(), &json!({"type": "operator", "version": 2}));
    let known = json!({"type": "account", "version": 2, "limits": no_limits});
    let known = signed_by(operator, &account.public_key(), &known);
    let jwt = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let jwt = signed_by(&account, &user.public_key(), &jwt);
    let name = account.public_key();
    let configuration = format!("operator: {operated}\nresolver: MEMORY\nresolver_preload: {{ {name}: {known} }}\n");
    let seed = user.seed().unwrap();
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    );
    (configuration, credentials)
}

#[tokio::test]
async fn credentials_are_read_again_when_it_connects_again() {
    let folder = tempfile::tempdir().unwrap();
    let (operator, file) = (KeyPair::new_operator(), folder.path().join("user.creds"));
    let (configuration, credentials) = account(&operator);
    std::fs::write(&file, credentials).unwrap();
    let mut server = NatsServer::start_configured(&configuration).unwrap();
    let args = EventArgs { nats_credentials: Some(file.clone()), ..EventArgs::default() };
    let client = connect(&server.url(), &args, "test").await.unwrap();
    connected(&client).await;

    // The user of before is known no more.
    let (configuration, credentials) = account(&operator);
    server.kill();
    wait_until("the end of the connection", PATIENCE, async || client.connection_state() != State::Connected).await;
    std::fs::write(&file, credentials).unwrap();
    server.configure(&configuration).unwrap();
    connected(&client).await;
}

#[tokio::test]
async fn credentials_that_are_none_are_told_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let args = EventArgs { nats_credentials: Some(file.path().to_owned()), ..EventArgs::default() };
    for (text, wrong) in [
        ("", "it holds no NATS USER JWT"),
        ("-----BEGIN NATS USER JWT-----\nx\n", "it holds no USER NKEY SEED"),
        (
            "-----BEGIN NATS USER JWT-----\nx\n-----BEGIN USER NKEY SEED-----\nSUplanted-secret\n",
            "its seed cannot be used",
        ),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let refused = format!("{:#}", connect("nats://localhost", &args, "test").await.unwrap_err());
        assert!(refused.contains(wrong) && refused.contains("credentials file"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
}

#[tokio::test]
async fn users_and_passwords_of_addresses_and_files_are_sent() {
    let configuration = |password: &str| format!("authorization {{ user: \"a b\", password: \"{password}\" }}");
    let mut server = NatsServer::start_configured(&configuration("planted-secret/1")).unwrap();
    let at = |user: &str| server.url().replace("nats://", &format!("nats://{user}@"));
    let (by_address, by_file) = (at("a%20b:planted-secret%2F1"), at("a%20b"));
    connected(&connect(&by_address, &EventArgs::default(), "test").await.unwrap()).await;

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "planted-secret/1\n").unwrap();
    let args = EventArgs { nats_password_file: Some(file.path().to_owned()), ..EventArgs::default() };
    let client = connect(&by_file, &args, "test").await.unwrap();
    connected(&client).await;
    server.kill();
    wait_until("the end of the connection", PATIENCE, async || client.connection_state() != State::Connected).await;
    std::fs::write(file.path(), "planted-secret-2\n").unwrap();
    server.configure(&configuration("planted-secret-2")).unwrap();
    connected(&client).await;

    for (url, args, why) in [
        ("nats://one", &args, "needs a user"),
        ("nats://a:planted-secret@one", &args, "leave one out"),
        ("nats://a:planted-secret@one,nats://b:planted-secret@two", &EventArgs::default(), "several users"),
    ] {
        let refused = format!("{:?}", connect(url, args, "test").await.unwrap_err());
        assert!(refused.contains(why) && !refused.contains(PLANTED), "{refused}");
    }
}

#[tokio::test]
async fn a_token_of_an_address_is_sent() {
    let server = NatsServer::start_configured("authorization { token: planted-secret }").unwrap();
    let url = server.url().replace("nats://", "nats://planted-secret@");
    connected(&connect(&url, &EventArgs::default(), "test").await.unwrap()).await;
}

//! Who calls, as the authentication file says: tokens and certificates over the wire, what is told of those that are not
//! taken, and streams that outlive their token.

use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use waymark_access::testing::{Signer, key_set};
use waymark_tls::testing::{Authority, Issued};

use super::tls::Encrypted;
use super::*;
use crate::authentication;
use crate::config::Asked;
use crate::proxies::Proxies;

/// A process with an authentication file, and the key that its issuer signs by.
pub(super) struct World {
    pub(super) host: Host,
    folder: TempDir,
    signer: Signer,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new("one", "ES256");
        std::fs::write(folder.path().join("keys.json"), key_set(&[&signer])).unwrap();
        let file = "
issuers:
  - {name: corp, url: 'https://corp', audiences: [waymark], keys_file: keys.json, groups: groups, leeway_seconds: 0, required: true}
  - {name: away, url: 'https://away', audiences: [waymark], keys_file: none.json}
certificates:
  - {uri: 'spiffe://test/sa/*', principal: services/*}
roles:
  - {role: contributor, members: [groups/corp/product, services/importer]}
  - {role: viewer, members: [users/corp/bob]}
";
        std::fs::write(folder.path().join("authentication.yaml"), file).unwrap();
        let mut host = Host::local(Clock::system(), Ids::seeded(1)).unwrap();
        host.authenticator = authentication::open(&folder.path().join("authentication.yaml"), &host).await.unwrap();
        let ready = host.readiness.watch().wait_for(|ready| *ready).await.map(|_| ());
        ready.unwrap();
        Self { host, folder, signer }
    }

    async fn serve(&self) -> Fixture {
        serve_on(self.host.clone(), ServerArgs::default()).await
    }

    /// A token of ada, who is in the group that may write, with these claims in place.
    pub(super) fn token(&self, others: Value) -> String {
        let now = self.host.clock.now().timestamp();
        let mut claims =
            json!({"iss": "https://corp", "aud": "waymark", "sub": "ada", "exp": now + 60, "groups": ["product"]});
        let Value::Object(others) = others else { panic!("claims are an object") };
        claims.as_object_mut().unwrap().extend(others);
        self.signer.token(&claims)
    }
}

fn with(credentials: &str) -> tonic::Request<String> {
    let mut request = text("");
    request.metadata_mut().insert("authorization", credentials.parse().unwrap());
    request
}

fn refusal(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info().unwrap();
    (status.code(), info.metadata.get("refusal").cloned().unwrap_or(info.reason))
}

#[tokio::test]
async fn a_token_tells_who_calls_and_its_groups_what_it_may() {
    let world = World::new().await;
    let served = world.serve().await;
    let mut request = with(&format!("Bearer {}", world.token(json!({}))));
    for (key, value) in [("waymark-actor", "users/root"), ("waymark-role", "admin")] {
        request.metadata_mut().insert(key, value.parse().unwrap());
    }
    assert_eq!(
        served.call("Caller", request).await.unwrap(),
        "users/corp/ada",
        "what it says of itself is not believed"
    );
    for (claims, role) in
        [(json!({"sub": "bob", "groups": []}), "has viewer"), (json!({"groups": ["sales"]}), "has none")]
    {
        let refused = served.call("Caller", with(&format!("Bearer {}", world.token(claims)))).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::PermissionDenied, "PERMISSION_DENIED".into()));
        assert!(refused.message().contains(role) && refused.message().contains("`roles`"), "{}", refused.message());
    }
    let text = served.host.telemetry.prometheus().unwrap();
    for line in [("waymark_access_tokens_total", "outcome=\"verified\""), ("waymark_access_keys{", "issuer=\"corp\"")] {
        assert!(
            text.lines().any(|l| l.starts_with(line.0) && l.contains(line.1) && !l.ends_with(" 0")),
            "{line:?}: {text}"
        );
    }
}

#[tokio::test]
async fn credentials_that_are_not_taken_are_told_why_and_what_to_do() {
    let world = World::new().await;
    let served = world.serve().await;
    let now = world.host.clock.now().timestamp();
    let other = Signer::new("one", "ES256");
    let forged = other.token(&json!({"iss": "https://corp", "aud": "waymark", "sub": "ada", "exp": now + 60}));
    let bearer = |token: &str| format!("Bearer {token}");
    let cases = [
        (String::new(), "scheme", "Bearer TOKEN"),
        ("Basic YTpi".to_owned(), "scheme", "Bearer TOKEN"),
        ("Bearer ".to_owned(), "malformed", "JSON web token"),
        (bearer(&forged), "signature", "signature"),
        (bearer(&world.token(json!({"exp": now - 1}))), "expired", "get a new one"),
        (bearer(&world.token(json!({"aud": "billing"}))), "audience", "for Waymark"),
        (bearer(&world.token(json!({"iss": "https://evil"}))), "unknown_issuer", "issuer"),
        (bearer(&"x".repeat(60_000)), "too_long", "16384 bytes"),
    ];
    for (credentials, why, told) in cases {
        let refused = served.call("Caller", with(&credentials)).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::Unauthenticated, why.to_owned()), "{credentials}");
        assert!(refused.message().contains(told), "{}", refused.message());
    }
    let refused = served.call("Caller", text("")).await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::Unauthenticated, "no_credentials".to_owned()));
    // Its keys may come, so the caller is asked to try again.
    let away = served.call("Caller", with(&bearer(&world.token(json!({"iss": "https://away"}))))).await.unwrap_err();
    assert_eq!(reason(&away), (Code::Unavailable, "UNAVAILABLE".into()));
    assert!(away.get_details_retry_info().unwrap().retry_delay.is_some());
}

#[tokio::test]
async fn a_peer_that_fails_too_often_keeps_those_who_are_known() {
    let world = World::new().await;
    let limits = LimitArgs { max_peer_failed_sign_ins: 3, ..LimitArgs::default() };
    let served = serve_on(world.host.clone(), ServerArgs { limits, ..ServerArgs::default() }).await;
    let known = format!("Bearer {}", world.token(json!({})));
    served.call("Caller", with(&known)).await.unwrap();
    for i in 0..3 {
        let refused = served.call("Caller", with(&format!("Bearer junk{i}"))).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "malformed");
    }
    let new = format!("Bearer {}", world.token(json!({"jti": "new"})));
    for token in ["Bearer junk", &new] {
        let refused = served.call("Caller", with(token)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::ResourceExhausted, "RATE_LIMITED".into()), "{token}");
        assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    }
    assert_eq!(served.call("Caller", with(&known)).await.unwrap(), "users/corp/ada", "it was taken before");
}

#[tokio::test]
async fn who_calls_by_a_trusted_proxy_is_held_up_by_its_own_failures_alone() {
    let mut world = World::new().await;
    world.host.proxies = Proxies::new(["127.0.0.0/8".parse().unwrap()]);
    let limits = LimitArgs { max_peer_failed_sign_ins: 2, ..LimitArgs::default() };
    let served = serve_on(world.host.clone(), ServerArgs { limits, ..ServerArgs::default() }).await;
    let token = format!("Bearer {}", world.token(json!({})));
    let calls = async |address: &str, credentials: &str| {
        let mut request = with(credentials);
        request.metadata_mut().insert("x-forwarded-for", address.parse().unwrap());
        served.call("Caller", request).await.map_err(|status| status.code())
    };
    for _ in 0..2 {
        assert_eq!(calls("203.0.113.1", "Bearer junk").await, Err(Code::Unauthenticated));
    }
    assert_eq!(calls("203.0.113.1", &token).await, Err(Code::ResourceExhausted));
    assert_eq!(calls("203.0.113.2", &token).await.as_deref(), Ok("users/corp/ada"));
}

#[tokio::test]
async fn a_client_certificate_tells_who_calls_where_no_token_does() {
    let world = World::new().await;
    let clients = Authority::new("clients");
    let asked = Some((Asked::Optional, &clients));
    let server = Encrypted::start_on(world.host.clone(), asked, LimitArgs::default()).await;
    let who = async |shown: Option<&Issued>, request| {
        let (_folder, files) = server.client(shown);
        call(server.channel(&files), "Caller", request).await
    };
    let importer = clients.issue(&["spiffe://test/sa/importer"]);
    assert_eq!(who(Some(&importer), text("")).await.unwrap(), "services/importer");
    let bearer = format!("Bearer {}", world.token(json!({})));
    assert_eq!(who(Some(&importer), with(&bearer)).await.unwrap(), "users/corp/ada", "a token is of who calls");
    let refused = who(Some(&importer), with("Bearer nonsense")).await.unwrap_err();
    assert_eq!(refusal(&refused).1, "malformed", "a bad token is not made up for by a certificate");
    for (shown, why) in
        [(Some(clients.issue(&["spiffe://other/sa/importer"])), "certificate"), (None, "no_credentials")]
    {
        let refused = who(shown.as_ref(), text("")).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::Unauthenticated, why.to_owned()));
    }
}

#[tokio::test]
async fn a_stream_does_not_outlive_its_token() {
    let world = World::new().await;
    let served = world.serve().await;
    let began = Instant::now();
    let expires = world.host.clock.now().timestamp() + 2;
    let bearer = format!("Bearer {}", world.token(json!({"exp": expires})));
    let mut stream = served.stream(with(&bearer), "Stream").await;
    assert_eq!(stream.message().await.unwrap().as_deref(), Some("first"));
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.message()).await.expect("it ends").unwrap_err();
    assert_eq!(refusal(&ended), (Code::Unauthenticated, "expired".to_owned()));
    assert!(began.elapsed() > Duration::from_secs(1), "not before the token");
}

#[tokio::test]
async fn readiness_waits_for_the_first_keys_of_what_is_required_and_never_later() {
    let world = World::new().await;
    std::fs::remove_file(world.folder.path().join("keys.json")).unwrap();
    let host = Host::local(Clock::system(), Ids::seeded(1)).unwrap();
    authentication::open(&world.folder.path().join("authentication.yaml"), &host).await.unwrap();
    let mut ready = host.readiness.watch();
    tokio::time::timeout(Duration::from_millis(300), ready.wait_for(|ready| *ready)).await.unwrap_err();
    assert_eq!(host.readiness.waiting_for(), ["first keys of the issuers that are required"]);
    std::fs::write(world.folder.path().join("keys.json"), key_set(&[&world.signer])).unwrap();
    let ready = tokio::time::timeout(Duration::from_mins(1), ready.wait_for(|ready| *ready)).await;
    assert!(*ready.expect("the keys are read when they are there").unwrap());
    // `waymark_access` reads on; that an issuer goes away later changes nothing is tested there.
}

#[tokio::test]
async fn the_development_authenticator_is_refused_off_loopback() {
    let host = Host::local(Clock::system(), Ids::system()).unwrap();
    let start = async |listen: &str| {
        let tls = TlsArgs { plaintext: true, ..TlsArgs::default() };
        let args = ServerArgs { listen: Some(listen.parse().unwrap()), tls, ..ServerArgs::default() };
        let server = Server::new(&host, &args, "127.0.0.1:0".parse().unwrap()).service(Misbehave);
        assert_eq!(server.check().is_ok(), listen.starts_with("127."));
        server.start().await
    };
    let refused = start("0.0.0.0:0").await.unwrap_err();
    assert!(matches!(refused, Error::Exposed(_)) && refused.to_string().contains("--authentication"), "{refused}");
    assert!(start("127.0.0.1:0").await.is_ok());
}

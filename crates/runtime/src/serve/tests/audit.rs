//! What is recorded of calls: refusals and what manages, by whom and from where, and nothing else.

use std::sync::Mutex;

use futures::future::BoxFuture;
use serde_json::json;

use waymark_tls::testing::Authority;

use super::callers::World;
use super::tls::Encrypted;
use super::*;
use crate::audit::AuditDecision::{self, Allowed, Refused};
use crate::audit::{AuditEntry, Sink};
use crate::config::Asked;
use crate::proxies::Proxies;

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<AuditEntry>>);

impl Sink for Kept {
    fn keep<'a>(&'a self, entries: &'a [AuditEntry]) -> BoxFuture<'a, anyhow::Result<()>> {
        self.0.lock().unwrap().extend_from_slice(entries);
        Box::pin(async { Ok(()) })
    }
}

/// A served host, and what it has recorded when it has ended.
struct Recorded {
    fixture: Fixture,
    kept: Arc<Kept>,
}

impl Recorded {
    async fn on(host: Host) -> Self {
        let kept = Arc::new(Kept::default());
        let audit = Audit::start(&host, "test", Arc::clone(&kept) as Arc<dyn Sink>);
        Self { fixture: serve_audited(host, ServerArgs::default(), Some(&audit)).await, kept }
    }

    async fn end(self) -> Vec<AuditEntry> {
        let Fixture { host, running, channel } = self.fixture;
        drop(channel);
        host.stop(vec![running]).await;
        let mut entries = std::mem::take(&mut *self.kept.0.lock().unwrap());
        entries.sort_by(|one, other| one.action.cmp(&other.action));
        entries
    }
}

fn as_role(role: &str) -> tonic::Request<String> {
    let mut request = text("");
    for (key, value) in [("waymark-actor", "users/ada"), ("waymark-role", role)] {
        request.metadata_mut().insert(key, value.parse().unwrap());
    }
    request
}

fn outline(entries: &[AuditEntry]) -> Vec<(&str, AuditDecision, &str, i64)> {
    let action = |entry: &'_ AuditEntry| entry.action.rfind('/').map_or(0, |at| at + 1);
    entries.iter().map(|e| (&e.action[action(e)..], e.decision(), e.reason.as_str(), e.count)).collect()
}

#[tokio::test]
async fn refusals_and_what_manages_are_recorded_once_they_have_ended_and_nothing_else_is() {
    let served = Recorded::on(Host::local(Clock::system(), Ids::seeded(1)).unwrap()).await;
    let call = async |method: &str, role: &str| served.fixture.call(method, as_role(role)).await.map_err(|s| s.code());
    for _ in 0..3 {
        assert_eq!(call("Echo", "viewer").await, Err(Code::PermissionDenied));
    }
    assert_eq!(call("Secret", "admin").await, Err(Code::PermissionDenied));
    assert_eq!(call("Who", "root").await, Err(Code::Unauthenticated));
    assert_eq!(call("Manage", "contributor").await, Err(Code::PermissionDenied));
    call("Manage", "manager").await.unwrap();
    call("Manage", "admin").await.unwrap();
    assert!(call("ManageBroken", "manager").await.is_err());
    call("Echo", "contributor").await.unwrap();
    assert!(call("Broken", "contributor").await.is_err());
    let left = served.fixture.call("ManageSleep", as_role("manager"));
    assert!(tokio::time::timeout(Duration::from_millis(100), left).await.is_err());
    let entries = served.end().await;
    let mut found = outline(&entries);
    found.sort_unstable_by_key(|(action, decision, reason, _)| (*action, *decision as i32, *reason));
    let expected = [
        ("Echo", Refused, "PERMISSION_DENIED", 3),
        ("Manage", Allowed, "", 1),
        ("Manage", Allowed, "", 1),
        ("Manage", Refused, "PERMISSION_DENIED", 1),
        ("ManageBroken", Allowed, "REVISION_EXPIRED", 1),
        ("ManageSleep", Allowed, "CANCELLED", 1),
        ("Secret", Refused, "PERMISSION_DENIED", 1),
        ("Who", Refused, "UNAUTHENTICATED:metadata", 1),
    ];
    assert_eq!(found, expected);
    let echo = &entries[0];
    assert_eq!((echo.principal.as_str(), echo.peer.as_str()), ("users/ada", "127.0.0.1"));
    assert!(echo.user_agent.starts_with("tonic/") && echo.latency.is_some() && echo.time.is_some(), "{echo:?}");
    assert_eq!((echo.workspace.as_str(), entries.last().unwrap().principal.as_str()), ("workspaces/installation", ""));
}

#[tokio::test]
async fn handshakes_that_fail_are_recorded_and_looks_whether_somebody_listens_are_not() {
    let host = Host::local(Clock::system(), Ids::seeded(1)).unwrap();
    let kept = Arc::new(Kept::default());
    let audit = Audit::start(&host, "test", Arc::clone(&kept) as Arc<dyn Sink>);
    let clients = Authority::new("clients");
    let asked = Some((Asked::Required, &clients));
    let server = Encrypted::start_audited(host, asked, LimitArgs::default(), Some(&audit)).await;
    let strange = Authority::new("others").issue(&["waymark"]);
    for _ in 0..3 {
        assert!(server.who(Some(&strange)).await.is_err());
    }
    assert!(server.who(None).await.is_err());
    drop(TcpStream::connect(server.served.running.address()).await.unwrap());
    server.who(Some(&clients.issue(&["waymark"]))).await.unwrap();
    let entries = Recorded { fixture: server.served, kept }.end().await;
    let handshakes: Vec<_> = outline(&entries).into_iter().filter(|entry| entry.0 == "handshake").collect();
    let [(_, Refused, reason, count), (_, Refused, other, 1)] = handshakes.as_slice() else { panic!("{entries:?}") };
    assert!(*count >= 3 && reason != other, "{handshakes:?}");
    assert!([reason, other].iter().any(|reason| reason.contains("UnknownIssuer")), "{handshakes:?}");
    assert!(entries.iter().all(|entry| entry.peer == "127.0.0.1"));
}

#[tokio::test]
async fn an_entry_tells_by_which_token_from_where_and_in_which_trace_and_nothing_that_is_secret() {
    let mut world = World::new().await;
    world.host.proxies = Proxies::new(["127.0.0.0/8".parse().unwrap()]);
    let served = Recorded::on(world.host.clone()).await;
    let token = world.token(json!({"sub": "bob", "groups": [], "jti": "token-7"}));
    let expired = world.token(json!({"exp": 1, "jti": "token-8"}));
    let asked = |token: &str| {
        let mut request = text("a planted-secret in the message");
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
        metadata.insert("x-forwarded-for", "1.2.3.4, 198.51.100.1".parse().unwrap());
        metadata.insert("x-api-key", "planted-secret".parse().unwrap());
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        metadata.insert("traceparent", trace.parse().unwrap());
        request
    };
    assert!(served.fixture.call("Echo", asked(&token)).await.is_err());
    assert!(served.fixture.call("Who", asked(&expired)).await.is_err());
    let entries = served.end().await;
    let found = outline(&entries);
    assert_eq!(found, [("Echo", Refused, "PERMISSION_DENIED", 1), ("Who", Refused, "UNAUTHENTICATED:expired", 1)]);
    let (known, unknown) = (&entries[0], &entries[1]);
    let by = (known.principal.as_str(), known.issuer.as_str(), known.token_id.as_str());
    assert_eq!(by, ("users/corp/bob", "corp", "token-7"));
    assert_eq!(
        (unknown.principal.as_str(), unknown.token_id.as_str()),
        ("", ""),
        "what nobody vouches for is not told"
    );
    for entry in &entries {
        assert_eq!((entry.peer.as_str(), &*entry.trace_id), ("198.51.100.1", "0af7651916cd43dd8448eb211c80319c"));
        let whole = format!("{entry:?}");
        assert!(!whole.contains("planted") && ![&token, &expired].iter().any(|token| whole.contains(token.as_str())));
    }
}

#[tokio::test]
async fn a_stream_that_goes_on_beyond_its_token_is_recorded_and_one_that_is_left_is_not() {
    let world = World::new().await;
    let served = Recorded::on(world.host.clone()).await;
    let with = |exp: i64| {
        let mut request = text("");
        let token = world.token(json!({"exp": world.host.clock.now().timestamp() + exp}));
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    let mut left = served.fixture.stream(with(60), "Stream").await;
    left.message().await.unwrap();
    let mut cut = served.fixture.stream(with(2), "Stream").await;
    while let Ok(Some(_)) = cut.message().await {}
    drop((left, cut));
    let mut entries = served.end().await;
    // One of the issuers is away, which is found out when its time has come.
    entries.retain(|entry| entry.action != "keys.reload");
    assert_eq!(outline(&entries), [("Stream", Refused, "UNAUTHENTICATED:expired", 1)]);
    assert_eq!(entries[0].principal, "users/corp/ada");
}

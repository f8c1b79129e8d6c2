//! TLS as clients meet it: certificates that change under load, authorities that go, clients that show nothing or too
//! little, connections that say nothing or last too long.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tower::ServiceExt as _;
use waymark_proto::roadmap::v1::GetProductRequest;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_tls::testing::{Authority, Issued};
use waymark_tls::{ClientFiles, Connector, PeerCertificate};

use super::*;
use crate::config::Asked;

/// Names that clients reach the server under.
const LOCAL: [&str; 2] = ["localhost", "127.0.0.1"];

/// A server that shows what lies in a folder.
pub(super) struct Encrypted {
    pub(super) served: Fixture,
    authority: Authority,
    folder: TempDir,
}

impl Encrypted {
    async fn start(asked: Option<(Asked, &Authority)>, limits: LimitArgs) -> Self {
        Self::start_on(Host::local(Clock::system(), Ids::seeded(1)).unwrap(), asked, limits).await
    }

    pub(super) async fn start_on(host: Host, asked: Option<(Asked, &Authority)>, limits: LimitArgs) -> Self {
        Self::start_audited(host, asked, limits, None).await
    }

    pub(super) async fn start_audited(
        host: Host,
        asked: Option<(Asked, &Authority)>,
        limits: LimitArgs,
        audit: Option<&Audit>,
    ) -> Self {
        let (authority, folder) = (Authority::new("servers"), tempfile::tempdir().unwrap());
        let (certificate, key) = authority.issue(&LOCAL).put(folder.path(), "tls");
        let client_ca = asked.map(|(_, clients)| put(&folder.path().join("clients.crt"), clients.pem()));
        let tls = TlsArgs {
            tls_certificate: Some(certificate),
            tls_key: Some(key),
            client_ca,
            client_certificates: asked.map(|(asked, _)| asked),
            plaintext: false,
        };
        let served = serve_audited(host, ServerArgs { tls, limits, ..ServerArgs::default() }, audit).await;
        Self { served, authority, folder }
    }

    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.served.running.address().port())
    }

    /// What a client that trusts this server reads, which may show a certificate.
    pub(super) fn client(&self, shown: Option<&Issued>) -> (TempDir, ClientFiles) {
        let folder = tempfile::tempdir().unwrap();
        let files = self.authority.client(folder.path(), shown);
        (folder, files)
    }

    /// A channel whose connections are made as `files` say.
    pub(super) fn channel(&self, files: &ClientFiles) -> Channel {
        let connector = Connector::new(files.clone()).unwrap();
        Endpoint::from_shared(self.url()).unwrap().connect_with_connector_lazy(connector)
    }

    /// What a call on a connection of its own is answered by a server that is shown `shown`.
    pub(super) async fn who(&self, shown: Option<&Issued>) -> Result<String, Status> {
        let (_folder, files) = self.client(shown);
        call(self.channel(&files), "Who", text("")).await
    }

    /// The names in the certificate that a new connection is shown.
    async fn shown(&self, files: &ClientFiles) -> Vec<String> {
        let connected = Connector::new(files.clone()).unwrap().oneshot(self.url().parse().unwrap()).await.unwrap();
        let chain = connected.inner().get_ref().1.peer_certificates().unwrap();
        PeerCertificate::of(chain).unwrap().dns_names
    }

    fn metric(&self, name: &str) -> i64 {
        let text = self.served.host.telemetry.prometheus().unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} not in {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as i64
    }
}

fn put(path: &Path, content: &str) -> PathBuf {
    std::fs::write(path, content).unwrap();
    path.to_owned()
}

/// Waits until `look` finds what it looks for.
async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let looked = tokio::time::timeout(Duration::from_secs(30), async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(looked.await.is_ok(), "{what} did not come about");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_certificates_under_load_fail_no_call_and_each_is_shown() {
    let limits = LimitArgs { max_connection_age: Duration::from_millis(200), ..LimitArgs::default() };
    let server = Encrypted::start(None, limits).await;
    let (_folder, files) = server.client(None);
    let (over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let options = waymark_client::Options { tls: files.clone(), ..waymark_client::Options::default() };
            let mut products =
                StrategyServiceClient::new(waymark_client::Channel::new(&server.url(), options).unwrap());
            let (over, calls) = (Arc::clone(&over), Arc::clone(&calls));
            let calling = async move {
                while !over.load(Ordering::Relaxed) {
                    products.get_product(GetProductRequest::default()).await.expect("no call fails");
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            };
            #[expect(clippy::disallowed_methods, reason = "the test itself waits for it")]
            tokio::spawn(calling)
        })
        .collect();
    for rotation in 0..100 {
        let name = format!("rotation-{rotation}.example.com");
        let before = calls.load(Ordering::Relaxed);
        server.authority.issue(&[LOCAL[0], LOCAL[1], &name]).put(server.folder.path(), "tls");
        eventually(&name, async || server.shown(&files).await.contains(&name)).await;
        eventually("calls meanwhile", async || calls.load(Ordering::Relaxed) > before).await;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_counted_and_the_certificate_before_goes_on() {
    let server = Encrypted::start(None, LimitArgs::default()).await;
    let (_folder, files) = server.client(None);
    let failures = || server.metric("waymark_tls_reload_failures_total");
    assert_eq!(failures(), 0, "and there to be seen");
    let good = server.authority.issue(&[LOCAL[0], "next.example.com"]);
    put(&server.folder.path().join("tls.key"), &good.key);
    eventually("a failure", async || failures() > 0).await;
    assert!(!server.shown(&files).await.contains(&"next.example.com".to_owned()));
    good.put(server.folder.path(), "tls");
    eventually("the next one", async || server.shown(&files).await.contains(&"next.example.com".to_owned())).await;
    let soon = Clock::system().now() + chrono::Duration::hours(1);
    server.authority.issue_within(&LOCAL, soon - chrono::Duration::hours(2), soon).put(server.folder.path(), "tls");
    eventually("its time", async || server.metric("waymark_tls_expiry_seconds") == soon.timestamp()).await;
}

#[tokio::test]
async fn clients_are_asked_as_configured_and_their_names_are_handed_on() {
    let (ours, others) = (Authority::new("clients"), Authority::new("others"));
    let importer = ours.issue(&["importer.example.com", "spiffe://example.com/ns/shop/sa/importer"]);
    let stranger = others.issue(&["spiffe://example.com/ns/shop/sa/importer"]);
    for (asked, without, strange) in
        [(Asked::None, true, true), (Asked::Optional, true, false), (Asked::Required, false, false)]
    {
        let server = Encrypted::start(Some((asked, &ours)), LimitArgs::default()).await;
        let named = if asked == Asked::None { "" } else { "spiffe://example.com/ns/shop/sa/importer" };
        assert_eq!(server.who(Some(&importer)).await.unwrap(), named, "{asked:?}");
        assert_eq!(server.who(None).await.ok(), without.then(String::new), "{asked:?}");
        assert_eq!(server.who(Some(&stranger)).await.ok(), strange.then(String::new), "{asked:?}");
    }
}

#[tokio::test]
async fn an_authority_that_is_taken_away_vouches_for_nobody() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let limits = LimitArgs { max_connection_age: Duration::from_millis(500), ..LimitArgs::default() };
    let server = Encrypted::start(Some((Asked::Required, &before)), limits).await;
    let (old, new) = (before.issue(&["old"]), after.issue(&["new"]));
    let (_folder, files) = server.client(Some(&old));
    let connected = server.channel(&files);
    call(connected.clone(), "Echo", text("")).await.unwrap();
    assert!(server.who(Some(&new)).await.is_err());
    put(&server.folder.path().join("clients.crt"), after.pem());
    eventually("the new authority", async || server.who(Some(&new)).await.is_ok()).await;
    assert!(server.who(Some(&old)).await.is_err());
    // What was connected before comes of age.
    eventually("the old connection's end", async || call(connected.clone(), "Echo", text("")).await.is_err()).await;
}

/// Opens a stream without end, and waits until the server ends it all the same.
async fn ended(server: &Encrypted, shown: Option<&Issued>) {
    let (_folder, files) = server.client(shown);
    let mut grpc = tonic::client::Grpc::new(server.channel(&files));
    grpc.ready().await.unwrap();
    let codec = ProstCodec::<String, String>::default();
    let mut endless = grpc.server_streaming(text(""), path("Stream"), codec).await.unwrap().into_inner();
    assert_eq!(endless.message().await.unwrap().as_deref(), Some("first"));
    let ended = tokio::time::timeout(Duration::from_secs(30), endless.message()).await;
    assert!(ended.expect("it is ended by the server").is_err());
}

#[tokio::test]
async fn a_stream_ends_with_the_age_of_its_connection() {
    let limits = LimitArgs { max_connection_age: Duration::from_millis(100), ..LimitArgs::default() };
    ended(&Encrypted::start(None, limits).await, None).await;
}

#[tokio::test]
async fn a_stream_ends_with_the_certificate_of_its_client() {
    let clients = Authority::new("clients");
    let server = Encrypted::start(Some((Asked::Required, &clients)), LimitArgs::default()).await;
    let now = Clock::system().now();
    let (from, until) = (now - chrono::Duration::hours(1), now + chrono::Duration::seconds(4));
    ended(&server, Some(&clients.issue_within(&["importer"], from, until))).await;
}

#[tokio::test]
async fn a_connection_that_gets_stuck_in_its_handshake_or_after_it_is_closed() {
    let server = Encrypted::start(None, LimitArgs::default()).await;
    let (_folder, files) = server.client(None);
    let address = server.served.running.address();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut begun = TcpStream::connect(address).await.unwrap();
    // The beginning of a record that says who knows what.
    begun.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    let mut agreed = Connector::new(files.clone()).unwrap().oneshot(server.url().parse().unwrap()).await.unwrap();
    let agreed: &mut TokioIo<_> = &mut agreed;
    let agreed = agreed.inner_mut();
    agreed.write_all(b"PRI * HTTP").await.unwrap();
    let closed = async {
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
        assert_eq!(begun.read(&mut [0]).await.unwrap_or(0), 0);
        assert_eq!(agreed.read(&mut [0]).await.unwrap_or(0), 0);
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("they are closed by the server");
    call(server.channel(&files), "Echo", text("still here")).await.unwrap();
}

#[tokio::test]
async fn without_tls_other_hosts_are_served_only_where_that_is_said() {
    let known = callers::World::new().await;
    let host = known.host.clone();
    let start = |listen: &str, tls| {
        let args = ServerArgs { listen: Some(listen.parse().unwrap()), tls, ..ServerArgs::default() };
        Server::new(&host, &args, "127.0.0.1:0".parse().unwrap()).check()
    };
    let refused = start("0.0.0.0:0", TlsArgs::default()).unwrap_err();
    assert!(refused.to_string().contains("--plaintext"), "{refused}");
    start("[::1]:0", TlsArgs::default()).unwrap();
    start("0.0.0.0:0", TlsArgs { plaintext: true, ..TlsArgs::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Authority::new("test").issue(&LOCAL).put(folder.path(), "tls");
    let tls = TlsArgs { tls_certificate: Some(certificate), tls_key: Some(key.clone()), ..TlsArgs::default() };
    start("0.0.0.0:0", tls.clone()).unwrap();
    std::fs::remove_file(&key).unwrap();
    let refused = start("127.0.0.1:0", tls).unwrap_err().to_string();
    assert!(refused.contains("--tls-key") && refused.contains("tls.key cannot be read"), "{refused}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_nothing() {
    let server = Encrypted::start(None, LimitArgs::default()).await;
    assert!(server.served.call("Echo", text("")).await.is_err());
    let (_folder, files) = server.client(None);
    let strangers =
        ClientFiles { ca: Some(put(&server.folder.path().join("other.crt"), Authority::new("x").pem())), ..files };
    let refused = call(server.channel(&strangers), "Echo", text("")).await.unwrap_err();
    assert!(refused.message().contains("not from an authority that is trusted here"), "{refused}");
    let options = waymark_client::Options { tls: strangers, attempts: 1, ..waymark_client::Options::default() };
    let mut products = StrategyServiceClient::new(waymark_client::Channel::new(&server.url(), options).unwrap());
    let refused = products.get_product(GetProductRequest::default()).await.unwrap_err();
    assert!(refused.message().contains("is not called: no TLS connection to localhost: its certificate"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sslyze_finds_nothing_against_mozilla_s_intermediate_profile() {
    let program = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/bin/sslyze"));
    assert!(program.is_file(), "{} is not there; `make tools` brings it", program.display());
    let server = Encrypted::start(None, LimitArgs::default()).await;
    // As authorities issue them: the profile wants no certificate to last for long.
    let now = Clock::system().now();
    let lasting = chrono::Duration::days(45);
    server.authority.issue_within(&LOCAL, now - lasting, now + lasting).put(server.folder.path(), "tls");
    let until = (now + lasting).timestamp();
    eventually("its certificate", async || server.metric("waymark_tls_expiry_seconds") == until).await;
    let target = format!("localhost:{}", server.served.running.address().port());
    let ran = tokio::process::Command::new(program).args(["--mozilla_config", "intermediate", &target]).output().await;
    let said = String::from_utf8_lossy(&ran.unwrap().stdout).into_owned();
    let (_, found) = said.split_once(&format!("{target}: FAILED - Not compliant.")).unwrap_or_else(|| panic!("{said}"));
    let found: Vec<_> = found.lines().filter_map(|line| line.trim().strip_prefix("* ")?.split(':').next()).collect();
    // No browser trusts the authority of a test.
    assert_eq!(found, ["certificate_path_validation"], "{said}");
}

//! The audit while its database is away and while the disk is full: callers are answered all the same, lines and counts go
//! on, and what waited is kept once there is room.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Request, Status};
use waymark_access::testing::{Signer, key_set};
use waymark_client::{Channel, Options};
use waymark_clock::Clock;
use waymark_proto::access::v1::access_service_client::AccessServiceClient;
use waymark_proto::access::v1::{ListAuditEntriesRequest, WhoAmIRequest};
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::workspace_service_client::WorkspaceServiceClient;
use waymark_proto::roadmap::v1::{CreateWorkspaceRequest, GetProductRequest, Workspace};
use waymark_testkit::process::Process;
use waymark_testkit::{free_address, logs, wait_until};

use super::outage::Server;
use crate::support::process::binary;

const LIMIT: Duration = Duration::from_mins(1);
/// What one answer may take, be it on a busy machine. Repeated tries of a database would take longer.
const PROMPT: Duration = Duration::from_secs(2);

/// Ends the process by no signal where a file may not grow, writes what it says to a file, and goes on as the program.
const RUN: &str = r#"trap "" XFSZ; ulimit -S -f "$1"; log=$2; shift 2; exec "$@" 2>>"$log""#;

/// The roadmap service as a process that knows who calls. Nobody has a role but those called `viewer` and `admin`.
struct Audited {
    folder: TempDir,
    signer: Signer,
    address: SocketAddr,
    admin: SocketAddr,
    database: Vec<String>,
    process: Option<Process>,
}

impl Audited {
    fn new(database: &[&str]) -> Self {
        let (folder, signer) = (tempfile::tempdir().unwrap(), Signer::new("k", "ES256"));
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        write("keys.json", &key_set(&[&signer]));
        let issuer = "issuers: [{name: corp, url: 'https://corp', audiences: [waymark], keys_file: keys.json}]";
        let roles = ["viewer", "admin"].map(|role| format!("  - {{role: {role}, members: [users/corp/{role}]}}\n"));
        write("authentication.yaml", &format!("{issuer}\nroles:\n{}", roles.concat()));
        let database = database.iter().map(|&text| text.to_owned()).collect();
        Self { folder, signer, address: free_address(), admin: free_address(), database, process: None }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts it, with what it says in `log`, and files of so many blocks of 512 bytes at most.
    async fn start(&mut self, log: &Path, blocks: &str) {
        let binary = binary("waymark-roadmap").display().to_string();
        let (listen, admin) = (self.address.to_string(), self.admin.to_string());
        let (log, file) = (log.display().to_string(), self.folder.path().join("authentication.yaml"));
        let (file, data) = (file.display().to_string(), self.data().display().to_string());
        let mut args = vec!["-c", RUN, "sh", blocks, &log, &binary, "--listen", &listen, "--admin-listen", &admin];
        args.extend(["--authentication", &file]);
        args.extend(if self.database.is_empty() { vec!["--data-dir", &data] } else { Vec::new() });
        args.extend(self.database.iter().map(String::as_str));
        let process = Process::start("/bin/sh".as_ref(), &args).unwrap();
        wait_until("the roadmap service answers", LIMIT, async || {
            assert!(!process.has_ended(), "it ended at once");
            self.read("viewer").await.is_err_and(|status| status.code() == Code::NotFound)
        })
        .await;
        self.process = Some(process);
    }

    /// Asks it to end, and waits until it has.
    async fn end(&mut self) {
        let process = self.process.take().unwrap();
        process.terminate().unwrap();
        wait_until("the roadmap service ends", LIMIT, async || process.has_ended()).await;
    }

    fn channel(&self) -> Channel {
        Channel::new(&self.address.to_string(), Options { attempts: 1, ..Options::default() }).unwrap()
    }

    fn request<T>(&self, who: &str, message: T) -> Request<T> {
        let now = Clock::system().now().timestamp();
        let claims = json!({"iss": "https://corp", "aud": "waymark", "sub": who, "exp": now + 3_600});
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {}", self.signer.token(&claims)).parse().unwrap());
        request
    }

    /// Reads what is not there.
    async fn read(&self, who: &str) -> Result<(), Status> {
        let message = GetProductRequest { name: "workspaces/acme/products/none".into() };
        StrategyServiceClient::new(self.channel()).get_product(self.request(who, message)).await.map(|_| ())
    }

    /// Calls as somebody who has no role, and is told so at once.
    async fn refuse(&self, who: &str) {
        let began = Instant::now();
        let refused = self.read(who).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
        assert!(began.elapsed() < PROMPT, "{who} waited {:?}", began.elapsed());
    }

    /// What needs no database is answered.
    async fn knows_callers(&self) {
        let mut client = AccessServiceClient::new(self.channel());
        let me = client.who_am_i(self.request("viewer", WhoAmIRequest::default())).await;
        assert_eq!(me.unwrap().into_inner().principal, "users/corp/viewer");
    }

    /// Makes a workspace, which is a write.
    async fn create(&self, id: &str) -> Result<(), Status> {
        let message = CreateWorkspaceRequest {
            parent: "workspaces/installation".into(),
            workspace_id: id.into(),
            workspace: Some(Workspace { display_name: id.into(), ..Workspace::default() }),
            ..CreateWorkspaceRequest::default()
        };
        WorkspaceServiceClient::new(self.channel()).create_workspace(self.request("admin", message)).await.map(|_| ())
    }

    /// Entries in the database that somebody is refused.
    async fn kept(&self, who: &str) -> usize {
        let filter = format!("principal=users/corp/{who}");
        let message = ListAuditEntriesRequest { parent: "workspaces/acme".into(), filter, ..Default::default() };
        let entries = AccessServiceClient::new(self.channel()).list_audit_entries(self.request("admin", message)).await;
        entries.unwrap().into_inner().entries.len()
    }

    /// How many entries became what, by the process's own metrics.
    async fn counted(&self, outcome: &str) -> u64 {
        let mut stream = tokio::net::TcpStream::connect(self.admin).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        let is_it = |line: &&str| line.starts_with("waymark_audit_entries_total{") && line.contains(outcome);
        said.lines().find(is_it).unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Audited {
    fn drop(&mut self) {
        self.process = None;
        logs::keep_file("waymark-roadmap", &self.log()).unwrap();
    }
}

/// Callers that lines of the audit say were refused, whose names begin so, and how often.
fn refused(log: &Path, begin: &str) -> Vec<(String, u64)> {
    let log = std::fs::read_to_string(log).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused = lines.filter(|line| line["target"] == "audit" && line["decision"] == "REFUSED");
    let refused =
        refused.map(|line| (line["principal"].as_str().unwrap_or_default().to_owned(), line["count"].as_u64()));
    refused
        .filter(|(who, _)| who.starts_with(&format!("users/corp/{begin}")))
        .map(|(who, n)| (who, n.unwrap()))
        .collect()
}

fn has(log: &Path, text: &str) -> bool {
    std::fs::read_to_string(log).unwrap().contains(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_decided_while_the_database_is_away_is_told_and_is_kept_when_it_is_back() {
    let mut server = Server::start().await;
    let mut service = Audited::new(&["--database-url", &server.database]);
    let log = service.log();
    service.start(&log, "unlimited").await;
    service.refuse("before").await;
    wait_until("an entry is kept", LIMIT, async || service.kept("before").await == 1).await;

    server.down().await;
    for n in 0..300 {
        service.refuse(&format!("away-{n}")).await;
    }
    for _ in 0..50 {
        service.refuse("away-often").await;
    }
    service.knows_callers().await;
    assert_eq!(service.read("viewer").await.unwrap_err().code(), Code::Unavailable);
    wait_until("lines tell of all", LIMIT, async || refused(&log, "away-").len() >= 301).await;
    assert_eq!(refused(&log, "away-").into_iter().map(|(_, count)| count).sum::<u64>(), 350);
    wait_until("it is told", LIMIT, async || has(&log, "entries of the audit are not written")).await;

    server.up();
    wait_until("the last entry is kept", LIMIT, async || {
        service.read("viewer").await.unwrap_err().code() == Code::NotFound
    })
    .await;
    wait_until("it is told", LIMIT, async || has(&log, "entries of the audit are written again")).await;
    wait_until("the rest is kept", LIMIT, async || service.kept("away-often").await == 1).await;
    let mut database = PgConnection::connect(&server.database).await.unwrap();
    let count = "SELECT count(*), sum(count)::bigint FROM audit_entries WHERE principal LIKE 'users/corp/away-%'";
    let kept: (i64, i64) = sqlx::query_as(count).fetch_one(&mut database).await.unwrap();
    assert_eq!(kept, (301, 350), "each once, and how often");
    wait_until("all that is counted as written is there", LIMIT, async || {
        let all = sqlx::query_as("SELECT count(*) FROM audit_entries").fetch_one(&mut database).await;
        let (all,): (i64,) = all.unwrap();
        service.counted("written").await == all as u64
    })
    .await;
    assert_eq!(service.counted("lost").await, 0);

    drop(database);
    server.down().await;
    for n in 0..5 {
        service.refuse(&format!("last-{n}")).await;
    }
    service.end().await;
    assert_eq!(refused(&log, "last-").len(), 5);
    assert!(has(&log, "entries of the audit found no room") && has(&log, "lost=5"), "what is lost at the end is told");
}

#[cfg_attr(
    not(target_os = "linux"),
    ignore = "only Linux has a device that is full and limits of a process that others lift"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_neither_service_nor_counting() {
    let mut service = Audited::new(&[]);
    let log = service.log();
    service.start(&log, "unlimited").await;
    service.create("before").await.unwrap();
    service.end().await;

    // Where it writes its lines there is no room, and the database may grow by a little.
    let files = std::fs::read_dir(service.data()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let blocks = files.max().unwrap() / 512 + 64;
    service.start("/dev/full".as_ref(), &blocks.to_string()).await;
    let mut refusals = 0;
    wait_until("the database is full", LIMIT, async || {
        for _ in 0..50 {
            service.refuse(&format!("full-{refusals}")).await;
            refusals += 1;
        }
        let created = service.create(&format!("w{refusals}")).await;
        created.is_err_and(|status| matches!(status.code(), Code::Unavailable | Code::ResourceExhausted))
    })
    .await;
    for _ in 0..100 {
        service.refuse(&format!("full-{refusals}")).await;
        refusals += 1;
    }
    service.knows_callers().await;
    assert_eq!(service.read("viewer").await.unwrap_err().code(), Code::NotFound, "it is read as before");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(service.counted("written").await < refusals, "the disk is not full");

    let pid = service.process.as_ref().unwrap().pid().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap();
    assert!(lifted.success());
    wait_until("what waited is kept", LIMIT, async || {
        service.counted("written").await + service.counted("lost").await >= refusals
    })
    .await;
    assert_eq!(service.counted("lost").await, 0, "there was room for all that waited");
    for who in ["full-0".to_owned(), format!("full-{}", refusals - 1)] {
        assert_eq!(service.kept(&who).await, 1, "{who}");
    }
    service.create("after").await.unwrap();
}

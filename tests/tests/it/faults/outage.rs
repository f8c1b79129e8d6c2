//! A database that is down and a disk that is full: the documented error, nothing acknowledged is lost, and service
//! again afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use tonic::{Code, Status};
use waymark_client::{Channel, Options};
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_proto::metrics::v1::{IngestEventsRequest, ListEventNamesRequest, ProductEvent};
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{CreateProductRequest, GetProductRequest, Product};
use waymark_testkit::process::Process;
use waymark_testkit::{Postgres, free_address, wait_for, wait_until};

use crate::support::RoadmapProcess;
use crate::support::process::binary;

const LIMIT: Duration = Duration::from_secs(40);

/// A channel that shows each failure instead of trying again.
fn channel(address: std::net::SocketAddr) -> Channel {
    Channel::new(&address.to_string(), Options { attempts: 1, ..Options::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_unavailable_until_it_is_back() {
    let mut server = Server::start().await;
    let mut service = RoadmapProcess::new(["--database-url".to_owned(), server.database.clone()]);
    service.start("").await;
    let mut client = StrategyServiceClient::new(channel(service.address));
    let create = |id: &str| CreateProductRequest {
        parent: "workspaces/outage".into(),
        product_id: id.into(),
        product: Some(Product { display_name: id.into(), ..Product::default() }),
        ..CreateProductRequest::default()
    };
    let get = |id: &str| GetProductRequest { name: format!("workspaces/outage/products/{id}") };
    client.create_product(create("before")).await.unwrap();

    server.down().await;
    for _ in 0..3 {
        let answers = [client.create_product(create("during")).await, client.get_product(get("before")).await];
        for status in answers.map(Result::unwrap_err) {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            assert!(
                !status.message().contains(&server.folder.display().to_string()),
                "it tells where the database is: {status:?}"
            );
        }
    }
    assert!(!service.has_ended());

    server.up();
    wait_until("writes work again", LIMIT, async || client.create_product(create("after")).await.is_ok()).await;
    client.get_product(get("before")).await.unwrap();
    assert_eq!(client.get_product(get("during")).await.unwrap_err().code(), Code::NotFound);
}

/// A PostgreSQL server that can be cut off: connections are ended and the socket for new ones is gone.
pub struct Server {
    _postgres: Postgres,
    /// The address of a database on it.
    pub database: String,
    folder: PathBuf,
    admin: PgConnection,
}

impl Server {
    /// Starts it.
    pub async fn start() -> Self {
        let server = Postgres::start().unwrap();
        let database = server.empty().await.unwrap();
        let folder = PathBuf::from(server.url().rsplit_once("host=").unwrap().1);
        let admin = PgConnection::connect(server.url()).await.unwrap();
        Self { _postgres: server, database, folder, admin }
    }

    /// Cuts it off.
    pub async fn down(&mut self) {
        std::fs::rename(self.socket(), self.folder.join("away")).unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.admin.execute(end).await.unwrap();
    }

    /// Lets connections in again.
    pub fn up(&self) {
        std::fs::rename(self.folder.join("away"), self.socket()).unwrap();
    }

    fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }
}

#[cfg_attr(not(target_os = "linux"), ignore = "only Linux mounts a small file system for one process")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_events_and_loses_none_that_were_acknowledged() {
    let Some(mut small) = SmallDisk::start().await else {
        eprintln!("not tested: this system lets nobody here mount a small file system (unshare --mount)");
        return;
    };
    let mut ingest = IngestionServiceClient::new(channel(small.address));
    let mut sent = 0;
    assert_eq!(batch(&mut ingest, &mut sent).await.unwrap(), 100);

    small.fill();
    let mut accepted = vec![0];
    // What is left in blocks already taken may hold a batch; then it is over.
    let refused = wait_for("a batch is refused", LIMIT, async || {
        let first = sent;
        match batch(&mut ingest, &mut sent).await {
            Ok(_) => {
                accepted.push(first);
                None
            }
            Err(status) => Some(status),
        }
    })
    .await;
    assert!(matches!(refused.code(), Code::Unavailable | Code::ResourceExhausted), "{refused:?}");
    assert!(!small.process.has_ended());

    small.free();
    wait_until("events are taken in again", LIMIT, async || {
        let first = sent;
        let taken = batch(&mut ingest, &mut sent).await.is_ok();
        accepted.extend(taken.then_some(first));
        taken
    })
    .await;
    let counted = async |first: usize| {
        let mut analysis = AnalysisServiceClient::new(channel(small.address));
        let names = analysis
            .list_event_names(ListEventNamesRequest { parent: "workspaces/disk".into(), limit: 1_000 })
            .await
            .unwrap();
        names
            .into_inner()
            .event_names
            .iter()
            .find(|name| name.event == format!("from-{first}"))
            .map_or(0, |name| name.count)
    };
    for first in accepted {
        assert_eq!(counted(first).await, 100, "events from {first} on were acknowledged");
    }
    small.process.kill();
}

/// Sends the next hundred events, named after the first of them.
async fn batch(client: &mut IngestionServiceClient<Channel>, sent: &mut usize) -> Result<i32, Status> {
    let first = *sent;
    *sent += 100;
    let event = |n: usize| ProductEvent {
        event_id: format!("e{n}"),
        user: format!("u{n}"),
        event: format!("from-{first}"),
        time: Some(waymark_proto::Timestamp { seconds: 1_760_000_000, nanos: 0 }),
        ..ProductEvent::default()
    };
    let events = (first..*sent).map(event).collect();
    let request = IngestEventsRequest { parent: "workspaces/disk".into(), events, ..IngestEventsRequest::default() };
    Ok(client.ingest_events(request).await?.into_inner().accepted)
}

/// The metrics service as a process whose lake is on a disk of a few megabytes.
struct SmallDisk {
    process: Process,
    address: std::net::SocketAddr,
    /// The disk as seen from here: the mount exists only for the process.
    lake: PathBuf,
    _data: TempDir,
}

impl SmallDisk {
    async fn start() -> Option<Self> {
        let data = TempDir::new().unwrap();
        let lake = data.path().join("lake");
        std::fs::create_dir(&lake).unwrap();
        let user = if nix::unistd::geteuid().is_root() { "--mount" } else { "--map-root-user" };
        let unshare = ["--mount", user, "sh", "-c"];
        let mount = format!("mount -t tmpfs -o size=6m tmpfs {}", lake.display());
        if !Command::new("unshare").args(unshare).arg(&mount).status().is_ok_and(|status| status.success()) {
            return None;
        }
        let address = free_address();
        let (binary, folder) = (binary("waymark-metrics"), data.path().display());
        let run = format!(
            "{mount} && exec {} --listen {address} --admin-listen 127.0.0.1:0 --data-dir {folder} --ingest-wait 1ms",
            binary.display()
        );
        let args: Vec<&str> = unshare.into_iter().chain([run.as_str()]).collect();
        let process = Process::start("/usr/bin/unshare".as_ref(), &args).unwrap();
        let lake =
            Path::new("/proc").join(process.pid().to_string()).join("root").join(lake.strip_prefix("/").unwrap());
        let small = Self { process, address, lake, _data: data };
        let mut analysis = AnalysisServiceClient::new(channel(address));
        wait_until("the metrics service answers", LIMIT, async || {
            assert!(!small.process.has_ended(), "it ended at once; WAYMARK_TEST_VERBOSE=1 shows why");
            analysis
                .list_event_names(ListEventNamesRequest { parent: "workspaces/disk".into(), limit: 1 })
                .await
                .is_ok()
        })
        .await;
        Some(small)
    }

    fn filler(&self) -> PathBuf {
        self.lake.join("filler")
    }

    /// Takes all the room there is.
    fn fill(&mut self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    }

    fn free(&mut self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

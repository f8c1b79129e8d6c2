//! Log, state, stream and watch agree whenever the service is killed: at the fail points around a commit and a publish,
//! and at random.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waymark_client::{Channel, Options, Start, Update, Watch};
use waymark_proto::events::v1::Event;
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{CreateProductRequest, Product, UpdateProductRequest};
use waymark_testkit::{NatsServer, Postgres, wait_until};

use super::agreement::{self, Acknowledged};
use crate::support::{RoadmapProcess, spawn};

const WORKSPACES: [&str; 2] = ["workspaces/kill-a", "workspaces/kill-b"];
const WRITERS: usize = 4;
const LIMIT: Duration = Duration::from_mins(1);
/// Hits of each fail point before the process aborts: a few commits, a few batches of the relay.
const FAIL_POINTS: [(&str, usize); 4] =
    [("store-before-commit", 25), ("store-after-commit", 25), ("relay-before-ack", 3), ("relay-before-mark", 3)];

/// What a watch has shown so far.
type Watched = Arc<Mutex<Vec<Event>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_agrees_on_sqlite() {
    let data = TempDir::new().unwrap();
    agrees(["--data-dir".to_owned(), data.path().display().to_string()], 1, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_agrees_on_postgres() {
    let url = Postgres::shared().unwrap().empty().await.unwrap();
    agrees(["--database-url".to_owned(), url], 2, 2).await;
}

async fn agrees(database: [String; 2], seed: u64, random_kills: usize) {
    let nats = NatsServer::start().await.unwrap();
    let mut service = RoadmapProcess::new(database.into_iter().chain(["--nats-url".to_owned(), nats.url()]));
    let mut rng = StdRng::seed_from_u64(seed);
    service.start("").await;

    let (stop, count) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let writers = (0..WRITERS)
        .map(|writer| spawn(write(service.address.to_string(), seed, writer, stop.clone(), Arc::clone(&count))));
    let writers: Vec<_> = writers.collect();
    let watched: [Watched; 2] = Default::default();
    let readers = WORKSPACES.iter().zip(&watched);
    let _readers: Vec<_> = readers
        .map(|(workspace, seen)| spawn(read(service.address.to_string(), workspace, Arc::clone(seen))))
        .collect();

    for (point, hits) in FAIL_POINTS {
        service.kill();
        service.start(&format!("{point}={hits}*off->1*return")).await;
        service.ended().await;
        service.start("").await;
    }
    for _ in 0..random_kills {
        let enough = count.load(Ordering::SeqCst) + rng.random_range(1..40);
        wait_until("some writes are acknowledged", LIMIT, async || count.load(Ordering::SeqCst) >= enough).await;
        service.kill();
        service.start("").await;
    }
    stop.cancel();
    let acknowledged: Vec<Acknowledged> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    for (workspace, watched) in WORKSPACES.into_iter().zip(watched) {
        let log = agreement::log(service.address, workspace).await;
        let acknowledged: Vec<_> = acknowledged.iter().filter(|a| a.workspace == workspace).collect();
        assert!(!acknowledged.is_empty());
        agreement::log_is_the_writes(&log, &acknowledged);
        agreement::state_is_the_log(service.address, workspace, &log).await;
        agreement::stream_is_the_log(&nats, workspace, &log).await;
        wait_until("the watch reaches the end", LIMIT, async || watched.lock().unwrap().len() >= log.len()).await;
        assert_eq!(*watched.lock().unwrap(), log, "the watch on {workspace} missed, repeated or reordered events");
    }
}

/// Creates and renames products until told to stop, each write with its own request id, repeated until it is
/// acknowledged.
async fn write(
    address: String,
    seed: u64,
    writer: usize,
    stop: CancellationToken,
    count: Arc<AtomicUsize>,
) -> Vec<Acknowledged> {
    let options = Options { deadline: Duration::from_secs(5), ..Options::default() };
    let mut client = StrategyServiceClient::new(Channel::new(&address, options).unwrap());
    let workspace = WORKSPACES[writer % WORKSPACES.len()];
    let mut acknowledged = Vec::new();
    for n in 0_u64.. {
        if stop.is_cancelled() {
            break;
        }
        let id = format!("w{writer}-{}", n / 2);
        let name = format!("{workspace}/products/{id}");
        let display_name = format!("{id} as of write {n}");
        let request_id = Uuid::from_u128(u128::from(seed) << 96 | (writer as u128) << 64 | u128::from(n)).to_string();
        let product = Product { display_name: display_name.clone(), ..Product::default() };
        loop {
            let answer = if n % 2 == 0 {
                let (product, product_id) = (Some(product.clone()), id.clone());
                let request = CreateProductRequest {
                    parent: workspace.into(),
                    product_id,
                    product,
                    request_id: request_id.clone(),
                    validate_only: false,
                };
                client.create_product(request).await
            } else {
                let product = Some(Product { name: name.clone(), ..product.clone() });
                let request = UpdateProductRequest {
                    product,
                    update_mask: None,
                    request_id: request_id.clone(),
                    validate_only: false,
                };
                client.update_product(request).await
            };
            match answer {
                Ok(answer) => {
                    assert_eq!(answer.get_ref().display_name, display_name);
                    let revision =
                        answer.metadata().get("waymark-revision").unwrap().to_str().unwrap().parse().unwrap();
                    acknowledged.push(Acknowledged { workspace, name, request_id, revision });
                    count.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                // Only what says nothing of the write may happen here; anything else is a broken promise.
                Err(status) if matches!(status.code(), tonic::Code::Unavailable | tonic::Code::DeadlineExceeded) => {}
                Err(status) => panic!("write {n} of writer {writer}: {status:?}"),
            }
        }
    }
    acknowledged
}

/// One watch through all restarts.
async fn read(address: String, workspace: &str, seen: Watched) {
    let channel = Channel::new(&address, Options::default()).unwrap();
    let mut watch = Watch::new(channel, workspace, Vec::new(), Vec::new(), Start::After(0));
    loop {
        match watch.next().await.unwrap() {
            Update::Revision(_, events) => seen.lock().unwrap().extend(events),
            Update::Checkpoint(_) => {}
            Update::Snapshot(_) | Update::SnapshotRestarted => panic!("no snapshot was asked for"),
        }
    }
}

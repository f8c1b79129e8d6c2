//! A stopping service finishes what it was asked, sends callers elsewhere, and does not wait for those that are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use waymark_client::{Channel, Options, Start, Watch};
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{CreateProductRequest, GetProductRequest, Product};
use waymark_testkit::{FaultProxy, Postgres, wait_until};

use crate::support::{RoadmapProcess, spawn};

const CALLERS: usize = 6;
const LIMIT: Duration = Duration::from_mins(1);

/// Two processes on one database take turns behind an address that does not change, as pods behind a service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_call() {
    let url = Postgres::shared().unwrap().empty().await.unwrap();
    let mut serving = RoadmapProcess::new(["--database-url".to_owned(), url.clone()]);
    let mut next = RoadmapProcess::new(["--database-url".to_owned(), url]);
    serving.start("").await;
    let front = FaultProxy::start(serving.address).await.unwrap();

    let (stop, count) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let callers = (0..CALLERS).map(|caller| {
        let (address, stop, count) = (front.address().to_string(), stop.clone(), Arc::clone(&count));
        spawn(async move {
            let mut client = StrategyServiceClient::new(Channel::new(&address, Options::default()).unwrap());
            for n in 0.. {
                if stop.is_cancelled() {
                    return;
                }
                let product = Some(Product { display_name: format!("{caller}/{n}"), ..Product::default() });
                let product_id = format!("p{caller}-{n}");
                let name = format!("workspaces/rolling/products/{product_id}");
                let create = CreateProductRequest {
                    parent: "workspaces/rolling".into(),
                    product_id,
                    product,
                    ..Default::default()
                };
                client.create_product(create).await.unwrap();
                client.get_product(GetProductRequest { name }).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    for _ in 0..3 {
        progress(&count).await;
        next.start("").await;
        front.retarget(next.address);
        serving.terminate();
        serving.ended().await;
        progress(&count).await;
        std::mem::swap(&mut serving, &mut next);
    }
    stop.cancel();
    for caller in join_all(callers).await {
        caller.expect("a call failed");
    }
}

async fn progress(count: &AtomicUsize) {
    let enough = count.load(Ordering::SeqCst) + 2 * CALLERS;
    wait_until("calls are answered", LIMIT, async || count.load(Ordering::SeqCst) >= enough).await;
}

/// Peers that vanished without a word hold an open watch, a silent connection and half a request; the end comes all the
/// same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_do_not_hold_up_the_end() {
    let data = TempDir::new().unwrap();
    let drain = ["--drain-timeout".to_owned(), "1s".to_owned()];
    let mut service =
        RoadmapProcess::new(["--data-dir".to_owned(), data.path().display().to_string()].into_iter().chain(drain));
    service.start("").await;
    let swallowing = FaultProxy::start(service.address).await.unwrap();
    let channel = Channel::new(&swallowing.address().to_string(), Options::default()).unwrap();
    let mut products = StrategyServiceClient::new(channel.clone());
    let product = Some(Product { display_name: "watched".into(), ..Product::default() });
    let create = CreateProductRequest {
        parent: "workspaces/half".into(),
        product_id: "p".into(),
        product,
        ..Default::default()
    };
    products.create_product(create).await.unwrap();
    let mut watch = Watch::new(channel, "workspaces/half", Vec::new(), Vec::new(), Start::After(0));
    watch.next().await.unwrap();
    let silent = TcpStream::connect(service.address).await.unwrap();
    let mut half = TcpStream::connect(service.address).await.unwrap();
    // The preface of HTTP/2, empty settings, and the first bytes of a frame of headers that never ends.
    half.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x40\x01").await.unwrap();
    swallowing.stall();

    let begun = Instant::now();
    service.terminate();
    service.ended().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?} to end with a drain time of one second");
    drop((silent, half, watch));
}

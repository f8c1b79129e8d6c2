//! The channel and the watch against a real server on loopback that fails on purpose.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod server;

use std::time::{Duration, Instant};

use server::{Answer, Server};
use tonic::{Code, Request};
use waymark_client::{AddressError, Channel, ClientFiles, Error, Options, Start, TokenSource, Update, Watch};
use waymark_proto::roadmap::v1::strategy_service_client::StrategyServiceClient;
use waymark_proto::roadmap::v1::{CreateProductRequest, GetProductRequest, ListProductsRequest};

fn channel(server: &Server) -> Channel {
    let options = Options { actor: Some("users/ada".into()), role: Some("manager".into()), ..Options::default() };
    Channel::new(&server.address, options).unwrap()
}

fn get() -> GetProductRequest {
    GetProductRequest { name: "workspaces/w/products/p".into() }
}

#[tokio::test]
async fn sends_deadline_actor_and_role() {
    let server = Server::start(vec![Answer::Ok]).await;
    StrategyServiceClient::new(channel(&server)).get_product(get()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].metadata["waymark-actor"], "users/ada");
    assert_eq!(seen[0].metadata["waymark-role"], "manager");
    let timeout = &seen[0].metadata["grpc-timeout"];
    let micros: u64 = timeout.strip_suffix('u').unwrap().parse().unwrap();
    assert!((5_000_000..=10_000_000).contains(&micros), "{timeout}");
}

#[tokio::test]
async fn reads_are_repeated_and_retry_info_is_honoured() {
    let asked = Duration::from_millis(120);
    let server = Server::start(vec![Answer::Unavailable, Answer::Busy(asked), Answer::Ok]).await;
    let start = Instant::now();
    StrategyServiceClient::new(channel(&server)).get_product(get()).await.unwrap();
    assert_eq!(server.seen().len(), 3);
    assert!(start.elapsed() >= asked);
}

#[tokio::test]
async fn a_write_is_repeated_with_one_request_id() {
    let server = Server::start(vec![Answer::Unavailable, Answer::Ok]).await;
    let request = CreateProductRequest { parent: "workspaces/w".into(), ..Default::default() };
    StrategyServiceClient::new(channel(&server)).create_product(request).await.unwrap();
    let ids: Vec<String> = server.seen().into_iter().map(|call| call.request_id).collect();
    assert_eq!(ids.len(), 2);
    assert!(!ids[0].is_empty());
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn refusals_are_not_repeated() {
    let server = Server::start(vec![Answer::NotFound]).await;
    let status = StrategyServiceClient::new(channel(&server)).get_product(get()).await.unwrap_err();
    assert_eq!(Error::from(status).reason(), "RESOURCE_NOT_FOUND");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_deadline_covers_all_attempts() {
    let server = Server::start(vec![Answer::Hang]).await;
    let mut request = Request::new(ListProductsRequest::default());
    request.set_timeout(Duration::from_millis(150));
    let start = Instant::now();
    let status = StrategyServiceClient::new(channel(&server)).list_products(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn the_budget_bounds_retries_of_a_service_that_is_down() {
    let server = Server::start(vec![Answer::Unavailable; 100]).await;
    let mut client = StrategyServiceClient::new(channel(&server));
    for _ in 0..8 {
        client.get_product(get()).await.unwrap_err();
    }
    assert_eq!(server.seen().len(), 8 + 10, "eight calls and the ten retries a fresh budget pays for");
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_names_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let channel = Channel::new(&free.to_string(), Options { attempts: 2, ..Options::default() }).unwrap();
    let status = StrategyServiceClient::new(channel).get_product(get()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains(&free.to_string()), "{}", status.message());
}

#[tokio::test]
async fn an_address_that_asks_for_tls_is_refused_rather_than_spoken_to_in_the_clear() {
    for wrong in ["ftp://roadmap.example.com", "grpc://127.0.0.1:7402"] {
        let refused = Channel::new(wrong, Options::default()).unwrap_err();
        assert!(refused.to_string().contains("https://HOST:PORT"), "{wrong}: {refused}");
    }
}

#[tokio::test]
async fn certificates_are_not_left_unused_nor_halves_or_missing_ones_taken() {
    let refused = |address: &str, tls: ClientFiles| {
        Channel::new(address, Options { tls, ..Options::default() }).err().map_or_else(String::new, |e| e.to_string())
    };
    let none = ClientFiles::default;
    let missing = || Some("/nowhere/ca.crt".into());
    assert_eq!(refused("https://roadmap.example.com", none()), "");
    let plain = refused("roadmap.example.com:7402", ClientFiles { ca: missing(), ..none() });
    assert!(plain.contains("without TLS; write https://HOST:PORT"), "{plain}");
    let absent = refused("https://roadmap.example.com", ClientFiles { ca: missing(), ..none() });
    assert!(absent.starts_with("/nowhere/ca.crt cannot be read"), "{absent}");
    let half = refused("https://roadmap.example.com", ClientFiles { certificate: missing(), ..none() });
    assert!(half.contains("given together"), "{half}");
}

#[tokio::test]
async fn a_watch_survives_cuts_without_gap_or_repeat() {
    // The server cuts every stream after three messages.
    let server = Server::start(vec![]).await;
    let mut watch = Watch::new(channel(&server), "workspaces/w", Vec::new(), Vec::new(), Start::Earliest);
    let mut revisions = Vec::new();
    while revisions.len() < 20 {
        match watch.next().await.unwrap() {
            Update::Revision(revision, events) => {
                assert!(events.iter().all(|event| event.revision == revision));
                revisions.push(revision);
            }
            Update::Checkpoint(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(revisions, (1..=20).collect::<Vec<i64>>());
    assert_eq!(watch.revision(), Some(20));
    assert!(server.streams() >= 7);
}

#[tokio::test]
async fn a_watch_tells_that_its_snapshot_begins_again() {
    let server = Server::start(vec![]).await;
    let mut watch = Watch::new(channel(&server), "workspaces/w", Vec::new(), Vec::new(), Start::Snapshot);
    let mut steps = Vec::new();
    while steps.len() < 5 {
        steps.push(watch.next().await.unwrap());
    }
    assert!(matches!(steps[0], Update::Snapshot(_)));
    assert_eq!(steps[1], Update::SnapshotRestarted);
    assert!(matches!(steps[2], Update::Snapshot(_)));
    assert_eq!(steps[3], Update::Checkpoint(40));
    assert!(matches!(steps[4], Update::Revision(41, _)));
}

#[tokio::test]
async fn a_watch_fails_when_its_position_is_gone() {
    let server = Server::start(vec![]).await;
    let mut watch = Watch::new(channel(&server), "workspaces/w", Vec::new(), Vec::new(), Start::After(-1));
    assert_eq!(watch.next().await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_token_that_is_refused_is_got_anew_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first.of.all").unwrap();
    let server = Server::start(vec![Answer::Ok, Answer::Refused, Answer::Ok, Answer::Refused]).await;
    let options = Options { token: Some(TokenSource::file(&file)), ..Options::default() };
    let mut products = StrategyServiceClient::new(Channel::new(&server.address, options).unwrap());
    products.get_product(get()).await.unwrap();
    std::fs::write(&file, "second.of.all").unwrap();
    // A write, too: who calls is asked before anything is done.
    let request = CreateProductRequest { parent: "workspaces/w".into(), ..Default::default() };
    products.create_product(request).await.unwrap();
    let refused = products.get_product(get()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "there is no other");
    let sent: Vec<String> = server.seen().into_iter().map(|call| call.metadata["authorization"].clone()).collect();
    let (first, second) = ("Bearer first.of.all", "Bearer second.of.all");
    // Within a second of being read the file is not read again, unless what it said is refused.
    assert_eq!(sent, [first, first, second, second]);
}

#[tokio::test]
async fn a_token_is_not_sent_where_everybody_could_read_it() {
    let open = |address: &str, token_in_plaintext| {
        let token = Some(TokenSource::fixed("a.b.c").unwrap());
        Channel::new(address, Options { token, token_in_plaintext, ..Options::default() })
    };
    for address in ["waymark.example.com:7402", "http://10.1.2.3:7402", "http://localhost.example.com:7402"] {
        let refused = open(address, false).unwrap_err();
        assert!(matches!(refused, AddressError::Readable(_)) && refused.to_string().contains("https://"), "{refused}");
        open(address, true).unwrap();
    }
    for address in ["127.0.0.1:7402", "http://[::1]:7402", "localhost:7402", "https://waymark.example.com:7402"] {
        open(address, false).unwrap();
    }
}

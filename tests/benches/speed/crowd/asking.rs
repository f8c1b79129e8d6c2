//! The crowd itself: those who ask for more than they may, until standard input ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::join_all;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;
use waymark_proto::events::v1 as events;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::roadmap::v1 as pb;
use waymark_proto::roadmap::v1::roadmap_service_client::RoadmapServiceClient;

use super::{INITIATIVE, WORKSPACE, allow_connections};

/// Where it comes from.
const CROWD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Calls a second, ten times what is allowed.
const CALLS: u32 = 2_000;
const MESSAGES: usize = 1_000;
const CONNECTIONS: usize = 5_000;
const STREAMS: usize = 10_000;
/// Calls on one connection.
const TOGETHER: usize = 100;
/// How long it takes until all have asked, and when those who were refused come again.
const COMING: Duration = Duration::from_secs(10);

/// Asks in one of the ways, until standard input ends.
pub async fn ask(kind: &str, address: &str) -> Result<()> {
    allow_connections()?;
    let crowd = Crowd { address: address.parse()?, limited: Arc::default(), failed: Arc::default() };
    let mut asking = match kind {
        "calls" => crowd.calls(),
        "messages" => crowd.messages(),
        "connections" => crowd.connections(),
        "streams" => crowd.streams(),
        _ => bail!("there is no crowd of {kind}"),
    };
    let (mut input, mut end) = (tokio::io::stdin(), [0]);
    tokio::select! {
        _ = input.read(&mut end) => {}
        ended = asking.join_next() => ended.context("nobody came")???,
    }
    asking.abort_all();
    let failed = crowd.failed.load(Ordering::Relaxed);
    ensure!(failed == 0, "{failed} calls were answered by something else than their limit");
    let limited = crowd.limited.load(Ordering::Relaxed);
    ensure!(limited > 0 || matches!(kind, "messages" | "connections"), "nobody was told of a limit");
    Ok(())
}

struct Crowd {
    address: SocketAddr,
    limited: Arc<AtomicU64>,
    /// Calls that were answered by something else than the limit that they are for.
    failed: Arc<AtomicU64>,
}

impl Crowd {
    fn connection(&self) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        Ok(endpoint.local_address(Some(CROWD)).connect_lazy())
    }

    /// Counts how a call was refused.
    fn refused(&self) -> impl Fn(&Status) + Clone + Send + Sync + 'static {
        let (limited, failed) = (Arc::clone(&self.limited), Arc::clone(&self.failed));
        move |status| {
            let is_limit = status.get_details_error_info().is_some_and(|info| info.reason == "RATE_LIMITED");
            if is_limit { &limited } else { &failed }.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn calls(&self) -> JoinSet<Result<()>> {
        let mut crowd = JoinSet::new();
        let (connection, refused) = (self.connection(), self.refused());
        crowd.spawn(async move {
            let connection = connection?;
            let mut beat = tokio::time::interval(Duration::from_secs(1) / CALLS);
            let mut calls = JoinSet::new();
            loop {
                beat.tick().await;
                while calls.try_join_next().is_some() {}
                let (connection, refused) = (connection.clone(), refused.clone());
                calls.spawn(async move {
                    let mut client = RoadmapServiceClient::new(connection);
                    let request = greedy(pb::GetInitiativeRequest { name: INITIATIVE.to_owned() });
                    if let Err(status) = client.get_initiative(request).await {
                        refused(&status);
                    }
                });
            }
        });
        crowd
    }

    fn messages(&self) -> JoinSet<Result<()>> {
        let mut crowd = JoinSet::new();
        for _ in 0..MESSAGES / TOGETHER {
            let (connection, failed) = (self.connection(), Arc::clone(&self.failed));
            crowd.spawn(async move {
                let connection = connection?;
                let one = async |number: usize| {
                    tokio::time::sleep(share(COMING, number, TOGETHER)).await;
                    loop {
                        let mut grpc = tonic::client::Grpc::new(connection.clone());
                        grpc.ready().await?;
                        let never = Request::new(futures::stream::pending::<pb::GetInitiativeRequest>());
                        let path = "/waymark.roadmap.v1.RoadmapService/GetInitiative".parse()?;
                        let codec = ProstCodec::<_, pb::Initiative>::default();
                        match grpc.client_streaming(never, path, codec).await {
                            Err(status) if status.code() == Code::DeadlineExceeded => {}
                            Err(_) | Ok(_) => _ = failed.fetch_add(1, Ordering::Relaxed),
                        }
                    }
                };
                join_all((0..TOGETHER).map(one)).await.into_iter().collect()
            });
        }
        crowd
    }

    fn connections(&self) -> JoinSet<Result<()>> {
        let (mut crowd, address) = (JoinSet::new(), self.address);
        for number in 0..CONNECTIONS {
            crowd.spawn(async move {
                tokio::time::sleep(share(COMING, number, CONNECTIONS)).await;
                loop {
                    let socket = TcpSocket::new_v4()?;
                    socket.bind(SocketAddr::new(CROWD, 0))?;
                    let connection = socket.connect(address).await?;
                    // Until it is closed: at once where there are too many, else as it says nothing.
                    let _ = connection.readable().await;
                    drop(connection);
                    tokio::time::sleep(COMING).await;
                }
            });
        }
        crowd
    }

    fn streams(&self) -> JoinSet<Result<()>> {
        let mut crowd = JoinSet::new();
        for _ in 0..STREAMS / TOGETHER {
            let (connection, refused) = (self.connection(), self.refused());
            crowd.spawn(async move {
                let connection = connection?;
                let one = async |number: usize| {
                    tokio::time::sleep(share(COMING, number, TOGETHER)).await;
                    let mut client = EventsServiceClient::new(connection.clone());
                    let parent = format!("workspaces/{WORKSPACE}");
                    let asked =
                        client.watch_events(greedy(events::WatchEventsRequest { parent, ..Default::default() }));
                    let held = asked.await.inspect_err(|status| refused(status)).ok();
                    std::future::pending::<()>().await;
                    drop(held);
                };
                join_all((0..TOGETHER).map(one)).await;
                Ok(())
            });
        }
        crowd
    }
}

/// The time after which one of so many comes.
fn share(time: Duration, number: usize, of: usize) -> Duration {
    time * number as u32 / of as u32
}

fn greedy<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("waymark-actor", MetadataValue::from_static("users/greedy"));
    request
}

//! What others notice while somebody asks for far more than it may: calls at ten times its rate, messages that never come
//! whole, connections that say nothing, streams by the thousand. They come from an address of their own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::join_all;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tonic::codec::Streaming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;
use waymark_proto::events::v1 as events;
use waymark_proto::events::v1::events_service_client::EventsServiceClient;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::Engine;

use crate::load::Load;
use crate::report::{Report, resident};
use crate::service::{Roadmap, create};

/// Where the crowd comes from.
const CROWD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const WORKSPACE: &str = "crowded";
const LIMITS: &str = "principals: [{ names: [users/greedy], rate: 200, burst: 200, watches: 10 }]";
/// Calls that the others make in a second, and those that the greedy one makes at ten times its rate.
const OTHERS: u32 = 400;
const GREEDY: u32 = 2_000;
const SLOW: usize = 1_000;
const IDLE: usize = 5_000;
const WATCHES: usize = 10_000;
/// Streams on one connection.
const STREAMS: usize = 100;
const MEASURED: Duration = Duration::from_secs(8);

/// Measures the others alone, and beside each kind of crowd.
pub async fn run(engine: Engine, report: &mut Report) -> Result<()> {
    report.section(match engine {
        Engine::Sqlite => "SQLite, crowd",
        Engine::Postgres => "PostgreSQL, crowd",
    });
    allow_connections()?;
    let folder = tempfile::tempdir()?;
    let limits = folder.path().join("limits.yaml");
    std::fs::write(&limits, LIMITS)?;
    let roadmap = Roadmap::start_limited(engine, &limits).await?;
    { roadmap.client(0) }.create_initiative(create(WORKSPACE, "one".to_owned())).await?;
    // Once for caches and connections.
    others(&roadmap).await?;
    let alone = others(&roadmap).await?;
    report.load("Get by others, alone", &alone, None);
    let memory = resident()?;

    let crowd = Crowd::at(roadmap.address());
    let beside = async |crowd: JoinSet<Result<()>>| measured(&roadmap, crowd).await;
    let rows = [
        ("one principal at ten times its rate", "others' p99 beside it", beside(crowd.greedy()).await?),
        ("1,000 messages that never come whole", "others' p99 beside them", beside(crowd.slow()).await?),
        ("5,000 connections that say nothing", "others' p99 beside them", beside(crowd.idle()).await?),
        ("10,000 streams of one principal", "others' p99 beside them", beside(crowd.watching()).await?),
    ];
    for (what, ratio, load) in rows {
        report.load(what, &load, None);
        report.at_most(ratio, load.p99.as_secs_f64() / alone.p99.as_secs_f64(), 1.5);
    }
    report.at_most("memory after all of them, beside before", resident()? / memory, 1.2);
    let (limited, failed) = (crowd.limited.load(Ordering::Relaxed), crowd.failed.load(Ordering::Relaxed));
    ensure!(limited > 0 && failed == 0, "{limited} were told that they are limited, {failed} something else");
    roadmap.stop().await;
    Ok(())
}

/// The others, while a crowd is there from a second before.
async fn measured(roadmap: &Roadmap, mut crowd: JoinSet<Result<()>>) -> Result<Load> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let load = others(roadmap).await?;
    crowd.abort_all();
    while let Some(ended) = crowd.join_next().await {
        match ended {
            Ok(ended) => ended?,
            Err(error) => ensure!(error.is_cancelled(), "{error}"),
        }
    }
    Ok(load)
}

/// Calls at a steady rate, each of which must be answered.
async fn others(roadmap: &Roadmap) -> Result<Load> {
    let request =
        pb::GetInitiativeRequest { name: format!("workspaces/{WORKSPACE}/initiatives/one"), ..Default::default() };
    let mut beat = tokio::time::interval(Duration::from_secs(1) / OTHERS);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let (start, mut calls) = (Instant::now(), JoinSet::new());
    let mut number = 0;
    while start.elapsed() < MEASURED {
        beat.tick().await;
        number += 1;
        let (mut client, request) = (roadmap.client(number), request.clone());
        calls.spawn(async move {
            let began = Instant::now();
            client.get_initiative(request).await?;
            Ok::<_, Status>(began.elapsed())
        });
    }
    let times =
        calls.join_all().await.into_iter().collect::<Result<Vec<_>, _>>().context("one of the others failed")?;
    Load::of(times, MEASURED)
}

/// Those who ask for more than they may.
struct Crowd {
    address: SocketAddr,
    limited: Arc<AtomicU64>,
    /// Calls that were answered by something else than the limit that they are for.
    failed: Arc<AtomicU64>,
}

impl Crowd {
    fn at(address: SocketAddr) -> Self {
        Self { address, limited: Arc::default(), failed: Arc::default() }
    }

    fn connection(&self) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        Ok(endpoint.local_address(Some(CROWD)).connect_lazy())
    }

    /// Counts how a call ended.
    fn ended(&self) -> impl Fn(&Status) + Clone + Send + Sync + 'static {
        let (limited, failed) = (Arc::clone(&self.limited), Arc::clone(&self.failed));
        move |status| {
            let reason = status.get_details_error_info().map(|info| info.reason);
            let as_it_should = reason.as_deref() == Some("RATE_LIMITED");
            if as_it_should { &limited } else { &failed }.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn greedy(&self) -> JoinSet<Result<()>> {
        let mut crowd = JoinSet::new();
        let (connection, ended) = (self.connection(), self.ended());
        crowd.spawn(async move {
            let connection = connection?;
            let mut beat = tokio::time::interval(Duration::from_secs(1) / GREEDY);
            loop {
                beat.tick().await;
                let (connection, ended) = (connection.clone(), ended.clone());
                tokio::spawn(async move {
                    let mut client = pb::roadmap_service_client::RoadmapServiceClient::new(connection);
                    let name = format!("workspaces/{WORKSPACE}/initiatives/one");
                    let request = pb::GetInitiativeRequest { name, ..Default::default() };
                    if let Err(status) = client.get_initiative(greedy(request)).await {
                        ended(&status);
                    }
                });
            }
        });
        crowd
    }

    fn slow(&self) -> JoinSet<Result<()>> {
        let mut crowd = JoinSet::new();
        for _ in 0..SLOW / STREAMS {
            let (connection, failed) = (self.connection(), Arc::clone(&self.failed));
            crowd.spawn(async move {
                let connection = connection?;
                let one = async || loop {
                    let mut grpc = tonic::client::Grpc::new(connection.clone());
                    grpc.ready().await?;
                    let never = Request::new(futures::stream::pending::<pb::GetInitiativeRequest>());
                    let path = "/waymark.roadmap.v1.RoadmapService/GetInitiative".parse()?;
                    let codec = ProstCodec::<_, pb::Initiative>::default();
                    match grpc.client_streaming(never, path, codec).await {
                        Err(status) if status.code() == Code::DeadlineExceeded => {}
                        _ => _ = failed.fetch_add(1, Ordering::Relaxed),
                    }
                };
                join_all((0..STREAMS).map(|_| one())).await.into_iter().collect::<Result<Vec<()>>>().map(|_| ())
            });
        }
        crowd
    }

    fn idle(&self) -> JoinSet<Result<()>> {
        let (mut crowd, address) = (JoinSet::new(), self.address);
        for _ in 0..IDLE {
            crowd.spawn(async move {
                loop {
                    let socket = TcpSocket::new_v4()?;
                    socket.bind(SocketAddr::new(CROWD, 0))?;
                    let connection = socket.connect(address).await?;
                    // Until it is closed, which one of too many is at once: a second later it is there again.
                    let _ = connection.readable().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        crowd
    }

    fn watching(&self) -> JoinSet<Result<()>> {
        let mut crowd = JoinSet::new();
        for _ in 0..WATCHES / STREAMS {
            let (connection, ended) = (self.connection(), self.ended());
            crowd.spawn(async move {
                let connection = connection?;
                let open = async || {
                    let mut client = EventsServiceClient::new(connection.clone());
                    let request = greedy(events::WatchEventsRequest {
                        parent: format!("workspaces/{WORKSPACE}"),
                        ..Default::default()
                    });
                    client.watch_events(request).await.map(tonic::Response::into_inner)
                };
                let opened = join_all((0..STREAMS).map(|_| open())).await;
                let held: Vec<Streaming<_>> =
                    opened.into_iter().filter_map(|opened| opened.inspect_err(&ended).ok()).collect();
                // Held until the crowd goes home.
                std::future::pending::<()>().await;
                drop(held);
                Ok(())
            });
        }
        crowd
    }
}

fn greedy<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("waymark-actor", tonic::metadata::MetadataValue::from_static("users/greedy"));
    request
}

/// Both ends of all connections are of this process.
fn allow_connections() -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(most > 2 * IDLE as u64 + 1_000, "{most} open files are too few: raise `ulimit -Hn`");
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

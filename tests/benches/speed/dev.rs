//! `waymark dev` as people start it: what memory it takes when idle and under load, and how many product events a
//! second it stores.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use pbjson_types::value::Kind;
use pbjson_types::{Struct, Value};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use waymark_clock::Clock;
use waymark_proto::convert::timestamp;
use waymark_proto::metrics::v1 as pb;
use waymark_proto::metrics::v1::analysis_service_client::AnalysisServiceClient;
use waymark_proto::metrics::v1::ingestion_service_client::IngestionServiceClient;
use waymark_testkit::process::Process;
use waymark_testkit::wait_for;

use crate::report::Report;
use crate::service::PATIENCE;

const EVENTS: u64 = 200_000;
const BATCH: u64 = 5_000;
const IN_FLIGHT: usize = 4;
/// What it does once after its start is over by then.
const SETTLED: Duration = Duration::from_secs(5);
const WORKSPACE: &str = "workspaces/bench";

/// Measures the binary beside this one.
pub async fn run(report: &mut Report) -> Result<()> {
    report.section("waymark dev");
    let data = tempfile::tempdir()?;
    let (metrics, process) = start(data.path())?;
    let channel = Endpoint::from_shared(format!("http://{metrics}"))?.connect_lazy();
    wait_for("waymark dev to answer", PATIENCE, async || stored(&channel).await.ok()).await;
    tokio::time::sleep(SETTLED).await;
    report.memory("idle memory of waymark dev", memory(&process, "VmRSS")?, Some(150.0));

    let rate = ingest(&channel).await?;
    ensure!(stored(&channel).await? == EVENTS.cast_signed(), "every acknowledged event is stored once");
    report.rate("product events ingested, batches of 5,000", rate);
    report.memory("highest memory of waymark dev while ingesting", memory(&process, "VmHWM")?, None);
    Ok(())
}

/// Starts it on free ports; it ends with the returned process.
fn start(data: &Path) -> Result<(SocketAddr, Process)> {
    let bench = std::env::current_exe()?;
    let binary: PathBuf = bench.ancestors().nth(2).unwrap_or(Path::new("")).join("waymark");
    ensure!(binary.is_file(), "{} is not there: `make bench` builds it", binary.display());
    let free = || Ok::<_, std::io::Error>(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string());
    let (discovery, roadmap, metrics, admin) = (free()?, free()?, free()?, free()?);
    let folder = data.display().to_string();
    let process = Process::start(
        &binary,
        &[
            "dev",
            "--bus",
            "--data-dir",
            &folder,
            "--discovery-listen",
            &discovery,
            "--roadmap-listen",
            &roadmap,
            "--metrics-listen",
            &metrics,
            "--admin-listen",
            &admin,
        ],
    )?;
    Ok((metrics.parse()?, process))
}

/// Stores [`EVENTS`] events of a month; events a second.
async fn ingest(channel: &Channel) -> Result<f64> {
    let next = Arc::new(AtomicU64::new(0));
    let now = Clock::system().now();
    let mut workers = JoinSet::new();
    let start = Instant::now();
    for _ in 0..IN_FLIGHT {
        let mut client = IngestionServiceClient::new(channel.clone());
        let next = Arc::clone(&next);
        workers.spawn(async move {
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= EVENTS {
                    return anyhow::Ok(());
                }
                let events = (first..first + BATCH).map(|number| event(number, now)).collect();
                let request = pb::IngestEventsRequest { parent: WORKSPACE.to_owned(), events, ..Default::default() };
                let answer = client.ingest_events(request).await?.into_inner();
                ensure!(answer.rejected.is_empty(), "rejected: {:?}", answer.rejected.first());
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(EVENTS as f64 / start.elapsed().as_secs_f64())
}

fn event(number: u64, now: DateTime<Utc>) -> pb::ProductEvent {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let amount = Value { kind: Some(Kind::NumberValue((number % 500) as f64 / 10.0)) };
    let fields = [("country", text("DE")), ("platform", text("web")), ("amount", amount)];
    pb::ProductEvent {
        event_id: format!("e{number}"),
        user: format!("u{}", number * 7 % 20_000),
        event: ["page_view", "search", "create_item", "purchase"][(number % 4) as usize].to_owned(),
        time: Some(timestamp(now - TimeDelta::seconds((EVENTS - number).cast_signed() * 12))),
        session: format!("s{}", number / 20),
        properties: Some(Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }),
        ..Default::default()
    }
}

async fn stored(channel: &Channel) -> Result<i64> {
    let names = pb::ListEventNamesRequest { parent: WORKSPACE.to_owned(), limit: 0 };
    Ok(AnalysisServiceClient::new(channel.clone()).list_event_names(names).await?.into_inner().count)
}

/// A line of the process's status, in MiB.
fn memory(process: &Process, field: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("the kernel tells it")?;
    let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

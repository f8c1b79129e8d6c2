//! What others notice while somebody asks for far more than it may: calls at ten times its rate, messages that never come
//! whole, connections that say nothing, streams by the thousand. The crowd is a process of its own, and comes from an
//! address of its own.

mod asking;

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tonic::Status;
use waymark_proto::roadmap::v1 as pb;
use waymark_testkit::Engine;

use crate::load::Load;
use crate::report::{Report, resident};
use crate::service::{Roadmap, create};

pub use asking::ask;

const WORKSPACE: &str = "crowded";
/// What the crowd asks for, all the same.
const INITIATIVE: &str = "workspaces/crowded/initiatives/one";
const LIMITS: &str = "principals: [{ names: [users/greedy], rate: 200, burst: 200, watches: 10 }]";
/// Calls that the others make in a second.
const OTHERS: u32 = 400;
const MEASURED: Duration = Duration::from_secs(10);
/// The crowd is there by then.
const ARRIVED: Duration = Duration::from_secs(3);

/// Measures the others alone, and beside each kind of crowd.
pub async fn run(engine: Engine, report: &mut Report) -> Result<()> {
    report.section(match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
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
    let memory = resident()?;
    report.load("Get by others, alone", &alone, None);
    for (kind, what, ratio) in [
        ("calls", "the same beside one at ten times its rate", "its p99 beside that alone, one at ten times its rate"),
        ("messages", "the same beside 1,000 slow messages", "its p99 beside that alone, 1,000 slow messages"),
        ("connections", "the same beside 5,000 silent connections", "its p99 beside that alone, 5,000 connections"),
        ("streams", "the same beside 10,000 streams asked for", "its p99 beside that alone, 10,000 streams"),
    ] {
        let crowd = gather(kind, &roadmap)?;
        tokio::time::sleep(ARRIVED).await;
        let load = others(&roadmap).await?;
        let grown = resident()? / memory;
        go_home(crowd).await.with_context(|| format!("the crowd of {kind}"))?;
        report.load(what, &load, None);
        report.at_most(ratio, load.p99.as_secs_f64() / alone.p99.as_secs_f64(), 1.5);
        report.at_most("memory beside that alone", grown, 1.2);
    }
    roadmap.stop().await;
    Ok(())
}

/// Has a crowd come.
fn gather(kind: &str, roadmap: &Roadmap) -> Result<Child> {
    // Elsewhere it would have processors of its own: here it takes those that nobody else wants.
    let mut crowd = Command::new("nice");
    crowd.args(["-n", "19"]).arg(std::env::current_exe()?);
    crowd.args(["--crowd", kind, &roadmap.address().to_string()]).stdin(Stdio::piped()).kill_on_drop(true);
    Ok(crowd.spawn()?)
}

/// Ends it; it fails where it was answered by something else than the limit that it is for.
async fn go_home(mut crowd: Child) -> Result<()> {
    drop(crowd.stdin.take());
    let ended = crowd.wait().await?;
    ensure!(ended.success(), "{ended}");
    Ok(())
}

/// Calls at a steady rate, each of which must be answered.
async fn others(roadmap: &Roadmap) -> Result<Load> {
    let request = pb::GetInitiativeRequest { name: INITIATIVE.to_owned() };
    let mut beat = tokio::time::interval(Duration::from_secs(1) / OTHERS);
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

/// As many connections as the system lets this process have.
fn allow_connections() -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(most > 8_000, "{most} open files are too few: raise `ulimit -Hn`");
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

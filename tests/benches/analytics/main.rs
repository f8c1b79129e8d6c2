//! How fast product analytics are, beside ClickHouse, DuckDB and a bare loop, of the same rows in the same run.
//! `make bench-analytics` runs it.
//!
//! A number after `--` says how many million events there are (20 unless told), and names of questions narrow it to those.
//! The metrics service runs as people run it, in a process of its own; what is timed is a call through gRPC, from asking
//! to having read the answer, the best of three as with the others. Its answers must be those of the others. The exit
//! status is 1 when a target is missed.

mod bound;
mod ingest;
mod peers;
mod questions;
mod rows;
mod service;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use peers::Answer;
use questions::{QUESTIONS, Question};
use service::Metrics;

/// Events of a user, on average.
const EVENTS_PER_USER: usize = 40;
/// Memory of the service at any time.
const MEMORY: f64 = 2048.0;
/// How fast events are taken in, beside ClickHouse's insert of JSON.
const INGEST: f64 = 0.3;
/// Words of the command line that are no questions.
const INGESTING: &str = "ingest";

fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let millions = words.iter().find_map(|word| word.parse::<f64>().ok()).unwrap_or(20.0);
    let named: Vec<&String> = words.iter().filter(|word| word.parse::<f64>().is_err()).collect();
    let wanted = |question: &str| named.is_empty() || named.iter().any(|word| *word == question);
    tokio::runtime::Runtime::new()?.block_on(run((millions * 1e6) as usize, wanted))
}

async fn run(count: usize, wanted: impl Fn(&str) -> bool) -> Result<ExitCode> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{count} events of {} users, {cores} cores", count / EVENTS_PER_USER);
    let rows = rows::make(count, count / EVENTS_PER_USER);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = rows::write(&rows, folder)?;
    println!("asking the others");
    let peers = peers::ask(&file)?;

    println!("loading");
    let metrics = Metrics::start()?;
    let took = ingest::load(&metrics, &rows).await?;
    drop(rows);
    let mut met = true;
    let rate = count as f64 / took.as_secs_f64();
    println!("{INGESTING:<20} {rate:.0} events a second");
    if wanted(INGESTING)
        && let Some(peer) = peers.iter().find(|peer| peer.question == INGESTING)
    {
        met &= target("beside ClickHouse's", rate * peer.seconds, INGEST);
    }
    let settled = metrics.settle().await?;
    println!(
        "{:<20} {:.1} s until files are merged; {:.1} bytes an event",
        "",
        settled.as_secs_f64(),
        metrics.bytes()? / count as f64
    );

    let files = bound::files(&metrics.table())?;
    for question in QUESTIONS.into_iter().filter(|question| wanted(question.name)) {
        met &= measure(question, &metrics, &peers, &files).await?;
    }
    let memory = metrics.highest_memory()?;
    println!("{:<20} {memory:.0} MiB at most", "memory of the service");
    met &= memory < MEMORY;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks three times, and holds the answer and the time against those of the others.
async fn measure(
    question: Question,
    metrics: &Metrics,
    peers: &[Answer],
    files: &[std::path::PathBuf],
) -> Result<bool> {
    let mut best = Duration::MAX;
    let mut numbers = std::collections::BTreeMap::new();
    for _ in 0..3 {
        let start = Instant::now();
        let answer = question.ask(&metrics.channel).await?;
        best = best.min(start.elapsed());
        numbers = answer;
    }
    let theirs: Vec<&Answer> = peers.iter().filter(|peer| peer.question == question.name).collect();
    for peer in &theirs {
        let its = peer.numbers()?;
        let differs = its.iter().find(|(of, number)| numbers.get(*of) != Some(number));
        ensure!(
            differs.is_none() && its.len() == numbers.len(),
            "{}: {} says {differs:?}, Waymark {:?}, in {} and {} numbers",
            question.name,
            peer.system,
            differs.and_then(|(of, _)| numbers.get(of)),
            its.len(),
            numbers.len()
        );
    }
    let named = theirs.iter().map(|peer| format!("{} {:.0} ms", peer.system, peer.seconds * 1e3));
    let bound = bound::time(files, question.walk)?;
    let limit = bound.map_or("no bare loop".to_owned(), |bound| {
        format!(
            "{:.1} of the {:.0} ms of a bare loop",
            best.as_secs_f64() / bound.as_secs_f64(),
            bound.as_secs_f64() * 1e3
        )
    });
    println!(
        "{:<20} {:.0} ms, {limit}; {}",
        question.name,
        best.as_secs_f64() * 1e3,
        named.collect::<Vec<_>>().join(", ")
    );
    let better = theirs.iter().map(|peer| peer.seconds).min_by(f64::total_cmp).context("a peer answers it")?;
    Ok(target("beside the better", better / best.as_secs_f64(), question.least))
}

fn target(what: &str, ratio: f64, least: f64) -> bool {
    let met = ratio >= least;
    println!("{:<20} {what} {ratio:.2} times as fast, at least {least}: {}", "", if met { "met" } else { "MISSED" });
    met
}

//! How fast the mechanisms are, beside the bare peers they are made of, on both databases. `make bench` runs it.
//!
//! Client and server share the machine and the process, as the peers' do, so ratios say more than rates. PostgreSQL
//! syncs to disk. Names of sections (`reads`, `writes`, `batches`, `events`, `crowd`, `idle`, `dev`, `scale`) after `--` run only those; `scale` runs
//! only when it is named, with as many initiatives as a number beside it says, and those parts of it alone that are named
//! beside it, if any are (`calls`, `orders`, `targets`, `audiences`, `goals`, `trees`). `sqlite` and `postgres` narrow the databases. The
//! exit status is 1 when a target is missed.

mod audiences;
mod bare;
mod batches;
mod consumers;
mod crowd;
mod dev;
mod events;
mod goals;
mod idle;
mod known;
mod lanes;
mod load;
mod orders;
mod processor;
mod reads;
mod report;
mod scale;
mod separated;
mod service;
mod targets;
mod trees;
mod writes;

use std::process::ExitCode;

use anyhow::Result;
use waymark_testkit::Engine;

use report::Report;
use service::Roadmap;

fn main() -> Result<ExitCode> {
    let words = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let (databases, sections): (Vec<_>, Vec<_>) = words.partition(|word| word == "sqlite" || word == "postgres");
    let engines = Engine::ALL.into_iter().filter(|engine| {
        databases.is_empty()
            || databases.iter().any(|word| word == if *engine == Engine::Sqlite { "sqlite" } else { "postgres" })
    });
    let engines: Vec<Engine> = engines.collect();
    let runs = |section: &str| sections.is_empty() || sections.iter().any(|wanted| wanted == section);
    let runtime = tokio::runtime::Runtime::new()?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, kind, address] = words.as_slice()
        && flag == "--crowd"
    {
        return runtime.block_on(crowd::ask(kind, address)).map(|()| ExitCode::SUCCESS);
    }
    let report = runtime.block_on(async {
        let mut report = Report::new();
        let any = ["reads", "writes", "batches", "events"].into_iter().any(runs);
        for &engine in engines.iter().filter(|_| any) {
            let roadmap = Roadmap::start(engine).await?;
            report.engine(engine, &roadmap.version().await?);
            if runs("reads") {
                reads::run(&roadmap, &mut report).await?;
                reads::known(&roadmap, engine, &mut report).await?;
            }
            if runs("writes") {
                writes::run(&roadmap, &mut report).await?;
            }
            if runs("batches") {
                batches::run(&roadmap, &mut report).await?;
            }
            if runs("events") {
                events::run(&roadmap, &mut report).await?;
            }
            roadmap.stop().await;
            if runs("events") {
                Box::pin(consumers::run(engine, &mut report)).await?;
            }
        }
        if engines.contains(&Engine::Postgres) && runs("separated") {
            Box::pin(separated::run(&mut report)).await?;
        }
        for &engine in engines.iter().filter(|_| runs("crowd")) {
            crowd::run(engine, &mut report).await?;
        }
        for &engine in engines.iter().filter(|_| runs("idle")) {
            idle::run(engine, &mut report).await?;
        }
        // Minutes, so only when it is asked for.
        if sections.iter().any(|wanted| wanted == "scale") {
            let size = sections.iter().find_map(|word| word.parse().ok()).unwrap_or(100_000);
            for &engine in &engines {
                let parts = ["calls", "orders", "targets", "audiences", "goals", "trees"];
                let any = sections.iter().any(|wanted| parts.contains(&wanted.as_str()));
                let runs = |part: &str| !any || sections.iter().any(|wanted| wanted == part);
                scale::run(engine, size, runs, &mut report).await?;
            }
        }
        if runs("dev") {
            dev::run(&mut report).await?;
        }
        Ok::<_, anyhow::Error>(report)
    })?;
    println!("\n{report}");
    Ok(if report.met() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

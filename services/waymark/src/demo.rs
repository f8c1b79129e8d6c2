//! `waymark demo`: the loop once around, as a story, against a running server. The users' behaviour is generated with a
//! truth planted in it, so that the answer at the end can be compared with what is really so.

mod behaviour;
mod decide;
mod discover;
mod measure;
mod say;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use pbjson_types::Timestamp;
use tonic::{Code, Response, Status};
use waymark_client::{Channel, Error};
use waymark_clock::Clock;
use waymark_proto::common::v1::Evidence;

use crate::draw::{roadmap, trace, tree};
use crate::generic::contract::Area;
use crate::settings::Settings;

/// How long services may take to hear of each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Options of `waymark demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Seed of the generated behaviour; another seed is another product's life
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    seed: u64,
    /// The planted truth: by how many per cent orders a day really rise after shipping
    #[arg(long, value_name = "PER CENT", default_value_t = 12.0, allow_negative_numbers = true, value_parser = lift)]
    lift: f64,
}

fn lift(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|lift: &f64| (-90.0..=300.0).contains(lift))
        .ok_or_else(|| "give a number from -90 to 300".to_owned())
}

/// What all chapters share.
struct Story {
    parent: String,
    now: DateTime<Utc>,
    discovery: Channel,
    roadmap: Channel,
    metrics: Channel,
}

impl Story {
    fn name(&self, collection: &str, id: &str) -> String {
        format!("{}/{collection}/{id}", self.parent)
    }

    fn full_name(&self, service: &str, collection: &str, id: &str) -> String {
        format!("//{service}.waymark.dev/{}", self.name(collection, id))
    }

    fn evidence(&self, service: &str, collection: &str, id: &str, note: &str) -> Evidence {
        Evidence { target: self.full_name(service, collection, id), note: note.to_owned() }
    }
}

/// Plays the story, in a workspace of its own unless one is named.
pub async fn run(options: &Demo, settings: &Settings) -> Result<()> {
    let now = Clock::system().now();
    let workspace = settings.workspace.clone().unwrap_or_else(|| format!("demo-{}", now.format("%Y%m%d-%H%M%S")));
    let settings = Settings { workspace: Some(workspace.clone()), ..settings.clone() };
    let story = Story {
        parent: settings.parent()?,
        now,
        discovery: settings.channel(Area::Discovery)?,
        roadmap: settings.channel(Area::Roadmap)?,
        metrics: settings.channel(Area::Metrics)?,
    };
    crate::show(format_args!(
        "Waymark, once around the loop. Workspace: {workspace}. Everything below was done through the API."
    ));

    say::chapter(1, "Discover: three people say what hurts");
    discover::research(&story).await?;
    say::chapter(2, "Discover: what might help, and what must be true for that");
    discover::tree(&story).await?;
    tree::run(&tree::Tree::default(), &settings).await?;

    say::chapter(3, "Before anything is built: how orders stand");
    let behaviour = behaviour::Behaviour::new(options.seed, options.lift / 100.0, now);
    measure::baseline(&story, &behaviour).await?;

    say::chapter(4, "Decide: what to build, and what not");
    decide::propose(&story).await?;
    decide::choose(&story).await?;
    roadmap::run(&roadmap::Roadmap::default(), &settings).await?;

    say::chapter(5, "Deliver, and let time pass");
    decide::ship(&story).await?;
    measure::aftermath(&story, &behaviour).await?;

    say::chapter(6, "Measure: did it work?");
    measure::verdict(&story, &behaviour).await?;

    say::chapter(7, "Feed back: the roadmap and the tree know");
    decide::wait_for_answer(&story).await?;
    discover::wait_for_learning(&story).await?;
    roadmap::run(&roadmap::Roadmap::default(), &settings).await?;
    tree::run(&tree::Tree::default(), &settings).await?;

    say::chapter(8, "The trace, from what somebody said to what was learned");
    trace::run(&trace::Trace::of(discover::SOLUTION), &settings).await?;
    crate::show(format_args!(
        "Look around:  waymark events list -w {workspace}   waymark initiatives get {} -w {workspace} -o yaml",
        discover::SOLUTION
    ));
    Ok(())
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    // A sub-second count of nanoseconds is below 2^31.
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
}

/// The answer of a call.
fn done<T>(result: Result<Response<T>, Status>) -> Result<T> {
    Ok(result.map_err(Error::from)?.into_inner())
}

/// Asks until the answer is there: services hear of each other by events, in their own time.
async fn until<T, F: Future<Output = Result<Option<T>>>>(what: &str, mut ask: impl FnMut() -> F) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!(
                "{what} did not happen within {} seconds; `waymark events dead-letters list` may say why",
                PATIENCE.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The answer of a read, nothing when there is nothing yet.
fn maybe<T>(result: Result<Response<T>, Status>) -> Result<Option<T>> {
    match result {
        Err(status) if status.code() == Code::NotFound => Ok(None),
        other => done(other).map(Some),
    }
}

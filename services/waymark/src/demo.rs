//! `waymark demo`: the loop once around, as a story, against a running server. The users' behaviour is generated with a
//! truth planted in it, so that the answer at the end can be compared with what is really so.

mod behaviour;
mod decide;
mod discover;
mod measure;
mod say;
mod story;

use anyhow::Result;
use clap::Args;
use waymark_clock::Clock;

use story::{SOLUTION, Story};

use crate::draw::{roadmap, trace, tree};
use crate::generic::contract::Area;
use crate::settings::Settings;

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
    trace::run(&trace::Trace::of(SOLUTION), &settings).await?;
    crate::show(format_args!(
        "Look around:  waymark events list -w {workspace}   waymark links initiatives/{SOLUTION} -w {workspace}"
    ));
    Ok(())
}

//! The whole command line: what is made of the contract and what is written by hand, and which function carries out
//! which.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};

use crate::Usage;
use crate::demo::{self, Demo};
use crate::dev::Dev;
use crate::draw::links::{self, Links};
use crate::draw::roadmap;
use crate::draw::roadmap::Roadmap;
use crate::draw::trace::{self, Trace};
use crate::draw::tree::{self as tree_picture, Tree};
use crate::events::{self, Events};
use crate::failure::EXIT_STATUSES;
use crate::generic::contract::{Area, contract};
use crate::generic::names::kebab;
use crate::generic::{execute, tree};
use crate::import::{self, Import};
use crate::settings::Settings;

/// The commands written by hand.
#[derive(Debug, Subcommand)]
enum Own {
    /// Run the three services in this process
    Dev(Box<Dev>),
    /// Play the loop once around as a story, on generated data, against running services
    Demo(Demo),
    /// Import data from files
    #[command(subcommand)]
    Import(Box<Import>),
    /// Read the logs of the services and look after events
    #[command(subcommand)]
    Events(Events),
    /// Draw opportunity solution trees, with what was learned
    Tree(Tree),
    /// Draw the way of an initiative from insight to learning
    Trace(Trace),
    /// Draw what a resource refers to and what refers to it, across the services
    Links(Links),
    /// Call any method with a request in JSON or YAML
    Call(Call),
    /// Print the completion script of a shell, to be sourced
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
struct Call {
    /// The method, such as PrioritizationService/EvaluateScore
    method: String,
    /// The request; the workspace is filled in as its parent
    #[arg(long, short, value_name = "JSON", default_value = "{}")]
    data: String,
}

/// The program's command.
pub fn command() -> Command {
    let command = Own::augment_subcommands(Settings::augment_args(Command::new("waymark")))
        .about("Decide what to build, ship it, and learn whether it worked")
        .long_about(None::<&str>)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(EXIT_STATUSES)
        .subcommand_required(true)
        .arg_required_else_help(true);
    tree::commands().iter().fold(command, |command, (name, node)| command.subcommand(with_picture(node.command(name))))
}

/// `waymark roadmap` alone draws the roadmap; with a command below it, it is the service's.
fn with_picture(command: Command) -> Command {
    if command.get_name() != Area::Roadmap.name() {
        return command;
    }
    Roadmap::augment_args(
        command.subcommand_required(false).arg_required_else_help(false).args_conflicts_with_subcommands(true),
    )
    .about("Draw the roadmap; or all commands of the roadmap service")
    .long_about("Draws the roadmap, now or as it stood. With a command: all commands of the roadmap service")
}

/// Carries out what the arguments say.
pub async fn dispatch(matches: &ArgMatches) -> Result<ExitCode> {
    let settings = Settings::from_arg_matches(innermost(matches))?;
    let (name, below) = matches.subcommand().context("no command is given")?;
    if let Ok(own) = Own::from_arg_matches(matches) {
        return run(own, &settings).await;
    }
    if name == Area::Roadmap.name() && below.subcommand().is_none() {
        roadmap::run(&Roadmap::from_arg_matches(below)?, &settings).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let tree = tree::commands();
    let mut node = tree.get(name).with_context(|| format!("{name} is no command"))?;
    let mut matches = below;
    while let Some((name, below)) = matches.subcommand() {
        node = node.child(name).with_context(|| format!("{name} is no command"))?;
        matches = below;
    }
    let method = node.method().with_context(|| format!("{name} needs a command below it"))?;
    execute::run(method, matches, &settings).await?;
    Ok(ExitCode::SUCCESS)
}

/// What to write instead, when a collection was named that several services have.
pub fn ambiguous(error: &clap::Error) -> Option<Usage> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let holders = contract().resources.iter().filter(|resource| kebab(&resource.collection) == *typed);
    let forms: Vec<String> = holders.map(|resource| format!("`waymark {} {typed}`", resource.area)).collect();
    (forms.len() > 1).then(|| Usage(format!("several services have {typed}; write {}", forms.join(" or "))))
}

/// The options of `waymark dev`, when that is the command.
pub fn dev(matches: &ArgMatches) -> Option<Dev> {
    matches.subcommand_matches("dev").and_then(|below| Dev::from_arg_matches(below).ok())
}

/// Global options are known to the innermost command.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, below)| innermost(below))
}

async fn run(own: Own, settings: &Settings) -> Result<ExitCode> {
    match own {
        Own::Call(call) => {
            let Some(method) = contract().find_method(&call.method) else {
                bail!(Usage(format!(
                    "{:?} is no method; write Service/Method, such as PrioritizationService/EvaluateScore",
                    call.method
                )));
            };
            execute::call(method, &call.data, settings).await?;
        }
        Own::Dev(_) => bail!("the development server is started before this"),
        Own::Demo(options) => demo::run(&options, settings).await?,
        Own::Import(import) => return import::run(*import, settings).await,
        Own::Events(events) => events::run(events, settings).await?,
        Own::Tree(options) => tree_picture::run(&options, settings).await?,
        Own::Trace(options) => trace::run(&options, settings).await?,
        Own::Links(options) => links::run(&options, settings).await?,
        Own::Completions { shell } => clap_complete::generate(shell, &mut command(), "waymark", &mut std::io::stdout()),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_of_two_services_needs_one_of_them() {
        let error = command().try_get_matches_from(["waymark", "outcomes", "list"]).unwrap_err();
        let text = ambiguous(&error).unwrap().to_string();
        assert_eq!(
            text,
            "several services have outcomes; write `waymark discovery outcomes` or `waymark metrics outcomes`"
        );
        let other = command().try_get_matches_from(["waymark", "outcome", "list"]).unwrap_err();
        assert!(ambiguous(&other).is_none());
        assert!(command().try_get_matches_from(["waymark", "metrics", "outcomes", "list"]).is_ok());
    }

    #[test]
    fn the_whole_is_sound() {
        command().debug_assert();
    }
}

//! The whole command line: what is made of the contract and what is written by hand, and which function carries out which.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};

use crate::Usage;
use crate::failure::EXIT_STATUSES;
use crate::generic::contract::contract;
use crate::generic::{execute, tree};
use crate::import::{self, Import};
use crate::settings::Settings;

/// The commands written by hand.
#[derive(Debug, Subcommand)]
enum Own {
    /// Import data from files
    #[command(subcommand)]
    Import(Box<Import>),
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
    tree::commands().iter().fold(command, |command, (name, node)| command.subcommand(node.command(name)))
}

/// Carries out what the arguments say.
pub async fn dispatch(matches: &ArgMatches) -> Result<ExitCode> {
    let settings = Settings::from_arg_matches(innermost(matches))?;
    let (name, below) = matches.subcommand().context("no command is given")?;
    if let Ok(own) = Own::from_arg_matches(matches) {
        return run(own, &settings).await;
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

/// Global options are known to the innermost command.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, below)| innermost(below))
}

async fn run(own: Own, settings: &Settings) -> Result<ExitCode> {
    match own {
        Own::Call(call) => {
            let Some(method) = contract().find_method(&call.method) else {
                bail!(Usage(format!("{:?} is no method; write Service/Method, such as PrioritizationService/EvaluateScore", call.method)));
            };
            execute::call(method, &call.data, settings).await?;
        }
        Own::Import(import) => return import::run(*import, settings).await,
        Own::Completions { shell } => clap_complete::generate(shell, &mut command(), "waymark", &mut std::io::stdout()),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_sound() {
        command().debug_assert();
    }
}

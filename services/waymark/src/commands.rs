//! The whole command line: what is made of the contract and what is written by hand, and which function carries out
//! which.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches as _, Subcommand};

use crate::Usage;
use crate::audit::{self, Audit};
use crate::calendar;
use crate::demo::{self, Demo};
use crate::dev::Dev;
use crate::draw::compare::{self, Compare};
use crate::draw::decisions::{self, Decisions};
use crate::draw::funnel::{self, Funnel};
use crate::draw::lifecycle::{self, Active};
use crate::draw::links::{self, Links};
use crate::draw::okr::{self, Okr};
use crate::draw::plan::{self, Plan};
use crate::draw::rank::{self, Rank};
use crate::draw::retention::{self, Retention};
use crate::draw::roadmap::{self, Roadmap};
use crate::draw::scenario::{self, Scenario};
use crate::draw::trace::{self, Trace};
use crate::draw::tree::{self as tree_picture, Tree};
use crate::events::{self, Events};
use crate::failure::EXIT_STATUSES;
use crate::generic::contract::{Area, contract};
use crate::generic::{execute, tree};
use crate::help::{self, Heading};
use crate::import::{self, Import};
use crate::login::{self, Login};
use crate::policies;
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
    Import(Import),
    /// Read the logs of the services and look after events
    #[command(subcommand)]
    Events(Events),
    /// List which calls were refused, which that manage or administer were allowed, and what was read again
    ///
    /// Lists what each service decided in the workspace, newest first. What is of no workspace, such as tokens that are not
    /// taken, and what the servers did to themselves stands under `-w installation`.
    Audit(Audit),
    /// Check policies and tell what they say, without a server
    #[command(subcommand)]
    Policies(policies::Command),
    /// Draw the order of initiatives by a framework or model, and how sure it is
    Rank(Rank),
    /// Draw how alike the orders of frameworks and models are
    Compare(Compare),
    /// Draw the way of an initiative from insight to learning
    Trace(Trace),
    /// Draw how far users get through steps, and how long it takes them
    ///
    /// Draws how far users get through steps. `waymark analysis query-funnel` takes all that can be asked: conditions of events,
    /// optional steps, ties, calendars, and whose value a breakdown takes; `waymark analysis query-funnel-users` tells who dropped.
    Funnel(Box<Funnel>),
    /// Draw who comes back when
    Retention(Box<Retention>),
    /// Draw how many users come, stay, come back and stay away
    Lifecycle(Active),
    /// Draw in how many intervals users are active
    Stickiness(Active),
    /// Draw what a resource refers to and what refers to it, across the services
    Links(Links),
    /// Draw which initiatives are best done when, within the capacity of teams
    ///
    /// Draws what is done in which period, what that takes of each team, what is left out and why, and what one more
    /// person-month would buy. `waymark roadmap optimize-plan` takes all that can be asked: work of several teams, dates of
    /// initiatives, limits of time.
    Plan(Plan),
    /// Sign in at the issuer whose tokens the servers take
    ///
    /// Signs in once, by a browser on this machine or with --device by a code on any. The login is kept in a file that only
    /// you may read, renewed as long as the issuer does so, and sent to the servers alone whose addresses this command is
    /// given.
    Login(Login),
    /// End the login, here and at the issuer
    Logout,
    /// Tell who a service takes you for, and what you may do: in the workspace that is given, or else anywhere
    Whoami {
        /// The service that is asked
        #[arg(long, value_enum, default_value_t = Area::Roadmap)]
        service: Area,
    },
    /// Print when targets end and decisions are to be looked at again, as an iCalendar feed
    Calendar,
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
    /// The method, such as PrioritizationService/EvaluateScore; of a service that all three have, the one that is asked
    /// stands in front, as in roadmap.EventsService/ListEvents
    method: String,
    /// The request, in JSON or YAML; the workspace is filled in as its parent
    #[arg(long, short, value_name = "JSON", default_value = "{}")]
    data: String,
}

/// The groups of the contract that draw a picture when no command below them is given.
const DECISIONS: &str = "decisions";
const OKR: &str = "okr";
const ROADMAP: &str = "roadmap";
const SCENARIOS: &str = "scenarios";
const TREE: &str = "tree";

/// Below it stand commands that are written by hand and others that are made of the contract.
const IMPORT: &str = "import";
/// Dates of what is planned, beside the roadmap.
const CALENDAR: &str = "calendar";

/// The program's command.
pub fn command() -> Command {
    let made = tree::commands();
    let command = Settings::augment_args(Command::new("waymark"))
        .subcommands(made.iter().map(|(name, node)| with_picture(node.command(name))));
    let command = Own::augment_subcommands(command)
        .mut_subcommand(IMPORT, import::with_collections)
        .about("Decide what to build, ship it, and learn whether it worked")
        .long_about(None::<&str>)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(EXIT_STATUSES)
        .subcommand_required(true)
        .arg_required_else_help(true);
    help::by_phase(command, |name| match made.get(name) {
        Some(node) => node.phase().into(),
        // The way from an insight to what was learned is told from its end.
        None if ["trace", "funnel", "retention", "lifecycle", "stickiness"].contains(&name) => Heading::Measure,
        None if ["rank", "compare"].contains(&name) => Heading::Decide,
        // What to do when is what the roadmap is made of.
        None if ["plan", CALENDAR].contains(&name) => Heading::Deliver,
        None => Heading::Run,
    })
}

fn with_picture(command: Command) -> Command {
    let drawing = match command.get_name() {
        DECISIONS => Decisions::augment_args(command).about("Draw what is to be decided and looked at again, or work on decisions").long_about(
            "Draws decisions that are to be looked at again, those that are to be made, and what is not built and why. With a \
                 command: works on decisions",
        ),
        OKR => Okr::augment_args(command).about("Draw objectives with how far they have come").long_about(
            "Draws objectives as trees, with their key results, the initiatives behind those, and how far all have \
                 come, now or as they stood. With a command: asks about them",
        ),
        ROADMAP => Roadmap::augment_args(command)
            .about("Draw the roadmap, or ask about it")
            .long_about("Draws the roadmap, now or as it stood. With a command: asks about it"),
        SCENARIOS => Scenario::augment_args(command)
            .about("Draw what a scenario changed beside the roadmap, or work on scenarios")
            .long_about(
                "Draws what a scenario changed, beside the roadmap as it is, and what a merge would make of it. With a command: \
                 works on scenarios",
            ),
        TREE => Tree::augment_args(command)
            .about("Draw opportunity solution trees with what was learned, or work on them")
            .long_about("Draws opportunity solution trees, with what was learned. With a command: works on them"),
        _ => return command,
    };
    drawing.subcommand_required(false).arg_required_else_help(false).args_conflicts_with_subcommands(true)
}

/// Carries out what the arguments say.
pub async fn dispatch(matches: &ArgMatches) -> Result<ExitCode> {
    let settings = Settings::from_arg_matches(innermost(matches))?;
    let (name, below) = matches.subcommand().context("no command is given")?;
    if below.subcommand().is_none() || !tree::commands().contains_key(name) {
        // Before anything is done that could not be told of: of commands written by hand none answers with rows.
        settings.format()?;
    }
    if let Ok(own) = Own::from_arg_matches(matches) {
        return run(own, &settings).await;
    }
    match name {
        DECISIONS if below.subcommand().is_none() => {
            decisions::run(&Decisions::from_arg_matches(below)?, &settings).await?;
            return Ok(ExitCode::SUCCESS);
        }
        IMPORT => return import::collection(below, &settings).await,
        OKR if below.subcommand().is_none() => {
            okr::run(&Okr::from_arg_matches(below)?, &settings).await?;
            return Ok(ExitCode::SUCCESS);
        }
        ROADMAP if below.subcommand().is_none() => {
            roadmap::run(&Roadmap::from_arg_matches(below)?, &settings).await?;
            return Ok(ExitCode::SUCCESS);
        }
        SCENARIOS if below.subcommand().is_none() => {
            scenario::run(&Scenario::from_arg_matches(below)?, &settings).await?;
            return Ok(ExitCode::SUCCESS);
        }
        TREE if below.subcommand().is_none() => {
            tree_picture::run(&Tree::from_arg_matches(below)?, &settings).await?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
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
            let method = contract().find_method(&call.method).map_err(|error| Usage(error.to_string()))?;
            execute::call(method, &call.data, settings).await?;
        }
        Own::Dev(_) => bail!("the development server is started before this"),
        Own::Demo(options) => demo::run(&options, settings).await?,
        Own::Import(import) => return import::run(import, settings).await,
        Own::Events(events) => events::run(events, settings).await?,
        Own::Audit(options) => audit::run(&options, settings).await?,
        Own::Policies(command) => return policies::run(command, settings).await,
        Own::Rank(options) => rank::run(&options, settings).await?,
        Own::Compare(options) => compare::run(&options, settings).await?,
        Own::Trace(options) => trace::run(&options, settings).await?,
        Own::Login(options) => login::login(&options, settings).await?,
        Own::Logout => login::logout(settings).await?,
        Own::Whoami { service } => {
            let method = contract().find_method(&format!("{service}.AccessService/WhoAmI"))?;
            execute::call(method, &whoami(settings), settings).await?;
        }
        Own::Calendar => calendar::run(settings).await?,
        Own::Funnel(options) => funnel::run(&options, settings).await?,
        Own::Retention(options) => retention::run(&options, settings).await?,
        Own::Lifecycle(options) => lifecycle::lifecycle(&options, settings).await?,
        Own::Stickiness(options) => lifecycle::stickiness(&options, settings).await?,
        Own::Links(options) => links::run(&options, settings).await?,
        Own::Plan(options) => plan::run(&options, settings).await?,
        Own::Completions { shell } => clap_complete::generate(shell, &mut command(), "waymark", &mut std::io::stdout()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The request of WhoAmI, in JSON.
fn whoami(settings: &Settings) -> String {
    // Without a workspace it is asked of all.
    serde_json::json!({ "workspace": settings.parent().unwrap_or_default() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray as _;

    #[test]
    fn help_lists_each_command_once_under_one_phase() {
        let mut command = command();
        let help = command.render_help().to_string();
        assert!(help.starts_with("Decide what to build"), "{help}");
        let list =
            help.split("\n\n").filter(|part| Heading::VARIANTS.iter().any(|h| part.starts_with(&format!("{h}:\n"))));
        let listed: Vec<&str> = list
            .flat_map(|part| part.lines().skip(1))
            .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
            .filter_map(|line| line.split(' ').next())
            .collect();
        command.build();
        let sorted = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.join(" ")
        };
        let expected = command.get_subcommands().map(Command::get_name).collect();
        assert_eq!(sorted(listed.clone()), sorted(expected), "{help}");
        let place = |name| listed.iter().position(|listed| *listed == name).unwrap();
        let order = ["opportunities", "objectives", "initiatives", "trace", "dev"].map(place);
        assert!(order.is_sorted(), "{help}");
    }

    #[test]
    fn pictures_are_drawn_where_no_command_follows() {
        let drawn =
            ["waymark roadmap", "waymark tree", "waymark tree grow", "waymark okr --width 80", "waymark okr grow"];
        for line in drawn.into_iter().chain(["waymark roadmap diff", "waymark tree get grow"]) {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            let (_, below) = matches.subcommand().unwrap();
            assert_eq!(
                below.subcommand_name(),
                line.split(' ').nth(2).filter(|word| !["grow", "--width"].contains(word)),
                "{line}"
            );
        }
    }

    #[test]
    fn the_whole_is_sound() {
        command().debug_assert();
    }
}

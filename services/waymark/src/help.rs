//! The list of commands that `waymark --help` begins with: by the phases of the loop, which clap knows nothing of.

use std::fmt::Write as _;

use clap::Command;
use clap::builder::StyledStr;
use strum::{Display, VariantArray};
use waymark_proto::common::v1::Phase;

/// What commands are listed under, in the order of the list: the contract's phases, then what runs the services and
/// looks after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, VariantArray)]
pub enum Heading {
    Discover,
    Decide,
    Deliver,
    Measure,
    Run,
}

impl From<Phase> for Heading {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Discover => Self::Discover,
            Phase::Decide => Self::Decide,
            Phase::Deliver => Self::Deliver,
            Phase::Measure => Self::Measure,
            Phase::Run | Phase::Unspecified => Self::Run,
        }
    }
}

/// The command with a help that lists the commands below it under their headings.
pub fn by_phase(command: Command, heading: impl Fn(&str) -> Heading) -> Command {
    // clap adds this one later.
    let help = Command::new("help").about("Print this message or the help of a command");
    let all: Vec<&Command> = command.get_subcommands().chain([&help]).collect();
    let width = all.iter().map(|command| command.get_name().len()).max().unwrap_or_default();
    let style = command.get_styles().get_header();
    let mut list = String::new();
    for &under in Heading::VARIANTS {
        let below = all.iter().filter(|command| heading(command.get_name()) == under);
        // Laid out by clap, to the width of the terminal; names of one length are in one column from list to list.
        let lines = Command::new("")
            .disable_help_subcommand(true)
            .help_template("{subcommands}")
            .subcommands(below.map(|command| {
                let name = format!("{:width$}", command.get_name());
                Command::new(name).about(command.get_about().cloned().unwrap_or_default())
            }))
            .render_help();
        let lines = lines.ansi().to_string();
        // Writing to a String cannot fail.
        let _ = write!(list, "{style}{under}:{style:#}\n{}\n\n", lines.trim_end());
    }
    let before = "{about-with-newline}\n{usage-heading} {usage}\n\n";
    let options = format!("{style}Options:{style:#}\n{{options}}{{after-help}}");
    command.help_template(StyledStr::from(format!("{before}{list}{options}")))
}

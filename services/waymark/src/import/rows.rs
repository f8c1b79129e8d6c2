//! `waymark import <collection> FILE`: resources from the rows of CSV, JSON and Parquet, one way for every collection that
//! the contract has batches for.
//!
//! The id of a resource is made of the key that its row has, so a row is the same resource in every import: it is made,
//! updated where it differs, or left as it is. An import that was broken off is given again, and goes over what it did.
//! What a row says of what belongs to the resource, as of an initiative its estimate, is checked before either is written.

mod batch;
mod declared;
mod key;
mod kind;
mod linking;
mod mapping;
mod options;
mod passes;
mod reading;
mod report;
mod same;
mod target;
mod writing;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use indicatif::ProgressBar;

use super::notation::Notation;
use super::options::Twice;
use super::send::progress_bar;
use super::source;
use crate::Usage;
use crate::settings::Settings;
use key::Keys;
use mapping::Mapping;
use options::{RowsArgs, declared};
use passes::Import;
use report::Report;

/// The commands, one a collection.
pub fn commands() -> Vec<Command> {
    let command = |kind: &kind::Kind| {
        let name = &kind.resource.command;
        let parts: Vec<&str> = kind.parts.iter().map(|(part, _)| part.resource.singular.as_str()).collect();
        let about = format!("Import {name} from a file");
        RowsArgs::augment_args(Command::new(name.clone())).about(about).long_about(options::long_about(name, &parts))
    };
    kind::kinds().iter().map(command).collect()
}

/// Imports the file that the arguments name into the collection of the command. The exit status is 7 when rows were
/// refused.
pub async fn run(command: &str, matches: &ArgMatches, settings: &Settings) -> Result<ExitCode> {
    let args = RowsArgs::from_arg_matches(matches)?;
    let kind = kind::of(command).with_context(|| format!("{command} cannot be imported"))?;
    let said = declared(&args, &kind.resource.collection)?;
    let keys = Keys { prefix: said.prefix.clone(), workspace: settings.workspace()?.to_owned() };
    let notation = Notation::new(args.decimal, args.thousands).map_err(Usage)?;
    let file = source::open(&args.input, Twice::Taken, &ProgressBar::hidden())?;
    let mapping = Mapping::new(kind, &said, keys, &file, notation, settings.zone())?;
    let left_out = mapping.left_out(file.columns.as_deref().unwrap_or_default());
    let report = Report::new(args.dry_run, left_out, args.report.as_deref())?;
    let progress = progress_bar();
    let mut import = Import::new(mapping, settings, args.dry_run, report)?;
    let outcome = import.all(|| Ok(source::open(&args.input, Twice::Taken, &progress)?.rows), &progress).await;
    progress.finish_and_clear();
    let report = import.finish()?;
    outcome.map_err(|error| {
        if error.chain().any(<dyn std::error::Error>::is::<waymark_client::Error>) {
            error.context("the import stopped; give the same command again to go on: what is done stays as it is")
        } else {
            error
        }
    })?;
    if report.rows == 0 {
        anyhow::bail!(Usage(format!("{} has no rows: nothing was imported", args.input.file.display())));
    }
    report.print(settings.format()?)?;
    Ok(if report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(7) })
}

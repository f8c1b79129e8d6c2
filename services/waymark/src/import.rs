//! `waymark import events FILE`: product events from CSV, JSON or Parquet. `waymark import undo IMPORT` takes them back.
//! `waymark import <collection> FILE`: resources (`rows`).
//!
//! A second import of a file counts nothing twice: the id of an event is made of its row, and the service counts an id
//! once. An import that was broken off goes on after the last batch that was acknowledged, unless it was undone since. Rows that cannot be events are
//! reported with their line and the reason, and the others are imported.

mod delimiter;
mod mapping;
mod notation;
mod options;
mod order;
mod properties;
mod record;
mod report;
mod resource;
mod rows;
mod send;
mod source;
mod state;
mod tally;
mod time;
mod values;
mod vendor;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{ArgMatches, Command, Subcommand};

use crate::settings::Settings;

pub use options::{EventsArgs, Form};

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Import product events from a file
    ///
    /// Columns are named by the header of a CSV file, the keys of JSON objects or the columns of a Parquet file.
    /// Columns that are mapped to nothing become properties, unless --property names which ones do. The report says
    /// as what each column was read, with examples: look at it by --dry-run first. Examples:
    ///
    ///   waymark import events clicks.csv.gz --user user_id --event event --time timestamp --session session_id
    ///
    /// waymark import events orders.txt --delimiter whitespace --user customer --time date --time-format %Y%m%d --value
    /// event=order
    ///
    ///   waymark import events export.json --user properties.distinct_id --event event --time properties.time
    /// --time-format unix --property 'properties.*'
    ///
    ///   waymark import events 2026-02.json.zip --from amplitude
    ///
    /// What of an export of Segment, Mixpanel, Amplitude or PostHog becomes what is listed in IMPORTING.md.
    #[command(verbatim_doc_comment)]
    Events(Box<EventsArgs>),
    /// Take an import back: what it alone delivered is gone from every answer
    ///
    /// Events that something else delivered, too, stay. The same file can be imported again afterwards. `waymark imports
    /// list` tells which imports there are.
    Undo {
        /// The import, by its id or its name, as `waymark import events` and `waymark imports list` tell it
        import: String,
    },
}

/// The command with those below it that the contract makes: one for each collection that can be imported by rows.
pub fn with_collections(import: Command) -> Command {
    import.subcommands(rows::commands())
}

/// Imports resources of the collection that the command below `import` is called by.
pub async fn collection(matches: &ArgMatches, settings: &Settings) -> Result<ExitCode> {
    let (name, below) = matches.subcommand().context("no collection is named")?;
    rows::run(name, below, settings).await
}

/// Runs an import, or takes one back. The exit status is 7 when rows were rejected.
pub async fn run(import: Import, settings: &Settings) -> Result<ExitCode> {
    match import {
        Import::Events(args) => {
            Ok(if send::run(&args, settings).await? { ExitCode::SUCCESS } else { ExitCode::from(7) })
        }
        Import::Undo { import } => resource::undo(&import, settings).await.map(|()| ExitCode::SUCCESS),
    }
}

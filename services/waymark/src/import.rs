//! `waymark import events FILE`: product events from CSV, JSON lines or Parquet.
//!
//! A second import of a file changes nothing: the id of an event is made of its row, and the service counts an id once.
//! An import that was broken off goes on after the last batch that was acknowledged. Rows that cannot be events are
//! reported with their line and the reason, and the others are imported.

mod mapping;
mod options;
mod record;
mod report;
mod send;
mod source;
mod state;
mod time;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::settings::Settings;

pub use options::{EventsArgs, Form};

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Import product events from a file
    ///
    /// Columns are named by the header of a CSV file, the keys of JSON objects or the columns of a Parquet file.
    /// Columns that are mapped to nothing become properties, unless --property names which ones do. Examples:
    ///
    ///   waymark import events clicks.csv.gz --user user_id --event event --time timestamp --session session_id
    ///
    /// waymark import events orders.txt --delimiter whitespace --user customer --time date --time-format %Y%m%d --value
    /// event=order
    #[command(verbatim_doc_comment)]
    Events(EventsArgs),
}

/// Runs an import. The exit status is 7 when rows were rejected.
pub async fn run(import: Import, settings: &Settings) -> Result<ExitCode> {
    let Import::Events(args) = import;
    let report = send::run(&args, settings).await?;
    report.print(settings.output)?;
    Ok(if report.rejected() == 0 { ExitCode::SUCCESS } else { ExitCode::from(7) })
}

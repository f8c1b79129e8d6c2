//! What became of the rows of a file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::record::Broken;
use super::state::Progress;
use crate::generic::json;
use crate::generic::output::Format;

/// Rejected rows shown without `--rejects`.
const SHOWN: usize = 20;

/// The outcome of an import.
#[derive(Debug)]
pub struct Report {
    progress: Progress,
    dry_run: bool,
    resumed_after: u64,
    first: Vec<Broken>,
    file: Option<csv::Writer<BufWriter<File>>>,
}

impl Report {
    /// A report that goes on from what an earlier run did.
    pub fn new(progress: Progress, dry_run: bool, rejects: Option<&Path>) -> Result<Self> {
        let file = rejects.map(|path| open(path, progress.rows > 0)).transpose()?;
        Ok(Self { progress, dry_run, resumed_after: progress.rows, first: Vec::new(), file })
    }

    /// Counts a batch that is dealt with.
    pub fn add(&mut self, rows: u64, stored: u64, rejected: Vec<Broken>) -> Result<Progress> {
        self.progress.rows += rows;
        self.progress.stored += stored;
        self.progress.rejected += rejected.len() as u64;
        for broken in rejected {
            if let Some(file) = &mut self.file {
                file.write_record([broken.line.to_string(), broken.reason.clone()])?;
            }
            if self.first.len() < SHOWN {
                self.first.push(broken);
            }
        }
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        Ok(self.progress)
    }

    /// Rows that are no events.
    pub fn rejected(&self) -> u64 {
        self.progress.rejected
    }

    /// Prints it: the summary on standard output, rejected rows on standard error.
    pub fn print(&self, format: Format) -> Result<()> {
        let Progress { rows, stored, rejected } = self.progress;
        for Broken { line, reason } in &self.first {
            eprintln!("line {line}: {reason}");
        }
        let untold = rejected.saturating_sub(self.first.len() as u64);
        if untold > 0 {
            eprintln!("… and {untold} more; --rejects FILE writes all of them");
        }
        let rejections: Vec<_> =
            self.first.iter().map(|broken| json!({"line": broken.line, "reason": broken.reason})).collect();
        let value = json!({
            "rows": rows, "stored": stored, "rejected": rejected, "resumedAfter": self.resumed_after, "dryRun": self.dry_run,
            "rejections": rejections,
        });
        match format {
            Format::Json => crate::show(format_args!("{}", serde_json::to_string_pretty(&value)?)),
            Format::Yaml => crate::show(format_args!("{}", json::yaml(&value)?.trim_end())),
            Format::Table => {
                let verb = if self.dry_run { "can be imported" } else { "imported" };
                let resumed = self.resumed_after;
                let from = if resumed > 0 { format!(" ({resumed} of them by the run before)") } else { String::new() };
                crate::show(format_args!("{stored} of {rows} rows {verb}{from}, {rejected} rejected"));
            }
        }
        std::io::stdout().flush().context("standard output")
    }
}

fn open(path: &Path, append: bool) -> Result<csv::Writer<BufWriter<File>>> {
    let mut options = File::options();
    let options = if append { options.append(true) } else { options.write(true).truncate(true) };
    let file = options.create(true).open(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut writer = csv::Writer::from_writer(BufWriter::new(file));
    if !append {
        writer.write_record(["line", "reason"])?;
    }
    Ok(writer)
}

//! What became of the rows of a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use waymark_proto::metrics::v1 as pb;

use super::record::Broken;
use super::resource::{advice, cut};
use super::state::Progress;
use super::tally::{Count, Tallied, Tally};
use super::values::Reading;
use crate::generic::json;
use crate::generic::output::{self, Format};

/// Rejected rows shown without `--rejects`.
const SHOWN: usize = 20;

/// How many rows tell who is who, by method.
pub type Identities = BTreeMap<String, u64>;

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
        Ok(Self { resumed_after: progress.rows, progress, dry_run, first: Vec::new(), file })
    }

    /// How far the import is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Counts a batch that is dealt with.
    pub fn add(&mut self, rows: u64, stored: u64, rejected: Vec<Broken>) -> Result<&Progress> {
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
        Ok(&self.progress)
    }

    /// The report for the service to keep, as much of it as that takes.
    pub fn completion(&self, tally: &Tally, identities: &Identities, untold_times: u64) -> pb::CompleteImportRequest {
        let column = |(column, count): (&Tallied, &Count)| pb::ImportColumn {
            column: cut(&column.column, 200),
            becomes: cut(&column.becomes, 300),
            read_as: count.reading.name().to_owned(),
            rows: count.rows.cast_signed(),
            examples: count.examples.clone(),
        };
        let identity = |(method, rows): (&String, &u64)| pb::ImportColumn {
            column: cut(method, 200),
            becomes: "nothing, as who is who is not taken yet".to_owned(),
            read_as: "identity".to_owned(),
            rows: rows.cast_signed(),
            examples: Vec::new(),
        };
        let columns = identities.iter().map(identity).chain(counts(tally).map(column));
        let rejection =
            |Broken { line, reason }: &Broken| pb::RejectedRow { line: line.cast_signed(), reason: cut(reason, 500) };
        let report = pb::ImportReport {
            columns: columns.take(pb::ImportReport::COLUMNS_MOST).collect(),
            rejections: self.first.iter().map(rejection).collect(),
            ambiguous_times: untold_times.cast_signed(),
        };
        let Progress { import, rows, stored, rejected } = self.progress.clone();
        pb::CompleteImportRequest {
            name: import,
            read: rows.cast_signed(),
            accepted: stored.cast_signed(),
            rejected: rejected.cast_signed(),
            report: Some(report),
            ..pb::CompleteImportRequest::default()
        }
    }

    /// Prints it: the summary and as what columns were read on standard output, rejected rows on standard error. The
    /// import is the one that the service keeps; none of a dry run.
    pub fn print(
        &self,
        import: Option<&pb::Import>,
        tally: &Tally,
        identities: &Identities,
        untold_times: u64,
        format: Format,
    ) -> Result<()> {
        let Progress { rows, stored, rejected, .. } = self.progress;
        let counts_of = |import: &pb::Import| import.counts.unwrap_or_default();
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
            "rows": rows, "stored": stored, "rejected": rejected, "rejections": rejections,
            "import": import.map(|import| &import.name),
            "duplicates": import.and_then(|import| counts_of(import).duplicates),
            "resumedAfter": self.resumed_after, "dryRun": self.dry_run, "ambiguousTimes": untold_times,
            "identities": identities,
            "columns": counts(tally).map(|(column, count)| json!({
                "column": column.column, "becomes": column.becomes, "readAs": count.reading.name(), "rows": count.rows,
                "examples": count.examples,
            })).collect::<Vec<_>>(),
        });
        match format {
            Format::Json => crate::show(format_args!("{}", serde_json::to_string_pretty(&value)?)),
            Format::Yaml => crate::show(format_args!("{}", json::yaml(&value)?.trim_end())),
            Format::Table => {
                let verb = if self.dry_run { "can be imported" } else { "imported" };
                let resumed = self.resumed_after;
                let from = if resumed > 0 { format!(" ({resumed} of them by the run before)") } else { String::new() };
                let known = match import.and_then(|import| counts_of(import).duplicates).unwrap_or_default() {
                    0 => String::new(),
                    known => format!(", {known} of them known already"),
                };
                crate::show(format_args!("{stored} of {rows} rows {verb}{from}{known}, {rejected} rejected"));
                if let Some(import) = import {
                    crate::show(format_args!("{}", advice(&import.name)));
                }
                if !identities.is_empty() {
                    let passed: u64 = identities.values().sum();
                    let methods: Vec<_> = identities.iter().map(|(method, rows)| format!("{rows} {method}")).collect();
                    let methods = methods.join(", ");
                    crate::show(format_args!(
                        "of them {passed} were passed over, as who is who is not taken yet: {methods}"
                    ));
                }
                crate::show(format_args!("{}", table(tally)));
                for note in notes(tally, untold_times) {
                    crate::show(format_args!("{note}"));
                }
            }
        }
        std::io::stdout().flush().context("standard output")
    }
}

/// The columns with each reading of them.
fn counts(tally: &Tally) -> impl Iterator<Item = (&Tallied, &Count)> {
    tally.columns.iter().flat_map(|column| column.read.iter().map(move |count| (column, count)))
}

fn table(tally: &Tally) -> String {
    let headings = ["COLUMN", "BECOMES", "READ AS", "ROWS", "SUCH AS"].map(str::to_owned);
    let rows = counts(tally).map(|(Tallied { column, becomes, .. }, count)| {
        let read = count.reading.name().to_owned();
        [column.clone(), becomes.clone(), read, count.rows.to_string(), count.examples.join(" · ")]
    });
    output::table(headings, rows)
}

/// What to look at, and what to do about it.
fn notes(tally: &Tally, untold_times: u64) -> Vec<String> {
    let any = |reading| counts(tally).any(|(_, count)| count.reading == reading);
    let mut notes = Vec::new();
    if any(Reading::Doubtful) {
        notes.push(
            "Texts that look like numbers are counted, not summed: say how numbers are written by --decimal and \
             --thousands, or that a column has numbers by --property COLUMN:number."
                .to_owned(),
        );
    }
    if any(Reading::Digits) {
        notes.push("Integers beyond 2^53 are kept digit by digit, as texts: filters compare them as texts.".to_owned());
    }
    if untold_times > 0 {
        notes.push(format!(
            "{untold_times} rows have a time that the clock of the time zone showed twice, and the order of rows does \
             not tell which was meant: the one next to the row before was taken. An offset from UTC would tell."
        ));
    }
    notes
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

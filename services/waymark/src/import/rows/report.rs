//! What became of the rows of a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::linking::Linked;
use super::mapping::Fault;
use super::writing::Outcome;
use crate::generic::json;
use crate::generic::output::Format;

/// Refused rows that are shown without `--report`.
const SHOWN: usize = 20;
/// Columns that go nowhere and are named to people.
const NAMED: usize = 20;
/// The columns of the report as a file.
const HEADER: [&str; 6] = ["line", "key", "outcome", "field", "column", "reason"];

/// Resources of a collection by what became of them.
#[derive(Debug, Default)]
struct Counts {
    made: u64,
    updated: u64,
    unchanged: u64,
}

/// Names that a method of their own adds, by what became of them.
#[derive(Debug, Default)]
struct Links {
    added: u64,
    unchanged: u64,
    left_out: u64,
}

/// The outcome of an import.
#[derive(Debug)]
pub struct Report {
    dry_run: bool,
    pub rows: u64,
    pub refused: u64,
    passed_over: u64,
    collections: BTreeMap<&'static str, Counts>,
    links: BTreeMap<String, Links>,
    first: Vec<(u64, String, Vec<Fault>)>,
    /// What is left out of rows that are imported.
    unlinked: Vec<(u64, String, Vec<Fault>)>,
    left_out: Vec<String>,
    file: Option<csv::Writer<BufWriter<File>>>,
}

impl Report {
    pub fn new(dry_run: bool, left_out: Vec<String>, path: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
            let mut writer = csv::Writer::from_writer(BufWriter::new(file));
            writer.write_record(HEADER)?;
            anyhow::Ok(writer)
        };
        let file = path.map(open).transpose()?;
        let (rows, refused, passed_over) = (0, 0, 0);
        Ok(Self {
            dry_run,
            rows,
            refused,
            passed_over,
            collections: BTreeMap::new(),
            links: BTreeMap::new(),
            first: Vec::new(),
            unlinked: Vec::new(),
            left_out,
            file,
        })
    }

    /// A row that is none of those that are wanted.
    pub fn pass_over(&mut self) {
        self.rows += 1;
        self.passed_over += 1;
    }

    /// A row whose resources are as it says: what became of the resource and of its parts.
    pub fn add(&mut self, line: u64, key: &str, outcomes: &[(&'static str, Outcome)]) -> Result<()> {
        self.rows += 1;
        for (index, (collection, outcome)) in outcomes.iter().enumerate() {
            let counts = self.collections.entry(collection).or_default();
            let (word, count) = match outcome {
                Outcome::Made => ("made", &mut counts.made),
                Outcome::Updated => ("updated", &mut counts.updated),
                Outcome::Unchanged => ("unchanged", &mut counts.unchanged),
                Outcome::Refused(_) => continue,
            };
            *count += 1;
            let field = if index == 0 { "" } else { *collection };
            self.record([&line.to_string(), key, word, field, "", ""])?;
        }
        Ok(())
    }

    /// A row that is refused, with all that is wrong with it.
    pub fn refuse(&mut self, line: u64, key: &str, faults: Vec<Fault>) -> Result<()> {
        self.rows += 1;
        self.refused += 1;
        for Fault { field, column, reason } in &faults {
            self.record([&line.to_string(), key, "refused", field, column, reason])?;
        }
        if self.first.len() < SHOWN {
            self.first.push((line, key.to_owned(), faults));
        }
        Ok(())
    }

    /// A name of a row that was to be added; `fault` tells of one that is left out.
    pub fn link(
        &mut self,
        line: u64,
        key: &str,
        field: &str,
        became: &Linked,
        fault: impl FnOnce(String) -> Fault,
    ) -> Result<()> {
        let counts = self.links.entry(field.to_owned()).or_default();
        match became {
            Linked::Added => counts.added += 1,
            Linked::Unchanged => counts.unchanged += 1,
            Linked::LeftOut(reason) => {
                counts.left_out += 1;
                let fault = fault(reason.clone());
                self.record([&line.to_string(), key, "left out", &fault.field, &fault.column, &fault.reason])?;
                if self.unlinked.len() < SHOWN {
                    self.unlinked.push((line, key.to_owned(), vec![fault]));
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, cells: [&str; 6]) -> Result<()> {
        match &mut self.file {
            Some(file) => Ok(file.write_record(cells.map(|cell| crate::generic::cell::guarded(cell).into_owned()))?),
            None => Ok(()),
        }
    }

    /// Nothing more comes.
    pub fn finish(&mut self) -> Result<()> {
        Ok(self.file.as_mut().map_or(Ok(()), csv::Writer::flush)?)
    }

    /// Prints it: numbers on standard output, refused rows on standard error.
    pub fn print(&self, format: Format) -> Result<()> {
        for (line, key, faults) in &self.first {
            let key = if key.is_empty() { String::new() } else { format!(" [{key}]") };
            for fault in faults {
                eprintln!("line {line}{key}: {}", told(fault));
            }
        }
        for (line, key, faults) in &self.unlinked {
            for fault in faults {
                eprintln!("line {line} [{key}]: left out: {}", told(fault));
            }
        }
        if self.refused > self.first.len() as u64 {
            eprintln!("… and {} more; --report FILE writes all of them", self.refused - self.first.len() as u64);
        }
        match format {
            Format::Json => crate::show(format_args!("{}", serde_json::to_string_pretty(&self.json())?)),
            Format::Yaml => crate::show(format_args!("{}", json::yaml(&self.json())?.trim_end())),
            Format::Table => crate::show(format_args!("{}", self.text())),
        }
        std::io::stdout().flush().context("standard output")
    }

    fn json(&self) -> Value {
        let one = |line: u64, key: &str, Fault { field, column, reason }: &Fault| json!({"line": line, "key": key, "field": field, "column": column, "reason": reason});
        let each = |rows: &[(u64, String, Vec<Fault>)]| -> Vec<Value> {
            let rows = rows.iter();
            rows.flat_map(|(line, key, faults)| faults.iter().map(|fault| one(*line, key, fault))).collect()
        };
        let links = self.links.iter().map(|(field, Links { added, unchanged, left_out })| {
            (field.clone(), json!({"added": added, "unchanged": unchanged, "leftOut": left_out}))
        });
        let collections = self.collections.iter().map(|(collection, Counts { made, updated, unchanged })| {
            ((*collection).to_owned(), json!({"made": made, "updated": updated, "unchanged": unchanged}))
        });
        json!({
            "rows": self.rows, "refused": self.refused, "passedOver": self.passed_over, "dryRun": self.dry_run,
            "collections": collections.collect::<serde_json::Map<_, _>>(),
            "links": links.collect::<serde_json::Map<_, _>>(),
            "leftOut": self.left_out, "refusals": each(&self.first), "notLinked": each(&self.unlinked),
        })
    }

    fn text(&self) -> String {
        let fit = self.rows - self.refused - self.passed_over;
        let verb = if self.dry_run { "can be imported" } else { "imported" };
        let passed_over = match self.passed_over {
            0 => String::new(),
            rows => format!(", {rows} passed over"),
        };
        let mut lines = vec![format!("{fit} of {} rows {verb}, {} refused{passed_over}", self.rows, self.refused)];
        for (collection, Counts { made, updated, unchanged }) in &self.collections {
            lines.push(format!("{collection}: {made} made, {updated} updated, {unchanged} unchanged"));
        }
        for (field, Links { added, unchanged, left_out }) in &self.links {
            lines.push(format!("{field}: {added} added, {unchanged} unchanged, {left_out} left out"));
        }
        if !self.left_out.is_empty() {
            let more = match self.left_out.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = self.left_out.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            lines.push(format!("columns that go nowhere: {named}{more}"));
        }
        lines.join("\n")
    }
}

/// A fault in a line: `display_name (Summary): must not be empty`.
fn told(Fault { field, column, reason }: &Fault) -> String {
    match (field.as_str(), column.as_str()) {
        ("", "") => reason.clone(),
        ("", column) => format!("{column}: {reason}"),
        (field, column) if column.is_empty() || column == field => format!("{field}: {reason}"),
        (field, column) => format!("{field} ({column}): {reason}"),
    }
}
